/*
 * order show: the facts of one order, which of them count, what they give, and why.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "evidence.h"
#include "order_argument.h"
#include "page.h"
#include "queries.h"
#include "verbs.h"

static const struct table_column snapshot_columns[] = {{"wins", "wins"},
                                                       {"time", "time"},
                                                       {"status", "status"},
                                                       {"origin", "told by"},
                                                       {"lines", "lines"},
                                                       {"refunds", "refunds"},
                                                       {"refunded_total", "refunded"},
                                                       {"total", "of"},
                                                       {"address", "address"},
                                                       {"reference", "reference"},
                                                       {"time_flagged", "ahead"},
                                                       {"digest", "digest"},
                                                       {"recorded_at", "recorded"},
                                                       {NULL, NULL}};

static const struct table_column line_columns[] = {
    {"line", "line"},       {"product", "product"},     {"variant", "variant"}, {"sku", "sku"},
    {"quantity", "bought"}, {"remaining", "remaining"}, {"mapped", "mapped"},   {NULL, NULL}};

static const struct table_column refund_columns[] = {
    {"refund", "refund"}, {"time", "time"},      {"state", "state"}, {"amount", "amount"},
    {"lines", "lines"},   {"origin", "told by"}, {NULL, NULL}};

static const struct table_column dispute_columns[] = {
    {"dispute", "dispute"}, {"time", "time"}, {"state", "state"}, {NULL, NULL}};

static const struct table_column contribution_columns[] = {{"line", "line"},
                                                           {"key", "key"},
                                                           {"state", "state"},
                                                           {"quantity", "n"},
                                                           {"starts_at", "from"},
                                                           {"ends_at", "until"},
                                                           {"grace_until", "grace"},
                                                           {"catalogue_version", "catalogue"},
                                                           {NULL, NULL}};

static const struct table_column delivery_columns[] = {
    {"id", "id"},       {"state", "state"},          {"reason", "reason"},
    {"topic", "topic"}, {"received_at", "received"}, {"times_received", "n"},
    {NULL, NULL}};

static const struct table_column audit_columns[] = {
    {"at", "at"},         {"cause", "cause"}, {"cause_id", "of"},
    {"action", "action"}, {"line", "line"},   {"key", "key"},
    {"before", "before"}, {"after", "after"}, {NULL, NULL}};

/* Millionths as people write amounts; none if it was not told. */
static void cell_amount(struct table *table, int64_t micros)
{
    char text[48];

    if (micros < 0)
        table_text(table, NULL);
    else
        table_text(table,
                   (snprintf(text, sizeof(text), "%lld.%02lld", (long long)(micros / 1000000),
                             (long long)(micros % 1000000 / 10000)),
                    text));
}

/* "delivery 12", "the shop's API", or what an operator brought in. */
static void cell_origin(struct table *table, uint64_t delivery_id, bool from_api)
{
    char text[64];

    if (delivery_id == 0) {
        table_text(table, from_api ? "the shop's API" : "an import");
        return;
    }
    snprintf(text, sizeof(text), "delivery %llu%s", (unsigned long long)delivery_id,
             from_api ? ", by the shop's API" : "");
    table_text(table, text);
}

/* One snapshot, and whether it is the one that counts. */
static void snapshot_write(const struct evidence *evidence, const struct known_snapshot *snapshot,
                           struct table *table)
{
    static const char *const addresses[] = {"none", "erased", "told"};
    const struct origin *origin = evidence_origin(evidence, snapshot);
    const struct fact_snapshot *facts = &snapshot->facts;
    struct buf digest = {0};

    digest_hex(snapshot->digest, 8, &digest);
    table_bool(table, snapshot == evidence->merged.winner);
    /* The winner may be NULL, a snapshot is not. NOLINTNEXTLINE(clang-analyzer-core.*) */
    table_time(table, facts->time);
    table_text(table, order_status_text(facts->status));
    cell_origin(table, origin == NULL ? 0 : origin->delivery_id, facts->from_api);
    if (facts->lines_known)
        table_int(table, (int64_t)facts->line_count);
    else
        table_text(table, "not told");
    if (facts->lists_refunds)
        table_int(table, (int64_t)facts->refund_count);
    else
        table_text(table, "not told");
    cell_amount(table, facts->refunded_total);
    cell_amount(table, facts->total);
    table_text(table, addresses[facts->address_state]);
    table_text(table, origin == NULL ? NULL : origin->reference_state);
    table_bool(table, facts->time_flagged);
    table_text(table, digest.data);
    table_time(table, origin == NULL ? TIME_NONE : origin->recorded_at);
    buf_free(&digest);
}

