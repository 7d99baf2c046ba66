#include "store/order_assign.h"

#include <stdio.h>
#include <string.h>

#include "store/audit.h"
#include "store/rows.h"

struct assign_work {
    const struct orders_context *context;
    struct order_assign *assign;
};

/* To whom it is assigned; the row stays locked until the transaction ends. "": to nobody. */
static enum db_result assigned_read(struct db *db, const struct order_assign *assign,
                                    char user[LIMIT_MIRO_ID + 1])
{
    struct db_rows *rows;
    enum db_result result = db_query(
        db, "SELECT user_id FROM order_assignment WHERE source_id = ? AND order_id = ? FOR UPDATE",
        (struct db_value[]){DB_VALUE_INT(assign->source_id), db_text(assign->order_id)}, 2, &rows);

    if (result != DB_OK)
        return result;
    user[0] = '\0';
    if (db_rows_next(rows))
        row_copy(rows, 0, user, LIMIT_MIRO_ID + 1);
    db_rows_free(rows);
    return DB_OK;
}

static enum db_result assigned_write(struct db *db, const struct order_assign *assign, int64_t now)
{
    const struct db_value values[] = {DB_VALUE_INT(assign->source_id),
                                      db_text(assign->order_id),
                                      db_text(assign->user),
                                      DB_VALUE_INT(now),
                                      db_text(assign->by),
                                      db_text(assign->why)};

    if (assign->user == NULL)
        return db_execute(db, "DELETE FROM order_assignment WHERE source_id = ? AND order_id = ?",
                          values, 2);
    return db_execute(db,
                      "REPLACE INTO order_assignment (source_id, order_id, user_id, assigned_at,"
                      " assigned_by, why) VALUES (?,?,?,?,?,?)",
                      values, 6);
}

/* Who did it (`cause_id`), for or from whom, and why (`after`). */
static enum db_result assigned_note(struct db *db, const struct order_assign *assign,
                                    const char *before, int64_t now)
{
    const char *user = assign->user != NULL ? assign->user : before;
    struct audit audit = {0};
    enum db_result result;

    audit_add(&audit,
              &(struct audit_row){.cause = CAUSE_OPERATOR,
                                  .cause_id = assign->by,
                                  .action = assign->user != NULL ? "assigned" : "unassigned",
                                  .source_id = assign->source_id,
                                  .order_id = assign->order_id,
                                  .user = user},
              *before == '\0' ? NULL : before, assign->why);
    result = audit_write(db, &audit, now);
    audit_free(&audit);
    return result;
}

/* A merge that is under way ends first: orders_apply() waits for its lock, and reads all anew. */
static enum db_result assign_body(struct db *db, void *arg)
{
    struct assign_work *work = arg;
    struct order_assign *assign = work->assign;
    struct order_news news = {
        .source_id = assign->source_id, .order_id = assign->order_id, .cause = CAUSE_OPERATOR};
    char before[LIMIT_MIRO_ID + 1];
    enum db_result result = assigned_read(db, assign, before);

    if (result != DB_OK)
        return result;
    assign->changes = 0;
    assign->changed = strcmp(before, assign->user == NULL ? "" : assign->user) != 0;
    if (!assign->changed)
        return DB_OK;
    result = assigned_write(db, assign, work->context->now);
    if (result == DB_OK)
        result = assigned_note(db, assign, before, work->context->now);
    snprintf(news.cause_id, sizeof(news.cause_id), "%s",
             assign->user == NULL ? "unassign" : "assign");
    if (result == DB_OK)
        result = orders_apply(db, work->context, &news, 1);
    assign->changes = news.changes;
    return result;
}

enum db_result orders_assign(struct db *db, const struct orders_context *context,
                             struct order_assign *assign)
{
    struct assign_work work = {context, assign};

    return db_transaction(db, assign_body, &work);
}

enum db_result orders_assign_within(struct db *db, const struct orders_context *context,
                                    struct order_assign *assign)
{
    struct assign_work work = {context, assign};

    return assign_body(db, &work);
}
