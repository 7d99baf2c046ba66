/*
 * import orders: what shops sold, as evidence like a delivery: later news from the shop wins by the
 * merge. Rows that follow each other with one source and id are the lines of one order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/facts_bytes.h"
#include "base/mem.h"
#include "base/text.h"
#include "effects.h"
#include "import.h"
#include "import_scratch.h"
#include "queries.h"
#include "shops/evidence.h"
#include "shops/shop.h"
#include "store/orders.h"
#include "store/reference.h"

enum column {
    SOURCE,
    ID,
    STATUS,
    EMAIL,
    PAID_AT,
    UPDATED_AT,
    LINE,
    PRODUCT,
    VARIANT,
    SKU,
    QUANTITY,
    REFUNDED_QUANTITY,
    REFERENCE,
};

static const struct import_column columns[] = {
    [SOURCE] = {"source", true},
    [ID] = {"id", true},
    [STATUS] = {"status", true},
    [EMAIL] = {"email", false},
    [PAID_AT] = {"paid_at", false},
    [UPDATED_AT] = {"updated_at", false},
    [LINE] = {"line", true},
    [PRODUCT] = {"product", false},
    [VARIANT] = {"variant", false},
    [SKU] = {"sku", false},
    [QUANTITY] = {"quantity", true},
    [REFUNDED_QUANTITY] = {"refunded_quantity", false},
    [REFERENCE] = {"reference", false},
    {NULL, false},
};

/* What the columns of an order, and not of its lines, say: in all of its rows the same, or only in
 * the first. */
static const enum column heading[] = {STATUS, EMAIL, PAID_AT, UPDATED_AT, REFERENCE};
#define HEADINGS (sizeof(heading) / sizeof(heading[0]))

static const struct {
    const char *name;
    enum order_status status;
    bool was_paid, disputed;
} statuses[] = {
    {"pending", ORDER_PENDING, false, false},     {"paid", ORDER_PAID, true, false},
    {"cancelled", ORDER_CANCELLED, false, false}, {"refunded", ORDER_REFUNDED, true, false},
    {"disputed", ORDER_PAID, true, true},
};
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

struct orders {
    /* Those gathered, the last of which may be going on. */
    struct facts facts;
    uint32_t *sources;
    uint64_t *lines; /* where each begins */
    size_t cap;

    bool open;   /* the last one may go on with the next row */
    bool broken; /* a row of it is bad: what follows of it is checked, and not gathered */
    size_t object;
    char *source, *id, *told[HEADINGS];

    uint64_t orders, fresh;
    struct effects *effects, *batch_effects;
};

static void *orders_begin(struct import *import)
{
    struct orders *work = xcalloc(1, sizeof(*work));

    (void)import;
    work->effects = effects_new();
    work->batch_effects = effects_new();
    return work;
}

/* What was told of the open order's heading, which holds an address. */
static void heading_forget(struct orders *work)
{
    xfree(work->source);
    xfree(work->id);
    for (size_t i = 0; i < HEADINGS; i++) {
        if (work->told[i] != NULL)
            explicit_bzero(work->told[i], strlen(work->told[i]));
        xfree(work->told[i]);
    }
    work->open = false;
}

static void orders_end(void *arg)
{
    struct orders *work = arg;

    heading_forget(work);
    facts_free(&work->facts);
    effects_free(work->effects);
    effects_free(work->batch_effects);
    free(work->sources);
    free(work->lines);
    free(work);
}

/* --- rows into facts ----------------------------------------------------------------------- */

static int status_read(struct import *import, const struct import_row *row,
                       struct fact_snapshot *snapshot, bool *was_paid)
{
    const char *name = row->fields[STATUS];

    for (size_t i = 0; i < STATUSES; i++) {
        if (name == NULL || strcmp(name, statuses[i].name) != 0)
            continue;
        snapshot->status = statuses[i].status;
        snapshot->disputed = statuses[i].disputed;
        *was_paid = statuses[i].was_paid;
        return 0;
    }
    import_fault(import->file, row, STATUS, "pending, paid, cancelled, refunded or disputed");
    return -1;
}