/* Whether a line of the winner is among those that no rule knows. */
static bool line_is_mapped(const struct projection *projection, const struct fact_line *line)
{
    for (size_t i = 0; i < projection->unmapped_count; i++) {
        if (projection->unmapped[i] == line)
            return false;
    }
    return true;
}

/* What was bought, what is left of it, and whether the catalogue in force knows it. */
static enum exit_code lines_write(struct ctl *ctl, const struct evidence *evidence,
                                  struct page *page)
{
    struct table *table = page_table(page, "lines", "Lines", "none told", line_columns);
    struct catalogue *catalogue = ctl_catalogue(ctl);
    struct projection projection;

    if (catalogue == NULL)
        return EXIT_FAILED;
    order_project(&evidence->known, &evidence->merged, catalogue, &projection);
    for (size_t i = 0; i < evidence->merged.line_count; i++) {
        const struct merged_line *merged = &evidence->merged.lines[i];

        table_text(table, merged->line->id);
        table_text(table, merged->line->product);
        table_text(table, merged->line->variant);
        table_text(table, merged->line->sku);
        table_int(table, merged->line->quantity);
        table_int(table, merged->remaining);
        table_bool(table, line_is_mapped(&projection, merged->line));
    }
    projection_free(&projection);
    catalogue_free(catalogue);
    return EXIT_DONE;
}

/* "2 x line 7, 1 x line 8", or what is known instead. */
static void cell_refund_lines(struct table *table, const struct fact_refund_line *lines,
                              size_t count, bool known)
{
    struct buf text = {0};

    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%lld of line %s", i > 0 ? ", " : "", (long long)lines[i].quantity,
                   lines[i].line_id);
    if (count == 0)
        buf_puts(&text, known ? "none: an amount" : "not told");
    table_text(table, text.data);
    buf_free(&text);
}

/* Refunds as the winner lists them, and those told by themselves. */
static void refunds_write(const struct evidence *evidence, struct page *page)
{
    struct table *table = page_table(page, "refunds", "Refunds", "none", refund_columns);
    const struct known_snapshot *winner = evidence->merged.winner;

    for (size_t i = 0; winner != NULL && i < winner->facts.refund_count; i++) {
        const struct fact_listed_refund *refund = &winner->facts.refunds[i];

        table_text(table, refund->id);
        table_time(table, winner->facts.time);
        table_text(table, "listed");
        cell_amount(table, refund->amount);
        cell_refund_lines(table, refund->lines, refund->line_count, refund->lines_known);
        table_text(table, "the winning snapshot");
    }
    for (size_t i = 0; i < evidence->known.refund_count; i++) {
        const struct fact_refund *refund = &evidence->known.refunds[i];

        table_text(table, refund->id);
        table_time(table, refund->time);
        table_text(table, refund_state_text(refund->state));
        cell_amount(table, refund->amount);
        cell_refund_lines(table, refund->lines, refund->line_count, refund->lines_known);
        table_text(table, refund->detail_only ? "its lines, by the shop's API" : "itself");
    }
}

static void disputes_write(const struct evidence *evidence, struct page *page)
{
    struct table *table = page_table(page, "disputes", "Disputes", "none", dispute_columns);

    for (size_t i = 0; i < evidence->known.dispute_count; i++) {
        const struct fact_dispute *dispute = &evidence->known.disputes[i];

        table_text(table, dispute->id);
        table_time(table, dispute->time);
        table_text(table, dispute_state_text(dispute->state));
    }
}

static enum exit_code contributions_write(struct ctl *ctl, const struct evidence *evidence,
                                          struct page *page)
{
    struct table *table =
        page_table(page, "contributions", "What it gives", "nothing", contribution_columns);
    struct db_rows *rows;

