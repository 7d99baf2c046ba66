#include "store/order_pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/rows.h"

/* An identity as it is shown: the rest of a sentence must fit beside it. */
#define SHOWN 60

static const char *told_identity(const struct order_news *news)
{
    return news->facts != NULL ? news->facts->identity : NULL;
}

/* Takes a piece of news out, and says so to its caller and to the log. */
static void refuse(struct order_news *news, const struct orders_context *context,
                   const char *sentence)
{
    const char *source = source_map_name(context->sources, news->source_id);

    snprintf(news->refusal, sizeof(news->refusal), "%s", sentence);
    log_warn("orders", "refused", LOG_S("source", source == NULL ? "" : source),
             LOG_S("order", news->order_id), LOG_I("delivery", news->delivery_id),
             LOG_S("detail", sentence));
}

static void refuse_shop(struct order_news *news, const struct orders_context *context,
                        const char *own, bool several)
{
    char sentence[256];

    if (news->answered)
        snprintf(sentence, sizeof(sentence),
                 "the shop's API answers for %.*s, and this source is of %.*s%s: check api_url, or"
                 " set `identity` to all that are this shop",
                 SHOWN, told_identity(news), SHOWN, own, several ? " ..." : "");
    else
        snprintf(sentence, sizeof(sentence),
                 "it is of %.*s, and this source is of %.*s%s: if both are this shop, set"
                 " `identity` to both, then replay it",
                 SHOWN, told_identity(news), SHOWN, own, several ? " ..." : "");
    refuse(news, context, sentence);
}

/* How a configured identity may be written: as a URL too. */
static bool identity_is(const char *configured, const char *told)
{
    static const char *const schemes[] = {"https://", "http://"};
    size_t len;
    char *plain;
    bool equal;

    if (strcmp(configured, "*") == 0)
        return true;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(configured, schemes[i], strlen(schemes[i])) == 0)
            configured += strlen(schemes[i]);
    }
    if (strncasecmp(configured, "www.", 4) == 0 && strncasecmp(told, "www.", 4) != 0)
        configured += 4;
    len = strlen(configured);
    while (len > 0 && configured[len - 1] == '/')
        len--;
    plain = xstrndup(configured, len);
    equal = text_equal_nocase(plain, told);
    free(plain);
    return equal;
}

static bool identity_among(char *const *configured, const char *told)
{
    for (; *configured != NULL; configured++) {
        if (identity_is(*configured, told))
            return true;
    }
    return false;
}

/* Whether it tells what its source may yet learn. */
static bool is_learning(const struct orders_context *context, const struct order_news *news)
{
    return told_identity(news) != NULL &&
           source_map_identities(context->sources, news->source_id) == NULL &&
           source_map_learned(context->sources, news->source_id) == NULL;
}

static enum db_result read_learned(struct db *db, const struct orders_context *context,
                                   uint32_t source_id)
{
    struct db_rows *rows;
    enum db_result result = db_query(db, "SELECT identity FROM source WHERE id = ?",
                                     (struct db_value[]){DB_VALUE_INT(source_id)}, 1, &rows);

    if (result != DB_OK)
        return result;
    if (db_rows_next(rows) && !db_is_null(rows, 0)) {
        char *learned = row_text(rows, 0);

        source_map_learn(context->sources, source_id, learned);
        free(learned);
    }
    db_rows_free(rows);
    return DB_OK;
}

/* Of sources whose shop this process does not know yet: what the table says, a query each. */
static enum db_result recall_sources(struct db *db, const struct orders_context *context,
                                     const struct order_news *news, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum db_result result;
        bool asked = !is_learning(context, &news[i]);

        for (size_t j = 0; j < i && !asked; j++)
            asked = news[j].source_id == news[i].source_id && told_identity(&news[j]) != NULL;
        if (asked)
            continue;
        result = read_learned(db, context, news[i].source_id);
        if (result != DB_OK)
            return result;
    }
    return DB_OK;
}

