#include "many.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "delivery.h"
#include "news.h"
#include "route.h"
#include "stand.h"
#include "woo_order.h"
#include "woo_shop.h"

#define BATCH 200
#define PAUSE_US 1000
#define DAYS_MOST 3650

/* What becomes of an order, of a hundred how many. */
enum fate {
    FATE_PAID,
    FATE_PENDING,
    FATE_PART_REFUNDED,
    FATE_REFUNDED,
    FATE_CANCELLED,
    FATE_TRASHED, /* of a sale: disputed, and won or lost */
    FATES
};
static const int64_t fate_percents[FATES] = {58, 10, 12, 8, 7, 5};
static const char *const fate_names[FATES] = {"paid",     "pending",   "part_refunded",
                                              "refunded", "cancelled", "trashed"};

/* Numbers drawn for each order, each by its own name, so that none depends on another. */
enum draw {
    DRAW_FATE,
    DRAW_BUYER,
    DRAW_ITEMS,
    DRAW_PRODUCT,
    DRAW_QUANTITY = 8,
    DRAW_TERM = 12,
    DRAWS = 16
};

struct many {
    struct sandbox *sandbox;
    struct loop_timer *timer;
    char *source; /* NULL: there is nothing to do */
    int64_t count, made, buyers, term_percent;
    int64_t began, spread; /* created over so many microseconds up to `began` */
    int64_t fates[FATES];
    bool silent;
    struct faults dice; /* for its seed alone */
};

/* Goes on when what was made has left. */
static void go_on(void *arg);

struct many *many_new(struct sandbox *sandbox)
{
    struct many *many = xcalloc(1, sizeof(*many));
    many->sandbox = sandbox;
    many->timer = loop_timer_new(sandbox->loop, go_on, many);
    return many;
}

void many_free(struct many *many)
{
    if (many == NULL)
        return;
    loop_timer_free(many->timer);
    free(many->source);
    free(many);
}

int64_t many_left(const struct sandbox *sandbox)
{
    const struct many *many = sandbox->many;
    return many == NULL || many->source == NULL ? 0 : many->count - many->made;
}

/* A number for the order that is being made. */
static int64_t draw(const struct many *many, int name, int64_t below)
{
    return (int64_t)fault_draw(&many->dice, CHANCE_WRITE, many->made * DRAWS + name,
                               (uint64_t)below);
}

/* When the order is made: spread evenly, the last one now. */
static int64_t moment(const struct many *many)
{
    if (many->spread == 0)
        return clock_now();
    return many->began - many->spread +
           (int64_t)((double)many->spread * ((double)many->made / (double)many->count));
}

/* One to three lines; a buyer may come back. */
static struct json_object *input_of(const struct many *many, int64_t *items)
{
    static const char *const products[] = {"10", "11", "12"};
    struct json_object *tree = tree_object(), *list = tree_array();
    char email[64];
    snprintf(email, sizeof(email), "buyer%06lld@example.test",
             (long long)draw(many, DRAW_BUYER, many->buyers));
    tree_text(tree, "email", email);
    *items = 1 + draw(many, DRAW_ITEMS, 3);
    int64_t first = draw(many, DRAW_PRODUCT, 3);
    for (int64_t i = 0; i < *items; i++) {
        struct json_object *item = tree_object();
        tree_text(item, "product", products[(first + i) % 3]);
        tree_number(item, "quantity", 1 + draw(many, DRAW_QUANTITY + (int)i, 4));
        tree_add(list, item);
    }
    tree_put(tree, "items", list);
    return tree;
}

/* {"lines": [{"line", "quantity": 1}]} or {"items": [{"item", "quantity": 1}]}. */
static struct json_object *one_back(const char *list, const char *key, int64_t id)
{
    struct json_object *tree = tree_object(), *lines = tree_array(), *line = tree_object();
    tree_number(line, key, id);
    tree_number(line, "quantity", 1);
    tree_add(lines, line);
    tree_put(tree, list, lines);
    return tree;
}

/* What the fates have decided. */
static enum fate fate_of(const struct many *many)
{
    int64_t all = 0;
    for (size_t i = 0; i < FATES; i++)
        all += many->fates[i];
    int64_t drawn = draw(many, DRAW_FATE, all);
    enum fate fate = FATE_PAID;
    while (drawn >= many->fates[fate])
        drawn -= many->fates[fate++];
    return fate;
}

/* Tells of an order, unless nobody is to be told. */
static void tell_order(const struct many *many, struct woo_shop *shop, struct woo_order *order,
                       const char *event)
{
    if (!many->silent)
        woo_shop_event(many->sandbox, shop, order, event);
}

