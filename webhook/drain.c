#include "drain.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "front.h"
#include "spooled.h"
#include "store/health.h"
#include "store/inbox.h"

#define DRAIN_MAGIC 0x6472616e
#define PAUSE_US (LIMIT_SPOOL_PAUSE_MS * INT64_C(1000))
#define PAUSE_MOST_US (30 * TIME_SECOND) /* where the database is there and refuses */
#define ORPHANS_US (LIMIT_SPOOL_ORPHANS_MS * INT64_C(1000))
#define AWAY_US (LIMIT_DELIVERY_INBOX_MS * INT64_C(1000))
#define HUNG_US (LIMIT_OUTAGE_HUNG_MS * INT64_C(1000))
#define KEY_SHOWN 6 /* bytes of a delivery's key in the log */

enum drain_state {
    DRAIN_IDLE,     /* the timer is set */
    DRAIN_TAKING,   /* rows are read from the spool */
    DRAIN_PUTTING,  /* they are put into the inbox: `waiting` of them */
    DRAIN_SETTLING, /* what became of them is written to the spool */
    DRAIN_TRYING,   /* the spool is empty: whether the database is back is asked of it */
    DRAIN_ADOPTING, /* rows of another file are moved into the spool */
};

/* A row on its way. */
struct drained {
    uint32_t magic;
    struct drain *drain;
    int64_t id;
    struct inbox_put put; /* the executor's while DRAIN_PUTTING */
    enum db_result result;
};

struct drain {
    enum drain_state state;
    struct front *front;
    struct loop_timer *timer;
    struct batch *asked; /* where DRAIN_PUTTING and DRAIN_TRYING ask; it outlives them */
    int64_t began_at;    /* monotonic: they did */
    int64_t adopt_at;    /* monotonic */
    int64_t pause;       /* the next one */
    int64_t after;       /* rows up to this one were seen in this pass */
    bool left;           /* and some of them stayed */
    struct spool_take take;
    struct drained *rows; /* of `take`, those that were opened */
    size_t row_count, waiting;
    struct spool_verdict *verdicts;
    struct spool_settle settle;
    struct spool_adopt adopt;
    struct health health;
};

static void drain_step(struct drain *drain);

/* Nothing is under way; the next look is so far off. */
static void drain_rest(struct drain *drain, int64_t pause)
{
    drain->state = DRAIN_IDLE;
    loop_timer_set(drain->timer, pause, true);
}

/* Rests after something that was in vain, longer each time while the database is there. */
static void drain_pause(struct drain *drain)
{
    int64_t pause = drain->pause;

    if (outage_on(drain->front->outage)) {
        pause = PAUSE_US;
    } else {
        drain->pause *= 2;
        if (drain->pause > PAUSE_MOST_US)
            drain->pause = PAUSE_MOST_US;
    }
    drain_rest(drain, pause);
}

static void drain_forget(struct drain *drain)
{
    for (size_t i = 0; i < drain->row_count; i++)
        buf_free(&drain->rows[i].put.sealed);
    drain->row_count = 0;
    xfree(drain->rows);
    xfree(drain->verdicts);
    spool_take_free(&drain->take);
}

/* --- what became of the rows --------------------------------------------------------------- */

/* Rows that could not be deleted would go to the inbox again and again: not soon. */
static void drain_settled(void *operation, enum spool_result result)
{
    struct drain *drain = OWNER_OF(operation, struct drain, settle);

    drain_forget(drain);
    drain->state = DRAIN_IDLE;
    if (result == SPOOL_OK) {
        drain_step(drain);
        return;
    }
    log_error("spool", "not_deleted", LOG_S("why", "what was drained stays, and goes again"));
    drain->after = 0;
    drain_rest(drain, ORPHANS_US);
}

/* Where all was in vain the next batch has its turn after a rest: what is wrong may be these rows,
 * or the database. */
static void drain_settle(struct drain *drain)
{
    if (drain->settle.count == 0) {
        drain_forget(drain);
        drain_pause(drain);
        return;
    }
    drain->state = DRAIN_SETTLING;
    spool_settle(drain->front->spool, &drain->settle, drain_settled);
}

static void drain_verdict(struct drain *drain, int64_t id, const char *apart)
{
    drain->verdicts[drain->settle.count++] = (struct spool_verdict){id, apart};
}

