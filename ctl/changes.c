#include "changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "queries.h"

#define SUBJECTS_A_STEP 256
#define SHORT_ID 4 /* bytes of a subject that are shown */

struct change {
    unsigned char subject[DIGEST_LEN];
    char key[LIMIT_ENTITLEMENT_KEY + 1];
    int weight;                   /* orders that would give it, less those that would stop */
    int64_t now;                  /* orders that give it live now; then 1 gains, -1 loses */
    char user[LIMIT_MIRO_ID + 1]; /* who holds the address, or "" */
};

struct changes {
    struct change *items;
    size_t count, cap;
    size_t *slots;     /* item + 1, or 0: open addressing; NULL once settled */
    size_t slot_count; /* a power of two, at least twice the items */
    size_t losers;
};

struct changes *changes_new(void)
{
    struct changes *changes = xcalloc(1, sizeof(*changes));

    changes->slot_count = 256;
    changes->slots = xcalloc(changes->slot_count, sizeof(*changes->slots));
    return changes;
}

void changes_free(struct changes *changes)
{
    if (changes == NULL)
        return;
    free(changes->items);
    free(changes->slots);
    free(changes);
}

/* Subjects are digests, so their own bytes are hash enough; the key is stirred in. */
static size_t pair_hash(const unsigned char subject[DIGEST_LEN], const char *key)
{
    uint64_t hash;

    memcpy(&hash, subject, sizeof(hash));
    for (; *key != '\0'; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
}

/* The slot of the pair, or the empty one where it belongs. */
static size_t *slot_find(const struct changes *changes, const unsigned char subject[DIGEST_LEN],
                         const char *key)
{
    size_t mask = changes->slot_count - 1, at = pair_hash(subject, key) & mask;

    for (;; at = (at + 1) & mask) {
        const struct change *item;

        if (changes->slots[at] == 0)
            return &changes->slots[at];
        item = &changes->items[changes->slots[at] - 1];
        if (memcmp(item->subject, subject, DIGEST_LEN) == 0 && strcmp(item->key, key) == 0)
            return &changes->slots[at];
    }
}

/* Twice the slots, and every item in its new place. */
static void slots_grow(struct changes *changes)
{
    free(changes->slots);
    changes->slot_count *= 2;
    changes->slots = xcalloc(changes->slot_count, sizeof(*changes->slots));
    for (size_t i = 0; i < changes->count; i++)
        *slot_find(changes, changes->items[i].subject, changes->items[i].key) = i + 1;
}

int changes_add(struct changes *changes, const unsigned char subject[DIGEST_LEN], const char *key,
                int weight)
{
    size_t *slot = slot_find(changes, subject, key);
    struct change *item;

    if (*slot != 0) {
        changes->items[*slot - 1].weight += weight;
        return 0;
    }
    if (changes->count == CHANGES_MOST)
        return -1;
    if (changes->count == changes->cap) {
        changes->cap = changes->cap ? changes->cap * 2 : 64;
        changes->items = xreallocarray(changes->items, changes->cap, sizeof(*changes->items));
    }
    *slot = changes->count + 1;
    item = &changes->items[changes->count++];
    *item = (struct change){.weight = weight};
    memcpy(item->subject, subject, DIGEST_LEN);
    snprintf(item->key, sizeof(item->key), "%s", key);
    if (changes->count * 2 > changes->slot_count)
        slots_grow(changes);
    return 0;
}

/* For qsort: by key, then losses before gains, then by buyer. */
static int compare_shown(const void *a, const void *b)
{
    const struct change *left = a, *right = b;
    int order = strcmp(left->key, right->key);

    if (order == 0)
        order = (left->now > right->now) - (left->now < right->now);
    return order != 0 ? order : memcmp(left->subject, right->subject, DIGEST_LEN);
}

/* For qsort: by buyer. */
static int compare_subjects(const void *a, const void *b)
{
    const struct change *left = a, *right = b;
    int order = memcmp(left->subject, right->subject, DIGEST_LEN);

    return order != 0 ? order : strcmp(left->key, right->key);
}

/* The distinct subjects of the items from `at` on, at most a step; returns where they end. */
static size_t step_take(const struct changes *changes, size_t at, struct subjects *out)
{
    out->count = 0;
    for (; at < changes->count; at++) {
        const unsigned char *id = changes->items[at].subject;

        if (out->count > 0 && memcmp(out->ids[out->count - 1], id, DIGEST_LEN) == 0)
            continue;
        if (out->count == SUBJECTS_A_STEP)
            break;
        memcpy(out->ids[out->count++], id, DIGEST_LEN);
    }
    return at;
}

/* The first item of a subject between two places, or `to`. */
static size_t items_find(const struct changes *changes, size_t from, size_t to, const char *subject)
{
    while (from < to && memcmp(changes->items[from].subject, subject, DIGEST_LEN) != 0)
        from++;
    return from;
}

/* How many orders give each pair of the step now. */
static enum exit_code step_count(struct ctl *ctl, struct changes *changes, size_t from, size_t to,
                                 const struct subjects *subjects)
{
    struct db_rows *rows;

    if (query_live_of(ctl->db, subjects, ctl->now, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading what the buyers hold");
    while (db_rows_next(rows)) {
        size_t len, key_len;
        const char *subject = db_bytes(rows, 0, &len), *key = db_bytes(rows, 1, &key_len);

        for (size_t i = items_find(changes, from, to, subject);
             i < to && memcmp(changes->items[i].subject, subject, DIGEST_LEN) == 0; i++) {
            if (strcmp(changes->items[i].key, key) == 0)
                changes->items[i].now = db_int(rows, 2);
        }
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

/* Who holds the addresses of the step, for people to know whom it is about. */
static enum exit_code step_name(struct ctl *ctl, struct changes *changes, size_t from, size_t to,
                                const struct subjects *subjects)
{
    struct db_rows *rows;

    if (query_holders(ctl->db, subjects, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading who holds the addresses");
    while (db_rows_next(rows)) {
        size_t len, user_len;
        const char *subject = db_bytes(rows, 0, &len), *user = db_bytes(rows, 1, &user_len);

        for (size_t i = items_find(changes, from, to, subject);
             i < to && memcmp(changes->items[i].subject, subject, DIGEST_LEN) == 0; i++)
            snprintf(changes->items[i].user, sizeof(changes->items[i].user), "%s", user);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

/* Drops what comes out even, marks the rest 1 or -1, and counts the buyers who lose. */
static void changes_filter(struct changes *changes)
{
    size_t kept = 0;
    const unsigned char *loser = NULL;

    for (size_t i = 0; i < changes->count; i++) {
        struct change *item = &changes->items[i];
        bool had = item->now > 0, has = item->now + item->weight > 0;

        if (had == has)
            continue;
        item->now = has ? 1 : -1;
        changes->items[kept] = *item;
        if (!has &&
            (loser == NULL || memcmp(loser, changes->items[kept].subject, DIGEST_LEN) != 0)) {
            loser = changes->items[kept].subject;
            changes->losers++;
        }
        kept++;
    }
    changes->count = kept;
}

enum exit_code changes_settle(struct ctl *ctl, struct changes *changes)
{
    struct subjects subjects = {.ids = xcalloc(SUBJECTS_A_STEP, sizeof(*subjects.ids))};
    enum exit_code code = EXIT_DONE;

    xfree(changes->slots);
    if (changes->count > 0)
        qsort(changes->items, changes->count, sizeof(*changes->items), compare_subjects);
    for (size_t at = 0, to; code == EXIT_DONE && at < changes->count; at = to) {
        to = step_take(changes, at, &subjects);
        code = step_count(ctl, changes, at, to, &subjects);
        if (code == EXIT_DONE)
            code = step_name(ctl, changes, at, to, &subjects);
    }
    subjects_free(&subjects);
    if (code != EXIT_DONE)
        return code;
    changes_filter(changes);
    if (changes->count > 0)
        qsort(changes->items, changes->count, sizeof(*changes->items), compare_shown);
    return EXIT_DONE;
}

size_t changes_count(const struct changes *changes)
{
    return changes->count;
}

size_t changes_losers(const struct changes *changes)
{
    return changes->losers;
}

/* A line of the table of buyers. */
static void change_show(const struct change *item, struct table *buyers)
{
    struct buf id = {0};

    digest_hex(item->subject, SHORT_ID, &id);
    table_text(buyers, item->now > 0 ? "gains" : "loses");
    table_text(buyers, item->key);
    table_text(buyers, id.data);
    table_text(buyers, item->user[0] == '\0' ? NULL : item->user);
    buf_free(&id);
}

void changes_show(const struct changes *changes, size_t most, struct table *keys,
                  struct table *buyers)
{
    for (size_t i = 0; i < changes->count;) {
        const char *key = changes->items[i].key;
        int64_t gain = 0, lose = 0;

        for (; i < changes->count && strcmp(changes->items[i].key, key) == 0; i++) {
            if (changes->items[i].now > 0)
                gain++;
            else
                lose++;
            if (i < most)
                change_show(&changes->items[i], buyers);
        }
        table_text(keys, key);
        table_int(keys, gain);
        table_int(keys, lose);
    }
}
