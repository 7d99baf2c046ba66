/*
 * The catalogue: which keys exist, and which lines grant them. Immutable once loaded.
 */
#ifndef ENTITLEMENT_CATALOGUE_H
#define ENTITLEMENT_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/facts.h"

struct catalogue_rule {
    char *source;
    char *product, *variant, *sku; /* NULL: matches any; at least one is set */
    bool ignored;                  /* the line is known, and grants nothing */
    int64_t duration_days;         /* 0: for ever */
    int64_t grace_days;
    char *checkout_url; /* or NULL */
    char **keys;
    size_t key_count;
};

struct catalogue_entitlement {
    char *key;
    char *name; /* or NULL */
};

struct catalogue {
    uint32_t version;                           /* 0: none was ever applied */
    struct catalogue_entitlement *entitlements; /* sorted by key */
    size_t entitlement_count;
    struct catalogue_rule *rules;
    size_t rule_count;
    void *index; /* catalogue_seal()'s */
};

struct catalogue *catalogue_new(uint32_t version);
void catalogue_free(struct catalogue *catalogue);
void catalogue_add_entitlement(struct catalogue *catalogue, const char *key, const char *name);
struct catalogue_rule *catalogue_add_rule(struct catalogue *catalogue, const char *source);
void catalogue_rule_add_key(struct catalogue_rule *rule, const char *key);
/* Sorts and indexes, once, after the last addition: matching is then one look-up a line, however
 * many rules. */
void catalogue_seal(struct catalogue *catalogue);

bool catalogue_has_key(const struct catalogue *catalogue, const char *key);
/* Calls back for each rule that matches, in the catalogue's order: every selector that it names
 * equals the line's. Returns how many did. */
size_t catalogue_match(const struct catalogue *catalogue, const char *source,
                       const struct fact_line *line,
                       void (*matched)(const struct catalogue_rule *rule, void *arg), void *arg);

#endif
