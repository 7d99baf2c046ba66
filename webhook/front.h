/*
 * The front: what its parts share. There is one; it lives on the loop's thread.
 */
#ifndef WEBHOOK_FRONT_H
#define WEBHOOK_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "answer_cache.h"
#include "base/settings.h"
#include "db/batch.h"
#include "engine.h"
#include "follower.h"
#include "gate.h"
#include "key_words.h"
#include "known_keys.h"
#include "metrics.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/loop.h"
#include "outage.h"
#include "probe.h"
#include "spool/spool.h"
#include "subjects.h"
#include "token_memory.h"
#include "waits.h"

struct front {
    struct loop *loop;
    struct settings *settings; /* those in force; a request under way may hold older ones */
    struct engine *engine;     /* NULL until the database was reached for the first time */
    struct http_client *client;
    struct http_server *public_server, *internal_server;
    const char *internal_listen; /* of this instance alone; NULL: the settings say */
    struct metrics *metrics;
    struct gate *gate;
    struct known_keys *keys;
    struct probe *probe;
    struct key_words *key_words;
    struct subjects *subjects;
    struct answer_cache *answers;
    struct follower *follower;
    struct token_memory *tokens;
    struct waits *waits;
    struct vault *sealer; /* of the keyring alone: seals what is spooled without a database */
    struct spool *spool;
    struct loop_watch *spool_watch;
    struct outage *outage;
    struct drain *drain;
    struct deliveries *deliveries;
    struct readings *readings;     /* checks that read the database */
    size_t ingest_bytes;           /* of deliveries that are on their way */
    LIST_HEAD(, install) installs; /* between the callback and its end */
    size_t install_count;
    bool draining;
    bool reload_refused; /* the last reload was, and the settings are older than the files */
    bool handed;         /* the public listener was handed over at the start */
};

/* The public listener's certificate and key: 0, with NULL for a plain one, or -1 with a sentence in
 * `error`. */
int front_identity(const struct settings *settings, struct tls_identity **out, struct buf *error)
    __attribute__((warn_unused_result));
/* Listens on both addresses; 0, or -1 with a sentence in `error`. Takes a reference to `settings`.
 * With an `internal_listen` of its own it is one of several instances, which share the public port.
 */
int front_start(struct front *front, struct loop *loop, struct settings *settings,
                const char *internal_listen, struct buf *error) __attribute__((warn_unused_result));
const char *front_internal_listen(const struct front *front);
/* A handed listener has another port than the settings say. */
bool front_listens_elsewhere(const struct front *front);
/* Puts an opened engine, and the settings it was opened with, in force. */
void front_adopt(struct front *front, struct engine *engine);
/* Stops accepting, ends the waits, and lets what is under way finish. */
void front_drain(struct front *front);
bool front_idle(const struct front *front);
void front_stop(struct front *front);

/* Hands an operation to the database; false at once if it cannot be taken: answer 503. */
bool front_submit(struct front *front, const struct batch_kind *kind, void *operation,
                  batch_done *done) __attribute__((warn_unused_result));

/* Appends the headers that every public answer carries, with those of CORS where they apply. */
void front_headers(const struct front *front, const struct http_request *request,
                   struct buf *headers);
/* Answers, with front_headers() and `headers` (whole lines, or NULL). */
void front_answer(const struct front *front, struct http_request *request, int status,
                  const char *headers, const void *body, size_t len);
void front_problem(const struct front *front, struct http_request *request, int status,
                   const char *code, const char *headers, const char *detail);
/* 503 `unavailable` with Retry-After. */
void front_unavailable(const struct front *front, struct http_request *request);

/* The struct of which `pointer` is the member: how a batch's operation finds its request. */
#define OWNER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
