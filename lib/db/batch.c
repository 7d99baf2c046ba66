#include "db/batch.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <mysql.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/connection.h"

#define JOIN_STEP_MS 50 /* between two shouts at a thread that hangs in the database */

/* An operation between batch_submit() and its callback. */
struct task {
    void *operation;
    batch_done *done;
    enum db_result result;
};

/* A ring of waiting tasks of one kind. */
struct queue {
    const struct batch_kind *kind;
    struct task *ring; /* LIMIT_BATCH_QUEUE of them */
    size_t first, count;
    size_t running;  /* batches of it that are under way */
    int64_t began;   /* monotonic: when the last of them was */
    uint64_t *order; /* beside the ring: when each was submitted, to find the oldest kind */
};

/* Tasks that were run; grows to what is ever under way at once. */
struct results {
    struct task *items;
    size_t count, room;
};

struct executor {
    struct batch *batch;
    struct db *db;
    pthread_t thread;
    struct task *tasks; /* of the batch it runs; room for the largest kind */
    void **operations;  /* the same, as `run` wants them */
    int64_t since;      /* monotonic: when it took them; TIME_NONE: it sleeps. Under the lock */
};

struct batch {
    void *context;
    int event; /* readable while `finished` holds something */
    size_t most;
    size_t executor_count;
    struct executor *executors;
    size_t pending;           /* the loop's thread only */
    struct results completed; /* the loop's thread only: being called back */
    atomic_bool abandoned;    /* batch_abandon(), or its deadline passed: repeat nothing */

    pthread_mutex_t lock; /* guards all below; never held while an operation runs or is called */
    pthread_cond_t work;  /* something is queued, or stopping */
    pthread_cond_t quiet; /* nothing is queued and nobody runs */
    struct queue *queues;
    size_t queue_count;
    uint64_t submitted;
    size_t running; /* executors between taking and handing back */
    bool stopping;
    struct results finished;
};

/* Whether one more batch of the kind may be under way. */
static bool may_run(const struct queue *queue)
{
    const struct batch_kind *kind = queue->kind;
    if (queue->running == 0) {
        return true;
    }
    if (kind->parallel != 0 && queue->running >= kind->parallel) {
        return false;
    }
    return kind->gather_us == 0 || clock_monotonic() - queue->began > kind->gather_us;
}

/* The queue whose head waits longest, of all or of those that may run; NULL if there is none. */
static struct queue *oldest_queue(struct batch *batch, bool runnable)
{
    struct queue *oldest = NULL;
    for (size_t i = 0; i < batch->queue_count; i++) {
        struct queue *queue = &batch->queues[i];
        if (queue->count > 0 && (!runnable || may_run(queue)) &&
            (!oldest || queue->order[queue->first] < oldest->order[oldest->first])) {
            oldest = queue;
        }
    }
    return oldest;
}

static struct task queue_shift(struct queue *queue)
{
    struct task task = queue->ring[queue->first];
    queue->first = (queue->first + 1) % LIMIT_BATCH_QUEUE;
    queue->count--;
    return task;
}

static void results_add(struct results *results, const struct task *task)
{
    if (results->count == results->room) {
        results->room = results->room ? results->room * 2 : 64;
        results->items = xreallocarray(results->items, results->room, sizeof(*results->items));
    }
    results->items[results->count++] = *task;
}

/* Makes batch_fd() readable; the counter cannot overflow in a program's life. */
static void wake_loop(struct batch *batch)
{
    uint64_t one = 1;
    if (write(batch->event, &one, sizeof(one)) != (ssize_t)sizeof(one)) {
        log_error("db", "batch_wake_failed");
    }
}

/* Hands tasks over to the loop; with the lock held. */
static void finish_tasks(struct batch *batch, const struct task *tasks, size_t count)
{
    if (batch->finished.count == 0 && count > 0) {
        wake_loop(batch);
    }
    for (size_t i = 0; i < count; i++) {
        results_add(&batch->finished, &tasks[i]);
    }
}

/* One call of `run`, after which no transaction is open whatever it did. */
static enum db_result run_once(const struct executor *executor, const struct batch_kind *kind,
                               void **operations, size_t count)
{
    enum db_result result = kind->run(executor->db, operations, count, executor->batch->context);
    if (db_in_transaction(executor->db)) {
        db_rollback(executor->db);
    }
    return result;
}

/* Runs a batch whole, again while that may help: see struct batch_kind. */
static enum db_result run_batch(const struct executor *executor, const struct batch_kind *kind,
                                void **operations, size_t count)
{
    struct batch *batch = executor->batch;
    bool revived = false;
    unsigned attempt = 0;
    for (;;) {
        enum db_result result = run_once(executor, kind, operations, count);
        if (atomic_load(&batch->abandoned)) {
            return result;
        }
        if (result == DB_RETRY && attempt + 1 < LIMIT_DB_TRIES) {
            db_backoff(attempt++);
        } else if (result == DB_GONE && kind->repeatable && !revived) {
            revived = true;
        } else {
            return result;
        }
    }
}

