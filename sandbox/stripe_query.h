/*
 * What a call of the stand-in Stripe asks for: an object by its id, what to expand, and lists.
 */
#ifndef SANDBOX_STRIPE_QUERY_H
#define SANDBOX_STRIPE_QUERY_H

#include "stripe_json.h"

/* The expand[] parameters of the call; for a list those that begin with "data.". */
unsigned stripe_expand(const struct visit *visit, bool list);
/* Calls back for each value of `name[]` (or `name[0]`...), decoded. */
void stripe_each(const struct visit *visit, const char *name,
                 void (*call)(const char *value, void *arg), void *arg);

/* The shape of the answer: the version that the call pins, else the account's own. */
bool stripe_is_old(const struct visit *visit);
/* The sale that an id of this prefix is of, as it is told; false after answering 404. Without one
 * in the query, where `id` is NULL, false without an answer. */
bool stripe_view(struct visit *visit, const char *id, const char *prefix, unsigned expand,
                 struct stripe_view *view, int64_t *part);
/* The place of a payment by its part, or `payment_count`. */
size_t stripe_payment_of(const struct sale *sale, int64_t part);
void stripe_missing(struct visit *visit, const char *id);

/* `limit`, 1 to 100, or 10. */
size_t stripe_limit(const struct visit *visit);
/* `created[gte]` and its kin, as from <= time < before. */
void stripe_created(const struct visit *visit, int64_t *from, int64_t *before);
/* The whole list of a call, with its has_more. */
void stripe_reply_list(struct visit *visit, struct json_object *data, bool has_more);

#endif
