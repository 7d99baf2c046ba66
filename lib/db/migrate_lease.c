#include "db/migrate_lease.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mysql.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/connection.h"

#define OWNER_LEN 16
#define RENEW_S (LIMIT_MIGRATE_LEASE_S / 3)
#define POLL_MS 100

struct migrate_lease {
    unsigned char owner[OWNER_LEN];
    struct db *db; /* of the renewing thread */
    atomic_bool held;
    pthread_t thread;
    pthread_mutex_t lock; /* guards `released` */
    pthread_cond_t wake;
    bool released;
};

/* UNIX_TIMESTAMP(SYSDATE()), not NOW(): NOW() is the statement's begin, before a lock wait. */
static const char create_lease[] = "CREATE TABLE IF NOT EXISTS schema_lease ("
                                   " id TINYINT NOT NULL PRIMARY KEY,"
                                   " owner VARBINARY(16) NOT NULL,"
                                   " held_until BIGINT NOT NULL) ENGINE=InnoDB";
static const char seed_lease[] =
    "INSERT IGNORE INTO schema_lease (id, owner, held_until) VALUES (1, '', 0)";
static const char take_lease[] =
    "UPDATE schema_lease SET owner = ?, held_until = UNIX_TIMESTAMP(SYSDATE()) + ?"
    " WHERE id = 1 AND held_until < UNIX_TIMESTAMP(SYSDATE())";
static const char renew_lease[] =
    "UPDATE schema_lease SET held_until = GREATEST(held_until + 1, UNIX_TIMESTAMP(SYSDATE()) + ?)"
    " WHERE id = 1 AND owner = ?";
static const char free_lease[] =
    "UPDATE schema_lease SET owner = '', held_until = 0 WHERE id = 1 AND owner = ?";

static struct db_value owner_value(const struct migrate_lease *lease)
{
    return DB_VALUE_BYTES(lease->owner, sizeof(lease->owner));
}

/* held_until grows with every renewal, so an affected row always means that it is still ours. */
static bool renew(struct migrate_lease *lease)
{
    const struct db_value values[] = {DB_VALUE_INT(LIMIT_MIGRATE_LEASE_S), owner_value(lease)};
    enum db_result result = db_execute(lease->db, renew_lease, values, 2);
    for (unsigned attempt = 0; result != DB_OK && attempt < 3; attempt++) {
        db_backoff(attempt);
        result = db_execute(lease->db, renew_lease, values, 2);
    }
    return result == DB_OK && db_affected(lease->db) == 1;
}

/* Sleeps until the next renewal is due; false when the lease was released meanwhile. */
static bool wait_for_renewal(struct migrate_lease *lease)
{
    struct timespec due;
    (void)clock_gettime(CLOCK_REALTIME, &due);
    due.tv_sec += RENEW_S;
    pthread_mutex_lock(&lease->lock);
    while (!lease->released && pthread_cond_timedwait(&lease->wake, &lease->lock, &due) == 0) {
    }
    bool released = lease->released;
    pthread_mutex_unlock(&lease->lock);
    return !released;
}

static void *renewing(void *arg)
{
    struct migrate_lease *lease = arg;
    (void)mysql_thread_init();
    while (wait_for_renewal(lease)) {
        if (!renew(lease)) {
            log_error("db", "migrate_lease_lost", LOG_S("error", db_error(lease->db)));
            atomic_store(&lease->held, false);
            break;
        }
    }
    mysql_thread_end();
    return NULL;
}

static void start_renewing(struct migrate_lease *lease, const struct db *db)
{
    sigset_t all, before;
    lease->db = db_sibling(db);
    atomic_store(&lease->held, true);
    if (pthread_mutex_init(&lease->lock, NULL) != 0 || pthread_cond_init(&lease->wake, NULL) != 0) {
        die("db: no locks for the migration lease");
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&lease->thread, NULL, renewing, lease) != 0) {
        die("db: no thread for the migration lease");
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* One try at the row: DB_RETRY while somebody else holds it. */
static enum db_result try_take(struct migrate_lease *lease, struct db *db)
{
    const struct db_value values[] = {owner_value(lease), DB_VALUE_INT(LIMIT_MIGRATE_LEASE_S)};
    enum db_result result = db_execute(db, take_lease, values, 2);
    if (result == DB_OK && db_affected(db) != 1) {
        return DB_RETRY;
    }
    return result;
}

static enum db_result prepare_row(struct db *db)
{
    enum db_result result = db_run_text(db, create_lease, sizeof(create_lease) - 1);
    if (result == DB_OK) {
        result = db_run_text(db, seed_lease, sizeof(seed_lease) - 1);
    }
    return result;
}

enum db_result migrate_lease_take(struct db *db, struct migrate_lease **out)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    int64_t deadline = clock_monotonic() + LIMIT_MIGRATE_WAIT_S * TIME_SECOND;
    struct migrate_lease *lease = xcalloc(1, sizeof(*lease));
    enum db_result result;

    digest_random(lease->owner, sizeof(lease->owner));
    result = prepare_row(db);
    if (result == DB_OK) {
        result = try_take(lease, db);
    }
    while (result == DB_RETRY && clock_monotonic() < deadline) {
        (void)nanosleep(&pause, NULL);
        result = try_take(lease, db);
    }
    if (result != DB_OK) {
        free(lease);
        return result;
    }
    start_renewing(lease, db);
    *out = lease;
    return DB_OK;
}

bool migrate_lease_held(const struct migrate_lease *lease)
{
    return atomic_load(&lease->held);
}

void migrate_lease_release(struct migrate_lease *lease, struct db *db)
{
    const struct db_value owner = owner_value(lease);
    pthread_mutex_lock(&lease->lock);
    lease->released = true;
    pthread_cond_signal(&lease->wake);
    pthread_mutex_unlock(&lease->lock);
    (void)pthread_join(lease->thread, NULL);
    if (db_execute(db, free_lease, &owner, 1) != DB_OK) {
        log_warn("db", "migrate_lease_left", LOG_I("seconds", LIMIT_MIGRATE_LEASE_S));
    }
    db_free(lease->db);
    (void)pthread_cond_destroy(&lease->wake);
    (void)pthread_mutex_destroy(&lease->lock);
    free(lease);
}
