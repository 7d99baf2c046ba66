/*
 * A resync of one source, in its parts: resync_call.c asks the shop, resync_read.c walks its list
 * and stages what it tells, resync_judge.c weighs that and applies it, resync.c leads.
 *
 * A part returns 0, or -1 with `end` set to why it goes no further.
 */
#ifndef WORKER_RESYNC_H
#define WORKER_RESYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/options.h"
#include "fetch.h"
#include "shops/shop.h"
#include "store/resync.h"
#include "worker.h"

struct resync_options {
    const char *source; /* NULL: all, and the people */
    int64_t since;      /* TIME_NONE: since the watermark */
    bool full, dry_run;
    int64_t max_revoke; /* millionths of a percent */
};

enum resync_end {
    RESYNC_END_NONE,
    RESYNC_END_STOPPED,  /* we were told to stop; the next run goes on */
    RESYNC_END_LATER,    /* the shop does not answer now; the next run goes on */
    RESYNC_END_CLOSED,   /* the shop refuses: a person must look; the next run goes on */
    RESYNC_END_REFUSED,  /* too many would lose a key: nothing was applied */
    RESYNC_END_LOST,     /* another process has taken the run over */
    RESYNC_END_SPOILT,   /* what was staged cannot be read any more: the next run begins anew */
    RESYNC_END_DATABASE, /* the database failed; the next run goes on */
};

/* How a walk that goes round in circles is found out. */
struct circle {
    char place[LIMIT_LIST_CURSOR + 1];
    uint64_t steps, keep; /* since it was kept; for how many it is */
    unsigned barren;      /* pages in a row without an order */
};

struct resync {
    struct worker *worker;
    const struct resync_options *options;
    const struct settings_source *source;
    struct resync_run run;
    struct shop_walk walk;
    enum resync_end end;
    struct buf problem;   /* why it ended, a sentence */
    struct buf trouble;   /* what is wrong with the shop's webhook, a sentence */
    int64_t held_until;   /* the lease is extended before that (monotonic) */
    int64_t paused_until; /* the shop asked to be left alone (monotonic) */
    int64_t told_at;      /* the last line of progress (monotonic) */
    int64_t losers, entitled;
    bool resumed;     /* until a page was read from where the run was left */
    unsigned silence; /* questions in a row that got no answer */
    struct circle circle;
};

/* Ends the run's parts; always -1. */
int resync_stop(struct resync *resync, enum resync_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What a database verb said: 0, or -1 with the end set. */
int resync_check(struct resync *resync, enum db_result result);
/* A line of progress in the log, every few seconds. */
void resync_progress(struct resync *resync);

/* One call that is made again while the shop wants it later. It stays where it is until it is
 * answered. */
struct resync_call {
    struct fetch_task task;
    size_t left;
    bool optional;    /* the run goes on without an answer: the task's verdict stays LATER */
    int64_t pause_us; /* the answer's own wish, from a reader; 0: none */
};
/* send: from within the loop too; begin: and sees it off. */
void resync_call_send(struct resync *resync, struct resync_call *call);
void resync_call_begin(struct resync *resync, struct resync_call *call);
/* Waits for its answer. -1 if it ends the run; a refusal does not: it is in the task's verdict. */
int resync_call_end(struct resync *resync, struct resync_call *call);
/* Waits for a call that nobody wants any more; a stop cuts it. */
void resync_call_abandon(struct resync *resync, struct resync_call *call);
void resync_call_free(struct resync_call *call); /* the contents */
/* Waits on the loop, extending the lease. */
int resync_pause(struct resync *resync, int64_t pause_us);

int resync_webhook(struct resync *resync);   /* asks whether ours is still there */
int resync_read(struct resync *resync);      /* READING */
int resync_read_rest(struct resync *resync); /* CHECKING */
int resync_judge_all(struct resync *resync); /* JUDGING */
int resync_apply(struct resync *resync);     /* APPLYING */

/* `purchase-worker resync`: an exit code. */
int resync_command(struct worker *worker, const struct resync_options *options);
/* Reads the command's options. -1 after having said what they must be. */
int resync_options_read(const struct options *options, struct resync_options *out)
    __attribute__((warn_unused_result));

#endif
