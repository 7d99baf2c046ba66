/* This process among the holders of keys: store/key_holders.h says why. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/key_holders.h"
#include "worker.h"

enum db_result keys_round(struct worker *worker, struct round *round)
{
    enum db_result result;

    (void)round;
    if (clock_monotonic() - worker->keys_said_at < LIMIT_KEYS_SAY_MS * INT64_C(1000))
        return DB_OK;
    result = key_holder_say(worker->db, worker->vault, worker->program, false);
    if (result == DB_OK)
        worker->keys_said_at = clock_monotonic();
    return result;
}

void keys_leave(struct worker *worker)
{
    if (worker->sources != NULL && key_holder_leave(worker->db) != DB_OK)
        log_warn("worker", "keys_not_left", LOG_S("error", db_error(worker->db)));
}
