#include <stdint.h>
#include <time.h>

#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/connection.h"
#include "db/db.h"

#define BACKOFF_BASE_US 4000u
#define BACKOFF_MOST_US 1000000u

/* Microseconds to wait before repetition `attempt`: uniform below a doubling bound. */
static unsigned backoff_us(unsigned attempt)
{
    uint32_t bound = BACKOFF_BASE_US;
    uint32_t random;
    while (attempt-- > 0 && bound < BACKOFF_MOST_US) {
        bound *= 2;
    }
    digest_random(&random, sizeof(random));
    return random % (bound < BACKOFF_MOST_US ? bound : BACKOFF_MOST_US);
}

void db_backoff(unsigned attempt)
{
    unsigned wait = backoff_us(attempt);
    struct timespec left = {.tv_sec = wait / 1000000u, .tv_nsec = (long)(wait % 1000000u) * 1000};
    (void)nanosleep(&left, NULL);
}

/* One try, which leaves no transaction open whatever happens. */
static enum db_result run_once(struct db *db, enum db_result (*body)(struct db *db, void *arg),
                               void *arg)
{
    enum db_result result = db_begin(db);
    if (result != DB_OK) {
        return result;
    }
    result = body(db, arg);
    if (result != DB_OK) {
        db_rollback(db);
        return result;
    }
    return db_commit(db);
}

enum db_result db_transaction(struct db *db, enum db_result (*body)(struct db *db, void *arg),
                              void *arg)
{
    enum db_result result = run_once(db, body, arg);
    for (unsigned attempt = 0; result == DB_RETRY && attempt + 1 < LIMIT_DB_TRIES; attempt++) {
        db_backoff(attempt);
        result = run_once(db, body, arg);
    }
    if (result == DB_RETRY) {
        log_warn("db", "transaction_gave_up", LOG_I("tries", LIMIT_DB_TRIES),
                 LOG_S("error", db_error(db)));
    }
    return result;
}
