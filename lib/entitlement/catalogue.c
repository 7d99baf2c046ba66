#include "entitlement/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * Rules are found by what they name. Which of product, variant and sku a rule names is its shape, a
 * bit each, so there are seven shapes; a line is looked up once for each shape that some rule has,
 * by the hash of source, shape and values. Whatever else a catalogue holds is never looked at: a
 * thousand variants of one product cost a line of one variant nothing.
 */
enum { SELECTORS = 3, SHAPES = 1 << SELECTORS };
#define NO_RULE SIZE_MAX

struct selectors {
    const char *values[SELECTORS]; /* NULL: not named, or not told */
};

struct index {
    size_t mask;   /* a power of two, less one */
    size_t *heads; /* the first rule of each slot, or NO_RULE */
    size_t *next;  /* by rule: the next in its slot, always a later rule, or NO_RULE */
    bool shapes[SHAPES];
};

static struct selectors rule_selectors(const struct catalogue_rule *rule)
{
    return (struct selectors){{rule->product, rule->variant, rule->sku}};
}

static struct selectors line_selectors(const struct fact_line *line)
{
    return (struct selectors){{line->product, line->variant, line->sku}};
}

static size_t shape_of(const struct selectors *selectors)
{
    size_t shape = 0;
    for (size_t i = 0; i < SELECTORS; i++)
        if (selectors->values[i])
            shape |= (size_t)1 << i;
    return shape;
}

/* FNV-1a, over the text and the NUL behind it, so that neighbours do not run together. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (;; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
        if (*text == '\0')
            return hash;
    }
}

/* The slot of those values that `shape` names, which must all be there. */
static size_t index_slot(const struct index *index, const char *source, size_t shape,
                         const struct selectors *selectors)
{
    uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325) ^ shape, source);
    for (size_t i = 0; i < SELECTORS; i++)
        if (shape & ((size_t)1 << i))
            hash = hash_text(hash, selectors->values[i]);
    return (size_t)(hash ^ hash >> 32) & index->mask;
}

struct catalogue *catalogue_new(uint32_t version)
{
    struct catalogue *catalogue = xcalloc(1, sizeof *catalogue);
    catalogue->version = version;
    return catalogue;
}

static void index_free(struct index *index)
{
    if (!index)
        return;
    free(index->heads);
    free(index->next);
    free(index);
}

static void rule_release(struct catalogue_rule *rule)
{
    for (size_t i = 0; i < rule->key_count; i++)
        free(rule->keys[i]);
    free(rule->keys);
    free(rule->source);
    free(rule->product);
    free(rule->variant);
    free(rule->sku);
    free(rule->checkout_url);
}

void catalogue_free(struct catalogue *catalogue)
{
    if (!catalogue)
        return;
    for (size_t i = 0; i < catalogue->entitlement_count; i++) {
        free(catalogue->entitlements[i].key);
        free(catalogue->entitlements[i].name);
    }
    free(catalogue->entitlements);
    for (size_t i = 0; i < catalogue->rule_count; i++)
        rule_release(&catalogue->rules[i]);
    free(catalogue->rules);
    index_free(catalogue->index);
    free(catalogue);
}

/* Makes room for one more element. Arrays grow when their length is a power of two, so that they
 * need no capacity beside it. */
static void *grow(void *array, size_t count, size_t size)
{
    if (count & (count - 1))
        return array;
    return xreallocarray(array, count ? count * 2 : 1, size);
}

/* The index holds places in arrays that may have moved. */
static void assert_open(const struct catalogue *catalogue)
{
    if (catalogue->index)
        die("catalogue %u: added to after it was sealed", catalogue->version);
}

static void assert_sealed(const struct catalogue *catalogue)
{
    if (!catalogue->index)
        die("catalogue %u: used before it was sealed", catalogue->version);
}

void catalogue_add_entitlement(struct catalogue *catalogue, const char *key, const char *name)
{
    assert_open(catalogue);
    catalogue->entitlements = grow(catalogue->entitlements, catalogue->entitlement_count,
                                   sizeof *catalogue->entitlements);
    catalogue->entitlements[catalogue->entitlement_count++] =
        (struct catalogue_entitlement){xstrdup(key), name ? xstrdup(name) : NULL};
}

struct catalogue_rule *catalogue_add_rule(struct catalogue *catalogue, const char *source)
{
    assert_open(catalogue);
    catalogue->rules = grow(catalogue->rules, catalogue->rule_count, sizeof *catalogue->rules);
    struct catalogue_rule *rule = &catalogue->rules[catalogue->rule_count++];
    *rule = (struct catalogue_rule){.source = xstrdup(source)};
    return rule;
}

void catalogue_rule_add_key(struct catalogue_rule *rule, const char *key)
{
    rule->keys = grow(rule->keys, rule->key_count, sizeof *rule->keys);
    rule->keys[rule->key_count++] = xstrdup(key);
}

