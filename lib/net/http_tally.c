#include "net/http_tally.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "base/mem.h"

#define BUCKETS 4096

struct tallied {
    LIST_ENTRY(tallied) link;
    struct address holder;
    size_t count;
};

LIST_HEAD(tally_bucket, tallied);

struct tally {
    struct hash_key key;
    struct tally_bucket buckets[BUCKETS];
};

struct tally *tally_new(void)
{
    struct tally *tally = xcalloc(1, sizeof(*tally));
    hash_key_make(&tally->key);
    return tally;
}

void tally_free(struct tally *tally)
{
    for (size_t i = 0; tally != NULL && i < BUCKETS; i++) {
        if (!LIST_EMPTY(&tally->buckets[i])) {
            die("tally: somebody is still in it");
        }
    }
    free(tally);
}

struct tallied *tally_enter(struct tally *tally, const struct address *holder)
{
    uint64_t hash = hash_keyed(&tally->key, holder, sizeof(*holder));
    struct tally_bucket *bucket = &tally->buckets[hash % BUCKETS];
    struct tallied *tallied;
    LIST_FOREACH(tallied, bucket, link)
    {
        if (memcmp(&tallied->holder, holder, sizeof(*holder)) == 0) {
            tallied->count++;
            return tallied;
        }
    }
    tallied = xcalloc(1, sizeof(*tallied));
    tallied->holder = *holder;
    tallied->count = 1;
    LIST_INSERT_HEAD(bucket, tallied, link);
    return tallied;
}

size_t tally_count(const struct tallied *tallied)
{
    return tallied->count;
}

void tally_leave(struct tallied *tallied)
{
    if (--tallied->count == 0) {
        LIST_REMOVE(tallied, link);
        free(tallied);
    }
}