/* Gives every task its result; together if that works, else each for itself. */
static void run_tasks(const struct executor *executor, const struct batch_kind *kind, size_t count)
{
    enum db_result result;
    for (size_t i = 0; i < count; i++) {
        executor->operations[i] = executor->tasks[i].operation;
    }
    result = run_batch(executor, kind, executor->operations, count);
    bool apart = count > 1 && (result == DB_FAILED || result == DB_DUPLICATE);
    if (apart && result == DB_FAILED) {
        log_warn("db", "batch_split", LOG_S("kind", kind->name), LOG_I("operations", count));
    }
    for (size_t i = 0; i < count; i++) {
        void *operation = executor->tasks[i].operation;
        executor->tasks[i].result = apart ? run_batch(executor, kind, &operation, 1) : result;
    }
}

/* Takes up to `most` tasks of a queue; with the lock held. */
static size_t take_tasks(struct executor *executor, struct queue *queue)
{
    size_t taken = 0;
    while (queue->count > 0 && taken < queue->kind->most) {
        executor->tasks[taken++] = queue_shift(queue);
    }
    return taken;
}

/* An executor's life: sleep until there is work, run it without the lock, hand it back. */
static void *executor_run(void *arg)
{
    struct executor *executor = arg;
    struct batch *batch = executor->batch;
    (void)mysql_thread_init();
    pthread_mutex_lock(&batch->lock);
    for (;;) {
        struct queue *queue = oldest_queue(batch, true);
        if (!queue) {
            if (batch->stopping) {
                break;
            }
            pthread_cond_wait(&batch->work, &batch->lock);
            continue;
        }
        size_t count = take_tasks(executor, queue);
        executor->since = clock_monotonic();
        batch->running++;
        queue->running++;
        queue->began = clock_monotonic();
        pthread_mutex_unlock(&batch->lock);
        run_tasks(executor, queue->kind, count);
        pthread_mutex_lock(&batch->lock);
        executor->since = TIME_NONE;
        batch->running--;
        queue->running--;
        finish_tasks(batch, executor->tasks, count);
        if (batch->running == 0) {
            pthread_cond_signal(&batch->quiet);
        }
    }
    pthread_mutex_unlock(&batch->lock);
    mysql_thread_end();
    return NULL;
}

/* Signals belong to the loop's thread: executors are born with all of them blocked. */
static void start_executors(struct batch *batch, const struct db_target *target)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < batch->executor_count; i++) {
        struct executor *executor = &batch->executors[i];
        executor->batch = batch;
        executor->since = TIME_NONE;
        executor->db = db_new(target);
        executor->tasks = xcalloc(batch->most, sizeof(*executor->tasks));
        executor->operations = xcalloc(batch->most, sizeof(*executor->operations));
        if (pthread_create(&executor->thread, NULL, executor_run, executor) != 0) {
            die("db: no thread for the batch executor");
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Deadlines are counted on the monotonic clock, which nobody sets. */
static void init_locks(struct batch *batch)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&batch->lock, NULL) != 0 || pthread_condattr_init(&attributes) != 0 ||
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&batch->work, NULL) != 0 ||
        pthread_cond_init(&batch->quiet, &attributes) != 0) {
        die("db: no locks for the batch executor");
    }
    (void)pthread_condattr_destroy(&attributes);
}

static void init_queues(struct batch *batch, const struct batch_kind *const *kinds, size_t count)
{
    batch->queue_count = count;
    batch->queues = xcalloc(count, sizeof(*batch->queues));
    for (size_t i = 0; i < count; i++) {
        struct queue *queue = &batch->queues[i];
        queue->kind = kinds[i];
        queue->ring = xcalloc(LIMIT_BATCH_QUEUE, sizeof(*queue->ring));
        queue->order = xcalloc(LIMIT_BATCH_QUEUE, sizeof(*queue->order));
        if (kinds[i]->most == 0) {
            die("db: batch kind %s runs no operation", kinds[i]->name);
        }
        if (kinds[i]->most > batch->most) {
            batch->most = kinds[i]->most;
        }
    }
}

struct batch *batch_new(const struct db_target *target, size_t connections,
                        const struct batch_kind *const *kinds, size_t kind_count, void *context)
{
    struct batch *batch = xcalloc(1, sizeof(*batch));
    batch->context = context;
    batch->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (batch->event < 0) {
        die("db: no eventfd for the batch executor");
    }
    init_locks(batch);
    init_queues(batch, kinds, kind_count);
    batch->executor_count = connections;
    batch->executors = xcalloc(connections, sizeof(*batch->executors));
    start_executors(batch, target);
    return batch;
}

static struct queue *queue_of(struct batch *batch, const struct batch_kind *kind)
{
    for (size_t i = 0; i < batch->queue_count; i++) {
        if (batch->queues[i].kind == kind) {
            return &batch->queues[i];
        }
    }
    die("db: batch kind %s was not given to batch_new", kind->name);
}

