/*
 * The facts of orders: read whole, added to as a set, written where they are new.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/order_work.h"
#include "store/reference.h"
#include "store/sealed_context.h"

/* An enum's value, which MariaDB counts from 1. */
static int column_enum(const struct db_rows *rows, unsigned column)
{
    return (int)db_int(rows, column) - 1;
}

static void column_digest(const struct db_rows *rows, unsigned column,
                          unsigned char out[DIGEST_LEN])
{
    size_t len;
    const char *bytes = db_bytes(rows, column, &len);

    memset(out, 0, DIGEST_LEN);
    if (bytes != NULL)
        memcpy(out, bytes, len < DIGEST_LEN ? len : DIGEST_LEN);
}

/* Makes room for one more element and one more mark; both zeroed. */
static void *grow(void *array, size_t count, size_t size, struct fact_mark **marks)
{
    char *grown = xreallocarray(array, count + 1, size);

    memset(grown + count * size, 0, size);
    *marks = xreallocarray(*marks, count + 1, sizeof(**marks));
    memset(*marks + count, 0, sizeof(**marks));
    return grown;
}

static struct known_snapshot *snapshot_add(struct order_work *work)
{
    struct known_order *known = &work->known;

    known->snapshots = grow(known->snapshots, known->snapshot_count, sizeof(*known->snapshots),
                            &work->snapshot_marks);
    return &known->snapshots[known->snapshot_count++];
}

static struct fact_refund *refund_add(struct order_work *work)
{
    struct known_order *known = &work->known;

    known->refunds =
        grow(known->refunds, known->refund_count, sizeof(*known->refunds), &work->refund_marks);
    return &known->refunds[known->refund_count++];
}

static struct fact_dispute *dispute_add(struct order_work *work)
{
    struct known_order *known = &work->known;

    known->disputes =
        grow(known->disputes, known->dispute_count, sizeof(*known->disputes), &work->dispute_marks);
    return &known->disputes[known->dispute_count++];
}

static struct known_subscription *subscription_add(struct order_work *work)
{
    struct known_order *known = &work->known;

    known->subscriptions = grow(known->subscriptions, known->subscription_count,
                                sizeof(*known->subscriptions), &work->subscription_marks);
    return &known->subscriptions[known->subscription_count++];
}

static struct known_snapshot *snapshot_find(struct order_work *work,
                                            const unsigned char digest[DIGEST_LEN])
{
    for (size_t i = 0; i < work->known.snapshot_count; i++) {
        if (memcmp(work->known.snapshots[i].digest, digest, DIGEST_LEN) == 0)
            return &work->known.snapshots[i];
    }
    return NULL;
}

static struct fact_refund *refund_find(struct order_work *work, const char *id, bool detail_only)
{
    for (size_t i = 0; i < work->known.refund_count; i++) {
        struct fact_refund *refund = &work->known.refunds[i];

        if (refund->detail_only == detail_only && strcmp(refund->id, id) == 0)
            return refund;
    }
    return NULL;
}

/* --- reading ------------------------------------------------------------------------------- */

static void snapshot_row(struct db_rows *rows, void *arg)
{
    struct known_snapshot *snapshot = snapshot_add(order_batch_row(arg, rows));
    struct fact_snapshot *facts = &snapshot->facts;

    column_digest(rows, 2, snapshot->digest);
    facts->time = db_int(rows, 3);
    facts->time_flagged = db_int(rows, 4) != 0;
    facts->from_api = db_int(rows, 5) != 0;
    facts->read_at = db_int(rows, 6);
    facts->status = (enum order_status)column_enum(rows, 7);
    facts->lines_known = db_int(rows, 8) != 0;
    facts->lists_refunds = db_int(rows, 9) != 0;
    facts->paid_at = db_time_of(rows, 10);
    facts->total = db_is_null(rows, 11) ? -1 : db_int(rows, 11);
    facts->refunded_total = db_is_null(rows, 12) ? -1 : db_int(rows, 12);
    facts->address_state = (enum address_state)column_enum(rows, 13);
    snapshot->has_index = !db_is_null(rows, 14);
    column_digest(rows, 14, snapshot->address_index);
    snapshot->owner_user = row_text(rows, 15);
    snapshot->owner_team = row_text(rows, 16);
    facts->time_claimed = db_int(rows, 17);
    facts->disputed = db_int(rows, 18) != 0;
    facts->payment = row_text(rows, 19);
}

