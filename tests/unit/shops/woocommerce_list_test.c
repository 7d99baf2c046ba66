/*
 * Walking through WooCommerce's orders: what is asked, what an answer means, and, against a model
 * of a shop that is written to while it is read, that no order is missed and every walk ends.
 */
#include "support.h"

#define JSON "application/json; charset=UTF-8"
#define BEGAN RECEIVED
#define SINCE (RECEIVED - TIME_HOUR)
#define LIST "/wp-json/wc/v3/orders?status="
#define SORTED "&orderby=modified&order=asc&dates_are_gmt=true&per_page=100"

static struct settings_source source;
static const struct shop_walk changed = {.since = SINCE, .began = BEGAN};
static const struct shop_walk whole = {.whole = true, .since = TIME_NONE, .began = BEGAN};

static void calls_ask_for_gmt_and_for_all(void **state)
{
    static const struct {
        const struct shop_walk *walk;
        const char *cursor, *target;
    } cases[] = {
        {&changed, "", LIST "any" SORTED "&modified_after=2026-11-23T08:59:59"},
        {&whole, "", LIST "any" SORTED},
        {&whole, "trash - 0 t 0 0", LIST "trash" SORTED},
        {&changed, "any 1795424399 80 i 12 0",
         LIST "any" SORTED "&modified_after=2026-11-23T08:59:59&offset=80"},
        {&changed, "trash 0 50 o 7 2",
         LIST "trash" SORTED "&modified_after=1970-01-01T00:00:00&offset=50"},
    };
    (void)state;
    assert_true(shop_can_list(&source));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct shop_fetch fetch;
        assert_int_equal(shop_list_for(&source, cases[i].walk, cases[i].cursor, &fetch), 0);
        assert_string_equal(fetch.target, cases[i].target);
        assert_string_equal(fetch.basic_auth, "ck_1:cs_1");
        assert_null(fetch.body);
        shop_fetch_free(&fetch);
    }
}

static void foreign_cursors_are_refused(void **state)
{
    static const char *const cursors[] = {
        "any",
        "all 1 0 t 0 0",
        "any  0 t 0 0",
        "any 1 0 t 0",
        "any 1 0 t 0 0 ",
        "any 1 0 t 0 0 0",
        "any 1 0 x 0 0",
        "any 1 0 ti 0 0",
        "any -1 0 t 0 0",
        "any 253402300800 0 t 0 0",
        "any 1 10000001 t 0 0",
        "any 1 0 t 0 41",
        "any 1&status=trash 0 t 0 0",
        "trash 99999999999999999999 0 t 0 0",
    };
    struct shop_fetch fetch;
    (void)state;
    for (size_t i = 0; i < COUNT(cursors); i++)
        assert_int_equal(shop_list_for(&source, &changed, cursors[i], &fetch), -1);
}

static void a_shop_without_a_key_has_no_list(void **state)
{
    struct settings_source shop = source_make(PROVIDER_WOOCOMMERCE, "s3cret", NULL);
    struct shop_fetch fetch;
    (void)state;
    assert_false(shop_can_list(&shop));
    assert_int_equal(shop_list_for(&shop, &changed, "", &fetch), -1);
    assert_int_equal(shop_webhook_for(&shop, &fetch), -1);
    source_free(&shop);
}

static char *listing_text(const struct shop_walk *walk, const char *cursor,
                          const struct shop_answer *answer)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_listing listing = {0};
    struct buf detail = {0}, out = {0};
    enum shop_answer_verdict verdict =
        shop_read_listing(&source, walk, cursor, answer, &listing, &detail);
    assert_int_equal(verdict == SHOP_ANSWER_READ, detail.len == 0);
    char *text = facts_text(&listing.facts);
    buf_printf(&out, "%s: %s%s", verdicts[verdict], text, detail.len ? detail.data : "");
    if (listing.unusable)
        buf_printf(&out, " left out %zu: %s", listing.unusable, listing.why);
    buf_printf(&out, " next=%s", listing.next ? listing.next : "none");
    free(text);
    shop_listing_free(&listing);
    buf_free(&detail);
    return buf_take(&out);
}

