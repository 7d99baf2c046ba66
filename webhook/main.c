/*
 * purchase-webhook: the HTTP front. Takes signed deliveries from shops, OAuth callbacks from Miro,
 * and the plugin's checks; answers deliveries only once they are durable.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/harden.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/options.h"
#include "front.h"
#include "keyring_proof.h"
#include "net/stop_signals.h"
#include "pulse.h"

#define BEGIN_LOOK_MS 50
#define DRAIN_LOOK_US (TIME_SECOND / 50)

static const char usage[] =
    "Usage: purchase-webhook [--config FILE]\n\n"
    "Receives shop webhooks, Miro OAuth callbacks and the plugin's entitlement checks.\n"
    "SIGTERM drains and stops, a second one stops at once; SIGHUP reads the configuration,\n"
    "the secrets and the keyring again, and keeps the old ones if the new are not good.\n"
    "Several instances share the public port if each has an internal listener of its own.\n"
    "A listening socket called \"public\" that systemd hands over takes the place of `listen`.";

enum program_state {
    PROGRAM_OPENING,   /* does not listen yet: what the database says decides whether it will */
    PROGRAM_REOPENING, /* listens and spools: the database was not reached yet */
    PROGRAM_SERVING,
    PROGRAM_DRAINING,
};

struct program {
    enum program_state state;
    struct loop *loop;
    struct front front;
    const char *config, *internal_listen;
    struct opening
        *opening;          /* of the start, of a reload, or of another try to reach the database */
    struct engine *engine; /* PROGRAM_OPENING: what came of it */
    enum engine_fit fit;
    struct buf why;
    bool reloading;    /* `opening` is a reload's */
    bool reload_again; /* another SIGHUP came meanwhile */
    struct loop_timer *timer;
    struct stop_signals *stop_signals;
    struct pulse *pulse;
    int64_t drain_until; /* monotonic */
    enum exit_code code;
};

/* No core file and no debugger may see the keys; sockets need descriptors. */
static void program_harden(void)
{
    struct rlimit files;
    harden_memory("webhook");
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            log_warn("webhook", "descriptor_limit_stays_low");
    }
}

/* One log line for each line of a list of faults. */
static void program_log_faults(const char *event, const char *faults)
{
    for (const char *at = faults; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        log_error("webhook", event, LOG_N("why", at, len));
        at += len + (at[len] == '\n');
    }
}

static void program_opened(const struct opened *opened, void *arg);

/* Opens on a thread: the settings in force again, or with `reload` what the files say now. */
static void program_open(struct program *program, bool reload)
{
    program->reloading = reload;
    program->opening =
        opening_start(program->loop, program->config, reload ? NULL : program->front.settings,
                      program_opened, program);
}

/* What came of another try to reach the database: a person must act on anything but its absence. */
static void program_reopened(struct program *program, const struct opened *opened)
{
    if (opened->fit == ENGINE_AWAY) {
        probe_away(program->front.probe, opened->why);
        loop_timer_set(program->timer, LIMIT_REOPEN_MS * INT64_C(1000), true);
        return;
    }
    program_log_faults("refused", opened->why);
    program->code = opened->fit == ENGINE_REFUSED ? EXIT_CONFIG : EXIT_FAILED;
    loop_stop(program->loop);
}

/* The opening of the start has ended, before anything listens. */
static void program_began(struct program *program, const struct opened *opened)
{
    program->fit = opened->fit;
    program->engine = opened->engine;
    buf_reset(&program->why);
    buf_puts(&program->why, opened->why);
}

/* An opening has ended: puts a good one in force; a bad one changes nothing. */
static void program_opened(const struct opened *opened, void *arg)
{
    struct program *program = arg;
    bool reload = program->reloading, again = program->reload_again;

    if (program->state == PROGRAM_OPENING) {
        program_began(program, opened);
    } else if (program->state == PROGRAM_DRAINING) {
        engine_free(opened->engine);
    } else if (opened->fit == ENGINE_OPEN) {
        front_adopt(&program->front, opened->engine);
        program->state = PROGRAM_SERVING;
        program->front.reload_refused = false;
        log_info("webhook", reload ? "reloaded" : "serving");
    } else if (reload) {
        program_log_faults("reload_refused", opened->why);
        program->front.reload_refused = true;
        if (program->state == PROGRAM_REOPENING)
            loop_timer_set(program->timer, LIMIT_REOPEN_MS * INT64_C(1000), true);
    } else {
        program_reopened(program, opened);
    }
    opening_free(program->opening);
    program->opening = NULL;
    program->reload_again = false;
    if (reload && program->state != PROGRAM_DRAINING)
        notify_ready(program->front.reload_refused
                         ? "the new configuration was refused: see the log"
                         : "reloaded");
    if (again && program->state != PROGRAM_DRAINING)
        program_open(program, true);
}

/* SIGHUP. */
static void program_reload(void *arg)
{
    struct program *program = arg;
    if (program->state == PROGRAM_DRAINING)
        return;
    if (program->opening) {
        program->reload_again = true;
        return;
    }
    loop_timer_clear(program->timer);
    notify_reloading("reads its configuration");
    program_open(program, true);
}

/* The pause before another try to reach the database, or between two looks at a drain. */
static void program_tick(void *arg)
{
    struct program *program = arg;
    bool late = clock_monotonic() >= program->drain_until;
    if (program->state == PROGRAM_REOPENING) {
        program_open(program, false);
    } else if (program->state == PROGRAM_DRAINING) {
        if (late)
            log_warn("webhook", "drain_cut_short",
                     LOG_I("connections", http_server_connections(program->front.public_server)));
        if (late || front_idle(&program->front))
            loop_stop(program->loop);
        else
            loop_timer_set(program->timer, DRAIN_LOOK_US, true);
    }
}