static void line_row(struct db_rows *rows, void *arg)
{
    unsigned char digest[DIGEST_LEN];
    struct known_snapshot *snapshot;
    struct fact_line *line;

    column_digest(rows, 2, digest);
    snapshot = snapshot_find(order_batch_row(arg, rows), digest);
    if (snapshot == NULL)
        return;
    line = fact_add_line(&snapshot->facts);
    line->id = row_text(rows, 3);
    line->product = row_text(rows, 4);
    line->variant = row_text(rows, 5);
    line->sku = row_text(rows, 6);
    line->quantity = db_int(rows, 7);
    line->refunded_quantity = db_int(rows, 8);
    line->product2 = row_text(rows, 9);
}

/* Rows come sorted by refund, its own row (line '') first. */
static void listed_refund_row(struct db_rows *rows, void *arg)
{
    unsigned char digest[DIGEST_LEN];
    struct known_snapshot *snapshot;
    size_t len;

    column_digest(rows, 2, digest);
    snapshot = snapshot_find(order_batch_row(arg, rows), digest);
    if (snapshot == NULL)
        return;
    db_bytes(rows, 4, &len);
    if (len == 0) {
        struct fact_listed_refund *refund = fact_add_listed_refund(&snapshot->facts);

        refund->id = row_text(rows, 3);
        refund->amount = db_int(rows, 5);
        refund->lines_known = db_int(rows, 6) != 0;
    } else if (snapshot->facts.refund_count > 0) {
        struct fact_listed_refund *refund =
            &snapshot->facts.refunds[snapshot->facts.refund_count - 1];
        struct fact_refund_line *line = fact_add_refund_line(&refund->lines, &refund->line_count);

        line->line_id = row_text(rows, 4);
        line->quantity = db_int(rows, 7);
    }
}

static void refund_row(struct db_rows *rows, void *arg)
{
    struct fact_refund *refund = refund_add(order_batch_row(arg, rows));

    refund->id = row_text(rows, 2);
    refund->detail_only = db_int(rows, 3) != 0;
    refund->time = db_int(rows, 4);
    refund->state = (enum refund_state)column_enum(rows, 5);
    refund->amount = db_int(rows, 6);
    refund->lines_known = db_int(rows, 7) != 0;
    refund->payment = row_text(rows, 8);
}

static void refund_line_row(struct db_rows *rows, void *arg)
{
    size_t len;
    struct fact_refund *refund =
        refund_find(order_batch_row(arg, rows), db_bytes(rows, 2, &len), db_int(rows, 3) != 0);
    struct fact_refund_line *line;

    if (refund == NULL)
        return;
    line = fact_add_refund_line(&refund->lines, &refund->line_count);
    line->line_id = row_text(rows, 4);
    line->quantity = db_int(rows, 5);
}

static void dispute_row(struct db_rows *rows, void *arg)
{
    struct fact_dispute *dispute = dispute_add(order_batch_row(arg, rows));

    dispute->id = row_text(rows, 2);
    dispute->time = db_int(rows, 3);
    dispute->state = (enum dispute_state)column_enum(rows, 4);
}

static void subscription_row(struct db_rows *rows, void *arg)
{
    struct known_subscription *subscription = subscription_add(order_batch_row(arg, rows));
    struct fact_subscription *facts = &subscription->facts;

    column_digest(rows, 2, subscription->digest);
    facts->time = db_int(rows, 3);
    facts->from_api = db_int(rows, 4) != 0;
    facts->read_at = db_int(rows, 5);
    facts->state = (enum subscription_state)column_enum(rows, 6);
    facts->paid_until = db_time_of(rows, 7);
    facts->unpaid_since = db_time_of(rows, 8);
}

