/*
 * Answers about people, kept until something about them changes: a change of a subject that one
 * stands on drops it. Bounded in number and bytes; the least recently used goes first.
 *
 * An answer that was kept and is in doubt, because the feed was not followed for a while, answers
 * nobody any more, except while the database is away (stale_answers).
 */
#ifndef WEBHOOK_ANSWER_CACHE_H
#define WEBHOOK_ANSWER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entitlement/answer.h"
#include "metrics.h"
#include "subjects.h"

struct answer_cache;

struct kept_answer {
    struct standing standing;
    bool in_doubt;
    int64_t true_at; /* in doubt: when it was last known to be true (monotonic) */
    /* GET /v1/entitlements: kept_answer_render() */
    char *body;
    size_t len;
    char version[ANSWER_VERSION];
    int64_t changes_at; /* the time at which time alone changes it, or TIME_NONE */
    /* private to the cache */
    int64_t rendered_at;
    size_t size;
    struct stander stander;
};

struct answer_cache *answer_cache_new(struct subjects *subjects, struct metrics *metrics);
void answer_cache_free(struct answer_cache *cache);
size_t answer_cache_count(const struct answer_cache *cache);
size_t answer_cache_bytes(const struct answer_cache *cache);

/* The answer for a user in a team, valid until the loop's next turn; NULL if there is none. */
struct kept_answer *answer_cache_find(struct answer_cache *cache, const char *user,
                                      const char *team);
/*
 * Keeps what was read, of which it takes the holdings, in place of what it has for them. The caller
 * has made sure, by subjects_touched_since(), that it is still true. NULL, and nothing taken, if it
 * is too large.
 */
struct kept_answer *answer_cache_keep(struct answer_cache *cache, struct standing *standing,
                                      const unsigned char (*subjects)[DIGEST_LEN], size_t count);
/* The same with what was true at `true_at` (monotonic) and may be so no more: in doubt. Only in
 * place of what is in doubt already, which is older; NULL, and nothing taken, if there is none. */
struct kept_answer *answer_cache_renew(struct answer_cache *cache, struct standing *standing,
                                       const unsigned char (*subjects)[DIGEST_LEN], size_t count,
                                       int64_t true_at);
/* Brings body, version and changes_at to what they are at `now` (wall clock). */
void kept_answer_render(struct answer_cache *cache, struct kept_answer *kept, int64_t now);

/* All that is kept was true at `true_at` (monotonic), and may be so no more. */
void answer_cache_doubt(struct answer_cache *cache, int64_t true_at);
void answer_cache_clear(struct answer_cache *cache);

#endif