/* A time that lies ahead would win over all that the shop says until then. */
static int past_read(struct import *import, const struct import_row *row, size_t column,
                     int64_t *out)
{
    if (import_time(import, row, column, out))
        return -1;
    if (evidence_time(*out, import->ctl->now) == *out)
        return 0;
    import_fault(import->file, row, column, "a time that does not lie in the future");
    return -1;
}

static int times_read(struct import *import, const struct import_row *row,
                      struct fact_snapshot *snapshot, bool was_paid)
{
    int64_t paid, updated;

    if (past_read(import, row, PAID_AT, &paid) | past_read(import, row, UPDATED_AT, &updated))
        return -1;
    snapshot->time = updated != TIME_NONE ? updated : paid;
    snapshot->paid_at = was_paid ? paid : TIME_NONE;
    if (snapshot->time != TIME_NONE)
        return 0;
    import_fault(import->file, row, UPDATED_AT, "a time here, or in paid_at");
    return -1;
}

static int buyer_read(struct import *import, const struct import_row *row,
                      struct fact_snapshot *snapshot)
{
    const char *reference;
    char *address;
    int result = import_address(import, row, EMAIL, &address);

    if (address != NULL) {
        evidence_set_address(snapshot, address);
        explicit_bzero(address, strlen(address));
    }
    free(address);
    if (import_text(import, row, REFERENCE, LIMIT_REFERENCE, &reference))
        return -1;
    snapshot->reference = reference == NULL ? NULL : xstrdup(reference);
    return result;
}

/* The source's number, or 0 with the fault noted: it is one of the configuration, for a retired one
 * has nobody who could correct what is imported. */
static uint32_t source_read(struct import *import, const struct import_row *row)
{
    const struct settings *settings = import->ctl->settings;
    const char *name = row->fields[SOURCE];
    struct buf names = {0};

    if (name != NULL && settings_source(settings, name, strlen(name)) != NULL)
        return source_map_id(import->ctl->sources, name);
    buf_puts(&names, "a configured source:");
    for (size_t i = 0; i < settings->source_count; i++)
        buf_printf(&names, " %s", settings->sources[i].name);
    import_fault(import->file, row, SOURCE,
                 settings->source_count == 0 ? "none is configured" : names.data);
    buf_free(&names);
    return 0;
}

static int count_read(struct import *import, const struct import_row *row, size_t column,
                      int64_t most, int64_t *out)
{
    const char *text = row->fields[column];
    char expected[64];

    if (text != NULL && text_to_int(text, strlen(text), out) == 0 && *out <= most)
        return 0;
    snprintf(expected, sizeof(expected), "a whole number from 0 to %lld", (long long)most);
    import_fault(import->file, row, column, expected);
    return -1;
}

/* Adds the row's line to the order. */
static int line_read(struct import *import, const struct import_row *row,
                     struct fact_snapshot *snapshot)
{
    const char *id, *product, *variant, *sku;
    struct fact_line line = {0};
    struct facts verdict = {0};
    int result = import_text(import, row, LINE, LIMIT_ORDER_ID, &id) |
                 import_text(import, row, PRODUCT, LIMIT_SELECTOR, &product) |
                 import_text(import, row, VARIANT, LIMIT_SELECTOR, &variant) |
                 import_text(import, row, SKU, LIMIT_SELECTOR, &sku) |
                 count_read(import, row, QUANTITY, LIMIT_QUANTITY, &line.quantity);

    if (result == 0 && row->fields[REFUNDED_QUANTITY] != NULL)
        result = count_read(import, row, REFUNDED_QUANTITY, line.quantity, &line.refunded_quantity);
    if (id == NULL)
        import_fault(import->file, row, LINE, "the line's id");
    if (result != 0 || id == NULL)
        return -1;
    line.id = xstrdup(id);
    line.product = product == NULL ? NULL : xstrdup(product);
    line.variant = variant == NULL ? NULL : xstrdup(variant);
    line.sku = sku == NULL ? NULL : xstrdup(sku);
    result = evidence_add_line(&verdict, snapshot, &line);
    if (result != 0)
        import_fault_line(import->file, row->line, verdict.detail);
    facts_free(&verdict);
    return result;
}

