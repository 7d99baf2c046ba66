#include "store/people_transfer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "entitlement/order.h"
#include "store/audit.h"
#include "store/order_assign.h"
#include "store/rows.h"

struct transfer_work {
    const struct orders_context *context;
    struct people_transfer *transfer;
    struct audit audit;
    struct feed feed;
    char **texts; /* owned: what the audit's rows point at */
    size_t text_count;
};

static const char *keep(struct transfer_work *work, char *text)
{
    work->texts = xreallocarray(work->texts, work->text_count + 1, sizeof(*work->texts));
    return work->texts[work->text_count++] = text;
}

/* One thing that changes hands, told in the records of both. */
static void note(struct transfer_work *work, const char *what, const char *key,
                 const unsigned char *subject)
{
    const struct people_transfer *transfer = work->transfer;
    struct audit_row row = {.cause = CAUSE_OPERATOR,
                            .cause_id = transfer->by,
                            .action = "transferred",
                            .key = key,
                            .subject = subject,
                            .user = transfer->from};
    char *told = xasprintf("%s to Miro user %s", what, transfer->to);

    audit_add(&work->audit, &row, told, transfer->why);
    free(told);
    told = xasprintf("%s of Miro user %s", what, transfer->from);
    row.user = transfer->to;
    audit_add(&work->audit, &row, told, transfer->why);
    free(told);
}

static enum db_result links_move(struct db *db, struct transfer_work *work)
{
    struct people_transfer *transfer = work->transfer;
    const struct db_value from = db_text(transfer->from), to = db_text(transfer->to);
    const struct db_value now = DB_VALUE_INT(work->context->now);
    struct db_rows *rows;
    enum db_result result = db_query(
        db, "SELECT address_index FROM link WHERE user_id = ? FOR UPDATE", &from, 1, &rows);

    if (result != DB_OK)
        return result;
    transfer->links = db_rows_count(rows);
    while (db_rows_next(rows)) {
        size_t len;
        const char *bytes = db_bytes(rows, 0, &len);
        char *index = xcalloc(DIGEST_LEN, 1);

        memcpy(index, bytes, len < DIGEST_LEN ? len : DIGEST_LEN);
        feed_add(&work->feed, (const unsigned char *)index);
        note(work, "address", NULL, (const unsigned char *)keep(work, index));
    }
    db_rows_free(rows);
    if (transfer->dry_run)
        return DB_OK;
    result = db_execute(
        db,
        "UPDATE link SET user_id = ?, origin = 'support', linked_at = ?, linked_by = ?, why = ?"
        " WHERE user_id = ?",
        (struct db_value[]){to, now, db_text(transfer->by), db_text(transfer->why), from}, 5);
    if (result == DB_OK)
        result = db_execute(db,
                            "UPDATE contested_address SET resolved_at = ? WHERE user_id = ?"
                            " AND resolved_at IS NULL AND address_index IN"
                            " (SELECT address_index FROM link WHERE user_id = ?)",
                            (struct db_value[]){now, to, to}, 3);
    return result;
}

static enum db_result grants_move(struct db *db, struct transfer_work *work)
{
    struct people_transfer *transfer = work->transfer;
    const struct db_value from = db_text(transfer->from);
    struct db_rows *rows;
    enum db_result result = db_query(db,
                                     "SELECT entitlement_key FROM manual_grant WHERE user_id = ?"
                                     " AND revoked_at IS NULL FOR UPDATE",
                                     &from, 1, &rows);

    if (result != DB_OK)
        return result;
    transfer->grants = db_rows_count(rows);
    while (db_rows_next(rows))
        note(work, "grant", keep(work, row_text(rows, 0)), NULL);
    db_rows_free(rows);
    if (transfer->dry_run)
        return DB_OK;
    return db_execute(
        db, "UPDATE manual_grant SET user_id = ? WHERE user_id = ? AND revoked_at IS NULL",
        (struct db_value[]){db_text(transfer->to), from}, 2);
}

/* In the order of their keys, as merges lock them. */
static enum db_result orders_move(struct db *db, struct transfer_work *work)
{
    struct people_transfer *transfer = work->transfer;
    unsigned char subject[DIGEST_LEN];
    struct db_rows *rows;
    enum db_result result;

    subject_of_user(transfer->from, subject);
    result =
        db_query(db,
                 "SELECT source_id, order_id FROM contribution"
                 " WHERE subject = ? AND subject_kind = 'user'"
                 " UNION SELECT source_id, order_id FROM order_assignment WHERE user_id = ?"
                 " ORDER BY 1, 2",
                 (struct db_value[]){DB_VALUE_BYTES(subject, DIGEST_LEN), db_text(transfer->from)},
                 2, &rows);
    if (result != DB_OK)
        return result;
    transfer->orders = db_rows_count(rows);
    while (result == DB_OK && !transfer->dry_run && db_rows_next(rows)) {
        char *order_id = row_text(rows, 1);
        struct order_assign assign = {.source_id = (uint32_t)db_int(rows, 0),
                                      .order_id = order_id,
                                      .user = transfer->to,
                                      .by = transfer->by,
                                      .why = transfer->why};

        result = orders_assign_within(db, work->context, &assign);
        free(order_id);
    }
    db_rows_free(rows);
    return result;
}

/* A user row without which what was moved would point at nobody. */
static enum db_result taker_put(struct db *db, const struct transfer_work *work)
{
    if (work->transfer->dry_run)
        return DB_OK;
    return db_execute(
        db,
        "INSERT INTO miro_user (user_id, created_at) VALUES (?,?)"
        " ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)",
        (struct db_value[]){db_text(work->transfer->to), DB_VALUE_INT(work->context->now)}, 2);
}

static enum db_result notes_write(struct db *db, struct transfer_work *work)
{
    const char *const users[] = {work->transfer->from, work->transfer->to};
    enum db_result result = audit_write(db, &work->audit, work->context->now);

    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        unsigned char subject[DIGEST_LEN];

        subject_of_user(users[i], subject);
        feed_add(&work->feed, subject);
    }
    return result == DB_OK ? feed_write(db, &work->feed, work->context->now) : result;
}

static enum db_result transfer_body(struct db *db, void *arg)
{
    struct transfer_work work = *(const struct transfer_work *)arg;
    enum db_result result = taker_put(db, &work);

    if (result == DB_OK)
        result = orders_move(db, &work);
    if (result == DB_OK)
        result = links_move(db, &work);
    if (result == DB_OK)
        result = grants_move(db, &work);
    if (result == DB_OK && !work.transfer->dry_run)
        result = notes_write(db, &work);
    audit_free(&work.audit);
    feed_free(&work.feed);
    for (size_t i = 0; i < work.text_count; i++)
        free(work.texts[i]);
    xfree(work.texts);
    return result;
}

enum db_result people_transfer(struct db *db, const struct orders_context *context,
                               struct people_transfer *transfer)
{
    struct transfer_work work = {.context = context, .transfer = transfer};

    return db_transaction(db, transfer_body, &work);
}
