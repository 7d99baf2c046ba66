#include "spool/spool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "spool/spool_count.h"
#include "spool/spool_folder.h"

#define REOPEN_US TIME_SECOND /* between two tries to open a file */
#define ADOPT_ROWS 128
#define ADOPT_BYTES (8 << 20)

enum task_kind { TASK_PUT, TASK_TAKE, TASK_SETTLE, TASK_ADOPT, TASK_RETRY_APART };

/* An operation between its call and its `done`. */
struct task {
    enum task_kind kind;
    void *operation;
    spool_done *done; /* NULL: nobody wants to know */
    int64_t bytes;    /* of a put: counted as queued */
    enum spool_result result;
};

struct tasks {
    struct task *items;
    size_t count, room;
};

struct spool {
    char *folder;
    int event; /* readable while `finished` holds something */
    pthread_t thread;
    struct tasks completed; /* the loop's thread only: being called back */
    size_t operations;      /* the loop's thread only */

    /* The spool's thread only. */
    struct spool_slot slot;
    int64_t tried_at; /* monotonic: to open */
    unsigned opened;  /* files, so far */
    struct tasks running;

    pthread_mutex_t lock; /* guards all below; never held while the disk is touched */
    pthread_cond_t work;
    struct tasks queued, finished;
    int64_t queued_bytes, most;
    struct spool_totals totals; /* of the last commit */
    bool usable, stopping;
};

static void tasks_add(struct tasks *tasks, const struct task *task)
{
    if (tasks->count == tasks->room) {
        tasks->room = tasks->room ? tasks->room * 2 : 64;
        tasks->items = xreallocarray(tasks->items, tasks->room, sizeof(*tasks->items));
    }
    tasks->items[tasks->count++] = *task;
}

/* --- the thread: the file ------------------------------------------------------------------ */

/* What the loop may know. Says once, and not at every try, that the spool cannot be used. */
static void spool_publish(struct spool *spool, bool usable, const char *why)
{
    struct spool_totals totals = spool->totals; /* which only this thread writes */
    bool was, counted = false;

    if (spool->slot.file) {
        totals = *spool_file_totals(spool->slot.file);
        counted = totals.pending != spool->totals.pending || totals.apart != spool->totals.apart;
    }
    pthread_mutex_lock(&spool->lock);
    was = spool->usable;
    spool->usable = usable;
    spool->totals = totals;
    pthread_mutex_unlock(&spool->lock);
    if (counted)
        spool_count_write(spool->folder, spool->slot.number, totals.pending, totals.apart);
    if (was && !usable)
        log_error("spool", "unusable", LOG_S("why", why));
    else if (!was && usable)
        log_info("spool", "usable");
}

/* Opens a file if none is open, and not too often. */
static void spool_open(struct spool *spool)
{
    struct buf why = {0};
    int64_t now = clock_monotonic();

    if (spool->slot.file || (spool->tried_at != TIME_NONE && now - spool->tried_at < REOPEN_US))
        return;
    spool->tried_at = now;
    if (spool_folder_open(spool->folder, &spool->slot, &why) == 0) {
        spool->opened++;
        spool_publish(spool, true, NULL);
        spool_count_write(spool->folder, spool->slot.number, spool->totals.pending,
                          spool->totals.apart);
        log_info("spool", "opened", LOG_I("file", spool->slot.number),
                 LOG_I("pending", spool->totals.pending), LOG_I("apart", spool->totals.apart));
    } else {
        spool_publish(spool, false, why.data);
    }
    buf_free(&why);
}

/* What a failed write means for those who asked for it, and for the file: one that is lost or
 * damaged is let go, and the next try opens another. */
static enum spool_result spool_failed(struct spool *spool)
{
    enum spool_fault fault = spool_file_fault(spool->slot.file);

    spool_file_rollback(spool->slot.file);
    spool_publish(spool, false, spool_file_error(spool->slot.file));
    if (fault == FILE_LOST || fault == FILE_DAMAGED) {
        spool_file_close(spool->slot.file);
        spool->slot.file = NULL;
        spool->tried_at = TIME_NONE;
        spool_open(spool);
    }
    return fault == FILE_FULL ? SPOOL_FULL : SPOOL_FAILED;
}