/* All have come back. What the database refused, though it is there, is left for the next pass:
 * those behind it go on. */
static void drain_judge(struct drain *drain)
{
    struct front *front = drain->front;
    size_t stored = 0;
    bool gone = false;

    for (size_t i = 0; i < drain->row_count; i++) {
        const struct drained *row = &drain->rows[i];
        gone = gone || row->result == DB_GONE || row->result == DB_RETRY;
        if (row->result == DB_OK) {
            drain_verdict(drain, row->id, NULL);
            stored++;
        }
    }
    drain->left = drain->left || stored < drain->row_count;
    metrics_spool(front->metrics, SPOOL_EVENT_DRAINED, stored);
    if (gone) {
        drain->after = 0;
        outage_begin(front->outage, "the database went while the spool was drained");
    } else if (stored > 0) {
        drain->pause = PAUSE_US;
        outage_good(front->outage, clock_monotonic() - drain->began_at);
    }
    drain_settle(drain);
}

static void drain_put(void *operation, enum db_result result)
{
    struct drained *row = OWNER_OF(operation, struct drained, put);

    if (row->magic != DRAIN_MAGIC)
        die("drain: a stray operation");
    row->result = result;
    if (--row->drain->waiting == 0)
        drain_judge(row->drain);
}

/* --- rows on their way --------------------------------------------------------------------- */

/* A row that cannot go on: kept, told, and out of the way of those behind it. */
static void drain_set_apart(struct drain *drain, const struct spool_row *row, const char *why)
{
    struct buf hex = {0};

    digest_hex(row->key, KEY_SHOWN, &hex);
    log_error("spool", "set_apart", LOG_S("source", row->source), LOG_S("key", hex.data),
              LOG_I("row", row->id), LOG_S("why", why));
    buf_free(&hex);
    metrics_spool(drain->front->metrics, SPOOL_EVENT_SET_APART, 1);
    drain_verdict(drain, row->id, why);
}

/* Opens a row and seals it again, as if it had come to the inbox directly. */
static void drain_open(struct drain *drain, const struct spool_row *row)
{
    struct front *front = drain->front;
    uint32_t source_id = source_map_id(front->engine->sources, row->source);
    struct buf body = {0};

    if (source_id == 0) {
        drain_set_apart(drain, row, "the database knows no source of this name");
    } else if (spooled_open(front->sealer, row, &body) != 0) {
        drain_set_apart(drain, row, "it was changed, or the keyring lacks its key");
    } else {
        struct drained *drained = &drain->rows[drain->row_count++];
        drained->magic = DRAIN_MAGIC;
        drained->drain = drain;
        drained->id = row->id;
        drained->put.source_id = source_id;
        drained->put.received_at = row->received_at;
        memcpy(drained->put.key, row->key, sizeof(drained->put.key));
        memcpy(drained->put.topic, row->topic, sizeof(drained->put.topic));
        inbox_seal(front->engine->vault, source_id, row->key, body.data ? body.data : "", body.len,
                   &drained->put.sealed);
    }
    buf_wipe(&body);
}

/* Puts all that were opened; what comes back first waits for the others. */
static void drain_submit(struct drain *drain)
{
    drain->state = DRAIN_PUTTING;
    drain->asked = drain->front->engine->drain;
    drain->began_at = clock_monotonic();
    drain->waiting = drain->row_count;
    for (size_t i = 0; i < drain->row_count; i++) {
        if (!batch_submit(drain->asked, &inbox_put_batch, &drain->rows[i].put, drain_put))
            die("drain: a queue that only it uses is full");
    }
    loop_timer_set(drain->timer, PAUSE_US, true);
}

static void drain_taken(void *operation, enum spool_result result)
{
    struct drain *drain = OWNER_OF(operation, struct drain, take);
    const struct spool_take *take = &drain->take;
    bool over = result == SPOOL_OK && take->count == 0 && drain->after > 0 && !drain->left;

    if (result != SPOOL_OK || !drain->front->engine || take->count == 0) {
        drain_forget(drain);
        drain->after = 0;
        drain->left = false;
        if (over)
            drain_rest(drain, 0); /* a row may have got an id that was seen before */
        else
            drain_pause(drain);
        return;
    }
    drain->after = take->rows[take->count - 1].id;
    drain->rows = xcalloc(take->count, sizeof(*drain->rows));
    drain->verdicts = xcalloc(take->count, sizeof(*drain->verdicts));
    drain->settle = (struct spool_settle){drain->verdicts, 0};
    for (size_t i = 0; i < take->count; i++)
        drain_open(drain, &take->rows[i]);
    if (drain->row_count > 0)
        drain_submit(drain);
    else
        drain_settle(drain);
}

