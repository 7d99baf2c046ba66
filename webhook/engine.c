#include "engine.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/migrate.h"
#include "front.h"
#include "keyring_proof.h"
#include "known_keys.h"
#include "shops/shop.h"
#include "store/claims.h"
#include "store/feed.h"
#include "store/health.h"
#include "store/inbox.h"
#include "store/key_holders.h"
#include "store/people.h"
#include "store/standing.h"

#define RETIRE_LOOK_US 100000

/* Every kind of operation that this program submits. */
static const struct batch_kind *const kinds[] = {
    &inbox_put_batch,    &standing_batch,      &people_install_batch, &people_profile_batch,
    &people_state_batch, &health_batch,        &known_keys_batch,     &key_word_batch,
    &claim_ask_batch,    &claim_confirm_batch,
};

static const struct batch_kind *const feed_kinds[] = {&feed_batch};
static const struct batch_kind *const drain_kinds[] = {&inbox_put_batch, &health_batch};

/* Where the configuration says that the database is; the strings stay the settings'. */
static struct db_target engine_target(const struct settings *settings)
{
    const struct settings_database *database = &settings->database;
    return (struct db_target){
        .socket = database->socket,
        .hosts = database->hosts,
        .port = (unsigned)database->port,
        .tls_ca = database->tls_ca,
        .user = database->user,
        .password =
            database->password.count > 0 ? (const char *)database->password.items[0].bytes : NULL,
        .name = database->name,
    };
}

/* What a failed statement means for opening: only a lost connection is worth waiting for. */
static enum engine_fit engine_db_fault(const struct db *db, enum db_result result, struct buf *why)
{
    bool away = result == DB_GONE || result == DB_RETRY;
    buf_printf(why, "the database %s: %s", away ? "cannot be reached" : "refused a statement",
               db_error(db));
    if (!away)
        buf_puts(why, "; check its [database] settings with `purchasectl doctor`");
    return away ? ENGINE_AWAY : ENGINE_UNFIT;
}

/* Refuses a schema that this program cannot serve from. */
static enum engine_fit engine_check_schema(struct db *db, struct buf *why)
{
    enum schema_fit fit;
    int version;
    enum db_result result = migrate_fit(db, &fit, &version);
    if (result != DB_OK)
        return engine_db_fault(db, result, why);
    switch (fit) {
    case SCHEMA_FITS:
    case SCHEMA_NEWER:
        return ENGINE_OPEN;
    case SCHEMA_ABSENT:
        buf_puts(why, "the database holds no schema yet: run `purchasectl migrate`");
        return ENGINE_UNFIT;
    case SCHEMA_OLDER:
        buf_printf(why,
                   "the database's schema is at version %d, older than this program: run "
                   "`purchasectl migrate`",
                   version);
        return ENGINE_UNFIT;
    case SCHEMA_CHANGED:
        buf_puts(why, "a migration recorded in the database differs from this program's: install "
                      "the release that applied it, or restore the schema");
        return ENGINE_UNFIT;
    }
    die("engine: schema fit %d", (int)fit);
}

/* Loads the index key into the vault, and says which keys this front holds: with the wrong ones
 * nobody's purchases would be found. */
static enum engine_fit engine_load_keys(struct db *db, struct vault *vault, struct buf *why)
{
    enum keys_fit fit;
    enum db_result result = key_holder_join(db, vault, FRONT_PROGRAM, &fit, why);
    if (result != DB_OK)
        return engine_db_fault(db, result, why);
    return fit == KEYS_LOADED ? ENGINE_OPEN : ENGINE_UNFIT;
}

/* A source that nothing could verify would refuse every delivery: better to refuse to start. */
static enum engine_fit engine_check_providers(const struct settings *settings, struct buf *why)
{
    for (size_t i = 0; i < settings->source_count; i++) {
        const struct settings_source *source = &settings->sources[i];
        if (shop_adapter_of(source->provider))
            continue;
        buf_printf(why,
                   "%s: [source %s] provider: %s has no adapter in this build; remove the "
                   "section or install a release that has one",
                   settings->path, source->name, provider_name(source->provider));
        return ENGINE_REFUSED;
    }
    return ENGINE_OPEN;
}

/* A certificate that nobody could use is found before anything is changed for it. */
static enum engine_fit engine_check_certificate(const struct settings *settings, struct buf *why)
{
    struct tls_identity *identity;
    if (front_identity(settings, &identity, why) != 0)
        return ENGINE_REFUSED;
    tls_identity_free(identity);
    return ENGINE_OPEN;
}

/* Connects, and checks that the database is one to serve from. */
static enum engine_fit engine_check_database(struct engine *engine, struct db *db, struct buf *why)
{
    enum db_result result = db_connect(db);
    enum engine_fit fit = result == DB_OK ? ENGINE_OPEN : engine_db_fault(db, result, why);
    if (fit == ENGINE_OPEN)
        fit = engine_check_schema(db, why);
    if (fit == ENGINE_OPEN)
        fit = engine_load_keys(db, engine->vault, why);
    if (fit != ENGINE_OPEN)
        return fit;
    result = source_map_load(db, engine->settings, &engine->sources);
    return result == DB_OK ? ENGINE_OPEN : engine_db_fault(db, result, why);
}

enum engine_fit engine_open(struct settings *settings, struct engine **out, struct buf *why)
{
    struct engine *engine = xcalloc(1, sizeof(*engine));
    struct db_target target = engine_target(settings);
    struct db *db = db_new(&target);
    struct buf error = {0};
    enum engine_fit fit = engine_check_providers(settings, why);
    if (fit == ENGINE_OPEN)
        fit = engine_check_certificate(settings, why);

