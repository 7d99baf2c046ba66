#include "lane.h"

#include <signal.h>

#include "base/log.h"
#include "store/catalogue_store.h"

static void *lane_run(void *arg)
{
    struct lane *lane = arg;

    lane->work(lane, lane->arg);
    return NULL;
}

/* Signals are the loop's: the thread is born with all of them blocked. */
void lane_begin(struct lane *lane, void (*work)(struct lane *lane, void *arg), void *arg)
{
    sigset_t all, before;

    lane->work = work;
    lane->arg = arg;
    lane->busy = true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    lane->threaded = pthread_create(&lane->thread, NULL, lane_run, lane) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (lane->threaded)
        return;
    log_warn("worker", "no_thread_to_merge_on");
    work(lane, arg);
}

void lane_end(struct lane *lane)
{
    if (lane->busy && lane->threaded)
        pthread_join(lane->thread, NULL);
    lane->busy = lane->threaded = false;
}

enum db_result lane_catalogue(struct lane *lane)
{
    struct catalogue *loaded;
    uint32_t version;
    enum db_result result = catalogue_current_version(lane->db, &version);

    if (result != DB_OK || (lane->catalogue != NULL && lane->catalogue->version == version))
        return result;
    result = catalogue_load(lane->db, version, &loaded);
    if (result != DB_OK)
        return result;
    catalogue_free(lane->catalogue);
    lane->catalogue = loaded;
    log_info("catalogue", "loaded", LOG_I("version", version), LOG_I("rules", loaded->rule_count));
    return DB_OK;
}
