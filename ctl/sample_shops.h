/*
 * What each shop's samples look like, private to sample*.c. In a body stand, in <>:
 *
 *     order product address nonce type   of the sample
 *     key                                the order without what the shop's ids begin with
 *     price good                         Paddle's two names of a product: "pri_", "pro_"
 *     time                               now, with its microseconds ("2026-11-23T10:00:00.5Z")
 *     second                             now, to the second and without a zone
 *     seconds milliseconds               now, as a number
 *
 * Values are escaped as the body is, JSON or a form; quotes stand in the body.
 */
#ifndef CTL_SAMPLE_SHOPS_H
#define CTL_SAMPLE_SHOPS_H

#include <stddef.h>

#include "sample.h"

#define SAMPLE_DIGITS "0123456789"
#define SAMPLE_LETTERS "abcdefghijklmnopqrstuvwxyz" SAMPLE_DIGITS
#define SAMPLE_ALL_LETTERS SAMPLE_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct sample_shop {
    const struct sample_event *events;
    size_t event_count;
    const char *topic_header;      /* in which the type stands too, or NULL */
    const char *order_letters;     /* of which ids consist; SAMPLE_DIGITS: they are numbers */
    const char *product_letters;   /* NULL: of any */
    const char *order_prefixes[4]; /* that ids may begin with; the longest first */
    bool form;                     /* the body is a form */
    bool spelled;                  /* words are also spelled "order.paid" and "orders/paid" */
};

extern const struct sample_shop sample_woocommerce, sample_shopify, sample_standard, sample_stripe,
    sample_paddle, sample_lemonsqueezy, sample_gumroad, sample_fastspring;

#define SAMPLE_EVENTS(list) .events = (list), .event_count = sizeof(list) / sizeof((list)[0])

#endif
