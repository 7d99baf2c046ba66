/*
 * What the walks through lists of several shops have in common, private to this room: how what an
 * entry tells joins its page, and a cursor that cannot go round in circles.
 *
 * A walk goes through one list after another (passes), and through each from one entry's id to the
 * next. A place is written as `PASS`, or as `PASS AFTER MARK STUCK`: the last id, the furthest mark
 * so far (an id or a time, as a text that sorts), and how many pages have come no further.
 */
#ifndef SHOPS_LISTING_H
#define SHOPS_LISTING_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "shops/shop.h"

struct list_place {
    size_t pass;
    char after[LIMIT_ORDER_ID + 1]; /* "": the pass begins */
    char mark[LIMIT_ORDER_ID + 1];
    int64_t stuck;
};

/* Which way the marks of a list go. */
enum list_direction { LIST_DOWN = -1, LIST_UP = 1 };

/* -1: the text is none that list_place_write() gave for one of these passes. */
int list_place_read(const char *cursor, const char *const *passes, size_t count,
                    struct list_place *out) __attribute__((warn_unused_result));
/* A new string. */
char *list_place_write(const struct list_place *place, const char *const *passes);
/* Goes on behind the last entry of a page. -1: that would be where the place is already, or the
 * walk has come no further for LIMIT_LIST_STUCK pages. */
int list_place_advance(struct list_place *place, const char *after, const char *mark,
                       enum list_direction direction) __attribute__((warn_unused_result));

/* Whether an id may stand in a cursor and in a query as it is. */
bool list_is_word(const char *id);

/* Adds what one entry told, and leaves `draft` empty: its orders, or, if it is malformed, its
 * sentence. What is no order or of the other mode is left out without a word. */
void listing_take(struct shop_listing *listing, struct facts *draft);

/* Whether an order that `listing` holds needs the same. */
bool listing_needs(const struct shop_listing *listing, enum fact_need_kind kind,
                   const char *object);
/* Drops the needs that `keep` does not want kept. */
void listing_keep_needs(struct fact_order *order, bool (*keep)(const struct fact_need *));

#endif