    if (query_contributions(ctl->db, evidence->source_id, evidence->known.id, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading what the order gives");
    while (db_rows_next(rows)) {
        table_from(table, rows, 0);
        table_from(table, rows, 1);
        table_from(table, rows, 2);
        table_int(table, db_int(rows, 3));
        table_time(table, db_time_of(rows, 4));
        table_time(table, db_time_of(rows, 5));
        table_time(table, db_time_of(rows, 6));
        table_int(table, db_int(rows, 7));
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

static enum exit_code deliveries_write(struct ctl *ctl, const struct evidence *evidence,
                                       struct page *page)
{
    struct table *table =
        page_table(page, "deliveries", "Deliveries that told it", "none", delivery_columns);
    struct db_rows *rows;

    if (query_order_deliveries(ctl->db, evidence->source_id, evidence->known.id, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the order's deliveries");
    while (db_rows_next(rows)) {
        table_int(table, db_int(rows, 0));
        table_from(table, rows, 1);
        table_from(table, rows, 2);
        table_from(table, rows, 3);
        table_time(table, db_time_of(rows, 4));
        table_int(table, db_int(rows, 5));
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

static enum exit_code audit_write(struct ctl *ctl, const struct evidence *evidence,
                                  struct page *page)
{
    struct table *table =
        page_table(page, "audit", "What changed, and why", "nothing", audit_columns);
    struct db_rows *rows;

    if (query_order_audit(ctl->db, evidence->source_id, evidence->known.id, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the order's records");
    while (db_rows_next(rows)) {
        table_time(table, db_time_of(rows, 0));
        for (unsigned column = 1; column <= 7; column++)
            table_from(table, rows, column);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

/* The merged order in a few words. */
static enum exit_code summary_write(struct ctl *ctl, const struct evidence *evidence,
                                    struct page *page)
{
    const struct merged_order *merged = &evidence->merged;
    struct buf owner = {0};
    struct db_rows *rows;
    enum exit_code code = evidence_owner(ctl, evidence, &owner);

    if (code == EXIT_DONE &&
        query_order(ctl->db, evidence->source_id, evidence->known.id, &rows) != DB_OK)
        code = ctl_database_failed(ctl, "reading the order");
    if (code != EXIT_DONE) {
        buf_wipe(&owner);
        return code;
    }
    page_text(page, "source", "source", evidence->source);
    page_text(page, "order", "order", evidence->known.id);
    page_text(page, "status", "status",
              merged->winner == NULL ? NULL : order_status_text(merged->status));
    page_bool(page, "disputed", "disputed", merged->disputed);
    page_time(page, "paid_at", "paid", merged->paid_at);
    page_text(page, "owner", "belongs to", owner.data);
    if (db_rows_next(rows)) {
        page_int(page, "catalogue_version", "catalogue", db_int(rows, 1));
        page_time(page, "first_seen_at", "first seen", db_time_of(rows, 5));
        page_time(page, "merged_at", "merged", db_time_of(rows, 6));
        page_time(page, "reread_due_at", "re-read due", db_time_of(rows, 7));
    }
    page_bool(page, "wants_reread", "wants a re-read", merged->wants_reread);
    page_text(page, "gap", "not looked at", evidence_gap(ctl, evidence));
    db_rows_free(rows);
    buf_wipe(&owner);
    return EXIT_DONE;
}

/* Every part of the page. */
static enum exit_code order_write(struct ctl *ctl, const struct evidence *evidence,
                                  struct page *page)
{
    struct table *snapshots;
    enum exit_code code = summary_write(ctl, evidence, page);

    if (code != EXIT_DONE)
        return code;
    snapshots = page_table(page, "snapshots", "Snapshots",
                           "none yet: a refund or dispute came first", snapshot_columns);
    for (size_t i = 0; i < evidence->known.snapshot_count; i++)
        snapshot_write(evidence, &evidence->known.snapshots[i], snapshots);
    code = lines_write(ctl, evidence, page);
    refunds_write(evidence, page);
    disputes_write(evidence, page);
    if (code == EXIT_DONE)
        code = contributions_write(ctl, evidence, page);
    if (code == EXIT_DONE)
        code = deliveries_write(ctl, evidence, page);
    return code == EXIT_DONE ? audit_write(ctl, evidence, page) : code;
}

enum exit_code order_show_run(struct ctl *ctl)
{
    struct order_argument order;
    struct evidence evidence;
    struct page *page;
    bool found;
    enum exit_code code = order_argument_find(ctl, &order);

    if (code == EXIT_DONE)
        code = evidence_load(ctl, order.source_id, order.own, &evidence, &found);
    if (code != EXIT_DONE)
        return code;
    if (!found)
        return ctl_fail(EXIT_FAILED, "no facts are known of that order yet: a re-read is due");
    page = page_new();
    page_text(page, "alias", "asked for as", order_argument_is_alias(&order) ? order.given : NULL);
    code = order_write(ctl, &evidence, page);
    if (code == EXIT_DONE)
        page_print(page, ctl->json);
    page_free(page);
    evidence_free(&evidence);
    return code;
}
