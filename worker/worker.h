/*
 * What the worker's parts share. One thread, but for the merges beside it (lane.h): the loop turns
 * only while something is waited for.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"
#include "db/db.h"
#include "lane.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "pulse.h"
#include "store/source.h"
#include "vault/vault.h"

struct worker {
    struct settings *settings;
    struct vault *vault;
    struct db *db;
    struct lane lanes[LIMIT_LANES]; /* lanes[0].db is db */
    struct source_map *sources;
    struct loop *loop;
    struct http_client *client;
    char owner[64];       /* names this process in leases: owner_name() */
    const char *program;  /* "worker" or "resync": among the holders of keys */
    int64_t keys_said_at; /* when it last said which it holds (monotonic) */
    struct mails *mails;  /* on their way to the mail server; NULL before the first */
    struct {
        int64_t until;      /* not to be asked before (monotonic) */
        unsigned failures;  /* calls without an answer, in a row */
        unsigned under_way; /* calls */
        bool slow;          /* so was the last call that ended */
        bool crowded;       /* most deliveries of its last batch asked for something */
    } api[LIMIT_SOURCES];   /* of each source */
    struct {
        int64_t until;       /* no token is to be refreshed before (monotonic) */
        unsigned failures;   /* refreshes that failed for all of its tokens, in a row */
        bool proven;         /* its client secret was accepted since */
    } miro[LIMIT_MIRO_APPS]; /* of each app */
    int64_t housekeeping_at; /* when the next is due (monotonic) */
    unsigned waits;          /* that drain_round() was called from, one within the other */
    struct pulse *pulse;     /* NULL in a resync */
    bool stopping;           /* SIGTERM: finish what is leased, lease no more */
    struct loop_timer *stop; /* cuts that short */
    bool reload;             /* SIGHUP */
};

/* What one round of a part did: `done` counts, `more` says there may be more at once. */
struct round {
    size_t done;
    bool more;
};

/* Each takes a bounded piece of its work, and leaves the rest for the next round. */
enum db_result drain_round(struct worker *worker, struct round *round)
    __attribute__((warn_unused_result));
enum db_result reread_round(struct worker *worker, struct round *round)
    __attribute__((warn_unused_result));
enum db_result redo_round(struct worker *worker, struct round *round)
    __attribute__((warn_unused_result));
enum db_result token_round(struct worker *worker, struct round *round)
    __attribute__((warn_unused_result));
enum db_result profile_round(struct worker *worker, struct round *round)
    __attribute__((warn_unused_result));
/* Says now and then which keys this process holds; also while shops are waited for. */
enum db_result keys_round(struct worker *worker, struct round *round)
    __attribute__((warn_unused_result));
/* At the end; if the database is away, time says it. */
void keys_leave(struct worker *worker);
/* Mails that are due, and what came of those that were. */
enum db_result mail_round(struct worker *worker, struct round *round)
    __attribute__((warn_unused_result));
bool worker_mails_under_way(const struct worker *worker);
void worker_mails_free(struct worker *worker); /* breaks off those under way: they are due again */
/* Deletes what is of no use any more, some at a time, once a minute. */
enum db_result housekeeping_round(struct worker *worker, struct round *round)
    __attribute__((warn_unused_result));

/* What became of Miro's users in one resync. `line` (or NULL) gets a sentence for each change; none
 * holds an address or a token. */
struct people_report {
    size_t tokens_due, profiles_due; /* at its start */
    size_t tokens_refreshed, tokens_refused, tokens_put_off;
    size_t profiles_read, profiles_put_off;
    size_t addresses_linked, addresses_contested;
    void (*line)(void *arg, const char *text);
    void *arg;
};
/* Refreshes every token and reads every profile that is due when it begins, few at a time. With
 * `dry_run` it only counts them. Sets the counts anew. */
enum db_result people_resync(struct worker *worker, bool dry_run, struct people_report *report)
    __attribute__((warn_unused_result));

/*
 * Turns the loop until `over` says so, which answers bring about. Meanwhile it drains what needs
 * nothing from shops that are waited for, or are slow: one such shop must not hold up the others'
 * purchases. Waits to the end whatever it returns, which is how that draining went.
 */
typedef bool wait_over(const void *arg);
enum db_result worker_wait(struct worker *worker, wait_over *over, const void *arg)
    __attribute__((warn_unused_result));
/* The same, until a count of calls is 0. */
enum db_result worker_wait_calls(struct worker *worker, const size_t *left)
    __attribute__((warn_unused_result));

#endif