static void check_source(const struct orders_context *context, struct order_news *news)
{
    char *const *configured = source_map_identities(context->sources, news->source_id);
    const char *learned = source_map_learned(context->sources, news->source_id);

    if (told_identity(news) == NULL)
        return;
    if (configured != NULL) {
        if (!identity_among(configured, told_identity(news)))
            refuse_shop(news, context, configured[0], configured[1] != NULL);
    } else if (learned != NULL && strcmp(learned, told_identity(news)) != 0) {
        refuse_shop(news, context, learned, false);
    }
}

enum db_result order_pin_sources(struct db *db, const struct orders_context *context,
                                 struct order_news *news, size_t count, struct pinned_news *out)
{
    enum db_result result;

    memset(out, 0, sizeof(*out));
    result = recall_sources(db, context, news, count);
    if (result != DB_OK)
        return result;
    out->news = xcalloc(count + 1, sizeof(*out->news));
    out->places = xcalloc(count + 1, sizeof(*out->places));
    for (size_t i = 0; i < count; i++) {
        news[i].refusal[0] = '\0';
        check_source(context, &news[i]);
        if (news[i].refusal[0] != '\0')
            continue;
        out->learning |= is_learning(context, &news[i]);
        out->news[out->count] = news[i];
        out->places[out->count++] = i;
    }
    return DB_OK;
}

/* What is known of the keys of a batch's orders; an element for each piece of news. */
struct key_pin {
    bool told, known, fresh;
    unsigned char digest[DIGEST_LEN]; /* told */
    unsigned char kept[DIGEST_LEN];   /* known */
};

struct key_pins {
    const struct pinned_news *pinned;
    struct key_pin *items;
};

static void keep_key(struct key_pins *pins, uint32_t source_id, const char *order_id,
                     const unsigned char digest[DIGEST_LEN])
{
    for (size_t i = 0; i < pins->pinned->count; i++) {
        const struct order_news *news = &pins->pinned->news[i];

        if (news->source_id != source_id || strcmp(news->order_id, order_id) != 0)
            continue;
        pins->items[i].known = true;
        memcpy(pins->items[i].kept, digest, DIGEST_LEN);
    }
}

/* What the news tell, and what the rows said. */
static void recall_keys(struct key_pins *pins, const struct order_names *names)
{
    for (size_t i = 0; i < pins->pinned->count; i++) {
        const struct order_news *news = &pins->pinned->news[i];
        const struct order_named *named = order_names_find(names, news->source_id, news->order_id);

        pins->items[i].told = order_key_of(news, pins->items[i].digest);
        if (named == NULL || !named->keyed)
            continue;
        pins->items[i].known = true;
        memcpy(pins->items[i].kept, named->key, DIGEST_LEN);
    }
}

/* What the taken ones among the first `count` news of a source tell first, or NULL. */
static const char *first_identity(const struct order_news *news, const struct pinned_news *pinned,
                                  size_t count, uint32_t source_id)
{
    for (size_t i = 0; i < count; i++) {
        const struct order_news *one = &news[pinned->places[i]];

        if (one->source_id == source_id && one->refusal[0] == '\0' && told_identity(one) != NULL)
            return told_identity(one);
    }
    return NULL;
}

/* The first that tells a key keeps it. */
static void check_key(const struct orders_context *context, struct order_news *news,
                      struct key_pins *pins, struct key_pin *pin)
{
    if (!pin->told)
        return;
    if (!pin->known) {
        pin->fresh = true;
        keep_key(pins, news->source_id, news->order_id, pin->digest);
    } else if (memcmp(pin->kept, pin->digest, DIGEST_LEN) != 0) {
        refuse(news, context,
               "another order already has this number (its order_key differs): it is of another"
               " shop, or the shop began its numbers anew; give that one a source of its own, then"
               " replay it");
    }
}

