/*
 * Gumroad in three files, private to this room: gumroad.c holds the URL's secret and reads pings,
 * gumroad_api.c asks the API and reads its answers, which alone decide anything, and gumroad_list.c
 * walks the list of sales.
 *
 * Names are those of Gumroad's own server (github.com/antiwork/gumroad): pings from
 * app/modules/{purchase,subscription}/ping_notification.rb, sales from Purchase#as_json(version:
 * 2), subscribers from Subscription#as_json, both by app/controllers/api/v2.
 *
 * What to read is the object of a need: a resource, with its id percent-encoded, and behind it the
 * buyer reference that the ping carried, if any:
 *
 *     object   = resource "/" id [ "?" reference ]      resource = "sales" / "subscribers"
 *
 * Without an object it is the order itself, whose id does not show which of the two it is.
 */
#ifndef SHOPS_GUMROAD_H
#define SHOPS_GUMROAD_H

#include <json-c/json.h>

#include "shops/shop.h"

#define GUMROAD_SALES "sales/"
#define GUMROAD_SUBSCRIBERS "subscribers/"

int gumroad_fetch(const struct settings_source *source, const char *order_id,
                  const struct fact_need *need, struct shop_fetch *out);
enum shop_answer_verdict gumroad_read_answer(const struct settings_source *source,
                                             const struct shop_fetch *fetch,
                                             const struct shop_answer *answer, struct facts *out,
                                             struct buf *detail);

/* A sale as the list holds it. */
void gumroad_read_listed_sale(const struct settings_source *source, const struct json_object *sale,
                              int64_t date, struct facts *facts);

/* The four of listing. */
int gumroad_list(const struct settings_source *source, const struct shop_walk *walk,
                 const char *cursor, struct shop_fetch *out);
enum shop_answer_verdict gumroad_read_listing(const struct settings_source *source,
                                              const struct shop_walk *walk, const char *cursor,
                                              const struct shop_answer *answer,
                                              struct shop_listing *out, struct buf *detail);
int gumroad_webhook(const struct settings_source *source, struct shop_fetch *out);
enum shop_answer_verdict gumroad_read_webhook(const struct settings_source *source,
                                              const char *address, const struct shop_answer *answer,
                                              enum shop_webhook *out, struct buf *detail);

/* Adds the need for a sale or a subscriber; `reference` may be NULL. */
void gumroad_add_need(struct fact_order *order, enum fact_need_kind kind, const char *resource,
                      const char *id, const char *reference, bool essential);
/* Sets the facts aside if a purchase is of the other mode. What does not tell is of either. */
bool gumroad_is_wrong_mode(const struct settings_source *source, bool told, bool test,
                           struct facts *facts);

#endif