static void assignment_row(struct db_rows *rows, void *arg)
{
    order_batch_row(arg, rows)->known.assigned_user = row_text(rows, 2);
}

/* The tables of facts, parents before their children. */
static const struct {
    const char *head;
    const char *tail;
    rows_callback *row;
} fact_tables[] = {
    {"SELECT source_id, order_id, digest, time, time_flagged, from_api, read_at, CAST(status AS UNSIGNED),"
     " lines_known, lists_refunds, paid_at, total, refunded_total, CAST(address_state AS UNSIGNED),"
     " address_index, owner_user, owner_team, time_claimed, disputed, payment FROM order_snapshot WHERE (source_id, order_id) IN",
     "", snapshot_row},
    {"SELECT source_id, order_id, digest, line_id, product, variant, sku, quantity,"
     " refunded_quantity, product2 FROM order_line WHERE (source_id, order_id) IN",
     "ORDER BY source_id, order_id, digest, line_id", line_row},
    {"SELECT source_id, order_id, digest, refund_id, line_id, amount, lines_known, quantity"
     " FROM snapshot_refund WHERE (source_id, order_id) IN",
     "ORDER BY source_id, order_id, digest, refund_id, line_id", listed_refund_row},
    {"SELECT source_id, order_id, refund_id, detail_only, time, CAST(state AS UNSIGNED), amount, lines_known, payment"
     " FROM order_refund WHERE (source_id, order_id) IN",
     "", refund_row},
    {"SELECT source_id, order_id, refund_id, detail_only, line_id, quantity"
     " FROM order_refund_line WHERE (source_id, order_id) IN",
     "ORDER BY source_id, order_id, refund_id, detail_only, line_id", refund_line_row},
    {"SELECT source_id, order_id, dispute_id, time, CAST(state AS UNSIGNED)"
     " FROM order_dispute WHERE (source_id, order_id) IN",
     "", dispute_row},
    {"SELECT source_id, order_id, digest, time, from_api, read_at, CAST(state AS UNSIGNED),"
     " paid_until, unpaid_since FROM order_subscription WHERE (source_id, order_id) IN",
     "", subscription_row},
    {"SELECT source_id, order_id, user_id FROM order_assignment WHERE (source_id, order_id) IN", "",
     assignment_row},
};

enum db_result order_facts_read(struct db *db, struct order_batch *batch)
{
    for (size_t i = 0; i < sizeof(fact_tables) / sizeof(fact_tables[0]); i++) {
        enum db_result result = rows_read(db, fact_tables[i].head, "(?,?)", fact_tables[i].tail,
                                          &batch->keys, 2, fact_tables[i].row, batch);

        if (result != DB_OK)
            return result;
    }
    return DB_OK;
}

/* --- adding -------------------------------------------------------------------------------- */

static char *copy_or_null(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

static void refund_lines_copy(struct fact_refund_line **to, size_t *to_count,
                              const struct fact_refund_line *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fact_refund_line *line = fact_add_refund_line(to, to_count);

        line->line_id = xstrdup(from[i].line_id);
        line->quantity = from[i].quantity;
    }
}

