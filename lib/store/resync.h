/*
 * Resyncs: one run at a time a source, claimed before its shop is asked, whoever runs it on
 * whatever host. What a run reads is staged here with the cursor of what comes next, in one
 * transaction a page; judged; and applied a batch at a time, which takes the batch off the stage.
 * So a run that ends anywhere goes on from there.
 *
 * Every verb that writes extends the run's lease, and finds out if somebody else took it over:
 * `run->lost` is then set, nothing was written, and the caller ends.
 */
#ifndef STORE_RESYNC_H
#define STORE_RESYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/facts.h"
#include "base/limits.h"
#include "db/db.h"
#include "store/orders.h"
#include "vault/vault.h"

#define RESYNC_ID_LEN 8

/* Mirrors resync_run.state, in the order in which a run passes through them. */
enum resync_state {
    RESYNC_READING,  /* the shop's list */
    RESYNC_CHECKING, /* whole runs: orders that we know and the list does not hold, one by one */
    RESYNC_JUDGING,
    RESYNC_APPLYING,
    RESYNC_DONE,
    RESYNC_REFUSED,   /* it would take more than it may: nothing was applied */
    RESYNC_ABANDONED, /* another kind of run was asked for, or it cannot go on */
};

struct resync_run {
    unsigned char id[RESYNC_ID_LEN];
    uint32_t source_id;
    enum resync_state state;
    bool whole, dry, moves_watermark;
    int64_t since;     /* or TIME_NONE */
    int64_t began_at;  /* by our clock */
    int64_t shop_time; /* when the walk began, by the shop's clock; TIME_NONE: not known yet */
    char cursor[LIMIT_LIST_CURSOR + 1]; /* READING: into the shop's list; CHECKING: the last order
                                         */
    uint64_t calls, orders_read, unusable, unanswered, changes;
    bool lost; /* out: another process has it now */
    /* A dry run: beside an interrupted one, which is the source's again when this one ends. */
    bool beside;
    unsigned char other[RESYNC_ID_LEN];
};
/* 16 hex digits and a NUL: what the audit names. */
void resync_id_text(const struct resync_run *run, char out[2 * RESYNC_ID_LEN + 1]);

/* What is asked for. */
struct resync_want {
    uint32_t source_id;
    const char *owner; /* "host:pid:random" */
    int64_t now;
    bool full;
    int64_t since; /* TIME_NONE: since the watermark; where there is none, everything */
    bool dry;
};

enum resync_claim {
    RESYNC_BEGUN,
    RESYNC_RESUMED, /* a run that did not end goes on */
    RESYNC_HELD,    /* somebody else is at it */
};
struct resync_holder {
    char owner[65];
    int64_t until;
};
/*
 * Takes the source and commits. A lease that ran out is taken over, and so, at once, is one of a
 * process of this host that is gone. A run that did not end goes on if it reads at least what is
 * wanted; else it is abandoned. With RESYNC_HELD `holder` says who.
 */
enum db_result resync_claim(struct db *db, const struct resync_want *want, struct resync_run *run,
                            enum resync_claim *claim, struct resync_holder *holder)
    __attribute__((warn_unused_result));

/* Extends the lease, for long waits. */
enum db_result resync_hold(struct db *db, const char *owner, struct resync_run *run)
    __attribute__((warn_unused_result));
/* Writes down where the run is now: state, cursor, counts. */
enum db_result resync_note(struct db *db, const char *owner, struct resync_run *run)
    __attribute__((warn_unused_result));
/* The same, with what was read on the way there. */
enum db_result resync_stage(struct db *db, const struct vault *vault, const char *owner,
                            struct resync_run *run, const struct fact_order *const *orders,
                            size_t count) __attribute__((warn_unused_result));

/* Orders of the source that the shop itself has told of and that this run did not read, after
 * `after` ("" first), in the order of their ids. */
enum db_result resync_unread(struct db *db, const struct resync_run *run, const char *after,
                             struct order_name *out, size_t most, size_t *count)
    __attribute__((warn_unused_result));

/* What is staged, in the order of the orders' ids. */
struct resync_place {
    char order_id[LIMIT_ORDER_ID + 1];
    uint64_t seq;
};
struct resync_batch {
    struct facts facts;          /* an order for each row */
    struct resync_place *places; /* where each stands; owned */
    size_t count;
    bool spoilt; /* a row does not open or cannot be read: the run cannot go on */
};
/* After `after` (NULL: the first). */
enum db_result resync_staged(struct db *db, const struct vault *vault, const struct resync_run *run,
                             const struct resync_place *after, size_t most,
                             struct resync_batch *out) __attribute__((warn_unused_result));
void resync_batch_free(struct resync_batch *batch); /* the contents */
/* In the caller's transaction, as its last, for every batch of the run takes
 * these rows' locks: extends the lease and takes the batch off the stage;
 * the batch's changes, and what of it was unusable, are added to what the run has written down. */
enum db_result resync_unstage(struct db *db, const char *owner, struct resync_run *run,
                              const struct resync_batch *batch, uint64_t changes, uint64_t unusable)
    __attribute__((warn_unused_result));

/* Changes of access that a run would make, gathered by resync_change_add() (an orders_context's
 * `changed`) and written in one go. */
struct resync_changes {
    struct resync_change {
        unsigned char subject[DIGEST_LEN];
        char order_id[LIMIT_ORDER_ID + 1], line_id[LIMIT_ORDER_ID + 1];
        char key[LIMIT_ENTITLEMENT_KEY + 1];
        int weight;
    } * items;
    size_t count;
};
void resync_change_add(struct resync_changes *changes, const struct order_change *change);
enum db_result resync_judge(struct db *db, const char *owner, struct resync_run *run,
                            const struct resync_changes *changes)
    __attribute__((warn_unused_result));
/* Forgets what was judged: judging begins anew. */
enum db_result resync_judge_anew(struct db *db, const char *owner, struct resync_run *run)
    __attribute__((warn_unused_result));
/* Buyers who would lose a key, whatever else they bought that still gives it, and buyers who have
 * one of the source now. */
enum db_result resync_verdict(struct db *db, const struct resync_run *run, int64_t now,
                              int64_t *losers, int64_t *entitled)
    __attribute__((warn_unused_result));

/* Ends a run as DONE, REFUSED or ABANDONED, and gives the source back. DONE moves the watermark to
 * `watermark` unless it is TIME_NONE, and is a success if it is `complete`. `trouble`: what is
 * wrong with the shop for purchase_source_healthy, or NULL. */
enum db_result resync_finish(struct db *db, const char *owner, struct resync_run *run,
                             enum resync_state state, int64_t watermark, bool complete,
                             const char *trouble) __attribute__((warn_unused_result));
/* Clears the stage of runs that are over, however they ended; a few at a time. */
enum db_result resync_sweep(struct db *db) __attribute__((warn_unused_result));
/* Leaves a run where it is, for the next one to go on with. */
enum db_result resync_leave(struct db *db, const char *owner, const struct resync_run *run,
                            const char *trouble) __attribute__((warn_unused_result));

/* Paid orders of the source that carry neither an address nor a reference. */
enum db_result resync_without_address(struct db *db, uint32_t source_id, int64_t *count)
    __attribute__((warn_unused_result));

#endif