/* Whether the row goes on with the order before it. */
static bool row_continues(const struct import *import, const struct orders *work,
                          const struct import_row *row)
{
    if (!work->open)
        return false;
    if (import_file_is_json(import->file))
        return row->object == work->object;
    return row->fields[SOURCE] != NULL && row->fields[ID] != NULL && work->source != NULL &&
           work->id != NULL && strcmp(row->fields[SOURCE], work->source) == 0 &&
           strcmp(row->fields[ID], work->id) == 0;
}

/* What a row says again must be the same. */
static int heading_check(struct import *import, const struct orders *work,
                         const struct import_row *row)
{
    for (size_t i = 0; i < HEADINGS; i++) {
        const char *again = row->fields[heading[i]];

        if (again == NULL || (work->told[i] != NULL && strcmp(again, work->told[i]) == 0))
            continue;
        import_fault(import->file, row, heading[i], "what the order's first row says, or nothing");
        return -1;
    }
    return 0;
}

/* Begins an order with its first row. */
static int order_open(struct import *import, struct orders *work, const struct import_row *row)
{
    uint32_t source = source_read(import, row);
    struct fact_snapshot *snapshot;
    const char *id;
    bool was_paid = false;
    int result = import_text(import, row, ID, LIMIT_ORDER_ID, &id);

    if (id == NULL)
        import_fault(import->file, row, ID, "the order's id");
    work->open = true;
    work->object = row->object;
    work->source = row->fields[SOURCE] == NULL ? NULL : xstrdup(row->fields[SOURCE]);
    work->id = id == NULL ? NULL : xstrdup(id);
    for (size_t i = 0; i < HEADINGS; i++)
        work->told[i] = row->fields[heading[i]] == NULL ? NULL : xstrdup(row->fields[heading[i]]);
    if (work->facts.order_count == work->cap) {
        work->cap = work->cap == 0 ? LIMIT_IMPORT_BATCH : work->cap * 2;
        work->sources = xreallocarray(work->sources, work->cap, sizeof(*work->sources));
        work->lines = xreallocarray(work->lines, work->cap, sizeof(*work->lines));
    }
    work->sources[work->facts.order_count] = source;
    work->lines[work->facts.order_count] = row->line;
    id = id == NULL ? "?" : id;
    snapshot = fact_order_snapshot(facts_add_order(&work->facts, id, strlen(id)));
    snapshot->lines_known = true;
    result |= status_read(import, row, snapshot, &was_paid);
    result |= times_read(import, row, snapshot, was_paid);
    return result | buyer_read(import, row, snapshot) | (source == 0 ? -1 : 0);
}

/* --- orders into the store ----------------------------------------------------------------- */

/* The standing of one order in the file, for what the whole file has to be asked. */
static void scratch_fill(const struct import *import, const struct orders *work, size_t at,
                         struct scratch_order *out)
{
    const struct fact_order *order = &work->facts.orders[at];
    const struct fact_snapshot *snapshot = order->snapshot;
    struct reference reference;
    struct buf bytes = {0};
    bool owned = snapshot->reference != NULL &&
                 reference_read(import->ctl->vault, snapshot->reference, &reference) &&
                 reference_fits(&reference,
                                source_map_name(import->ctl->sources, work->sources[at]), snapshot);

    *out = (struct scratch_order){.source_id = work->sources[at],
                                  .order_id = order->id,
                                  .time = snapshot->time,
                                  .line = work->lines[at]};
    fact_order_write(order, &bytes);
    digest_sha256(bytes.data, bytes.len, out->content);
    buf_wipe(&bytes);
    for (size_t i = 0;
         snapshot->status == ORDER_PAID && !snapshot->disputed && i < snapshot->line_count; i++)
        out->pays |= snapshot->lines[i].quantity > snapshot->lines[i].refunded_quantity;
    out->has_payer = !owned && snapshot->address_state == ADDRESS_REAL;
    out->nobody = !owned && !out->has_payer;
    if (out->has_payer)
        vault_index(import->ctl->vault, snapshot->address, out->payer);
}