/* --- the thread: operations ---------------------------------------------------------------- */

static int settle_run(struct spool_file *file, const struct spool_settle *settle)
{
    for (size_t i = 0; i < settle->count; i++) {
        const struct spool_verdict *verdict = &settle->verdicts[i];
        int failed = verdict->apart ? spool_file_set_apart(file, verdict->id, verdict->apart)
                                    : spool_file_remove(file, verdict->id);
        if (failed)
            return -1;
    }
    return 0;
}

/* One operation, within a transaction. */
static int task_run(struct spool_file *file, struct task *task)
{
    bool added = true;
    int result = 0;

    switch (task->kind) {
    case TASK_PUT:
        result = spool_file_add(file, &((struct spool_put *)task->operation)->row, &added);
        break;
    case TASK_TAKE:
        result = spool_file_read(file, false, task->operation);
        break;
    case TASK_SETTLE:
        result = settle_run(file, task->operation);
        break;
    case TASK_RETRY_APART:
        result = spool_file_retry_apart(file);
        break;
    case TASK_ADOPT:
        die("spool: files are not moved within a transaction");
    }
    task->result = added ? SPOOL_OK : SPOOL_DUPLICATE;
    return result;
}

/* What was read in a transaction that failed may never have been. */
static void task_fail(struct task *task, enum spool_result result)
{
    if (task->kind == TASK_TAKE)
        spool_take_free(task->operation);
    task->result = result;
}

/* Whether a transaction of these shows that the disk takes what is written. */
static bool tasks_write(const struct task *tasks, size_t count)
{
    while (count > 0 && tasks[count - 1].kind == TASK_TAKE)
        count--;
    return count > 0;
}

/* Some operations in one transaction: all of them, or none. */
static int tasks_commit(struct spool *spool, struct task *tasks, size_t count)
{
    struct spool_file *file = spool->slot.file;
    bool good = file && spool_file_begin(file) == 0;

    for (size_t i = 0; i < count; i++)
        tasks[i].result = SPOOL_FAILED;
    for (size_t i = 0; good && i < count; i++)
        good = task_run(file, &tasks[i]) == 0;
    good = good && spool_file_commit(file) == 0;
    if (good) {
        if (tasks_write(tasks, count)) {
            spool_publish(spool, true, NULL);
            spool_file_shrink(file);
        }
        return 0;
    }
    enum spool_result result = file ? spool_failed(spool) : SPOOL_FAILED;
    for (size_t i = 0; i < count; i++)
        task_fail(&tasks[i], result);
    return -1;
}

/* All that queued up, in one commit; if that fails each by itself, for one may be too large where
 * others fit, or another file may be open now. */
static void tasks_run(struct spool *spool, struct task *tasks, size_t count)
{
    unsigned opened = spool->opened;

    if (tasks_commit(spool, tasks, count) == 0 || (count == 1 && spool->opened == opened))
        return;
    for (size_t i = 0; i < count && spool->slot.file; i++) {
        if (tasks_commit(spool, &tasks[i], 1) != 0)
            log_debug("spool", "refused", LOG_I("result", tasks[i].result));
    }
}

/* Into the own file first, and gone from the other only then: a power cut between the two leaves a
 * row twice, and its key makes that harmless. */
static int adopt_move(struct spool_file *from, struct spool_file *to, struct spool_take *take)
{
    bool added;

    if (spool_file_begin(to) != 0)
        return -1;
    for (size_t i = 0; i < take->count; i++) {
        if (spool_file_add(to, &take->rows[i], &added) != 0)
            return -1;
    }
    if (spool_file_commit(to) != 0)
        return -1;
    if (spool_file_begin(from) != 0)
        goto stay;
    for (size_t i = 0; i < take->count; i++) {
        if (spool_file_remove(from, take->rows[i].id) != 0)
            goto stay;
    }
    if (spool_file_commit(from) == 0)
        return 0;
stay:
    log_warn("spool", "orphan_stays", LOG_S("why", spool_file_error(from)));
    spool_file_rollback(from);
    return 0;
}

