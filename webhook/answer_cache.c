#include "answer_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#define BUCKETS (1u << 15)

struct entry {
    struct kept_answer kept; /* the first member: callers hold this */
    struct answer_cache *cache;
    LIST_ENTRY(entry) beside;   /* of its bucket */
    TAILQ_ENTRY(entry) younger; /* of those used */
};
LIST_HEAD(bucket, entry);
TAILQ_HEAD(entry_list, entry);

struct answer_cache {
    struct subjects *subjects;
    struct metrics *metrics;
    struct entry_list used; /* the least recently used first */
    size_t count, bytes;
    uint64_t seed;
    struct bucket buckets[BUCKETS];
};

/* FNV-1a from a seed of our own. Ids come out of verified tokens: nobody picks them freely. */
static struct bucket *bucket_of(struct answer_cache *cache, const char *user, const char *team)
{
    uint64_t hash = cache->seed;
    for (const char *at = user; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    hash *= UINT64_C(0x100000001b3);
    for (const char *at = team; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    return &cache->buckets[(hash ^ hash >> 32) % BUCKETS];
}

struct answer_cache *answer_cache_new(struct subjects *subjects, struct metrics *metrics)
{
    struct answer_cache *cache = xcalloc(1, sizeof(*cache));
    cache->subjects = subjects;
    cache->metrics = metrics;
    digest_random(&cache->seed, sizeof(cache->seed));
    TAILQ_INIT(&cache->used);
    return cache;
}

static void entry_free(struct entry *entry)
{
    struct answer_cache *cache = entry->cache;

    subjects_leave(cache->subjects, &entry->kept.stander);
    LIST_REMOVE(entry, beside);
    TAILQ_REMOVE(&cache->used, entry, younger);
    cache->count--;
    cache->bytes -= entry->kept.size;
    free(entry->kept.standing.holdings);
    free(entry->kept.body);
    free(entry);
}

void answer_cache_clear(struct answer_cache *cache)
{
    while (!TAILQ_EMPTY(&cache->used))
        entry_free(TAILQ_FIRST(&cache->used));
}

void answer_cache_free(struct answer_cache *cache)
{
    if (!cache)
        return;
    answer_cache_clear(cache);
    free(cache);
}

size_t answer_cache_count(const struct answer_cache *cache)
{
    return cache->count;
}

size_t answer_cache_bytes(const struct answer_cache *cache)
{
    return cache->bytes;
}

static struct entry *entry_find(struct answer_cache *cache, const char *user, const char *team)
{
    struct entry *entry;
    LIST_FOREACH(entry, bucket_of(cache, user, team), beside)
    {
        const struct standing *standing = &entry->kept.standing;
        if (strcmp(standing->user, user) == 0 && strcmp(standing->team, team) == 0)
            return entry;
    }
    return NULL;
}

struct kept_answer *answer_cache_find(struct answer_cache *cache, const char *user,
                                      const char *team)
{
    struct entry *entry = entry_find(cache, user, team);
    if (!entry)
        return NULL;
    TAILQ_REMOVE(&cache->used, entry, younger);
    TAILQ_INSERT_TAIL(&cache->used, entry, younger);
    return &entry->kept;
}

/* A subject that an answer stands on was touched: it is known to be old now, and answers nobody,
 * not even while the database is away. */
static void entry_touched(struct stander *stander)
{
    struct entry *entry =
        (struct entry *)(void *)((char *)stander - offsetof(struct entry, kept.stander));
    metrics_answer_dropped(entry->cache->metrics, DROPPED_TOUCHED);
    entry_free(entry);
}

/* Makes room by what was not used for longest. */
static void answer_cache_shrink(struct answer_cache *cache)
{
    while (cache->count > LIMIT_ANSWERS || cache->bytes > LIMIT_ANSWERS_BYTES) {
        metrics_answer_dropped(cache->metrics, DROPPED_EVICTED);
        entry_free(TAILQ_FIRST(&cache->used));
    }
}

struct kept_answer *answer_cache_keep(struct answer_cache *cache, struct standing *standing,
                                      const unsigned char (*subjects)[DIGEST_LEN], size_t count)
{
    struct entry *entry = entry_find(cache, standing->user, standing->team);
    size_t size = sizeof(*entry) + standing->holding_count * sizeof(*standing->holdings) +
                  count * SUBJECTS_STAND_BYTES;

    if (entry)
        entry_free(entry);
    if (size > LIMIT_ANSWER_BYTES)
        return NULL;
    entry = xcalloc(1, sizeof(*entry));
    entry->cache = cache;
    entry->kept.standing = *standing;
    standing->holdings = NULL;
    standing->holding_count = 0;
    entry->kept.size = size;
    entry->kept.stander.touched = entry_touched;
    subjects_stand(cache->subjects, &entry->kept.stander, subjects, count);
    LIST_INSERT_HEAD(bucket_of(cache, entry->kept.standing.user, entry->kept.standing.team), entry,
                     beside);
    TAILQ_INSERT_TAIL(&cache->used, entry, younger);
    cache->count++;
    cache->bytes += size;
    answer_cache_shrink(cache);
    return &entry->kept;
}

struct kept_answer *answer_cache_renew(struct answer_cache *cache, struct standing *standing,
                                       const unsigned char (*subjects)[DIGEST_LEN], size_t count,
                                       int64_t true_at)
{
    struct entry *entry = entry_find(cache, standing->user, standing->team);
    struct kept_answer *kept;

    if (!entry || !entry->kept.in_doubt || true_at < entry->kept.true_at)
        return NULL;
    kept = answer_cache_keep(cache, standing, subjects, count);
    if (kept) {
        kept->in_doubt = true;
        kept->true_at = true_at;
    }
    return kept;
}

void kept_answer_render(struct answer_cache *cache, struct kept_answer *kept, int64_t now)
{
    struct answer answer;
    struct buf body = {0};

    /* A clock that was set back makes old answers true again. */
    if (kept->body && now >= kept->rendered_at &&
        (kept->changes_at == TIME_NONE || now < kept->changes_at))
        return;
    answer_aggregate(&kept->standing, now, &answer);
    answer_write(&kept->standing, &answer, -1, &body, kept->version);
    cache->bytes -= kept->len;
    kept->size -= kept->len;
    free(kept->body);
    kept->len = body.len;
    kept->body = xmemdup(body.data, body.len);
    kept->rendered_at = now;
    kept->changes_at = answer.changes_at;
    cache->bytes += kept->len;
    kept->size += kept->len;
    answer_free(&answer);
    buf_free(&body);
}

void answer_cache_doubt(struct answer_cache *cache, int64_t true_at)
{
    struct entry *entry;
    TAILQ_FOREACH(entry, &cache->used, younger)
    {
        if (entry->kept.in_doubt)
            continue;
        entry->kept.in_doubt = true;
        entry->kept.true_at = true_at;
        metrics_answer_dropped(cache->metrics, DROPPED_DOUBTED);
    }
}
