/*
 * purchase-worker: drains the inbox, settles what merges could not, projects again what a new
 * catalogue changed, and reads the profiles of users who have no address yet.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backoff.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/harden.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/options.h"
#include "base/owner.h"
#include "db/migrate.h"
#include "net/stop_signals.h"
#include "resync.h"
#include "shops/shop.h"
#include "store/inbox.h"
#include "store/key_holders.h"
#include "worker.h"

/* How long an idle worker waits before it looks again; the database has no way to call. */
#define IDLE_LEAST_MS 100
#define IDLE_SPREAD_MS 100

static const char usage[] =
    "usage: purchase-worker run [--once] [--config FILE]\n"
    "       purchase-worker resync [--source S] [--since T] [--full] [--dry-run]\n"
    "                              [--max-revoke PERCENT] [--config FILE]\n"
    "\n"
    "run      Drains the inbox: reads deliveries, fetches what they lack, merges them into orders,\n"
    "         and writes who may use what. Any number of workers may run, on any hosts.\n"
    "resync   Reads what changed at the shops since the last success (the first time: every order),\n"
    "         and every Miro user whose tokens or address are due. One line a change, and a summary.\n"
    "         Goes on where the last one was interrupted; for cron or a timer.\n";

static const struct option_spec option_specs[] = {
    {"--once", NULL, "run: end when nothing is due", NULL},
    {"--source", "S", "resync: this source alone, and no people", NULL},
    {"--since", "T", "resync: what changed since 2026-11-01, 2026-11-01T08:00:00Z, 36h, 7d", NULL},
    {"--full", NULL, "resync: every order, from the objects themselves", NULL},
    {"--dry-run", NULL, "resync: say what would change, and change nothing", NULL},
    {"--max-revoke", "PERCENT",
     "resync: apply nothing if more of a shop's entitled buyers would lose a key", "5"},
    {NULL, NULL, NULL, NULL},
};

/* --- set-up -------------------------------------------------------------------------------- */

/* Every provider of the configuration needs an adapter. */
static int check_providers(const struct settings *settings, struct buf *errors)
{
    int result = 0;

    for (size_t i = 0; i < settings->source_count; i++) {
        const struct settings_source *source = &settings->sources[i];

        if (shop_adapter_of(source->provider) != NULL)
            continue;
        buf_printf(errors, "%s: [source %s] provider: %s is not supported by this version\n",
                   settings->path, source->name, provider_name(source->provider));
        result = -1;
    }
    return result;
}

/* Reads configuration and keyring; NULL with the faults in `errors`. */
static struct settings *load_settings(const char *path, struct vault **vault, struct buf *errors)
{
    struct settings *settings = settings_load(path, errors);
    struct buf why = {0};

    if (settings == NULL)
        return NULL;
    *vault = vault_new(&settings->keyring_lines, &why);
    if (*vault == NULL)
        buf_printf(errors, "%s: %s\n", settings->keyring_path, why.data);
    buf_free(&why);
    if (*vault != NULL && check_providers(settings, errors) == 0)
        return settings;
    vault_free(*vault);
    *vault = NULL;
    settings_unref(settings);
    return NULL;
}

static struct db *connect_new(const struct settings *settings)
{
    const struct settings_database *database = &settings->database;
    struct db_target target = {
        .socket = database->socket,
        .hosts = database->hosts,
        .port = (unsigned)database->port,
        .tls_ca = database->tls_ca,
        .user = database->user,
        .password =
            database->password.count ? (const char *)database->password.items[0].bytes : NULL,
        .name = database->name,
    };

    return db_new(&target);
}

/* Whether this worker and this database fit: schema, index key, sources. -1 with a sentence logged.
 */
static enum db_result attach(struct worker *worker, int *fits)
{
    enum schema_fit schema;
    enum keys_fit keys;
    struct buf why = {0};
    int version;
    enum db_result result = migrate_fit(worker->db, &schema, &version);

    *fits = -1;
    if (result != DB_OK)
        return result;
    if (schema == SCHEMA_ABSENT || schema == SCHEMA_OLDER || schema == SCHEMA_CHANGED) {
        log_error("worker", "schema_does_not_fit", LOG_I("version", version),
                  LOG_S("remedy", "run purchasectl migrate"));
        return DB_OK;
    }
    result = key_holder_join(worker->db, worker->vault, worker->program, &keys, &why);
    if (result == DB_OK && keys != KEYS_LOADED)
        log_error("worker", "keyring_does_not_fit", LOG_S("why", why.data));
    buf_free(&why);
    if (result != DB_OK || keys != KEYS_LOADED)
        return result;
    result = source_map_load(worker->db, worker->settings, &worker->sources);
    *fits = result == DB_OK ? 0 : -1;
    return result;
}

/* --- signals ------------------------------------------------------------------------------- */

/* What is under way ended in no time that anybody waits for: at least no lease stays behind. The
 * connection is in no transaction, for the loop does not turn in one of its own; a lane that merges
 * still writes only what it holds a lease of. */
