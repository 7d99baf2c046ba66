#include "order_argument.h"

#include <string.h>

#include "cell.h"
#include "store/order_refresh.h"

/* Says that there is no such order; the id may be anybody's text. */
static enum exit_code not_known(const struct order_argument *order)
{
    struct buf text = {0};

    text_escape(order->given, strlen(order->given), &text);
    ctl_fail(EXIT_FAILED, "nothing is known of an order %s at %s",
             text.data == NULL ? "" : text.data, order->source);
    buf_free(&text);
    return EXIT_FAILED;
}

enum exit_code order_argument_find(struct ctl *ctl, struct order_argument *out)
{
    bool found;

    *out = (struct order_argument){.source = ctl->arguments[0], .given = ctl->arguments[1]};
    if (strlen(out->given) > LIMIT_ORDER_ID)
        return ctl_fail(EXIT_USAGE, "an order's id has at most %d bytes", LIMIT_ORDER_ID);
    out->source_id = ctl_source(ctl, out->source);
    if (out->source_id == 0)
        return EXIT_FAILED;
    if (orders_resolve(ctl->db, out->source_id, out->given, out->own, &found) != DB_OK)
        return ctl_database_failed(ctl, "looking for the order");
    return found ? EXIT_DONE : not_known(out);
}

bool order_argument_is_alias(const struct order_argument *order)
{
    return strcmp(order->given, order->own) != 0;
}