/* Only how many rules match is asked. */
static void rule_matched(const struct catalogue_rule *rule, void *arg)
{
    (void)rule;
    (void)arg;
}

/* Notes in the connection's tables what the file says of one order. */
static enum db_result order_note(struct import *import, struct orders *work, size_t at)
{
    const struct fact_snapshot *snapshot = work->facts.orders[at].snapshot;
    struct scratch_order order;
    uint64_t other = 0;
    char what[128];
    enum db_result result;

    scratch_fill(import, work, at, &order);
    result = import_scratch_order(import->ctl->db, &order, &other);
    if (result == DB_OK && other != 0) {
        snprintf(what, sizeof(what),
                 "line %llu tells this order otherwise with the same time, expected the rows of an "
                 "order together",
                 (unsigned long long)other);
        import_fault_line(import->file, order.line, what);
    }
    for (size_t i = 0; result == DB_OK && order.pays && import->dry_run && i < snapshot->line_count;
         i++) {
        const char *source = source_map_name(import->ctl->sources, order.source_id);

        if (catalogue_match(import->catalogue, source, &snapshot->lines[i], rule_matched, NULL) ==
            0)
            result = import_scratch_unmapped(import->ctl->db, &order, &snapshot->lines[i]);
    }
    return result;
}

struct notes {
    struct import *import;
    struct orders *work;
};

static enum db_result notes_body(struct db *db, void *arg)
{
    const struct notes *notes = arg;
    enum db_result result = DB_OK;

    (void)db;
    for (size_t i = 0; i < notes->work->facts.order_count && result == DB_OK; i++)
        result = order_note(notes->import, notes->work, i);
    return result;
}

struct apply {
    struct import *import;
    struct orders *work;
    struct orders_context context;
    struct order_news *news;
    size_t count;
};

/* Whether every word of an order is known already: it is no news then, and nothing is written. */
static enum db_result order_is_known(struct db *db, const struct apply *apply, size_t at,
                                     bool *known)
{
    const struct fact_order *order = &apply->work->facts.orders[at];
    unsigned char digest[DIGEST_LEN], index[DIGEST_LEN];
    bool addressed = order->snapshot->address_state == ADDRESS_REAL;

    if (addressed)
        vault_index(apply->context.vault, order->snapshot->address, index);
    fact_snapshot_digest(order->snapshot, addressed ? index : NULL, digest);
    return query_snapshot_known(db, apply->work->sources[at], order->id, digest, known);
}

/* The news among the batch. */
static enum db_result news_gather(struct db *db, struct apply *apply)
{
    const struct facts *facts = &apply->work->facts;
    enum db_result result = DB_OK;

    apply->count = 0;
    for (size_t i = 0; i < facts->order_count && result == DB_OK; i++) {
        struct order_news *news = &apply->news[apply->count];
        bool known = false;

        result = order_is_known(db, apply, i, &known);
        if (known)
            continue;
        *news = (struct order_news){.source_id = apply->work->sources[i],
                                    .order_id = facts->orders[i].id,
                                    .facts = &facts->orders[i],
                                    .cause = CAUSE_OPERATOR};
        snprintf(news->cause_id, sizeof(news->cause_id), "import %.24s", apply->import->by);
        apply->count++;
    }
    return result;
}

/* Asks for a re-read where only the shop can settle what two told at one time. */
static enum db_result rereads_schedule(struct db *db, const struct apply *apply)
{
    const struct ctl *ctl = apply->import->ctl;
    enum db_result result = DB_OK;