static void on_stop_late(void *arg)
{
    struct worker *worker = arg;

    log_warn("worker", "stop_cut_short",
             LOG_S("leases", inbox_release(worker->db, worker->owner) == DB_OK ? "given back"
                                                                               : "left behind"));
    _exit(EXIT_FAILED);
}

/* The first SIGTERM or SIGINT. */
static void on_stop(void *arg)
{
    struct worker *worker = arg;

    log_info("worker", "stopping");
    notify_stopping("ends what it is at");
    worker->stopping = true;
    loop_timer_set(worker->stop, LIMIT_WORKER_STOP_MS * INT64_C(1000), true);
}

static void on_reload(void *arg)
{
    ((struct worker *)arg)->reload = true;
}

/* SIGHUP: all new or all old; why not, as a static sentence, or NULL. */
static const char *reload_all(struct worker *worker)
{
    struct buf errors = {0};
    struct worker fresh = *worker;
    int fits;

    worker->reload = false;
    fresh.sources = NULL;
    fresh.settings = load_settings(worker->settings->path, &fresh.vault, &errors);
    if (fresh.settings == NULL) {
        log_error("worker", "reload_refused", LOG_S("errors", errors.data));
        buf_free(&errors);
        return "the new configuration was refused: see the log";
    }
    if (attach(&fresh, &fits) != DB_OK || fits != 0) {
        log_error("worker", "reload_refused", LOG_S("errors", "the database does not fit"));
        source_map_free(fresh.sources);
        vault_free(fresh.vault);
        settings_unref(fresh.settings);
        return "the new configuration was refused: the database does not fit";
    }
    settings_unref(worker->settings);
    vault_free(worker->vault);
    source_map_free(worker->sources);
    worker->settings = fresh.settings;
    worker->vault = fresh.vault;
    worker->sources = fresh.sources;
    memset(worker->api, 0, sizeof(worker->api));
    memset(worker->miro, 0, sizeof(worker->miro));
    log_info("worker", "reloaded");
    return NULL;
}

static void reload(struct worker *worker)
{
    const char *refused;

    notify_reloading("reads its configuration");
    refused = reload_all(worker);
    notify_ready(refused == NULL ? "reloaded" : refused);
}

/* --- the rounds ---------------------------------------------------------------------------- */

static enum db_result run_round(struct worker *worker, struct round *round)
{
    static enum db_result (*const parts[])(struct worker *, struct round *) = {
        keys_round,  drain_round,   reread_round, redo_round,
        token_round, profile_round, mail_round,   housekeeping_round};
    enum db_result result = DB_OK;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && result == DB_OK; i++) {
        if (!worker->stopping)
            result = parts[i](worker, round);
    }
    return result;
}

static int jittered(int least_ms, int spread_ms)
{
    uint32_t random;

    digest_random(&random, sizeof(random));
    return least_ms + (int)(random % (uint32_t)spread_ms);
}

/* Waits on the loop, so that a signal ends the wait. */
static void idle(struct worker *worker, int wait_ms)
{
    int64_t until = clock_monotonic() + (int64_t)wait_ms * 1000;

    while (!worker->stopping && !worker->reload && clock_monotonic() < until)
        loop_turn(worker->loop, (int)((until - clock_monotonic()) / 1000) + 1);
}

/* A round; one after a failed round first gives back what that one still holds, for which the
 * database may have to come back: nobody has to wait for its leases to run out. */
static enum db_result run_next(struct worker *worker, struct round *round, bool after_failure)
{
    enum db_result result = DB_OK;

    if (after_failure)
        result = inbox_release(worker->db, worker->owner);
    return result == DB_OK ? run_round(worker, round) : result;
}

/* Until it is told to stop or, with `once`, until nothing is due. A database that is away is waited
 * for. */
static int work(struct worker *worker, bool once)
{
    uint32_t failures = 0;
    int code = EXIT_DONE;

    while (!worker->stopping) {
        struct round round = {0};
        enum db_result result;

        loop_turn(worker->loop, 0);
        if (worker->reload)
            reload(worker);
        result = run_next(worker, &round, failures > 0);
        if (result != DB_OK) {
            log_error("worker", "database", LOG_S("error", db_error(worker->db)));
            notify_status("waits for the database: %s", db_error(worker->db));
            /* A statement that lost against another worker's is the next round's work. */
            if (once && (result != DB_RETRY || failures >= LIMIT_DB_TRIES)) {
                code = EXIT_FAILED;
                break;
            }
            idle(worker, (int)(backoff_delay(TIME_SECOND / 4, 5 * TIME_SECOND, failures++,
                                             (uint32_t)clock_now()) /
                               1000));
            continue;
        }
        if (failures > 0)
            notify_status("drains the inbox again");
        failures = 0;
        pulse_beat(worker->pulse);
        if (once && !round.more)
            break;
        if (!round.more)
            idle(worker, jittered(IDLE_LEAST_MS, IDLE_SPREAD_MS));
    }
    return inbox_release(worker->db, worker->owner) == DB_OK ? code : EXIT_FAILED;
}