/* In the order of the news; what one that is refused tells counts for nothing. */
static void check_orders(const struct orders_context *context, struct order_news *news,
                         struct key_pins *pins)
{
    for (size_t i = 0; i < pins->pinned->count; i++) {
        struct order_news *one = &news[pins->pinned->places[i]];
        const char *told = told_identity(one);
        const char *first = told != NULL && is_learning(context, one)
                                ? first_identity(news, pins->pinned, i, one->source_id)
                                : NULL;

        if (first != NULL && strcmp(first, told) != 0)
            refuse_shop(one, context, first, false);
        else
            check_key(context, one, pins, &pins->items[i]);
    }
}

static enum db_result write_keys(struct db *db, const struct orders_context *context,
                                 const struct key_pins *pins)
{
    struct values values = {0};
    enum db_result result;

    for (size_t i = 0; i < pins->pinned->count; i++) {
        if (!pins->items[i].fresh)
            continue;
        values_add_int(&values, pins->pinned->news[i].source_id);
        values_add_text(&values, pins->pinned->news[i].order_id);
        values_add_int(&values, context->now);
        values_add_bytes(&values, pins->items[i].kept, DIGEST_LEN);
    }
    result = rows_write(db,
                        "INSERT INTO shop_order (source_id, order_id, first_seen_at, order_key)"
                        " VALUES",
                        "(?,?,?,?)",
                        "ON DUPLICATE KEY UPDATE order_key = COALESCE(order_key,"
                        " VALUES(order_key))",
                        &values, 4);
    values_free(&values);
    return result;
}

/* Written once: whoever comes second finds a row that is not empty any more. */
static enum db_result learn(struct db *db, uint32_t source_id, const char *identity)
{
    enum db_result result =
        db_execute(db, "UPDATE source SET identity = ? WHERE id = ? AND identity IS NULL",
                   (struct db_value[]){db_text(identity), DB_VALUE_INT(source_id)}, 2);

    return result == DB_OK && db_affected(db) == 0 ? DB_RETRY : result;
}

static enum db_result learn_sources(struct db *db, const struct orders_context *context,
                                    const struct order_news *news, const struct pinned_news *pinned)
{
    for (size_t i = 0; i < pinned->count; i++) {
        const struct order_news *one = &news[pinned->places[i]];
        enum db_result result;

        if (one->refusal[0] != '\0' || !is_learning(context, one) ||
            first_identity(news, pinned, i, one->source_id) != NULL)
            continue;
        result = learn(db, one->source_id, told_identity(one));
        if (result != DB_OK)
            return result;
    }
    return DB_OK;
}

/* Closes the gaps that refused news leave. */
static void pinned_compact(struct pinned_news *pinned, const struct order_news *news)
{
    size_t kept = 0;

    for (size_t i = 0; i < pinned->count; i++) {
        if (news[pinned->places[i]].refusal[0] != '\0')
            continue;
        pinned->news[kept] = pinned->news[i];
        pinned->places[kept++] = pinned->places[i];
    }
    pinned->count = kept;
}

enum db_result order_pin_orders(struct db *db, const struct orders_context *context,
                                const struct order_names *names, struct order_news *news,
                                struct pinned_news *pinned)
{
    struct key_pins pins = {pinned, xcalloc(pinned->count + 1, sizeof(struct key_pin))};
    enum db_result result = DB_OK;

    recall_keys(&pins, names);
    check_orders(context, news, &pins);
    if (!context->dry_run)
        result = learn_sources(db, context, news, pinned);
    if (result == DB_OK && !context->dry_run)
        result = write_keys(db, context, &pins);
    if (result == DB_OK)
        pinned_compact(pinned, news);
    free(pins.items);
    return result;
}

void pinned_news_free(struct pinned_news *pinned)
{
    xfree(pinned->news);
    xfree(pinned->places);
    pinned->count = 0;
}