/* For qsort and bsearch. */
static int compare_entitlements(const void *left, const void *right)
{
    const struct catalogue_entitlement *a = left, *b = right;
    return strcmp(a->key, b->key);
}

/* At least twice as many slots as rules. */
static struct index *index_new(size_t rule_count)
{
    struct index *index = xcalloc(1, sizeof *index);
    size_t slots = 1;
    while (slots < rule_count * 2)
        slots *= 2;
    index->mask = slots - 1;
    index->heads = xcalloc(slots, sizeof *index->heads);
    for (size_t i = 0; i < slots; i++)
        index->heads[i] = NO_RULE;
    index->next = xcalloc(rule_count + 1, sizeof *index->next);
    return index;
}

void catalogue_seal(struct catalogue *catalogue)
{
    assert_open(catalogue);
    if (catalogue->entitlement_count > 1)
        qsort(catalogue->entitlements, catalogue->entitlement_count,
              sizeof *catalogue->entitlements, compare_entitlements);
    struct index *index = index_new(catalogue->rule_count);
    for (size_t i = catalogue->rule_count; i-- > 0;) {
        const struct catalogue_rule *rule = &catalogue->rules[i];
        struct selectors selectors = rule_selectors(rule);
        size_t shape = shape_of(&selectors);
        if (shape == 0)
            die("catalogue %u: rule %zu names nothing", catalogue->version, i);
        size_t *head = &index->heads[index_slot(index, rule->source, shape, &selectors)];
        index->next[i] = *head;
        *head = i;
        index->shapes[shape] = true;
    }
    catalogue->index = index;
}

bool catalogue_has_key(const struct catalogue *catalogue, const char *key)
{
    assert_sealed(catalogue);
    for (size_t low = 0, high = catalogue->entitlement_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, catalogue->entitlements[middle].key);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* Whether every selector that the rule names equals the line's; a slot holds others too. */
static bool rule_matches(const struct catalogue_rule *rule, const char *source, size_t shape,
                         const struct selectors *line)
{
    struct selectors own = rule_selectors(rule);
    if (shape_of(&own) != shape || strcmp(rule->source, source) != 0)
        return false;
    for (size_t i = 0; i < SELECTORS; i++)
        if (own.values[i] && strcmp(own.values[i], line->values[i]) != 0)
            return false;
    return true;
}

/* The first rule of this shape that matches, at `rule` or behind it in its slot, or NO_RULE. */
static size_t next_match(const struct catalogue *catalogue, size_t rule, const char *source,
                         size_t shape, const struct selectors *line)
{
    const struct index *index = catalogue->index;
    while (rule != NO_RULE && !rule_matches(&catalogue->rules[rule], source, shape, line))
        rule = index->next[rule];
    return rule;
}

/* Looks the line up, once for each shape that tells all of `must`; slots are in the catalogue's
 * order, so what each found is merged into that order by taking the least, until none is left. */
static size_t match_selectors(const struct catalogue *catalogue, const char *source,
                              const struct selectors *selectors, size_t must,
                              void (*matched)(const struct catalogue_rule *rule, void *arg),
                              void *arg)
{
    const struct index *index = catalogue->index;
    size_t told = shape_of(selectors), found[SHAPES], count = 0;
    for (size_t shape = 0; shape < SHAPES; shape++) {
        found[shape] = NO_RULE;
        if (index->shapes[shape] && (shape & ~told) == 0 && (shape & must) == must)
            found[shape] =
                next_match(catalogue, index->heads[index_slot(index, source, shape, selectors)],
                           source, shape, selectors);
    }
    for (;;) {
        size_t least = 0;
        for (size_t shape = 1; shape < SHAPES; shape++)
            if (found[shape] < found[least])
                least = shape;
        if (found[least] == NO_RULE)
            return count;
        matched(&catalogue->rules[found[least]], arg);
        count++;
        found[least] = next_match(catalogue, index->next[found[least]], source, least, selectors);
    }
}

/* A rule's product may be either of a line's two ids; one that names no product matches once. */
size_t catalogue_match(const struct catalogue *catalogue, const char *source,
                       const struct fact_line *line,
                       void (*matched)(const struct catalogue_rule *rule, void *arg), void *arg)
{
    struct fact_line other = *line;
    struct selectors selectors = line_selectors(line);
    assert_sealed(catalogue);
    size_t count = match_selectors(catalogue, source, &selectors, 0, matched, arg);
    if (!line->product2 || (line->product && strcmp(line->product, line->product2) == 0))
        return count;
    other.product = line->product2;
    selectors = line_selectors(&other);
    struct selectors product_alone = {.values = {line->product2}};
    return count +
           match_selectors(catalogue, source, &selectors, shape_of(&product_alone), matched, arg);
}