struct page_case {
    const char *what, *cursor;
    int status;
    const char *type, *body, *expected;
};

#define MORE "<https://shop.example.test/wp-json/wc/v3/orders?page=2>; rel=\"next\""
static const char *link_told = ""; /* with every page of a table */

static void check_pages(const struct shop_walk *walk, const struct page_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *exact = xmemdup(cases[i].body, strlen(cases[i].body) + 1);
        struct shop_answer answer = {.status = cases[i].status,
                                     .content_type = cases[i].type,
                                     .date = RECEIVED,
                                     .received_at = RECEIVED,
                                     .link = link_told,
                                     .body = exact,
                                     .len = strlen(exact)};
        char *text = listing_text(walk, cases[i].cursor, &answer);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
        free(exact);
    }
}

#define ENTRY(id, status, rest) \
    "{\"id\":" id ",\"status\":\"" status "\",\"total\":\"30.00\",\"line_items\":[]" rest "}"
#define AT_NINE ",\"date_modified_gmt\":\"2026-11-23T09:00:00\""
#define READ(id, status)                                                                       \
    "[" id " " status                                                                          \
    " at=2026-11-23T09:00:00Z paid=- read=2026-11-23T10:00:00Z total=30000000 address=absent " \
    "lines:]"

static void pages_are_read(void **state)
{
    static const struct page_case cases[] = {
        {"one order", "", 200, JSON, "[" ENTRY("12", "processing", AT_NINE) "]",
         "read: " READ("12", "paid") " next=trash 1795424399 0 t 0 0"},
        {"orders in the trash", "trash 1795424399 0 t 0 0", 200, JSON,
         "[" ENTRY("13", "trash", AT_NINE) "]", "read: " READ("13", "cancelled") " next=none"},
        {"nothing more", "any 1795424399 1 o 12 0", 200, JSON, "[]",
         "read:  next=trash 1795424399 0 t 0 0"},
        {"nothing more in the trash either", "trash 1795424399 1 o 13 0", 200, JSON, "[]",
         "read:  next=none"},
        {"a byte order mark before nothing", "trash 1 0 t 0 0", 200, JSON, "\xef\xbb\xbf[]",
         "read:  next=none"},
        {"what cannot be used is left out, the rest counts", "", 200, JSON,
         "[" ENTRY("1", "completed", "") ",7,{\"id\":8}," ENTRY(
             "2", "completed",
             AT_NINE ",\"billing_period\":\"month\"") "," ENTRY("12", "processing", AT_NINE) "]",
         "read: " READ("12", "paid") " left out 4: order 1: `date_modified_gmt` is missing "
                                     "next=trash 1795424399 0 t 0 0"},
        {"a zero date", "any - 0 t 0 0", 200, JSON,
         "[" ENTRY("1", "completed", ",\"date_modified_gmt\":\"0000-00-00T00:00:00\"") "]",
         "read:  left out 1: order 1: `date_modified_gmt` is missing next=trash 1795424399 0 t 0 0"},
        {"a refund is to be looked up", "", 200, JSON,
         "[" ENTRY("12", "processing", AT_NINE ",\"refunds\":[{\"id\":5,\"total\":\"-3.00\"}]") "]",
         "read: [12 paid at=2026-11-23T09:00:00Z paid=- read=2026-11-23T10:00:00Z total=30000000 "
         "address=absent lines: listed: 5=3000000{?}] next=trash 1795424399 0 t 0 0"},
    };
    (void)state;
    check_pages(&changed, cases, COUNT(cases));
}

static void a_page_that_a_plugin_empties_is_not_the_end(void **state)
{
    static const struct page_case more[] = {
        {"nothing, and more", "any 1795424399 0 t 0 0", 200, JSON, "[]",
         "read:  next=any 1795424399 50 o 0 1"},
        {"and again", "any 1795424399 50 o 0 1", 200, JSON, "[]",
         "read:  next=any 1795424399 100 o 0 2"},
        {"too often", "any 1795424399 300 o 0 6", 200, JSON, "[]",
         "read:  next=trash 1795424399 0 t 0 0"},
    };
    static const struct page_case other[] = {
        {"another link", "any 1795424399 0 t 0 0", 200, JSON, "[]",
         "read:  next=trash 1795424399 0 t 0 0"},
    };
    (void)state;
    link_told = MORE;
    check_pages(&changed, more, COUNT(more));
    link_told = "<https://shop.example.test/wp-json/>; rel=\"https://api.w.org/\"";
    check_pages(&changed, other, COUNT(other));
    link_told = "";
}

