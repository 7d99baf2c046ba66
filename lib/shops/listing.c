#include "shops/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

bool list_is_word(const char *id)
{
    size_t len = id ? strlen(id) : 0;
    return len > 0 && len <= LIMIT_ORDER_ID &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

/* Takes the next of the words that single blanks part; -1: it is none, or does not fit. */
static int take_word(const char **rest, char out[LIMIT_ORDER_ID + 1])
{
    if (**rest != ' ')
        return -1;
    size_t len = strcspn(*rest + 1, " ");
    if (len > LIMIT_ORDER_ID)
        return -1;
    memcpy(out, *rest + 1, len);
    out[len] = '\0';
    *rest += 1 + len;
    return list_is_word(out) ? 0 : -1;
}

int list_place_read(const char *cursor, const char *const *passes, size_t count,
                    struct list_place *out)
{
    struct list_place place = {0};
    char stuck[LIMIT_ORDER_ID + 1];
    size_t len = strcspn(cursor, " ");
    while (place.pass < count &&
           (strlen(passes[place.pass]) != len || strncmp(passes[place.pass], cursor, len) != 0))
        place.pass++;
    if (place.pass == count)
        return -1;
    const char *rest = cursor + len;
    if (*rest &&
        (take_word(&rest, place.after) || take_word(&rest, place.mark) || take_word(&rest, stuck) ||
         *rest || text_to_int(stuck, strlen(stuck), &place.stuck)))
        return -1;
    *out = place;
    return 0;
}

char *list_place_write(const struct list_place *place, const char *const *passes)
{
    return *place->after ? xasprintf("%s %s %s %lld", passes[place->pass], place->after,
                                     place->mark, (long long)place->stuck)
                         : xstrdup(passes[place->pass]);
}

int list_place_advance(struct list_place *place, const char *after, const char *mark,
                       enum list_direction direction)
{
    if (!list_is_word(after) || !list_is_word(mark) || strcmp(after, place->after) == 0)
        return -1;
    int order = *place->mark ? strcmp(mark, place->mark) : 0;
    bool further = !*place->mark || (direction == LIST_UP ? order > 0 : order < 0);
    if (!further && place->stuck >= LIMIT_LIST_STUCK)
        return -1;
    place->stuck = further ? 0 : place->stuck + 1;
    memcpy(place->after, after, strlen(after) + 1);
    if (further)
        memcpy(place->mark, mark, strlen(mark) + 1);
    return 0;
}

/* Moves whole orders to the page's. */
static void move_orders(struct facts *from, struct facts *to)
{
    for (size_t i = 0; i < from->order_count; i++) {
        struct fact_order *order = &from->orders[i];
        struct fact_order *place = facts_add_order(to, order->id, strlen(order->id));
        free(place->id);
        *place = *order;
    }
    from->order_count = 0;
}

void listing_take(struct shop_listing *listing, struct facts *draft)
{
    if (draft->set_aside == SET_ASIDE_NONE) {
        move_orders(draft, &listing->facts);
    } else if (draft->set_aside == SET_ASIDE_MALFORMED) {
        if (listing->unusable++ == 0)
            listing->why = xstrdup(draft->detail ? draft->detail : "an entry cannot be read");
    }
    facts_free(draft);
    *draft = (struct facts){0};
}

bool listing_needs(const struct shop_listing *listing, enum fact_need_kind kind, const char *object)
{
    for (size_t i = 0; i < listing->facts.order_count; i++) {
        const struct fact_order *order = &listing->facts.orders[i];
        for (size_t j = 0; j < order->need_count; j++)
            if (order->needs[j].kind == kind && order->needs[j].object &&
                strcmp(order->needs[j].object, object) == 0)
                return true;
    }
    return false;
}

void listing_keep_needs(struct fact_order *order, bool (*keep)(const struct fact_need *))
{
    size_t kept = 0;
    for (size_t i = 0; i < order->need_count; i++) {
        if (keep(&order->needs[i]))
            order->needs[kept++] = order->needs[i];
        else
            free(order->needs[i].object);
    }
    order->need_count = kept;
}