    for (size_t i = 0; i < apply->count && result == DB_OK; i++) {
        const struct order_news *news = &apply->news[i];
        const char *name = source_map_name(ctl->sources, news->source_id);
        const struct settings_source *source = settings_source(ctl->settings, name, strlen(name));
        int64_t due_at = news->reread_from > ctl->now ? news->reread_from : ctl->now;

        if (news->wants_reread && source != NULL && shop_has_api(source))
            result = orders_schedule_reread(db, news->source_id, news->order_id, 0, due_at);
    }
    return result;
}

/* The batch, as the body of a transaction: what it tells is set anew each time. */
static enum db_result apply_body(struct db *db, void *arg)
{
    struct apply *apply = arg;
    enum db_result result = news_gather(db, apply);

    effects_clear(apply->work->batch_effects);
    if (result == DB_OK)
        result = orders_apply(db, &apply->context, apply->news, apply->count);
    if (result == DB_OK && !apply->context.dry_run)
        result = rereads_schedule(db, apply);
    return result;
}

static void changed(const struct order_change *change, void *arg)
{
    struct orders *work = arg;

    effects_add(work->batch_effects, change->key, change->gained, change->lost);
}

/* Writes the batch, or, in a dry run, sees what it would change. */
static enum exit_code batch_apply(struct import *import, struct orders *work)
{
    struct ctl *ctl = import->ctl;
    struct apply apply = {
        .import = import,
        .work = work,
        .context = {.vault = ctl->vault,
                    .sources = ctl->sources,
                    .now = ctl->now,
                    .dry_run = import->dry_run,
                    .changed = changed,
                    .changed_arg = work},
        .news = xcalloc(work->facts.order_count, sizeof(*apply.news)),
    };
    enum db_result result = db_transaction(ctl->db, apply_body, &apply);

    free(apply.news);
    if (result != DB_OK)
        return ctl_database_failed(ctl, "importing orders");
    work->orders += work->facts.order_count;
    work->fresh += apply.count;
    effects_join(work->effects, work->batch_effects);
    return EXIT_DONE;
}

/* Uses what is gathered, and forgets it. */
static enum exit_code batch_use(struct import *import, struct orders *work)
{
    enum exit_code code = EXIT_DONE;

    if (work->facts.order_count > 0 && import_file_faults(import->file) == 0) {
        if (!import->checking)
            code = batch_apply(import, work);
        else if (db_transaction(import->ctl->db, notes_body, &(struct notes){import, work}) !=
                 DB_OK)
            code = ctl_database_failed(import->ctl, "noting the orders of the file");
    }
    facts_free(&work->facts);
    return code;
}

static enum exit_code orders_take(struct import *import, void *arg, const struct import_row *row)
{
    struct orders *work = arg;
    enum exit_code code = EXIT_DONE;
    struct fact_snapshot *snapshot;

    if (row_continues(import, work, row)) {
        (void)heading_check(import, work, row);
    } else {
        heading_forget(work);
        if (work->facts.order_count >= LIMIT_IMPORT_BATCH)
            code = batch_use(import, work);
        (void)order_open(import, work, row);
    }
    snapshot = work->facts.orders[work->facts.order_count - 1].snapshot;
    if (!import_file_is_json(import->file) || row->element >= 0)
        (void)line_read(import, row, snapshot);
    return code;
}

static enum exit_code orders_finish(struct import *import, void *arg)
{
    struct orders *work = arg;

    heading_forget(work);
    return batch_use(import, work);
}

static void orders_report(struct import *import, const void *arg, struct page *page)
{
    const struct orders *work = arg;

    page_int(page, "orders", "orders", (int64_t)work->orders);
    page_int(page, "new", import->dry_run ? "that would be news" : "that were news",
             (int64_t)work->fresh);
    page_int(page, "known", "known already", (int64_t)(work->orders - work->fresh));
    effects_tell(work->effects, page);
}

const struct import_kind import_orders = {
    .what = "rows",
    .columns = columns,
    .order_lines = true,
    .begin = orders_begin,
    .take = orders_take,
    .finish = orders_finish,
    .report = orders_report,
    .end = orders_end,
};