static void bad_answers_are_told_apart(void **state)
{
    static const struct page_case cases[] = {
        {"too many requests", "", 429, "text/html", "<html>",
         "later: the shop answered 429 next=none"},
        {"a maintenance page", "", 503, "text/html", "<html>",
         "later: the shop answered 503 next=none"},
        {"a firewall's page", "", 200, "text/html", "[]",
         "later: the shop's answer cannot be read: it is not JSON next=none"},
        {"a page cut short", "", 200, JSON, "[{\"id\":1",
         "later: the shop's answer cannot be read: it is cut short next=none"},
        {"a key refused", "", 401, JSON, "{\"code\":\"woocommerce_rest_cannot_view\"}",
         "refused: the shop refused the key (401): check that api_key_file holds ck_...:cs_... of a "
         "user who may read orders, and that api_url begins with https:// next=none"},
        {"no such route", "", 404, JSON, "{\"code\":\"rest_no_route\"}",
         "refused: the shop has no list of orders: check that api_url is the shop's own and that "
         "WooCommerce's REST API is on next=none"},
        {"an error in place of the list", "", 200, JSON, "{\"code\":\"broken\"}",
         "refused: the shop answered with something that is no list of orders next=none"},
        {"null", "", 200, JSON, "null",
         "later: the shop's answer cannot be read: it is cut short next=none"},
        {"orders from before the time that was asked for", "any 1795424400 0 t 0 0", 200, JSON,
         "[" ENTRY("12", "processing", AT_NINE) "]",
         "refused: the shop lists orders that were not changed since the time that was asked for: "
         "WooCommerce before 5.8 does, or a plugin stands in the way of `modified_after` "
         "next=none"},
        {"the same page again and again", "any 1795424399 3 o 12 9", 200, JSON,
         "[" ENTRY("12", "processing", AT_NINE) "]",
         "refused: the shop answers every page of its list with the same orders: a cache or a "
         "plugin stands in the way of `offset` next=none"},
        {"a cursor of another shop", "cus_1", 200, JSON, "[]",
         "refused: the place in the list is none of WooCommerce's next=none"},
    };
    (void)state;
    link_told = MORE; /* a list that is not over */
    check_pages(&changed, cases, COUNT(cases));
    link_told = "";
}

/* `count` orders from `id` on, the first at `second`, `step` seconds apart. */
static void put_run(struct buf *out, int64_t id, size_t count, int64_t second, int64_t step)
{
    buf_puts(out, "[");
    for (size_t i = 0; i < count; i++) {
        char time[TIME_TEXT];
        clock_format((second + (int64_t)i * step) * TIME_SECOND, time);
        buf_printf(out,
                   "%s{\"id\":%lld,\"status\":\"completed\",\"line_items\":[],"
                   "\"date_modified_gmt\":\"%.*s\"}",
                   i ? "," : "", (long long)id + (long long)i, (int)strcspn(time, "Z"), time);
    }
    buf_puts(out, "]");
}

#define NINE (INT64_C(1795424400))