/* The first SIGTERM or SIGINT. */
static void program_stop(void *arg)
{
    struct program *program = arg;
    log_info("webhook", "draining");
    notify_stopping("drains");
    program->state = PROGRAM_DRAINING;
    program->drain_until = clock_monotonic() + LIMIT_DRAIN_MS * INT64_C(1000);
    front_drain(&program->front);
    loop_timer_set(program->timer, 0, true);
}

/* Where a server listens, with the port that the kernel chose if it was left to it. */
static void program_address(const char *listen, const struct http_server *server, struct buf *out)
{
    const char *colon = strrchr(listen, ':');
    size_t host = colon ? (size_t)(colon - listen) : strlen(listen);
    buf_printf(out, "%.*s:%u", (int)host, listen, http_server_port(server));
}

static void program_announce(const struct program *program)
{
    const struct settings_server *server = &program->front.settings->server;
    struct buf public = {0}, internal = {0};
    program_address(server->listen, program->front.public_server, &public);
    program_address(front_internal_listen(&program->front), program->front.internal_server,
                    &internal);
    if (front_listens_elsewhere(&program->front))
        log_warn("webhook", "listens_elsewhere", LOG_S("key", "listen"),
                 LOG_S("why", "the socket that was handed over has another port: mend "
                              "ListenStream= of the socket unit, or the configuration"));
    log_info("webhook", "listening", LOG_S("public", public.data), LOG_S("internal", internal.data),
             LOG_S("version", PURCHASE_SYNC_VERSION));
    buf_free(&public);
    buf_free(&internal);
}

/* The front listens without a database; the opening of the start may be under way still. */
static void program_wait_for_database(struct program *program)
{
    const char *why = program->why.data;
    log_warn("webhook", "database_away", LOG_S("why", why));
    program->state = PROGRAM_REOPENING;
    probe_away(program->front.probe, why);
    probe_look(program->front.probe);
    if (!program->opening)
        loop_timer_set(program->timer, LIMIT_REOPEN_MS * INT64_C(1000), true);
}

/* Serves until a signal ends it. */
static void program_serve(struct program *program, struct settings *settings)
{
    struct buf error = {0};
    if ((!program->engine && keyring_proof_check(settings, &error) != 0) ||
        front_start(&program->front, program->loop, settings, program->internal_listen, &error) !=
            0) {
        fprintf(stderr, "purchase-webhook: %s\n", error.data);
        program->code = EXIT_FAILED;
        engine_free(program->engine);
        goto out;
    }
    program->stop_signals = stop_signals_new(program->loop, "webhook", program_stop, program);
    loop_signal(program->loop, SIGHUP, program_reload, program);
    if (program->engine) {
        program->state = PROGRAM_SERVING;
        front_adopt(&program->front, program->engine);
    } else {
        program_wait_for_database(program);
    }
    program_announce(program);
    notify_ready(program->engine ? "serving" : "listens; the database is away");
    program->pulse = pulse_new(&program->front);
    loop_run(program->loop);
    log_info("webhook", "stopped");
out:
    opening_free(program->opening);
    program->opening = NULL;
    pulse_free(program->pulse);
    front_stop(&program->front);
    stop_signals_free(program->stop_signals);
    buf_free(&error);
}

/* Asks the database, for no longer than makes it one that is away: deliveries come meanwhile. */
static void program_begin(struct program *program, struct settings *settings)
{
    int64_t until = clock_monotonic() + LIMIT_DELIVERY_INBOX_MS * INT64_C(1000);
    program->fit = ENGINE_AWAY;
    buf_puts(&program->why, "the database does not answer");
    program->opening =
        opening_start(program->loop, program->config, settings, program_opened, program);
    while (program->opening && clock_monotonic() < until)
        loop_turn(program->loop, BEGIN_LOOK_MS);
}

/* Reads, opens, serves; what is wrong before that is for the person who started it. */
static enum exit_code program_run(const char *config, const char *internal_listen)
{
    static const enum exit_code codes[] = {
        [ENGINE_UNFIT] = EXIT_FAILED,
        [ENGINE_REFUSED] = EXIT_CONFIG,
    };
    struct program program = {.state = PROGRAM_OPENING,
                              .config = config,
                              .internal_listen = internal_listen,
                              .code = EXIT_DONE};
    struct settings *settings = settings_load(config, &program.why);

    if (!settings) {
        fputs(program.why.data, stderr);
        program.code = EXIT_CONFIG;
        goto out;
    }
    program.loop = loop_new();
    program.timer = loop_timer_new(program.loop, program_tick, &program);
    program_begin(&program, settings);
    if (program.fit == ENGINE_UNFIT || program.fit == ENGINE_REFUSED) {
        fprintf(stderr, "purchase-webhook: %s\n", program.why.data);
        program.code = codes[program.fit];
    } else {
        program_serve(&program, settings);
    }
    loop_timer_free(program.timer);
    loop_free(program.loop);
out:
    settings_unref(settings);
    buf_free(&program.why);
    return program.code;
}

int main(int argc, char **argv)
{
    static const struct option_spec specs[] = {
        {"--internal-listen", "HOST:PORT",
         "in place of the configuration's: for one of several instances on one port", NULL},
        {0}};
    struct options options;
    enum exit_code code;

    options_parse(argc, argv, usage, specs, &options);
    if (options.argument_count > 0) {
        fprintf(stderr, "purchase-webhook: takes no arguments; try --help\n");
        options_free(&options);
        return EXIT_USAGE;
    }
    program_harden();
    db_library_begin();
    code = program_run(options.config, options_value(&options, "--internal-listen"));
    db_library_end();
    options_free(&options);
    return (int)code;
}
