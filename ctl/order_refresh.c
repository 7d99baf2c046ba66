/*
 * order refresh: has the worker read one order anew from its shop, through the merge that all
 * evidence goes through, and says what came of it.
 */
#include "store/order_refresh.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "order_argument.h"
#include "page.h"
#include "shops/shop.h"
#include "verbs.h"

#define WAIT_DEFAULT 30
#define WAIT_MOST 600
#define LOOK_EVERY (TIME_SECOND / 5)

/* The --wait in seconds, or -1 after having said what it must be. */
static int64_t wait_read(const struct ctl *ctl)
{
    const char *text = options_value(ctl->options, "--wait");
    int64_t seconds;

    if (text == NULL)
        return WAIT_DEFAULT;
    if (text_to_int(text, strlen(text), &seconds) == 0 && seconds >= 0 && seconds <= WAIT_MOST)
        return seconds;
    ctl_fail(EXIT_USAGE, "--wait %s: expected 0 to %d seconds", text, WAIT_MOST);
    return -1;
}

/* Refuses a source that cannot be asked: no worker ever would. */
static enum exit_code source_check(const struct ctl *ctl, const struct order_argument *order)
{
    const struct settings_source *source =
        settings_source(ctl->settings, order->source, strlen(order->source));

    if (source == NULL)
        return ctl_fail(EXIT_FAILED, "%s is not in the configuration: there is no shop to ask",
                        order->source);
    if (!shop_has_api(source))
        return ctl_fail(EXIT_FAILED,
                        "%s has no API to ask: it needs api_url and api_key_file (see doctor)",
                        order->source);
    return EXIT_DONE;
}

/* Looks until the worker is done with it, or the time is over. */
static enum db_result await(struct ctl *ctl, const struct order_argument *order, int64_t seconds,
                            struct order_refresh *out)
{
    int64_t deadline = clock_monotonic() + seconds * TIME_SECOND;
    enum db_result result = orders_refresh_look(ctl->db, order->source_id, order->own, out);

    while (result == DB_OK && out->due && clock_monotonic() < deadline) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY * 1000}, NULL);
        result = orders_refresh_look(ctl->db, order->source_id, order->own, out);
    }
    return result;
}

/* "read": it is done. "waiting": no worker took it yet. "trying": it was tried, and is again. */
static void outcome_tell(const struct ctl *ctl, const struct order_argument *order,
                         const struct order_refresh *before, const struct order_refresh *after)
{
    struct page *page = page_new();

    page_text(page, "source", "source", order->source);
    page_text(page, "order", "order", order->own);
    page_text(page, "alias", "asked for as", order_argument_is_alias(order) ? order->given : NULL);
    page_text(page, "outcome", "re-read",
              !after->due            ? "done"
              : after->attempts == 0 ? "waiting for a worker"
                                     : "tried, and not answered yet");
    page_int(page, "changes", "changes of access", (int64_t)(after->changes - before->changes));
    page_time(page, "read_at", "shop read last", after->read_at);
    page_time(page, "due_at", "tried next", after->due ? after->due_at : TIME_NONE);
    page_print(page, ctl->json);
    page_free(page);
}

/* Schedules, waits, tells. */
static enum exit_code refresh(struct ctl *ctl, const struct order_argument *order, int64_t seconds)
{
    struct order_refresh before, after;

    if (orders_refresh_look(ctl->db, order->source_id, order->own, &before) != DB_OK ||
        orders_refresh(ctl->db, order->source_id, order->own, ctl->now) != DB_OK ||
        await(ctl, order, seconds, &after) != DB_OK)
        return ctl_database_failed(ctl, "having the order read");
    outcome_tell(ctl, order, &before, &after);
    if (after.due && seconds > 0)
        return ctl_fail(EXIT_FAILED,
                        "the shop was not read within %d seconds; it stays scheduled: is"
                        " purchase-worker running, and does its log name the shop?",
                        (int)seconds);
    return EXIT_DONE;
}

enum exit_code order_refresh_run(struct ctl *ctl)
{
    int64_t seconds = wait_read(ctl);
    struct order_argument order;
    enum exit_code code;

    if (seconds < 0)
        return EXIT_USAGE;
    code = order_argument_find(ctl, &order);
    if (code == EXIT_DONE)
        code = source_check(ctl, &order);
    return code == EXIT_DONE ? refresh(ctl, &order, seconds) : code;
}