/* Where the walk goes from full pages. */
static void cursors_make_progress(void **state)
{
    static const struct {
        const char *what, *cursor;
        int64_t id;
        size_t count;
        int64_t second, step;
        const char *next; /* NULL: refused */
    } cases[] = {
        {"by time, a second before the last", "", 1, 100, NINE, 3, "any 1795424696 0 t 0 0"},
        {"one second alone: by id", "", 1, 100, NINE, 0, "any 1795424399 80 i 100 0"},
        {"one second alone, but not the next", "", 1, 100, NINE + 5, 0, "any 1795424404 0 t 0 0"},
        {"by id, on", "any 1795424399 80 i 100 0", 81, 100, NINE, 0, "any 1795424399 160 i 180 0"},
        {"by id, orders have moved up past it", "any 1795424399 800 i 100 0", 140, 100, NINE, 0,
         "any 1795424399 700 i 100 1"},
        {"by id, further back", "any 1795424399 700 i 100 1", 140, 100, NINE, 0,
         "any 1795424399 500 i 100 2"},
        {"by id, at the beginning there is no gap", "any 1795424399 0 i 100 3", 140, 100, NINE, 0,
         "any 1795424399 80 i 239 0"},
        {"by id, into later seconds", "any 1795424399 80 i 100 0", 90, 100, NINE, 1,
         "any 1795424498 0 t 0 0"},
        {"by id, to its end", "any 1795424399 80 i 100 0", 100, 40, NINE, 0,
         "any 1795424399 130 o 100 0"},
        {"half a page", "", 1, 60, NINE, 3, "any 1795424576 0 t 0 0"},
        {"half a page that is short", "", 1, 49, NINE, 3, "any 1795424399 50 o 1 0"},
        {"backwards: by offset", "", 1, 100, NINE + 900, -3, "any 1795424399 50 o 1 0"},
        {"by offset until it is whole again", "any 1795424399 50 o 1 0", 51, 100, NINE, 3,
         "any 1795424696 0 t 0 0"},
        {"the same page by id for ever", "any 1795424399 80 i 100 39", 1, 100, NINE, 0, NULL},
        {"all of it changed since we began", "any 1795424399 0 t 0 3", 1, 100, NINE + 3611, 0,
         "any 1795428300 0 t 0 0"},
        {"dated ahead", "", 1, 100, NINE + 90000, 3, "any 1795424399 50 o 1 0"},
        {"torn", "any 1795000000 0 t 0 0", 1, 100, NINE + 3600, 0, "any 1795000000 0 t 0 1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf body = {0};
        struct shop_listing listing = {0};
        struct buf detail = {0};
        put_run(&body, cases[i].id, cases[i].count, cases[i].second, cases[i].step);
        struct shop_answer answer = {.status = 200,
                                     .content_type = JSON,
                                     .date = RECEIVED,
                                     .received_at = RECEIVED,
                                     .body = body.data,
                                     .len = body.len,
                                     .link = MORE};
        enum shop_answer_verdict verdict =
            shop_read_listing(&source, &changed, cases[i].cursor, &answer, &listing, &detail);
        if ((verdict == SHOP_ANSWER_READ) != (cases[i].next != NULL) ||
            (cases[i].next && strcmp(listing.next, cases[i].next) != 0))
            print_error("case: %s: %s\n", cases[i].what, listing.next ? listing.next : detail.data);
        assert_int_equal(verdict, cases[i].next ? SHOP_ANSWER_READ : SHOP_ANSWER_REFUSED);
        if (cases[i].next) {
            assert_string_equal(listing.next, cases[i].next);
            assert_int_equal(listing.facts.order_count, cases[i].count);
        }
        shop_listing_free(&listing);
        buf_free(&detail);
        buf_free(&body);
    }
}

/* The last order of a page is changed while the page is rendered: it stands for what lay there. */
static void an_order_changed_under_our_hands_is_no_key(void **state)
{
    struct buf body = {0}, detail = {0}, last = {0};
    struct shop_listing listing = {0};
    (void)state;
    put_run(&body, 1, 99, NINE, 3);
    put_run(&last, 100, 1, NINE + 3605, 0);
    body.data[body.len - 1] = ',';
    buf_puts(&body, last.data + 1);
    struct shop_answer answer = {.status = 200,
                                 .content_type = JSON,
                                 .date = RECEIVED + 6 * TIME_SECOND,
                                 .received_at = RECEIVED + 6 * TIME_SECOND,
                                 .body = body.data,
                                 .len = body.len};
    assert_int_equal(shop_read_listing(&source, &changed, "", &answer, &listing, &detail),
                     SHOP_ANSWER_READ);
    assert_string_equal(listing.next, "any 1795424693 0 t 0 0");
    assert_int_equal(listing.facts.order_count, 100);
    shop_listing_free(&listing);
    buf_free(&body);
    buf_free(&last);
}

/* A model of a shop: orders by id, each with the second of its last change. */
#define MODEL_MOST 4000
#define MODEL_NOW (RECEIVED / TIME_SECOND)

/* 2026-11-22T01:00:00Z, when the model's clocks go back. */
#define SUNDAY (INT64_C(1795309200))

enum habit {
    SORTS,       /* as it was asked to */
    LOCAL_TIME,  /* by local time, on a night when an hour comes twice */
    BY_CREATION, /* ignores `orderby` and `order`: the newest id first */
    HABITS,
};

static struct model {
    unsigned random;
    size_t count;
    int64_t modified[MODEL_MOST], began_with[MODEL_MOST], seen[MODEL_MOST];
    bool trashed[MODEL_MOST], hidden[MODEL_MOST];
    int64_t now, twice_from; /* the hour that comes twice */
    enum habit habit;
    unsigned writes; /* at most so many between two pages */
    bool tears;      /* also while a page is rendered */
    int64_t bulk_at; /* a second with a great many changes, where writes go first */
} model;

static unsigned pick(unsigned below)
{
    model.random = model.random * 1664525u + 1013904223u;
    return (model.random >> 8) % below;
}

static int64_t local_time(int64_t time)
{
    bool summer = time < model.twice_from;
    return time + (summer ? 7200 : 3600);
}

static int compare_orders(const void *a, const void *b)
{
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    int64_t left_key = model.modified[left], right_key = model.modified[right];
    if (model.habit == BY_CREATION)
        return left < right ? 1 : -1;
    if (model.habit == LOCAL_TIME) {
        left_key = local_time(left_key);
        right_key = local_time(right_key);
    }
    if (left_key != right_key)
        return left_key < right_key ? -1 : 1;
    return left < right ? -1 : 1;
}

/* A change as a buyer or a clerk makes it: a new order, or another state of an old one. */
static void write_one(void)
{
    if (pick(10) == 0 && model.count < MODEL_MOST) {
        size_t at = model.count++;
        model.modified[at] = model.now;
        model.trashed[at] = model.hidden[at] = false;
        model.began_with[at] = model.seen[at] = -1;
        return;
    }
    size_t at = pick((unsigned)model.count);
    for (size_t i = 0; i < 20 && pick(2) == 0 && model.modified[at] != model.bulk_at; i++)
        at = pick((unsigned)model.count);
    model.modified[at] = model.now;
    if (pick(20) == 0)
        model.trashed[at] = !model.trashed[at];
}

static void write_some(unsigned most)
{
    for (unsigned i = most ? pick(most + 1) : 0; i > 0; i--)
        write_one();
}

static int64_t query_number(const char *target, const char *name, int64_t fallback)
{
    const char *at = strstr(target, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : fallback;
}

/* What the shop answers to a target; whether it counts more than a page. */
static bool render(const char *target, struct buf *out)
{
    static size_t fits[MODEL_MOST];
    const char *after = strstr(target, "&modified_after=");
    int64_t bound = INT64_MIN;
    size_t count = 0, offset = (size_t)query_number(target, "&offset=", 0);
    bool trash = strstr(target, "status=trash") != NULL, first = true;
    if (after) {
        after += strlen("&modified_after=");
        assert_int_equal(clock_parse(after, strcspn(after, "&"), &bound), 0);
        bound /= TIME_SECOND;
    }
    for (size_t i = 0; i < model.count; i++)
        if (model.trashed[i] == trash && model.modified[i] > bound)
            fits[count++] = i;
    qsort(fits, count, sizeof(fits[0]), compare_orders);
    if (model.tears)
        write_some(model.writes);
    buf_puts(out, "[");
    for (size_t i = offset; i < count && i < offset + 100; i++) {
        char time[TIME_TEXT], local[TIME_TEXT];
        if (model.hidden[fits[i]])
            continue;
        clock_format(model.modified[fits[i]] * TIME_SECOND, time);
        clock_format(local_time(model.modified[fits[i]]) * TIME_SECOND, local);
        buf_printf(out,
                   "%s{\"id\":%zu,\"status\":\"%s\",\"line_items\":[],"
                   "\"date_modified\":\"%.*s\",\"date_modified_gmt\":\"%.*s\"}",
                   first ? "" : ",", fits[i] + 1, model.trashed[fits[i]] ? "trash" : "completed",
                   (int)strcspn(local, "Z"), local, (int)strcspn(time, "Z"), time);
        first = false;
    }
    buf_puts(out, "]");
    return count > 100;
}

static void note_seen(const struct shop_listing *listing)
{
    for (size_t i = 0; i < listing->facts.order_count; i++) {
        const struct fact_order *order = &listing->facts.orders[i];
        size_t at = (size_t)strtoll(order->id, NULL, 10) - 1;
        int64_t time =
            order->snapshot->time_flagged ? order->snapshot->time_claimed : order->snapshot->time;
        model.seen[at] = time / TIME_SECOND > model.seen[at] ? time / TIME_SECOND : model.seen[at];
    }
}

/* Walks from end to end; the number of calls. */
static size_t walk_model(const struct shop_walk *walk)
{
    char *cursor = xstrdup("");
    size_t calls = 0;
    while (cursor) {
        struct shop_fetch fetch;
        struct buf body = {0}, detail = {0};
        struct shop_listing listing = {0};
        assert_int_equal(shop_list_for(&source, walk, cursor, &fetch), 0);
        model.now += 1 + pick(3);
        write_some(model.writes);
        bool more = render(fetch.target, &body);
        struct shop_answer answer = {.status = 200,
                                     .content_type = JSON,
                                     .date = model.now * TIME_SECOND,
                                     .received_at = model.now * TIME_SECOND,
                                     .link = more ? "<https://x/?page=2>; rel=\"next\"" : "",
                                     .body = body.data,
                                     .len = body.len};
        enum shop_answer_verdict verdict =
            shop_read_listing(&source, walk, cursor, &answer, &listing, &detail);
        if (verdict != SHOP_ANSWER_READ)
            print_error("at %s: %s\n", cursor, detail.data);
        assert_int_equal(verdict, SHOP_ANSWER_READ);
        assert_int_equal(listing.unusable, 0);
        note_seen(&listing);
        assert_true(!listing.next || strcmp(listing.next, cursor) != 0);
        free(cursor);
        cursor = listing.next;
        listing.next = NULL;
        shop_listing_free(&listing);
        shop_fetch_free(&fetch);
        buf_free(&detail);
        buf_free(&body);
        assert_true(++calls < 1000);
    }
    return calls;
}

static void make_model(unsigned seed)
{
    memset(&model, 0, sizeof(model));
    model.random = seed * 2654435761u + 1;
    model.now = MODEL_NOW;
    model.count = pick(4) == 0 ? pick(120) + 1 : pick(900) + 1;
    model.habit = pick(4) == 0 ? (enum habit)(1 + pick(HABITS - 1)) : SORTS;
    model.bulk_at = MODEL_NOW - 10000 + pick(9000);
    model.twice_from = SUNDAY;
    if (model.habit == LOCAL_TIME)
        model.bulk_at = SUNDAY - 1800 + pick(3600);
    model.tears = pick(2) == 0;
    bool hides = pick(4) == 0, hides_most = pick(2) == 0, hides_run = pick(8) == 0;
    unsigned bulk = pick(3) * 45, spread = pick(2) ? 1 + pick(60) : 9000;
    model.writes = pick(3) ? pick(model.habit == SORTS && !hides && !hides_run ? 40 : 10) : 0;
    for (size_t i = 0; i < model.count; i++) {
        model.modified[i] = pick(100) < bulk ? model.bulk_at : model.bulk_at - pick(spread) + 1;
        model.trashed[i] = pick(15) == 0;
        model.hidden[i] = (hides && pick(100) < (hides_most ? 80 : 10)) || (hides_run && i < 250);
        model.began_with[i] = model.modified[i];
        model.seen[i] = -1;
    }
}

/* What was not changed comes in the first walk; what was comes by the second at the latest. */
static void no_order_is_missed_while_the_shop_is_written_to(void **state)
{
    size_t most = 0;
    (void)state;
    for (unsigned seed = 0; seed < 500; seed++) {
        make_model(seed);
        size_t calls = walk_model(&whole);
        most = calls > most ? calls : most;
        for (size_t i = 0; i < model.count; i++) {
            if (model.hidden[i] || model.modified[i] != model.began_with[i])
                continue;
            if (model.seen[i] != model.modified[i])
                print_error("seed %u: order %zu was missed\n", seed, i + 1);
            assert_int_equal(model.seen[i], model.modified[i]);
        }
        model.writes = 0;
        struct shop_walk next = {.since = BEGAN - 600 * TIME_SECOND,
                                 .began = model.now * TIME_SECOND};
        walk_model(&next);
        for (size_t i = 0; i < model.count; i++) {
            if (!model.hidden[i] && model.seen[i] != model.modified[i])
                print_error("seed %u: order %zu was missed by the second walk\n", seed, i + 1);
            assert_true(model.hidden[i] || model.seen[i] == model.modified[i]);
        }
    }
    print_message("the longest walk took %zu calls\n", most);
}

/* Every page brings more changes than it holds. */
static void a_shop_that_is_written_to_faster_than_it_is_read_has_an_end(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 20; seed++) {
        make_model(seed);
        model.writes = 400;
        walk_model(&whole);
    }
}

/* Thousands of one second, from which orders leave all the time. */
static void a_bulk_import_of_one_second_is_walked_by_id(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 10; seed++) {
        memset(&model, 0, sizeof(model));
        model.random = seed + 1;
        model.now = MODEL_NOW;
        model.count = 3000;
        model.bulk_at = MODEL_NOW - 5000;
        model.writes = seed * 10;
        for (size_t i = 0; i < model.count; i++) {
            model.modified[i] = model.began_with[i] = model.bulk_at;
            model.seen[i] = -1;
        }
        walk_model(&whole);
        for (size_t i = 0; i < model.count; i++)
            assert_true(model.modified[i] != model.began_with[i] ||
                        model.seen[i] == model.modified[i]);
    }
}

