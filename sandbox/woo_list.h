/*
 * Lists of the stand-in WooCommerce's REST API: what a query asks for, pages and their headers, and
 * what is told of an order under an api_mode that lies.
 */
#ifndef SANDBOX_WOO_LIST_H
#define SANDBOX_WOO_LIST_H

#include "reply.h"
#include "woo_order.h"

#define PER_PAGE 10
#define PER_PAGE_MOST 100

/* 400 as WordPress's REST server says it; false. */
bool woo_invalid(struct visit *visit, const char *name);
/* Whether a parameter says exactly this. */
bool woo_query_says(const struct visit *visit, const char *name, const char *word);
/* `page` and `per_page`; false after answering 400. */
bool woo_query_page(struct visit *visit, int64_t *page, int64_t *per_page);
/* X-WP-Total, X-WP-TotalPages, and Link where there are neighbours. */
void woo_page_headers(const struct visit *visit, int64_t page, int64_t per_page, size_t total,
                      struct buf *out);

/* GET orders. */
void woo_orders_list(struct visit *visit);
/* The order as the API tells it. */
struct json_object *woo_told_tree(const struct visit *visit, const struct woo_order *order);
/* How many refunds it tells, and one of them by place, oldest first. */
size_t woo_told_refunds(const struct visit *visit, const struct woo_order *order);
struct json_object *woo_told_refund(const struct visit *visit, const struct woo_order *order,
                                    size_t place, bool parent);

#endif