/* Gives back a unit of the first line, or everything. */
static void refund_order(const struct many *many, struct woo_shop *shop, struct woo_order *order,
                         bool whole, int64_t now)
{
    const char *error = NULL;
    struct json_object *input =
        whole ? tree_object() : one_back("lines", "line", order->lines[0].id);
    if (whole)
        tree_bool(input, "all", true);
    if (woo_order_refund(shop, order, input, now, &error) == NULL)
        die("a refund of an order was refused: %s", error);
    json_object_put(input);
    tell_order(many, shop, order, "updated");
}

/* An order and what becomes of it; false if the shop is full. */
static bool make_order(const struct many *many, struct woo_shop *shop)
{
    const char *error = NULL;
    int64_t items, now = moment(many);
    struct json_object *input = input_of(many, &items);
    struct woo_order *order = woo_order_read(shop, input, now, &error);
    json_object_put(input);
    if (order == NULL || !woo_shop_add(shop, order)) {
        woo_order_free(order);
        return false;
    }
    enum fate fate = fate_of(many);
    tell_order(many, shop, order, "created");
    tell_order(many, shop, order, "updated");
    if (fate == FATE_PENDING)
        return true;
    if (fate == FATE_CANCELLED) {
        woo_order_set_status(order, "cancelled", now);
        tell_order(many, shop, order, "updated");
        return true;
    }
    woo_order_pay(order, now);
    tell_order(many, shop, order, "updated");
    if (fate == FATE_TRASHED) {
        woo_order_trash(order, now);
        tell_order(many, shop, order, "deleted");
    } else if (fate != FATE_PAID) {
        refund_order(many, shop, order, fate == FATE_REFUNDED, now);
    }
    return true;
}

/* Tells of a sale that was changed. */
static void tell_sale(struct stand_shop *shop, struct sale *sale, const struct many *many,
                      int64_t before, enum sale_event event, long part)
{
    if (part < 0)
        die("a sale refused its fate");
    stand_moved(shop, sale, before);
    shop->stand->tell(many->sandbox, shop, sale, event, (size_t)part);
}

/* What becomes of a sale that was paid. */
static void decide_sale(const struct many *many, struct stand_shop *shop, struct sale *sale,
                        enum fate fate, int64_t now)
{
    const char *error = NULL;
    int64_t before = sale->updated;
    struct json_object *input =
        fate == FATE_PART_REFUNDED ? one_back("items", "item", 0) : tree_object();
    tree_bool(input, "all", fate == FATE_REFUNDED);
    if (fate == FATE_TRASHED) {
        long dispute = sale_dispute_open(sale, input, now, &error);
        tell_sale(shop, sale, many, before, SALE_EVENT_DISPUTED, dispute);
        bool won = draw(many, DRAW_QUANTITY + 3, 2) == 0;
        before = sale->updated;
        bool good = sale_dispute_close(sale, (size_t)dispute, won, now, &error);
        tell_sale(shop, sale, many, before, won ? SALE_EVENT_DISPUTE_WON : SALE_EVENT_DISPUTE_LOST,
                  good ? dispute : -1);
    } else if (fate == FATE_PART_REFUNDED || fate == FATE_REFUNDED) {
        long refund = sale_give_back(sale, input, now, &error);
        tell_sale(shop, sale, many, before, SALE_EVENT_REFUNDED, refund);
    }
    json_object_put(input);
}

/* A sale and what becomes of it; false if the shop is full. */
static bool make_sale(const struct many *many, struct stand_shop *shop)
{
    const char *error = NULL;
    int64_t items, now = moment(many);
    enum fate fate = fate_of(many);
    bool unpaid = fate == FATE_PENDING || fate == FATE_CANCELLED;
    struct json_object *input = input_of(many, &items);
    tree_bool(input, "unpaid", unpaid);
    if (draw(many, DRAW_TERM, 100) < many->term_percent)
        tree_put(input, "subscription", tree_object());
    const struct settings_source *source = stand_source(many->sandbox, shop);
    struct sale *sale = source == NULL
                            ? NULL
                            : sale_read(input, stand_next_number(shop), source->live, now, &error);
    json_object_put(input);
    if (sale == NULL || !stand_add(shop, sale)) {
        sale_free(sale);
        return false;
    }
    shop->stand->tell(many->sandbox, shop, sale, unpaid ? SALE_EVENT_CREATED : SALE_EVENT_PAID, 0);
    if (fate == FATE_CANCELLED) {
        int64_t before = sale->updated;
        bool good = sale_void(sale, now, &error);
        tell_sale(shop, sale, many, before, SALE_EVENT_PAYMENT_FAILED, good ? 0 : -1);
    }
    if (!unpaid)
        decide_sale(many, shop, sale, fate, now);
    return true;
}