/* A quiet shop is asked twice: what changed, and the trash. */
static void a_quiet_shop_costs_two_calls(void **state)
{
    (void)state;
    memset(&model, 0, sizeof(model));
    model.now = MODEL_NOW;
    model.count = 3;
    for (size_t i = 0; i < model.count; i++)
        model.modified[i] = MODEL_NOW - 100 + (int64_t)i;
    assert_int_equal(walk_model(&changed), 2);
    model.count = 0;
    assert_int_equal(walk_model(&changed), 2);
}

#define HERE "https://shop.example.test/webhooks/shop"
#define WEBHOOK(id, status, topic, url) \
    "{\"id\":" id ",\"status\":\"" status "\",\"topic\":\"" topic "\",\"delivery_url\":\"" url "\"}"

static void webhooks_are_looked_after(void **state)
{
    static const char *const words[] = {"enabled", "disabled", "missing"};
    static const struct {
        const char *what, *body;
        enum shop_webhook expected;
        const char *sentence;
    } cases[] = {
        {"active", "[" WEBHOOK("7", "active", "order.updated", HERE) "]", SHOP_WEBHOOK_ENABLED,
         NULL},
        {"one of two",
         "[" WEBHOOK("6", "disabled", "order.updated", HERE) "," WEBHOOK("7", "active",
                                                                         "order.updated", HERE) "]",
         SHOP_WEBHOOK_ENABLED, NULL},
        {"disabled", "[" WEBHOOK("7", "disabled", "order.updated", HERE) "]", SHOP_WEBHOOK_DISABLED,
         "the shop has disabled its webhook 7, which it does after the 7th failure in a row: see "
         "that this server can be reached, then set it to Active under WooCommerce > Settings > "
         "Advanced > Webhooks"},
        {"paused", "[" WEBHOOK("7", "paused", "order.updated", HERE) "]", SHOP_WEBHOOK_DISABLED,
         "the shop's webhook 7 is paused: set it to Active under WooCommerce > Settings > Advanced "
         "> Webhooks"},
        {"of another address or topic",
         "[7," WEBHOOK("1", "active", "order.updated",
                       HERE "2") "," WEBHOOK("2", "active", "order.created", HERE) "]",
         SHOP_WEBHOOK_MISSING,
         "the shop has no webhook of the topic \"Order updated\" to " HERE
         ": add one under WooCommerce > Settings > Advanced > Webhooks"},
        {"none", "[]", SHOP_WEBHOOK_MISSING,
         "the shop has no webhook of the topic \"Order updated\" to " HERE
         ": add one under WooCommerce > Settings > Advanced > Webhooks"},
    };
    struct shop_fetch fetch;
    (void)state;
    assert_int_equal(shop_webhook_for(&source, &fetch), 0);
    assert_string_equal(fetch.target, "/wp-json/wc/v3/webhooks?per_page=100");
    assert_string_equal(fetch.basic_auth, "ck_1:cs_1");
    shop_fetch_free(&fetch);
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum shop_webhook state_told;
        struct buf detail = {0};
        struct shop_answer answer = {.status = 200,
                                     .content_type = JSON,
                                     .date = RECEIVED,
                                     .body = cases[i].body,
                                     .len = strlen(cases[i].body)};
        assert_int_equal(shop_read_webhook(&source, HERE, &answer, &state_told, &detail),
                         SHOP_ANSWER_READ);
        if (state_told != cases[i].expected)
            print_error("case: %s: %s\n", cases[i].what, words[state_told]);
        assert_int_equal(state_told, cases[i].expected);
        assert_string_equal(detail.len ? detail.data : "",
                            cases[i].sentence ? cases[i].sentence : "");
        buf_free(&detail);
    }
}

