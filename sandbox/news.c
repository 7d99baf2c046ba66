#include "news.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "delivery.h"
#include "many.h"
#include "woo_json.h"
#include "woo_shop.h"

#define NEWS_MOMENT_US 20000 /* changes of one action are told together */

struct waiter {
    struct news *news;
    struct http_request *request;
    int64_t deadline; /* monotonic */
};

struct news {
    struct sandbox *sandbox;
    int64_t version;
    struct waiter *waiters[SANDBOX_WAITERS];
    size_t count;
    struct loop_timer *moment; /* set by news_tell() */
    struct loop_timer *second; /* looks for waiters whose time is up */
};

/* The last orders of every shop, newest first. */
static struct json_object *orders_tree(const struct sandbox *sandbox)
{
    struct json_object *list = tree_array();
    for (size_t s = 0; s < sandbox->shop_count; s++) {
        const struct woo_shop *shop = sandbox->shops[s];
        size_t left = SANDBOX_SHOWN_DELIVERIES;
        for (size_t i = shop->count; i > 0 && left > 0; i--, left--)
            tree_add(list, woo_order_summary(shop, shop->orders[i - 1]));
    }
    return list;
}

/* What the page shows beside the panel. */
static void answer(struct news *news, struct http_request *request)
{
    struct visit visit = {.sandbox = news->sandbox, .request = request};
    struct json_object *tree = tree_object();
    tree_number(tree, "version", news->version);
    tree_put(tree, "deliveries",
             deliveries_tree(news->sandbox->deliveries,
                             &(struct delivery_filter){.limit = SANDBOX_SHOWN_DELIVERIES}));
    tree_number(tree, "open",
                (int64_t)deliveries_open(news->sandbox->deliveries) + many_left(news->sandbox));
    tree_put(tree, "orders", orders_tree(news->sandbox));
    reply_json(&visit, tree);
}

/* Takes a waiter off the list and releases it. */
static void waiter_remove(struct waiter *waiter)
{
    struct news *news = waiter->news;
    for (size_t i = 0; i < news->count; i++) {
        if (news->waiters[i] != waiter)
            continue;
        news->waiters[i] = news->waiters[--news->count];
        break;
    }
    free(waiter);
}

/* The page went away. */
static void gone(void *arg)
{
    waiter_remove(arg);
}

/* Answers one waiter. */
static void release(struct waiter *waiter)
{
    struct news *news = waiter->news;
    struct http_request *request = waiter->request;
    waiter_remove(waiter);
    answer(news, request);
}

/* Answers everybody. */
void news_flush(struct news *news)
{
    while (news->count > 0)
        release(news->waiters[news->count - 1]);
}

/* The moment after a change. */
static void moment(void *arg)
{
    news_flush(arg);
}

/* Ends the waits whose time is up. */
static void second(void *arg)
{
    struct news *news = arg;
    int64_t now = clock_monotonic();
    for (size_t i = news->count; i-- > 0;)
        if (news->waiters[i]->deadline <= now)
            release(news->waiters[i]);
}

/* Starts with version 1, so that 0 asks for what there is. */
struct news *news_new(struct sandbox *sandbox)
{
    struct news *news = xcalloc(1, sizeof(*news));
    news->sandbox = sandbox;
    news->version = 1;
    news->moment = loop_timer_new(sandbox->loop, moment, news);
    news->second = loop_timer_new(sandbox->loop, second, news);
    loop_timer_set(news->second, TIME_SECOND, false);
    return news;
}

/* Nobody may be waiting any more: the server was freed before. */
void news_free(struct news *news)
{
    if (news == NULL)
        return;
    loop_timer_free(news->moment);
    loop_timer_free(news->second);
    while (news->count > 0)
        waiter_remove(news->waiters[0]);
    free(news);
}

/* The number grows at once, the answers follow. */
void news_tell(struct news *news)
{
    news->version++;
    loop_timer_set(news->moment, NEWS_MOMENT_US, true);
}

/* A number of the query, or the fallback. */
static int64_t number_of(const struct visit *visit, const char *name, int64_t fallback)
{
    int64_t number = fallback;
    char *text = visit_query(visit, name);
    if (text != NULL && text_to_int(text, strlen(text), &number) != 0)
        number = fallback;
    free(text);
    return number;
}

/* At once if there is news, if nobody may wait any more, or without `wait`. */
void news_visit(struct visit *visit)
{
    struct news *news = visit->sandbox->news;
    int64_t since = number_of(visit, "since", 0);
    int64_t wait = number_of(visit, "wait", 0);
    if (since != news->version || wait == 0 || news->count == SANDBOX_WAITERS ||
        visit->sandbox->draining) {
        answer(news, visit->request);
        return;
    }
    struct waiter *waiter = xcalloc(1, sizeof(*waiter));
    waiter->news = news;
    waiter->request = visit->request;
    waiter->deadline =
        clock_monotonic() + (wait > SANDBOX_WAIT_S ? SANDBOX_WAIT_S : wait) * TIME_SECOND;
    news->waiters[news->count++] = waiter;
    http_on_gone(visit->request, gone, waiter);
}