static int text_order(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

static int refund_line_order(const void *a, const void *b)
{
    return strcmp(((const struct fact_refund_line *)a)->line_id,
                  ((const struct fact_refund_line *)b)->line_id);
}

/* The tables have one row for a line of a refund: what a shop tells in several is summed. */
static void refund_lines_fold(struct fact_refund_line *lines, size_t *count)
{
    size_t kept = 0;

    if (*count > 1)
        qsort(lines, *count, sizeof(*lines), refund_line_order);
    for (size_t i = 0; i < *count; i++) {
        if (kept > 0 && strcmp(lines[kept - 1].line_id, lines[i].line_id) == 0) {
            lines[kept - 1].quantity += lines[i].quantity;
            xfree(lines[i].line_id);
        } else {
            lines[kept++] = lines[i];
        }
    }
    *count = kept;
}

/* By id, then by all that a line says, so that of two with one id the same one is kept in any
 * order. */
static int line_order(const void *a, const void *b)
{
    const struct fact_line *left = a, *right = b;
    int order = strcmp(left->id, right->id);

    if (order == 0)
        order = text_order(left->product, right->product);
    if (order == 0)
        order = text_order(left->variant, right->variant);
    if (order == 0)
        order = text_order(left->sku, right->sku);
    if (order == 0)
        order = (left->quantity > right->quantity) - (left->quantity < right->quantity);
    return order;
}

/* The table has one row for a line id; a snapshot that tells one twice keeps the least. */
static void lines_unique(struct fact_snapshot *snapshot)
{
    size_t kept = 0;

    if (snapshot->line_count > 1)
        qsort(snapshot->lines, snapshot->line_count, sizeof(*snapshot->lines), line_order);
    for (size_t i = 0; i < snapshot->line_count; i++) {
        struct fact_line *line = &snapshot->lines[i];

        if (kept > 0 && strcmp(snapshot->lines[kept - 1].id, line->id) == 0) {
            xfree(line->id);
            xfree(line->product);
            xfree(line->product2);
            xfree(line->variant);
            xfree(line->sku);
        } else {
            snapshot->lines[kept++] = *line;
        }
    }
    snapshot->line_count = kept;
}

static int listed_order(const void *a, const void *b)
{
    const struct fact_listed_refund *left = a, *right = b;
    int order = strcmp(left->id, right->id);

    return order != 0 ? order : (left->amount > right->amount) - (left->amount < right->amount);
}

/* The same for the refunds that a snapshot lists. */
static void listed_unique(struct fact_snapshot *snapshot)
{
    size_t kept = 0;

    if (snapshot->refund_count > 1)
        qsort(snapshot->refunds, snapshot->refund_count, sizeof(*snapshot->refunds), listed_order);
    for (size_t i = 0; i < snapshot->refund_count; i++) {
        struct fact_listed_refund *refund = &snapshot->refunds[i];

        if (kept > 0 && strcmp(snapshot->refunds[kept - 1].id, refund->id) == 0) {
            for (size_t l = 0; l < refund->line_count; l++)
                xfree(refund->lines[l].line_id);
            xfree(refund->lines);
            xfree(refund->id);
        } else {
            snapshot->refunds[kept++] = *refund;
        }
    }
    snapshot->refund_count = kept;
}

/* Everything but the address and the reference, which the store keeps in other forms. */
static void snapshot_copy(struct fact_snapshot *to, const struct fact_snapshot *from)
{
    *to = *from;
    to->address = to->reference = NULL;
    to->payment = copy_or_null(from->payment);
    to->lines = NULL;
    to->refunds = NULL;
    to->line_count = to->refund_count = 0;
    for (size_t i = 0; i < from->line_count; i++) {
        struct fact_line *line = fact_add_line(to);

        *line = from->lines[i];
        line->id = xstrdup(line->id);
        line->product = copy_or_null(line->product);
        line->product2 = copy_or_null(line->product2);
        line->variant = copy_or_null(line->variant);
        line->sku = copy_or_null(line->sku);
    }
    for (size_t i = 0; i < from->refund_count; i++) {
        struct fact_listed_refund *refund = fact_add_listed_refund(to);

        refund->id = xstrdup(from->refunds[i].id);
        refund->amount = from->refunds[i].amount;
        refund->lines_known = from->refunds[i].lines_known;
        refund_lines_copy(&refund->lines, &refund->line_count, from->refunds[i].lines,
                          from->refunds[i].line_count);
        refund_lines_fold(refund->lines, &refund->line_count);
    }
    lines_unique(to);
    listed_unique(to);
}

/* Keeps the address sealed under its own index. */
static void address_keep(struct order_batch *batch, const struct fact_snapshot *facts,
                         const unsigned char index[DIGEST_LEN])
{
    struct address_row *row;
    struct buf context = {0};

    batch->addresses =
        xreallocarray(batch->addresses, batch->address_count + 1, sizeof(*batch->addresses));
    row = &batch->addresses[batch->address_count++];
    memset(row, 0, sizeof(*row));
    memcpy(row->index, index, DIGEST_LEN);
    row->time = facts->time;
    address_context(index, &context);
    vault_seal(batch->context->vault, VAULT_ADDRESS, (struct span){context.data, context.len},
               SPAN_TEXT(facts->address), &row->sealed);
    buf_free(&context);
}

/* Who the snapshot's reference says it is for, if the reference is ours and fits this order. */
static void reference_resolve(const struct order_batch *batch, const struct known_order *known,
                              const struct fact_snapshot *facts, struct known_snapshot *snapshot,
                              struct fact_mark *mark)
{
    struct reference reference;

    if (facts->reference == NULL)
        return;
    if (!reference_read(batch->context->vault, facts->reference, &reference) ||
        !reference_fits(&reference, known->source, facts)) {
        mark->reference_invalid = true;
        log_info("orders", "reference_invalid", LOG_S("source", known->source),
                 LOG_S("order", known->id));
        return;
    }
    snapshot->owner_user = xstrdup(reference.user);
    snapshot->owner_team = xstrdup(reference.team);
}

static void add_snapshot(struct order_batch *batch, struct order_work *work,
                         const struct order_news *news)
{
    const struct fact_snapshot *facts = news->facts->snapshot;
    unsigned char index[DIGEST_LEN], digest[DIGEST_LEN];
    bool has_index = facts->address_state == ADDRESS_REAL && facts->address != NULL;
    struct known_snapshot *snapshot;
    struct fact_mark *mark;

    if (has_index)
        vault_index(batch->context->vault, facts->address, index);
    fact_snapshot_digest(facts, has_index ? index : NULL, digest);
    snapshot = snapshot_find(work, digest);
    if (snapshot != NULL) {
        /* The same words again: a later read of the API settles more, an earlier receipt cuts a
         * time that lay ahead to less. */
        mark = &work->snapshot_marks[snapshot - work->known.snapshots];
        if (facts->read_at > snapshot->facts.read_at) {
            snapshot->facts.read_at = facts->read_at;
            mark->dirty = true;
        }
        if (facts->time < snapshot->facts.time) {
            snapshot->facts.time = facts->time;
            mark->dirty = true;
        }
        return;
    }
    snapshot = snapshot_add(work);
    mark = &work->snapshot_marks[work->known.snapshot_count - 1];
    snapshot_copy(&snapshot->facts, facts);
    memcpy(snapshot->digest, digest, DIGEST_LEN);
    snapshot->has_index = has_index;
    if (has_index) {
        memcpy(snapshot->address_index, index, DIGEST_LEN);
        address_keep(batch, facts, index);
    }
    mark->dirty = mark->fresh = true;
    mark->delivery_id = news->delivery_id;
    reference_resolve(batch, &work->known, facts, snapshot, mark);
}

/* A total order over what is told of one refund: time, then state, then what is known of it. */
static bool refund_greater(const struct fact_refund *a, const struct fact_refund *b)
{
    if (a->time != b->time)
        return a->time > b->time;
    if (a->state != b->state)
        return a->state > b->state;
    if (a->lines_known != b->lines_known)
        return a->lines_known;
    if (a->line_count != b->line_count)
        return a->line_count > b->line_count;
    for (size_t i = 0; i < a->line_count; i++) {
        int order = strcmp(a->lines[i].line_id, b->lines[i].line_id);

        if (order != 0)
            return order > 0;
        if (a->lines[i].quantity != b->lines[i].quantity)
            return a->lines[i].quantity > b->lines[i].quantity;
    }
    return a->amount > b->amount;
}

static void refund_clear(struct fact_refund *refund)
{
    for (size_t i = 0; i < refund->line_count; i++)
        xfree(refund->lines[i].line_id);
    xfree(refund->lines);
    xfree(refund->payment);
    xfree(refund->id);
    memset(refund, 0, sizeof(*refund));
}

/* What a refund gave back, and of which payment, never changes: words about it that do not tell
 * take that of those that did. */
static bool refund_lend(struct fact_refund *from, struct fact_refund *to)
{
    bool lends = to->payment == NULL && from->payment != NULL;

    if (lends) {
        to->payment = from->payment;
        from->payment = NULL;
    }
    if (to->lines_known || !from->lines_known)
        return lends;
    for (size_t i = 0; i < to->line_count; i++)
        xfree(to->lines[i].line_id);
    xfree(to->lines);
    to->lines = from->lines;
    to->line_count = from->line_count;
    to->lines_known = true;
    from->lines = NULL;
    from->line_count = 0;
    return true;
}

static void add_refund(struct order_work *work, const struct fact_refund *told,
                       uint64_t delivery_id)
{
    struct fact_refund copy = *told, *known = refund_find(work, told->id, told->detail_only);
    struct fact_mark *mark;

    copy.id = xstrdup(told->id);
    copy.payment = copy_or_null(told->payment);
    copy.lines = NULL;
    copy.line_count = 0;
    refund_lines_copy(&copy.lines, &copy.line_count, told->lines, told->line_count);
    refund_lines_fold(copy.lines, &copy.line_count);
    if (known != NULL && !refund_greater(&copy, known)) {
        bool lends = refund_lend(&copy, known);

        refund_clear(&copy);
        if (!lends)
            return;
    } else {
        if (known == NULL) {
            known = refund_add(work);
        } else {
            refund_lend(known, &copy);
            refund_clear(known);
        }
        *known = copy;
    }
    mark = &work->refund_marks[known - work->known.refunds];
    mark->dirty = true;
    mark->delivery_id = delivery_id;
}

static void add_dispute(struct order_work *work, const struct fact_dispute *told,
                        uint64_t delivery_id)
{
    struct fact_dispute *known = NULL;
    struct fact_mark *mark;

    for (size_t i = 0; i < work->known.dispute_count; i++) {
        if (strcmp(work->known.disputes[i].id, told->id) == 0)
            known = &work->known.disputes[i];
    }
    if (known == NULL) {
        known = dispute_add(work);
        known->id = xstrdup(told->id);
    } else if (told->time < known->time ||
               (told->time == known->time && told->state <= known->state)) {
        return;
    }
    known->time = told->time;
    known->state = told->state;
    mark = &work->dispute_marks[known - work->known.disputes];
    mark->dirty = true;
    mark->delivery_id = delivery_id;
}

/* A state told again with a later read of the API settles more; else it is known. */
static void add_state(struct order_work *work, const struct fact_subscription *told,
                      uint64_t delivery_id)
{
    unsigned char digest[DIGEST_LEN];
    struct known_subscription *known = NULL;
    struct fact_mark *mark;

    fact_subscription_digest(told, digest);
    for (size_t i = 0; i < work->known.subscription_count; i++) {
        if (memcmp(work->known.subscriptions[i].digest, digest, DIGEST_LEN) == 0)
            known = &work->known.subscriptions[i];
    }
    if (known != NULL && told->read_at <= known->facts.read_at)
        return;
    if (known == NULL) {
        known = subscription_add(work);
        known->facts = *told;
        memcpy(known->digest, digest, DIGEST_LEN);
    }
    known->facts.read_at = told->read_at;
    mark = &work->subscription_marks[known - work->known.subscriptions];
    mark->dirty = true;
    mark->delivery_id = delivery_id;
}

void order_facts_add(struct order_batch *batch, struct order_work *work,
                     const struct order_news *news)
{
    const struct fact_order *facts = news->facts;

    if (facts == NULL)
        return;
    if (facts->snapshot != NULL)
        add_snapshot(batch, work, news);
    if (facts->subscription != NULL)
        add_state(work, facts->subscription, news->delivery_id);
    for (size_t i = 0; i < facts->refund_count; i++)
        add_refund(work, &facts->refunds[i], news->delivery_id);
    for (size_t i = 0; i < facts->dispute_count; i++)
        add_dispute(work, &facts->disputes[i], news->delivery_id);
}