    engine->settings = settings_ref(settings);
    if (fit != ENGINE_OPEN)
        goto out;
    engine->vault = vault_new(&settings->keyring_lines, &error);
    if (!engine->vault) {
        buf_printf(why, "%s: %s", settings->keyring_path, error.data);
        fit = ENGINE_REFUSED;
        goto out;
    }
    fit = engine_check_database(engine, db, why);
    if (fit != ENGINE_OPEN)
        goto out;
    keyring_proof_write(settings, engine->vault);
    engine->context = (struct store_context){engine->vault, engine->sources};
    *out = engine;
    engine = NULL;
out:
    buf_free(&error);
    db_free(db);
    engine_free(engine);
    return fit;
}

/* The loop's side of an executor's descriptor. */
static void engine_completed(void *arg)
{
    batch_complete(arg);
}

void engine_run(struct engine *engine, struct loop *loop)
{
    struct db_target target = engine_target(engine->settings);
    engine->batch = batch_new(&target, (size_t)engine->settings->database.connections, kinds,
                              sizeof(kinds) / sizeof(kinds[0]), &engine->context);
    engine->watch = loop_watch_new(loop, batch_fd(engine->batch), engine_completed, engine->batch);
    engine->feed = batch_new(&target, 1, feed_kinds, 1, &engine->context);
    engine->feed_watch =
        loop_watch_new(loop, batch_fd(engine->feed), engine_completed, engine->feed);
    engine->drain = batch_new(&target, 1, drain_kinds, 2, &engine->context);
    engine->drain_watch =
        loop_watch_new(loop, batch_fd(engine->drain), engine_completed, engine->drain);
}

void engine_hurry(struct engine *engine)
{
    batch_hurry(engine->batch, LIMIT_DELIVERY_INBOX_MS * INT64_C(1000));
    batch_hurry(engine->feed, LIMIT_DELIVERY_INBOX_MS * INT64_C(1000));
}

void engine_abandon(struct engine *engine)
{
    batch_abandon(engine->batch);
    batch_abandon(engine->feed);
    batch_abandon(engine->drain);
}

/* Frees a retired engine at the first look that finds it without work. */
static void engine_look_at_end(void *arg)
{
    struct engine *engine = arg;
    if (batch_pending(engine->batch) == 0 && batch_pending(engine->feed) == 0 &&
        batch_pending(engine->drain) == 0)
        engine_free(engine);
    else
        loop_timer_set(engine->end, RETIRE_LOOK_US, true);
}

void engine_retire(struct engine *engine, struct loop *loop)
{
    engine->end = loop_timer_new(loop, engine_look_at_end, engine);
    loop_timer_set(engine->end, 0, true);
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    if (engine->end)
        loop_timer_free(engine->end);
    if (engine->batch)
        batch_free(engine->batch);
    if (engine->watch)
        loop_watch_free(engine->watch);
    if (engine->feed)
        batch_free(engine->feed);
    if (engine->feed_watch)
        loop_watch_free(engine->feed_watch);
    if (engine->drain)
        batch_free(engine->drain);
    if (engine->drain_watch)
        loop_watch_free(engine->drain_watch);
    source_map_free(engine->sources);
    vault_free(engine->vault);
    settings_unref(engine->settings);
    free(engine);
}

struct opening {
    char *path;
    struct settings *settings; /* or NULL: to be read */
    opening_done *done;
    void *arg;
    pthread_t thread;
    int ready; /* eventfd: the thread wrote its result and ends */
    struct loop_watch *watch;
    bool told;
    enum engine_fit fit; /* the thread's until it is joined, as are the two below */
    struct engine *engine;
    struct buf why;
};

/* The thread: reads files, asks the database, tells the loop. */
static void *opening_run(void *arg)
{
    struct opening *opening = arg;
    const uint64_t one = 1;

    if (!opening->settings)
        opening->settings = settings_load(opening->path, &opening->why);
    opening->fit = ENGINE_REFUSED;
    if (opening->settings)
        opening->fit = engine_open(opening->settings, &opening->engine, &opening->why);
    if (write(opening->ready, &one, sizeof(one)) != (ssize_t)sizeof(one))
        die("engine: eventfd refuses");
    return NULL;
}

/* Joins the thread and hands its result over. The callback frees the opening. */
static void opening_ready(void *arg)
{
    struct opening *opening = arg;
    loop_watch_free(opening->watch);
    opening->watch = NULL;
    pthread_join(opening->thread, NULL);
    opening->told = true;
    struct opened opened = {opening->fit, opening->engine,
                            opening->why.data ? opening->why.data : ""};
    opening->engine = NULL;
    opening->done(&opened, opening->arg);
}

struct opening *opening_start(struct loop *loop, const char *path, struct settings *settings,
                              opening_done *done, void *arg)
{
    struct opening *opening = xcalloc(1, sizeof(*opening));
    sigset_t all, before;

    opening->path = xstrdup(path);
    opening->settings = settings ? settings_ref(settings) : NULL;
    opening->done = done;
    opening->arg = arg;
    opening->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (opening->ready < 0)
        die("engine: no eventfd");
    opening->watch = loop_watch_new(loop, opening->ready, opening_ready, opening);
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    if (pthread_create(&opening->thread, NULL, opening_run, opening) != 0)
        die("engine: no thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return opening;
}

void opening_free(struct opening *opening)
{
    if (!opening)
        return;
    if (!opening->told)
        pthread_join(opening->thread, NULL);
    if (opening->watch)
        loop_watch_free(opening->watch);
    close(opening->ready);
    engine_free(opening->engine);
    settings_unref(opening->settings);
    buf_free(&opening->why);
    free(opening->path);
    free(opening);
}
