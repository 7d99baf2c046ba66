#include "store/order_bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "store/rows.h"

/* An order, and who its address belongs to. */
struct bound_order {
    struct order_name name;
    char user[LIMIT_MIRO_ID + 1];
    unsigned char subject[DIGEST_LEN];
};

struct bind {
    const struct orders_context *context;
    const struct order_name *after;
    struct bound_order orders[ORDER_BIND_STEP];
    size_t count;
};

static enum db_result bind_read(struct db *db, struct bind *bind)
{
    struct db_value source = DB_VALUE_INT(bind->after->source_id);
    struct db_rows *rows;
    enum db_result result =
        db_query(db,
                 "SELECT c.source_id, c.order_id, MIN(l.user_id), MIN(c.subject)"
                 " FROM contribution c JOIN link l ON l.address_index = c.subject"
                 " WHERE c.subject_kind = 'address'"
                 " AND (c.source_id > ? OR (c.source_id = ? AND c.order_id > ?))"
                 " GROUP BY c.source_id, c.order_id ORDER BY c.source_id, c.order_id LIMIT ?",
                 (struct db_value[]){source, source, db_text(bind->after->order_id),
                                     DB_VALUE_INT(ORDER_BIND_STEP)},
                 4, &rows);

    if (result != DB_OK)
        return result;
    for (bind->count = 0; bind->count < ORDER_BIND_STEP && db_rows_next(rows); bind->count++) {
        struct bound_order *order = &bind->orders[bind->count];
        size_t len;
        const char *subject = db_bytes(rows, 3, &len);

        memset(order, 0, sizeof(*order));
        order->name.source_id = (uint32_t)db_int(rows, 0);
        row_copy(rows, 1, order->name.order_id, sizeof(order->name.order_id));
        row_copy(rows, 2, order->user, sizeof(order->user));
        memcpy(order->subject, subject, len < DIGEST_LEN ? len : DIGEST_LEN);
    }
    db_rows_free(rows);
    return DB_OK;
}

/* The snapshots that tell this address name the user from now on, as a valid reference would: what
 * one snapshot names, later ones without an owner do not take away. */
static enum db_result bind_snapshots(struct db *db, const struct bound_order *order)
{
    return db_execute(db,
                      "UPDATE order_snapshot SET owner_user = ?, reference_state = 'valid'"
                      " WHERE source_id = ? AND order_id = ? AND address_index = ?"
                      " AND owner_user IS NULL",
                      (struct db_value[]){db_text(order->user), DB_VALUE_INT(order->name.source_id),
                                          db_text(order->name.order_id),
                                          DB_VALUE_BYTES(order->subject, DIGEST_LEN)},
                      4);
}

static enum db_result bind_body(struct db *db, void *arg)
{
    struct bind *bind = arg;
    struct order_news *news;
    enum db_result result = bind_read(db, bind);

    if (result != DB_OK || bind->count == 0)
        return result;
    news = xcalloc(bind->count, sizeof(*news));
    for (size_t i = 0; i < bind->count && result == DB_OK; i++) {
        news[i] = (struct order_news){.source_id = bind->orders[i].name.source_id,
                                      .order_id = bind->orders[i].name.order_id,
                                      .cause = CAUSE_OPERATOR};
        snprintf(news[i].cause_id, sizeof(news[i].cause_id), "keys start-over");
        result = bind_snapshots(db, &bind->orders[i]);
    }
    if (result == DB_OK)
        result = orders_apply(db, bind->context, news, bind->count);
    free(news);
    return result;
}

enum db_result orders_bind_linked(struct db *db, const struct orders_context *context,
                                  struct order_name *last, uint64_t *bound, bool *more)
{
    struct order_name after = *last;
    struct bind *bind = xcalloc(1, sizeof(*bind));
    enum db_result result;

    bind->context = context;
    bind->after = &after;
    result = db_transaction(db, bind_body, bind);
    if (result == DB_OK) {
        *bound += bind->count;
        *more = bind->count == ORDER_BIND_STEP;
        if (bind->count > 0)
            *last = bind->orders[bind->count - 1].name;
    }
    free(bind);
    return result;
}