bool batch_submit(struct batch *batch, const struct batch_kind *kind, void *operation,
                  batch_done *done)
{
    struct queue *queue = queue_of(batch, kind);
    pthread_mutex_lock(&batch->lock);
    bool room = queue->count < LIMIT_BATCH_QUEUE && !batch->stopping;
    if (room) {
        size_t place = (queue->first + queue->count) % LIMIT_BATCH_QUEUE;
        queue->ring[place] = (struct task){operation, done, DB_GONE};
        queue->order[place] = batch->submitted++;
        queue->count++;
        /* Else those who run it look again when they are done: nobody is woken in vain. */
        if (may_run(queue)) {
            pthread_cond_signal(&batch->work);
        }
    }
    pthread_mutex_unlock(&batch->lock);
    if (room) {
        batch->pending++;
    }
    return room;
}

void batch_hurry(struct batch *batch, int64_t longer_than_us)
{
    int64_t now = clock_monotonic();
    pthread_mutex_lock(&batch->lock);
    for (size_t i = 0; i < batch->executor_count; i++) {
        struct executor *executor = &batch->executors[i];
        if (executor->since != TIME_NONE && now - executor->since > longer_than_us) {
            db_interrupt(executor->db);
            executor->since = now; /* another connection may be as long */
        }
    }
    pthread_mutex_unlock(&batch->lock);
}

void batch_abandon(struct batch *batch)
{
    atomic_store(&batch->abandoned, true);
}

int batch_fd(const struct batch *batch)
{
    return batch->event;
}

size_t batch_pending(const struct batch *batch)
{
    return batch->pending;
}

/* The list is swapped out, so callbacks run without the lock and may submit more. */
void batch_complete(struct batch *batch)
{
    uint64_t count;
    struct results done = batch->completed;
    ssize_t got = read(batch->event, &count, sizeof(count));
    (void)got; /* nothing to read is no fault: the list says what there is */

    pthread_mutex_lock(&batch->lock);
    done.count = 0;
    batch->completed = batch->finished;
    batch->finished = done;
    pthread_mutex_unlock(&batch->lock);

    for (size_t i = 0; i < batch->completed.count; i++) {
        struct task *task = &batch->completed.items[i];
        batch->pending--;
        task->done(task->operation, task->result);
    }
}

static struct timespec clock_after(clockid_t clock, long milliseconds)
{
    struct timespec time;
    (void)clock_gettime(clock, &time);
    time.tv_sec += milliseconds / 1000;
    time.tv_nsec += milliseconds % 1000 * 1000000L;
    if (time.tv_nsec >= 1000000000L) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000L;
    }
    return time;
}

/* Waits for the queues to run dry; what is left at the deadline is given back as DB_GONE. */
static void drain(struct batch *batch)
{
    struct timespec deadline = clock_after(CLOCK_MONOTONIC, LIMIT_BATCH_DRAIN_S * 1000L);
    struct queue *queue;
    pthread_mutex_lock(&batch->lock);
    batch->stopping = true;
    pthread_cond_broadcast(&batch->work);
    while (!atomic_load(&batch->abandoned) && (oldest_queue(batch, false) || batch->running > 0)) {
        if (pthread_cond_timedwait(&batch->quiet, &batch->lock, &deadline) != 0) {
            atomic_store(&batch->abandoned, true);
            break;
        }
    }
    while ((queue = oldest_queue(batch, false))) {
        struct task task = queue_shift(queue);
        finish_tasks(batch, &task, 1);
    }
    pthread_mutex_unlock(&batch->lock);
}

/* Joins all; one that still hangs in a statement is interrupted until it comes back. */
static void join_executors(struct batch *batch)
{
    for (size_t i = 0; i < batch->executor_count; i++) {
        struct executor *executor = &batch->executors[i];
        for (;;) {
            struct timespec step = clock_after(CLOCK_REALTIME, JOIN_STEP_MS);
            if (pthread_timedjoin_np(executor->thread, NULL, &step) == 0) {
                break;
            }
            if (atomic_load(&batch->abandoned)) {
                db_interrupt(executor->db);
            }
        }
    }
}

void batch_free(struct batch *batch)
{
    if (!batch) {
        return;
    }
    drain(batch);
    join_executors(batch);
    batch_complete(batch);
    for (size_t i = 0; i < batch->executor_count; i++) {
        db_free(batch->executors[i].db);
        free(batch->executors[i].tasks);
        free(batch->executors[i].operations);
    }
    for (size_t i = 0; i < batch->queue_count; i++) {
        free(batch->queues[i].ring);
        free(batch->queues[i].order);
    }
    free(batch->executors);
    free(batch->queues);
    free(batch->finished.items);
    free(batch->completed.items);
    (void)pthread_cond_destroy(&batch->work);
    (void)pthread_cond_destroy(&batch->quiet);
    (void)pthread_mutex_destroy(&batch->lock);
    (void)close(batch->event);
    free(batch);
}