/* Makes so many, or fewer if there is no room for more. */
static void make(struct many *many, int64_t most)
{
    struct sandbox *sandbox = many->sandbox;
    struct woo_shop *shop = sandbox_shop(sandbox, many->source);
    struct stand_shop *stand = sandbox_stand(sandbox, many->source);
    bool was_silent = sandbox->silent;
    bool good = true;
    sandbox->silent = many->silent;
    for (; most > 0 && many->made < many->count && good; most--, many->made++)
        good = stand != NULL ? make_sale(many, stand) : make_order(many, shop);
    sandbox->silent = was_silent;
    if (!good)
        many->count = many->made;
    if (many->made >= many->count)
        xfree(many->source);
    news_tell(sandbox->news);
}

static void go_on(void *arg)
{
    struct many *many = arg;
    const struct sandbox *sandbox = many->sandbox;
    size_t most = sandbox->faults.reorder > SANDBOX_WAITING ? (size_t)sandbox->faults.reorder
                                                            : SANDBOX_WAITING;
    if (sandbox->draining || many->source == NULL)
        return;
    if (deliveries_waiting(sandbox->deliveries) < most)
        make(many, BATCH);
    loop_timer_set(many->timer, PAUSE_US, true);
}

/* The shares of the fates; what the input does not name has none. False after answering. */
static bool read_fates(struct visit *visit, struct many *many)
{
    struct json_object *fates = NULL;
    int64_t all = 0;
    memcpy(many->fates, fate_percents, sizeof(many->fates));
    if (!json_object_object_get_ex(visit->input, "fates", &fates))
        return true;
    for (size_t i = 0; i < FATES; i++) {
        many->fates[i] = tree_get_number(fates, fate_names[i], 0);
        if (many->fates[i] < 0 || many->fates[i] > 1000000)
            all = INT64_MIN / 2;
        all += many->fates[i];
    }
    if (all < 1)
        reply_bad(visit, "fates: expected shares of paid, pending, part_refunded, refunded, "
                         "cancelled and trashed");
    return all >= 1;
}

/* How many are left, and what is under way. */
static void reply_left(struct visit *visit)
{
    struct json_object *tree = tree_object();
    tree_number(tree, "made", visit->sandbox->many->made);
    tree_number(tree, "left", many_left(visit->sandbox));
    tree_number(tree, "open", (int64_t)deliveries_open(visit->sandbox->deliveries));
    reply_json(visit, tree);
}

/* POST orders/many, POST sales/many {source, count[, seed, days, buyers, silent, fates,
 * subscription_percent]}. */
static void many_post(struct visit *visit)
{
    struct many *many = visit->sandbox->many;
    const char *source = tree_get_text(visit->input, "source");
    const struct woo_shop *shop = sandbox_shop(visit->sandbox, source);
    int64_t count = tree_get_number(visit->input, "count", 0);
    int64_t days = tree_get_number(visit->input, "days", 0);
    if (many->source != NULL) {
        reply_bad(visit, "the last ones are still being made");
        return;
    }
    if (sandbox_stand(visit->sandbox, source) == NULL && shop == NULL) {
        reply_bad(visit, "source: expected a configured source whose shop stands here");
        return;
    }
    if (count < 1 || count > SANDBOX_ORDERS || days < 0 || days > DAYS_MOST) {
        reply_bad(visit, "count: expected 1 to 200000, and days 0 to 3650");
        return;
    }
    if (!read_fates(visit, many))
        return;
    many->source = xstrdup(source != NULL ? source : shop->source);
    many->count = count;
    many->made = 0;
    many->began = clock_now();
    many->spread = days * TIME_DAY;
    many->buyers = tree_get_number(visit->input, "buyers", count * 6 / 10 + 1);
    many->buyers = many->buyers < 1 ? 1 : many->buyers;
    many->term_percent = tree_get_number(visit->input, "subscription_percent", 0);
    many->silent = tree_get_bool(visit->input, "silent", false);
    many->dice.seed = tree_get_number(visit->input, "seed", 1);
    make(many, many->silent ? count : BATCH);
    loop_timer_set(many->timer, PAUSE_US, true);
    reply_left(visit);
}

const struct route many_routes[] = {
    {"POST", "/sandbox/api/orders/many", ROUTE_KNOB, many_post},
    {"POST", "/sandbox/api/sales/many", ROUTE_KNOB, many_post},
    {"GET", "/sandbox/api/many", ROUTE_OPEN, reply_left},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
