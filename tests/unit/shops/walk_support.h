/*
 * Walks through a shop's lists: one page as a line of text, and whole walks of a model shop that
 * answers each call, and changes between two.
 */
#ifndef UNIT_SHOPS_WALK_SUPPORT_H
#define UNIT_SHOPS_WALK_SUPPORT_H

#include "support.h"

static const struct shop_walk whole_walk = {.whole = true, .since = TIME_NONE, .began = RECEIVED};

/* What is asked for at a cursor; "none" if it is no cursor. A new string. */
static inline char *target_at(const struct settings_source *source, const struct shop_walk *walk,
                              const char *cursor)
{
    struct shop_fetch fetch = {0};
    if (shop_list_for(source, walk, cursor, &fetch))
        return xstrdup("none");
    char *target = xstrdup(fetch.target);
    assert_null(fetch.body);
    shop_fetch_free(&fetch);
    return target;
}

static inline enum shop_answer_verdict read_page(const struct settings_source *source,
                                                 const struct shop_walk *walk, const char *cursor,
                                                 int status, const char *type, const char *body,
                                                 struct shop_listing *listing, struct buf *detail)
{
    size_t len = strlen(body);
    char *exact = xmemdup(body, len ? len : 1); /* so that a sanitizer sees a byte beyond */
    struct shop_answer answer = {.status = status,
                                 .content_type = type,
                                 .date = RECEIVED,
                                 .received_at = RECEIVED,
                                 .body = exact,
                                 .len = len};
    enum shop_answer_verdict verdict =
        shop_read_listing(source, walk, cursor, &answer, listing, detail);
    free(exact);
    assert_int_equal(verdict == SHOP_ANSWER_READ, detail->len == 0);
    assert_true(verdict == SHOP_ANSWER_READ || (!listing->next && !listing->facts.order_count));
    return verdict;
}

struct page_case {
    const char *what, *cursor;
    int status;
    const char *type, *body, *expected;
};

/* "read: [order] next=CURSOR unusable=1: why", or "later: sentence". */
static inline char *page_text(const struct settings_source *source, const struct shop_walk *walk,
                              const struct page_case *one)
{
    static const char *const verdicts[] = {"read", "later", "refused"};
    struct shop_listing listing = {0};
    struct buf detail = {0}, out = {0};
    enum shop_answer_verdict verdict =
        read_page(source, walk, one->cursor, one->status, one->type, one->body, &listing, &detail);
    char *text = facts_text(&listing.facts);
    buf_printf(&out, "%s: %s%s", verdicts[verdict], text, detail.len ? detail.data : "");
    if (listing.next)
        buf_printf(&out, " next=%s", listing.next);
    if (listing.unusable > 0)
        buf_printf(&out, " unusable=%zu: %s", listing.unusable, listing.why);
    assert_true((listing.unusable > 0) == (listing.why != NULL));
    free(text);
    buf_free(&detail);
    shop_listing_free(&listing);
    return buf_take(&out);
}

static inline void check_pages(const struct settings_source *source, const struct shop_walk *walk,
                               const struct page_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = page_text(source, walk, &cases[i]);
        if (strcmp(text, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

struct webhook_case {
    const char *what;
    int status;
    const char *body, *expected;
};

/* "enabled", "disabled: sentence", "missing: sentence", or the verdict and its sentence. */
static inline void check_webhooks(const struct settings_source *source, const char *type,
                                  const char *address, const struct webhook_case *cases,
                                  size_t count)
{
    static const char *const states[] = {"enabled", "disabled: ", "missing: "};
    for (size_t i = 0; i < count; i++) {
        struct shop_answer answer = {.status = cases[i].status,
                                     .content_type = type,
                                     .date = RECEIVED,
                                     .received_at = RECEIVED,
                                     .body = cases[i].body,
                                     .len = strlen(cases[i].body)};
        enum shop_webhook state = SHOP_WEBHOOK_MISSING;
        struct buf detail = {0}, out = {0};
        enum shop_answer_verdict verdict =
            shop_read_webhook(source, address, &answer, &state, &detail);
        buf_printf(&out, "%s%s",
                   verdict == SHOP_ANSWER_READ    ? states[state]
                   : verdict == SHOP_ANSWER_LATER ? "later: "
                                                  : "refused: ",
                   detail.len ? detail.data : "");
        if (strcmp(out.data, cases[i].expected) != 0)
            print_error("case: %s\n", cases[i].what);
        assert_string_equal(out.data, cases[i].expected);
        buf_free(&detail);
        buf_free(&out);
    }
}

/* xorshift: the same walks on every machine. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline size_t below(uint64_t *state, size_t limit)
{
    return (size_t)(next_random(state) % limit);
}

/* The number behind `name` in a query, or `absent`. */
static inline long long query_number(const char *target, const char *name, long long absent)
{
    const char *at = strstr(target, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : absent;
}

/* Walks a model: it writes the body for a target, and is told each order that was read. Returns the
 * number of calls. */
static inline size_t walk_model(const struct settings_source *source, const struct shop_walk *walk,
                                const char *type, void *model,
                                void (*serve)(void *model, const char *target, struct buf *body),
                                void (*see)(void *model, const struct fact_order *order))
{
    char *cursor = xstrdup("");
    size_t calls = 0;
    while (cursor) {
        struct shop_listing listing = {0};
        struct buf body = {0}, detail = {0};
        char *target = target_at(source, walk, cursor);
        serve(model, target, &body);
        assert_int_equal(read_page(source, walk, cursor, 200, type, body.data, &listing, &detail),
                         SHOP_ANSWER_READ);
        assert_int_equal(listing.unusable, 0);
        for (size_t i = 0; i < listing.facts.order_count; i++)
            see(model, &listing.facts.orders[i]);
        assert_true(!listing.next || strcmp(listing.next, cursor) != 0);
        free(cursor);
        cursor = listing.next;
        listing.next = NULL;
        shop_listing_free(&listing);
        buf_free(&body);
        buf_free(&detail);
        free(target);
        assert_true(++calls < 2000);
    }
    return calls;
}

#endif