static void webhooks_that_may_not_be_read(void **state)
{
    static const struct {
        int status;
        const char *type, *body;
        enum shop_answer_verdict verdict;
    } cases[] = {
        {403, JSON, "{\"code\":\"woocommerce_rest_cannot_view\"}", SHOP_ANSWER_REFUSED},
        {404, JSON, "{\"code\":\"rest_no_route\"}", SHOP_ANSWER_REFUSED},
        {200, JSON, "{}", SHOP_ANSWER_REFUSED},
        {200, "text/html", "<html>", SHOP_ANSWER_LATER},
        {503, "text/html", "<html>", SHOP_ANSWER_LATER},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum shop_webhook told;
        struct buf detail = {0};
        struct shop_answer answer = {.status = cases[i].status,
                                     .content_type = cases[i].type,
                                     .date = RECEIVED,
                                     .body = cases[i].body,
                                     .len = strlen(cases[i].body)};
        assert_int_equal(shop_read_webhook(&source, HERE, &answer, &told, &detail),
                         cases[i].verdict);
        assert_true(detail.len > 0);
        buf_free(&detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_ask_for_gmt_and_for_all),
        cmocka_unit_test(foreign_cursors_are_refused),
        cmocka_unit_test(a_shop_without_a_key_has_no_list),
        cmocka_unit_test(pages_are_read),
        cmocka_unit_test(a_page_that_a_plugin_empties_is_not_the_end),
        cmocka_unit_test(bad_answers_are_told_apart),
        cmocka_unit_test(cursors_make_progress),
        cmocka_unit_test(an_order_changed_under_our_hands_is_no_key),
        cmocka_unit_test(no_order_is_missed_while_the_shop_is_written_to),
        cmocka_unit_test(a_shop_that_is_written_to_faster_than_it_is_read_has_an_end),
        cmocka_unit_test(a_bulk_import_of_one_second_is_walked_by_id),
        cmocka_unit_test(a_quiet_shop_costs_two_calls),
        cmocka_unit_test(webhooks_are_looked_after),
        cmocka_unit_test(webhooks_that_may_not_be_read),
    };
    source = source_make(PROVIDER_WOOCOMMERCE, "s3cret", NULL);
    source.api_url = xstrdup("https://shop.example.test");
    source.api_keys.items[source.api_keys.count++] =
        (struct secret){.bytes = (unsigned char *)xstrdup("ck_1:cs_1"), .len = 9};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    source_free(&source);
    return failed;
}