static void drain_take(struct drain *drain)
{
    drain->state = DRAIN_TAKING;
    drain->take = (struct spool_take){
        .after = drain->after,
        .most = outage_on(drain->front->outage) ? LIMIT_SPOOL_TRY : LIMIT_SPOOL_TAKE,
        .most_bytes = LIMIT_SPOOL_TAKE_BYTES,
    };
    spool_take(drain->front->spool, &drain->take, drain_taken);
}

/* --- with an empty spool ------------------------------------------------------------------- */

static void drain_tried(void *operation, enum db_result result)
{
    struct drain *drain = OWNER_OF(operation, struct drain, health);

    if (result == DB_OK)
        outage_good(drain->front->outage, clock_monotonic() - drain->began_at);
    else
        outage_begin(drain->front->outage, "the database cannot be read");
    health_free(&drain->health);
    drain_rest(drain, result == DB_OK ? PAUSE_US / 4 : PAUSE_US);
}

static void drain_try(struct drain *drain)
{
    drain->state = DRAIN_TRYING;
    drain->asked = drain->front->engine->drain;
    drain->began_at = clock_monotonic();
    memset(&drain->health, 0, sizeof(drain->health));
    if (!batch_submit(drain->asked, &health_batch, &drain->health, drain_tried))
        die("drain: a queue that only it uses is full");
    loop_timer_set(drain->timer, PAUSE_US, true);
}

static void drain_adopted(void *operation, enum spool_result result)
{
    struct drain *drain = OWNER_OF(operation, struct drain, adopt);

    metrics_spool(drain->front->metrics, SPOOL_EVENT_ADOPTED, drain->adopt.moved);
    if (result != SPOOL_OK || drain->adopt.moved == 0)
        drain->adopt_at = clock_monotonic() + ORPHANS_US;
    drain->state = DRAIN_IDLE;
    drain_step(drain);
}

/* --- what is next -------------------------------------------------------------------------- */

/* What there is to do, if nothing is under way. */
static void drain_step(struct drain *drain)
{
    struct front *front = drain->front;
    bool pending = spool_state(front->spool).pending > 0;

    if (drain->state != DRAIN_IDLE || front->draining)
        return;
    if (!front->engine) {
        drain_rest(drain, PAUSE_US);
    } else if (pending) {
        drain_take(drain);
    } else if (outage_on(front->outage)) {
        drain_try(drain);
    } else if (clock_monotonic() >= drain->adopt_at) {
        drain->state = DRAIN_ADOPTING;
        spool_adopt(front->spool, &drain->adopt, drain_adopted);
    } else {
        drain->pause = PAUSE_US;
        drain_rest(drain, PAUSE_US);
    }
}

/* Between two looks, or while the database is asked: one that is slow is away, and one that hangs
 * is asked anew. */
static void drain_tick(void *arg)
{
    struct drain *drain = arg;
    int64_t elapsed = clock_monotonic() - drain->began_at;

    if (drain->state == DRAIN_PUTTING || drain->state == DRAIN_TRYING) {
        if (elapsed > AWAY_US)
            outage_begin(drain->front->outage, "the database has not stored what was spooled");
        if (elapsed > HUNG_US)
            batch_hurry(drain->asked, HUNG_US);
        loop_timer_set(drain->timer, PAUSE_US, true);
    }
    drain_step(drain);
}

struct drain *drain_new(struct front *front)
{
    struct drain *drain = xcalloc(1, sizeof(*drain));
    drain->front = front;
    drain->pause = PAUSE_US;
    drain->timer = loop_timer_new(front->loop, drain_tick, drain);
    loop_timer_set(drain->timer, PAUSE_US, true);
    return drain;
}

void drain_free(struct drain *drain)
{
    if (!drain)
        return;
    drain_forget(drain);
    health_free(&drain->health);
    loop_timer_free(drain->timer);
    free(drain);
}

void drain_wake(struct drain *drain)
{
    if (drain->state != DRAIN_IDLE)
        return;
    drain->after = 0;
    loop_timer_set(drain->timer, 0, true);
}
