#include "disturb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "stand.h"
#include "woo_order.h"
#include "woo_shop.h"

static const char *const mode_names[] = {"truth", "empty", "html", "refunded", "gone"};

const char *api_mode_name(enum api_mode mode)
{
    return mode_names[mode];
}

bool api_mode_of(const char *name, enum api_mode *mode)
{
    for (size_t i = 0; name != NULL && i < sizeof(mode_names) / sizeof(mode_names[0]); i++) {
        if (strcmp(mode_names[i], name) != 0)
            continue;
        *mode = (enum api_mode)i;
        return true;
    }
    return false;
}

/* splitmix64: one number for each seed, kind and place, whatever was drawn before. */
uint64_t fault_draw(const struct faults *faults, enum chance chance, int64_t nth, uint64_t below)
{
    uint64_t state = (uint64_t)faults->seed * UINT64_C(0xd1342543de82ef95) +
                     ((uint64_t)chance << 56) + (uint64_t)nth;
    state += UINT64_C(0x9e3779b97f4a7c15);
    state = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    state = (state ^ (state >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (state ^ (state >> 31)) % below;
}

bool fault_strikes(const struct faults *faults, enum chance chance, int64_t nth, int64_t percent)
{
    return percent > 0 && fault_draw(faults, chance, nth, 100) < (uint64_t)percent;
}

/* A host's firewall stands before many shops, and answers in HTML. */
static void reply_page(struct visit *visit, int status, const char *headers)
{
    static const char page[] = "<!DOCTYPE html><title>Too busy</title><h1>Please try again</h1>";
    struct buf head = {0};
    buf_puts(&head, "Content-Type: text/html; charset=UTF-8\r\n");
    if (headers != NULL)
        buf_puts(&head, headers);
    http_respond(visit->request, status, head.data, page, sizeof(page) - 1);
    buf_free(&head);
}

/* In the words of the shop's provider. */
static void reply_failure(struct visit *visit, int status, const char *headers, const char *message)
{
    if (visit->stand != NULL)
        visit->stand->stand->fail(visit, status, headers, message);
    else if (status == 404)
        reply_woo_error(visit, 404, "rest_no_route", message);
    else
        reply_page(visit, status, headers);
}

/* 429: whole seconds are told as "2" and as "2.0" in turn, for both are found. */
static void reply_busy(struct visit *visit)
{
    const struct faults *faults = &visit->sandbox->faults;
    char headers[64];
    double seconds = (double)faults->retry_after_ms / 1000;
    if (faults->retry_after_ms % 1000 != 0)
        snprintf(headers, sizeof(headers), "Retry-After: %.3f\r\n", seconds);
    else
        snprintf(headers, sizeof(headers), "Retry-After: %.*f\r\n", (int)(faults->calls % 2),
                 seconds);
    reply_failure(visit, 429, headers, "Too many requests.");
}

bool disturb_call(struct visit *visit)
{
    struct faults *faults = &visit->sandbox->faults;
    int64_t nth = faults->calls++;
    if (fault_take(&faults->shop_calls))
        reply_page(visit, (int)faults->shop_status, "Retry-After: 1\r\n");
    else if (fault_strikes(faults, CHANCE_BUSY, nth, faults->busy_percent))
        reply_busy(visit);
    else if (fault_strikes(faults, CHANCE_ERROR, nth, faults->error_percent))
        reply_failure(visit, 500, NULL, "Something went wrong on our end.");
    else if (faults->api_mode == API_HTML)
        reply_page(visit, 200, NULL);
    else if (faults->api_mode == API_GONE)
        reply_failure(visit, 404, NULL, "There is no such thing.");
    else
        return false;
    return true;
}

/* Which of `count` a write hits. */
static size_t pick(struct faults *faults, size_t count)
{
    return (size_t)fault_draw(faults, CHANCE_WRITE, faults->writes++, count);
}

/* One order is saved again; every third of them loses a unit of its first line to a refund. */
static void write_order(struct visit *visit)
{
    struct woo_shop *shop = visit->shop;
    struct faults *faults = &visit->sandbox->faults;
    struct woo_order *order = shop->orders[pick(faults, shop->count)];
    const char *error = NULL;
    struct json_object *input = tree_object(), *lines = tree_array(), *line = tree_object();
    bool paid = order->paid != TIME_NONE && order->before_trash == NULL;
    tree_number(line, "line", order->lines[0].id);
    tree_add(lines, line);
    tree_put(input, "lines", lines);
    if (!paid || faults->writes % 3 != 0 ||
        woo_order_refund(shop, order, input, clock_now(), &error) == NULL)
        woo_order_set_address(order, order->address, clock_now());
    woo_shop_event(visit->sandbox, shop, order, "updated");
    json_object_put(input);
}

/* The same of a sale. */
static void write_sale(struct visit *visit)
{
    struct stand_shop *shop = visit->stand;
    struct faults *faults = &visit->sandbox->faults;
    struct sale *sale = shop->sales[pick(faults, shop->count)];
    const char *error = NULL;
    if (sale->state == SALE_DELETED)
        return;
    int64_t before = sale->updated;
    struct json_object *input = tree_object(), *items = tree_array(), *item = tree_object();
    tree_number(item, "item", 0);
    tree_number(item, "quantity", 1);
    tree_add(items, item);
    tree_put(input, "items", items);
    long refund = faults->writes % 3 != 0 ? -1 : sale_give_back(sale, input, clock_now(), &error);
    if (refund < 0) {
        char *same = xstrdup(sale->email);
        sale_set_email(sale, same, clock_now());
        free(same);
    }
    stand_moved(shop, sale, before);
    shop->stand->tell(visit->sandbox, shop, sale,
                      refund < 0 ? SALE_EVENT_ADDRESS_CHANGED : SALE_EVENT_REFUNDED,
                      refund < 0 ? 0 : (size_t)refund);
    json_object_put(input);
}

void disturb_page(struct visit *visit)
{
    size_t count = visit->stand != NULL  ? visit->stand->count
                   : visit->shop != NULL ? visit->shop->count
                                         : 0;
    for (int64_t i = 0; count > 0 && i < visit->sandbox->faults.page_under_writes; i++) {
        if (visit->stand != NULL)
            write_sale(visit);
        else
            write_order(visit);
    }
}
