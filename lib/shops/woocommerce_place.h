/*
 * Where a walk through WooCommerce's orders stands, private to this room.
 *
 * The list is asked for by the time of the last change, oldest first; page numbers would shift
 * under writes, so each page begins by a key: `modified_after`, which is strict and a whole second
 * coarse, is set to one second before the last order that came. Three things need more than that:
 *
 *  - A page of one second alone (a bulk import) cannot go on by time. WooCommerce sorts such orders
 *    by id, so the walk goes on by offset, with pages that overlap: each must begin at or before
 *    the last id that came. If it does not, orders before it were changed and have left, others
 *    have moved up unseen, and the walk steps back.
 *  - An order that is changed while its page is rendered tells the new time in its old place. Only
 *    times before the walk began are keys.
 *  - A page may be short because a plugin leaves entries out, and out of order where a shop does
 *    not sort as it is asked, or sorts by its local time in the night the clocks go back. Then the
 *    walk goes on by offset, half a page at a time, until a page is whole again. The end is a
 *    page that is not full, if the Link header names no next one.
 *
 * What is changed after the walk began is the next walk's: a shop that is written to faster than it
 * is read has an end all the same. Orders dated ahead of the shop's clock are not among those.
 */
#ifndef SHOPS_WOOCOMMERCE_PLACE_H
#define SHOPS_WOOCOMMERCE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shops/shop.h"

#define WOOCOMMERCE_PER_PAGE 100 /* the most that it gives */
#define WOOCOMMERCE_ALL (-1)     /* no modified_after: also orders that have no such time */
#define WOOCOMMERCE_NO_TIME (-1)

enum woocommerce_way { WOOCOMMERCE_BY_TIME, WOOCOMMERCE_BY_ID, WOOCOMMERCE_BY_OFFSET };

struct woocommerce_place {
    bool trash;    /* the second pass: orders in the trash */
    int64_t after; /* modified_after, in seconds since 1970, or WOOCOMMERCE_ALL */
    int64_t offset;
    enum woocommerce_way way;
    int64_t anchor; /* by id: the greatest that came; by offset: the page's first; else 0 */
    int64_t tries;  /* pages that came no further */
};

/* An entry of a page. */
struct woocommerce_entry {
    int64_t time; /* seconds since 1970, or WOOCOMMERCE_NO_TIME */
    int64_t id;   /* the order's number, or 0 */
    bool twice;   /* its local time is one at which clocks may go back: it may come twice */
};

/* A page as it came. */
struct woocommerce_page {
    const struct woocommerce_entry *entries;
    size_t count;
    bool more; /* the shop counts further entries: a page of nothing was left out by a plugin */
};

/* Seconds by the shop's own clock. */
struct woocommerce_clock {
    int64_t began; /* the walk */
    int64_t now;
};

/* -1: the cursor is none that woocommerce_place_write() gave. "" is the beginning. */
int woocommerce_place_read(const struct shop_walk *walk, const char *cursor,
                           struct woocommerce_place *out) __attribute__((warn_unused_result));
char *woocommerce_place_write(const struct woocommerce_place *place); /* a new string */

/* Moves to the place behind a page; false: that was the last. `*fault` is a sentence if the list
 * cannot be walked. */
bool woocommerce_place_advance(struct woocommerce_place *place, const struct shop_walk *walk,
                               const struct woocommerce_clock *clock,
                               const struct woocommerce_page *page, const char **fault)
    __attribute__((warn_unused_result));

#endif