/* Waits for the database at the start, too: a machine's services start in any order. */
static int attach_wait(struct worker *worker, bool once)
{
    for (uint32_t failures = 0; !worker->stopping; failures++) {
        int fits;

        if (attach(worker, &fits) == DB_OK)
            return fits;
        log_error("worker", "database", LOG_S("error", db_error(worker->db)));
        if (once)
            return -1;
        if (failures == 0)
            notify_ready("waits for the database");
        idle(worker, (int)(backoff_delay(TIME_SECOND / 4, 5 * TIME_SECOND, failures,
                                         (uint32_t)clock_now()) /
                           1000));
    }
    return -1;
}

/* Attaches to the database; then the verb's own work. */
static int run(struct worker *worker, bool once, const struct resync_options *resync)
{
    int code;

    loop_signal(worker->loop, SIGHUP, on_reload, worker);
    if (resync == NULL)
        worker->pulse = pulse_new(worker->loop);
    if (attach_wait(worker, once || resync != NULL) != 0)
        return worker->stopping ? EXIT_DONE : EXIT_FAILED;
    if (resync != NULL)
        return resync_command(worker, resync);
    notify_ready("drains the inbox");
    log_info("worker", "started", LOG_S("owner", worker->owner),
             LOG_I("sources", worker->settings->source_count));
    code = work(worker, once);
    log_info("worker", "stopped");
    return code;
}

/* The first merges with the work's own connection. None connects before it is used. */
static void lanes_open(struct worker *worker)
{
    for (size_t i = 0; i < LIMIT_LANES; i++) {
        worker->lanes[i].worker = worker;
        worker->lanes[i].db = i == 0 ? worker->db : connect_new(worker->settings);
    }
}

static void lanes_close(struct worker *worker)
{
    for (size_t i = 0; i < LIMIT_LANES; i++) {
        catalogue_free(worker->lanes[i].catalogue);
        db_free(worker->lanes[i].db);
    }
}

static void worker_free(struct worker *worker)
{
    worker_mails_free(worker);
    http_client_free(worker->client);
    pulse_free(worker->pulse);
    loop_timer_free(worker->stop);
    loop_free(worker->loop);
    source_map_free(worker->sources);
    lanes_close(worker);
    vault_free(worker->vault);
    settings_unref(worker->settings);
}

/* Everything between the command line and the exit code. */
static int with_worker(const struct options *options, const struct resync_options *resync)
{
    struct worker worker = {0};
    struct stop_signals *stop_signals;
    struct buf errors = {0};
    int code;

    worker.settings = load_settings(options->config, &worker.vault, &errors);
    if (worker.settings == NULL) {
        fputs(errors.data == NULL ? "" : errors.data, stderr);
        buf_free(&errors);
        return EXIT_CONFIG;
    }
    db_library_begin();
    snprintf(worker.owner, sizeof(worker.owner), "%s", owner_name());
    worker.db = connect_new(worker.settings);
    lanes_open(&worker);
    worker.loop = loop_new();
    worker.client = http_client_new(worker.loop, "purchase-sync/" PURCHASE_SYNC_VERSION);
    worker.program = resync != NULL ? "resync" : "worker";
    worker.stop = loop_timer_new(worker.loop, on_stop_late, &worker);
    stop_signals = stop_signals_new(worker.loop, "worker", on_stop, &worker);
    code = run(&worker, options_flag(options, "--once"), resync);
    stop_signals_free(stop_signals);
    keys_leave(&worker);
    worker_free(&worker);
    db_library_end();
    return code;
}

/* The verb, with its own options and no other's. */
static int verb_read(const struct options *options, bool *resync, struct resync_options *out)
{
    static const char *const resync_only[] = {"--source", "--since", "--full", "--dry-run"};
    const char *verb = options->argument_count == 1 ? options->arguments[0] : "";

    *resync = strcmp(verb, "resync") == 0;
    if (!*resync && strcmp(verb, "run") != 0) {
        fputs(usage, stderr);
        return -1;
    }
    if (*resync && options_flag(options, "--once")) {
        fprintf(stderr, "purchase-worker: --once goes with run\n");
        return -1;
    }
    for (size_t i = 0; !*resync && i < sizeof(resync_only) / sizeof(resync_only[0]); i++) {
        if (options_flag(options, resync_only[i])) {
            fprintf(stderr, "purchase-worker: %s goes with resync\n", resync_only[i]);
            return -1;
        }
    }
    return resync_options_read(options, out);
}

int main(int argc, char **argv)
{
    struct options options;
    struct resync_options resync_options;
    bool resync;
    int code = EXIT_USAGE;

    options_parse(argc, argv, usage, option_specs, &options);
    if (verb_read(&options, &resync, &resync_options) == 0) {
        harden_memory("worker");
        signal(SIGPIPE, SIG_IGN);
        code = with_worker(&options, resync ? &resync_options : NULL);
    }
    options_free(&options);
    return code;
}