/* A few rows of the first orphan that there is. */
static enum spool_result adopt_run(struct spool *spool, struct spool_adopt *adopt)
{
    struct spool_take take = {.most = ADOPT_ROWS, .most_bytes = ADOPT_BYTES};
    struct spool_slot orphan = {NULL, 0};
    enum spool_result result = SPOOL_OK;

    adopt->moved = 0;
    if (!spool->slot.file)
        return SPOOL_FAILED;
    if (!spool_folder_orphan(spool->folder, spool->slot.number, -1, &orphan))
        return SPOOL_OK;
    if (spool_file_read(orphan.file, true, &take) == 0) {
        if (adopt_move(orphan.file, spool->slot.file, &take) == 0) {
            adopt->moved = take.count;
            spool_publish(spool, true, NULL);
            spool_file_shrink(orphan.file);
            spool_count_write(spool->folder, orphan.number, spool_file_totals(orphan.file)->pending,
                              spool_file_totals(orphan.file)->apart);
            log_info("spool", "adopted", LOG_I("file", orphan.number), LOG_I("rows", take.count));
        } else {
            result = spool_failed(spool);
        }
        spool_take_free(&take);
    } else {
        log_warn("spool", "orphan_unreadable", LOG_I("file", orphan.number),
                 LOG_S("why", spool_file_error(orphan.file)));
    }
    spool_file_close(orphan.file);
    return result;
}

/* Moving rows takes transactions of its own, in two files. */
static void spool_work(struct spool *spool)
{
    struct tasks *running = &spool->running;
    size_t from = 0;

    spool_open(spool);
    for (size_t i = 0; i <= running->count; i++) {
        if (i < running->count && running->items[i].kind != TASK_ADOPT)
            continue;
        if (i > from)
            tasks_run(spool, &running->items[from], i - from);
        if (i < running->count)
            running->items[i].result = adopt_run(spool, running->items[i].operation);
        from = i + 1;
    }
}

/* Makes spool_fd() readable; the counter cannot overflow in a program's life. */
static void wake_loop(const struct spool *spool)
{
    uint64_t one = 1;
    if (write(spool->event, &one, sizeof(one)) != (ssize_t)sizeof(one))
        log_error("spool", "wake_failed");
}

/* Hands what was run over to the loop; with the lock held. */
static void spool_finish(struct spool *spool)
{
    for (size_t i = 0; i < spool->running.count; i++) {
        const struct task *task = &spool->running.items[i];
        spool->queued_bytes -= task->bytes;
        tasks_add(&spool->finished, task);
    }
    spool->running.count = 0;
    wake_loop(spool);
}

/* The thread's life: open, then sleep until there is work, run all of it, hand it back. */
static void *spool_run(void *arg)
{
    struct spool *spool = arg;

    spool_open(spool);
    pthread_mutex_lock(&spool->lock);
    while (spool->queued.count > 0 || !spool->stopping) {
        if (spool->queued.count == 0) {
            pthread_cond_wait(&spool->work, &spool->lock);
            continue;
        }
        struct tasks empty = spool->running;
        spool->running = spool->queued;
        spool->queued = empty;
        pthread_mutex_unlock(&spool->lock);
        spool_work(spool);
        pthread_mutex_lock(&spool->lock);
        spool_finish(spool);
    }
    pthread_mutex_unlock(&spool->lock);
    spool_file_close(spool->slot.file);
    return NULL;
}

/* --- the loop's thread --------------------------------------------------------------------- */

struct spool *spool_new(const char *folder, int64_t most)
{
    struct spool *spool = xcalloc(1, sizeof(*spool));
    sigset_t all, before;

    spool->folder = xstrdup(folder);
    spool->most = most;
    spool->tried_at = TIME_NONE;
    spool->usable = true; /* so that the first failure is told */
    spool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (spool->event < 0 || pthread_mutex_init(&spool->lock, NULL) != 0 ||
        pthread_cond_init(&spool->work, NULL) != 0)
        die("spool: no eventfd or no locks");
    sigfillset(&all); /* signals are the loop's; SIGXFSZ at a file's limit becomes an error */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    if (pthread_create(&spool->thread, NULL, spool_run, spool) != 0)
        die("spool: no thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return spool;
}

/* A disk that hangs must not keep the program from ending: what it did not store was told nobody.
 */
static void spool_join(struct spool *spool)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LIMIT_SPOOL_END_S;
    if (pthread_timedjoin_np(spool->thread, NULL, &until) != 0)
        die("spool: the disk has not answered for %d seconds", LIMIT_SPOOL_END_S);
}

