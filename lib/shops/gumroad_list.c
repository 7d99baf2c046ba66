/*
 * Gumroad's list of sales, ten a page, newest first. It can be asked for the days on which sales
 * were made, and not for what changed since, so every walk reads all of it: a refund or a
 * chargeback of an old sale shows there and nowhere else. The next page is told by a key, which is
 * the cursor; it names the sale that was the last, so that new ones shift nothing.
 *
 * What it holds (app/models/purchase.rb, for_sales_api_ordered_by_date): what was charged, refunded
 * or not, and trials. Not in it are
 *
 *   - a gift's sale to its receiver, who owns it: of the two sales that a gift is, the list has the
 *     giver's, and pings have the receiver's. A receiver whose ping is lost is not found, and what
 *     becomes of the money of a gift is seen where orders that no list holds are read again
 *   - what a seller buys of their own, as a test: all that is listed is real
 *   - preorders that are not charged yet
 *
 * Each payment of a subscription is a sale, and each tells the subscription's standing as it is
 * now. Here the sale that began it does, so that the subscriber, who alone knows when a cancelled
 * one ends, is asked for once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "shops/answer.h"
#include "shops/credentials.h"
#include "shops/gumroad.h"
#include "shops/json.h"
#include "shops/listing.h"

static const struct answer_advice advice = {
    .key = "check that api_key_file holds an access token with the scope view_sales",
    .address = "check that api_url is https://api.gumroad.com",
};

static int ask(const struct settings_source *source, char *target, struct shop_fetch *out)
{
    char *header = credentials_bearer(source);
    if (!header) {
        free(target);
        return -1;
    }
    *out = (struct shop_fetch){
        .target = target,
        .header = header,
        .header2 = xstrdup("Accept: application/json"),
    };
    return 0;
}

int gumroad_list(const struct settings_source *source, const struct shop_walk *walk,
                 const char *cursor, struct shop_fetch *out)
{
    (void)walk;
    if (*cursor && !list_is_word(cursor))
        return -1;
    return ask(source, *cursor ? xasprintf("/v2/sales?page_key=%s", cursor) : xstrdup("/v2/sales"),
               out);
}

/* Says where the walk goes on, if it does. */
static enum shop_answer_verdict go_on(const struct json_object *root, const char *cursor,
                                      size_t count, struct shop_listing *out, struct buf *detail)
{
    struct json_object *key = shop_json_member(root, "next_page_key");
    if (!key)
        return SHOP_ANSWER_READ;
    if (!json_object_is_type(key, json_type_string) || !list_is_word(json_object_get_string(key)))
        return answer_refuse(detail, "the shop's `next_page_key` is none that it could be asked "
                                     "for");
    if (count == 0 || strcmp(json_object_get_string(key), cursor) == 0)
        return answer_refuse(detail, "the shop answers with one page again and again");
    out->next = xstrdup(json_object_get_string(key));
    return SHOP_ANSWER_READ;
}

static enum shop_answer_verdict read_page(const struct settings_source *source,
                                          const struct json_object *root, const char *cursor,
                                          int64_t date, struct shop_listing *out,
                                          struct buf *detail)
{
    struct json_object *sales = shop_json_array(root, "sales");
    if (!sales)
        return answer_refuse(detail, "the shop answered with something that is no list of sales");
    for (size_t i = 0; i < json_object_array_length(sales); i++) {
        struct facts draft = {0};
        gumroad_read_listed_sale(source, json_object_array_get_idx(sales, i), date, &draft);
        listing_take(out, &draft);
    }
    return go_on(root, cursor, json_object_array_length(sales), out, detail);
}

/* Gumroad gives up a search that takes long, and says so as it says that a key is none of its. */
static enum shop_answer_verdict read_fault(const struct json_object *root, struct buf *detail)
{
    const char *told = shop_json_text(root, "error");
    if (!told || !strstr(told, "timed out"))
        return answer_refuse(detail, "the shop refused to list its sales");
    buf_puts(detail, "the shop's own search for its sales took too long");
    return SHOP_ANSWER_LATER;
}

/* What was asked wrongly is told in JSON as well. */
static struct json_object *open_list(const struct shop_answer *answer,
                                     enum shop_answer_verdict *verdict, struct buf *detail)
{
    struct shop_answer seen = *answer;
    if (seen.status == 400)
        seen.status = 404;
    return answer_open(&seen, &advice, verdict, detail);
}

static bool says_yes(const struct json_object *root)
{
    struct json_object *success = shop_json_member(root, "success");
    return json_object_is_type(success, json_type_boolean) && json_object_get_boolean(success);
}

enum shop_answer_verdict gumroad_read_listing(const struct settings_source *source,
                                              const struct shop_walk *walk, const char *cursor,
                                              const struct shop_answer *answer,
                                              struct shop_listing *out, struct buf *detail)
{
    enum shop_answer_verdict verdict;
    struct json_object *root = open_list(answer, &verdict, detail);
    (void)walk;
    if (!root)
        return verdict;
    if (answer->status == 200 && says_yes(root))
        verdict = read_page(source, root, cursor, answer_date(answer), out, detail);
    else
        verdict = read_fault(root, detail);
    json_object_put(root);
    return verdict;
}

/* Each kind of ping is subscribed to by itself, and asked for by itself. Of a refund nothing else
 * tells; that of sales may be the account's own, which the API does not show. */
int gumroad_webhook(const struct settings_source *source, struct shop_fetch *out)
{
    return ask(source, xstrdup("/v2/resource_subscriptions?resource_name=refund"), out);
}

/* Whether an address is ours, and ends in something that may be the secret. */
static bool is_ours(const char *url, const char *address)
{
    size_t len = strlen(address);
    return url && strncmp(url, address, len) == 0 && url[len] == '/' && url[len + 1];
}

static enum shop_webhook find_webhook(struct json_object *list, const char *address)
{
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (is_ours(shop_json_text(json_object_array_get_idx(list, i), "post_url"), address))
            return SHOP_WEBHOOK_ENABLED;
    return SHOP_WEBHOOK_MISSING;
}

enum shop_answer_verdict gumroad_read_webhook(const struct settings_source *source,
                                              const char *address, const struct shop_answer *answer,
                                              enum shop_webhook *out, struct buf *detail)
{
    enum shop_answer_verdict verdict;
    struct json_object *root = open_list(answer, &verdict, detail);
    (void)source;
    if (!root)
        return verdict;
    struct json_object *list = shop_json_array(root, "resource_subscriptions");
    verdict = SHOP_ANSWER_READ;
    if (answer->status != 200 || !says_yes(root) || !list)
        verdict = answer_refuse(detail, "the shop answered with something that is no list of "
                                        "resource subscriptions");
    else
        *out = find_webhook(list, address);
    if (verdict == SHOP_ANSWER_READ && *out == SHOP_WEBHOOK_MISSING)
        buf_printf(detail, "no resource subscription of the account tells refunds to %s", address);
    json_object_put(root);
    return verdict;
}