void spool_free(struct spool *spool)
{
    if (!spool)
        return;
    pthread_mutex_lock(&spool->lock);
    spool->stopping = true;
    pthread_cond_signal(&spool->work);
    pthread_mutex_unlock(&spool->lock);
    spool_join(spool);
    spool_complete(spool);
    pthread_cond_destroy(&spool->work);
    pthread_mutex_destroy(&spool->lock);
    close(spool->event);
    free(spool->queued.items);
    free(spool->running.items);
    free(spool->finished.items);
    free(spool->completed.items);
    free(spool->folder);
    free(spool);
}

void spool_limit(struct spool *spool, int64_t most)
{
    pthread_mutex_lock(&spool->lock);
    spool->most = most;
    pthread_mutex_unlock(&spool->lock);
}

/* Queues, with the lock held. */
static void spool_queue(struct spool *spool, const struct task *task)
{
    tasks_add(&spool->queued, task);
    spool->queued_bytes += task->bytes;
    spool->operations++;
    pthread_cond_signal(&spool->work);
}

/* The bounds: of the file with what is on its way to it, and of operations that wait for it. */
enum spool_result spool_put(struct spool *spool, struct spool_put *put, spool_done *done)
{
    const struct task task = {TASK_PUT, put, done, spool_row_bytes(&put->row), SPOOL_FAILED};
    enum spool_result result = SPOOL_OK;

    pthread_mutex_lock(&spool->lock);
    if (spool->stopping)
        result = SPOOL_FAILED;
    else if (spool->totals.bytes + spool->queued_bytes + task.bytes > spool->most ||
             spool->queued.count >= LIMIT_SPOOL_QUEUE)
        result = SPOOL_FULL;
    else
        spool_queue(spool, &task);
    pthread_mutex_unlock(&spool->lock);
    return result;
}

static void spool_ask(struct spool *spool, enum task_kind kind, void *operation, spool_done *done)
{
    const struct task task = {kind, operation, done, 0, SPOOL_FAILED};

    pthread_mutex_lock(&spool->lock);
    spool_queue(spool, &task);
    pthread_mutex_unlock(&spool->lock);
}

void spool_take(struct spool *spool, struct spool_take *take, spool_done *done)
{
    take->rows = NULL;
    take->count = 0;
    spool_ask(spool, TASK_TAKE, take, done);
}

void spool_settle(struct spool *spool, struct spool_settle *settle, spool_done *done)
{
    spool_ask(spool, TASK_SETTLE, settle, done);
}

void spool_adopt(struct spool *spool, struct spool_adopt *adopt, spool_done *done)
{
    spool_ask(spool, TASK_ADOPT, adopt, done);
}

void spool_retry_apart(struct spool *spool)
{
    spool_ask(spool, TASK_RETRY_APART, NULL, NULL);
}

int spool_fd(const struct spool *spool)
{
    return spool->event;
}

/* The list is swapped out, so callbacks run without the lock and may ask for more. */
void spool_complete(struct spool *spool)
{
    uint64_t count;
    struct tasks done = spool->completed;
    ssize_t got = read(spool->event, &count, sizeof(count));
    (void)got; /* nothing to read is no fault: the list says what there is */

    pthread_mutex_lock(&spool->lock);
    done.count = 0;
    spool->completed = spool->finished;
    spool->finished = done;
    pthread_mutex_unlock(&spool->lock);

    for (size_t i = 0; i < spool->completed.count; i++) {
        struct task *task = &spool->completed.items[i];
        spool->operations--;
        if (task->done)
            task->done(task->operation, task->result);
    }
}

struct spool_state spool_state(struct spool *spool)
{
    struct spool_state state = {.operations = spool->operations};

    pthread_mutex_lock(&spool->lock);
    state.usable = spool->usable;
    state.pending = spool->totals.pending;
    state.apart = spool->totals.apart;
    state.bytes = spool->totals.bytes;
    pthread_mutex_unlock(&spool->lock);
    return state;
}
