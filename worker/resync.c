/*
 * `purchase-worker resync`: every shop that can be asked, one after the other, and the people.
 */
#include "resync.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define PERCENT_MOST INT64_C(100000000) /* millionths */

/* --- options ------------------------------------------------------------------------------- */

/* "2026-11-01", "2026-11-01T08:00:00Z", or "36h" and "7d" ago. */
static int since_read(const char *text, int64_t *out)
{
    size_t len = strlen(text);
    int64_t number;
    char *day;
    int status;

    if (len >= 2 && len <= 6 && (text[len - 1] == 'd' || text[len - 1] == 'h') &&
        text_to_int(text, len - 1, &number) == 0 && number > 0) {
        *out = clock_now() - number * (text[len - 1] == 'd' ? TIME_DAY : TIME_HOUR);
        return 0;
    }
    if (clock_parse(text, len, out) == 0)
        return 0;
    day = xasprintf("%.30sT00:00:00Z", text);
    status = clock_parse(day, strlen(day), out);
    free(day);
    return status;
}

int resync_options_read(const struct options *options, struct resync_options *out)
{
    const char *since = options_value(options, "--since");
    const char *percent = options_value(options, "--max-revoke");

    memset(out, 0, sizeof(*out));
    out->source = options_value(options, "--source");
    out->full = options_flag(options, "--full");
    out->dry_run = options_flag(options, "--dry-run");
    out->since = TIME_NONE;
    if (since != NULL && (since_read(since, &out->since) != 0 || out->since > clock_now())) {
        fprintf(stderr,
                "purchase-worker: --since %s: expected a time that is over, as 2026-11-01, "
                "2026-11-01T08:00:00Z, 36h or 7d\n",
                since);
        return -1;
    }
    if (since != NULL && out->full) {
        fprintf(stderr, "purchase-worker: --since and --full: one of them\n");
        return -1;
    }
    if (text_to_micros(percent, strlen(percent), &out->max_revoke) != 0 || out->max_revoke < 0 ||
        out->max_revoke > PERCENT_MOST) {
        fprintf(stderr, "purchase-worker: --max-revoke %s: expected a percentage from 0 to 100\n",
                percent);
        return -1;
    }
    return 0;
}

/* --- one source ---------------------------------------------------------------------------- */

/* The parts, from where the run is. */
static int run_parts(struct resync *resync)
{
    int result = resync_webhook(resync);

    if (result == 0 && resync->run.state == RESYNC_READING)
        result = resync_read(resync);
    if (result == 0 && resync->run.state == RESYNC_CHECKING)
        result = resync_read_rest(resync);
    if (result == 0 && resync->run.state == RESYNC_JUDGING)
        result = resync_judge_all(resync);
    if (result == 0 && resync->run.state == RESYNC_APPLYING)
        result = resync_apply(resync);
    return result;
}

/* The time before which everything is known now, by the clock that is behind. What a shop did not
 * say keeps the watermark where it is: the next run asks again. */
static int64_t watermark_of(const struct resync_run *run)
{
    if (!run->moves_watermark || run->unanswered > 0)
        return TIME_NONE;
    return run->shop_time != TIME_NONE && run->shop_time < run->began_at ? run->shop_time
                                                                         : run->began_at;
}

/* Puts down how it ended. */
static enum db_result run_put_down(struct resync *resync)
{
    struct worker *worker = resync->worker;
    const char *trouble = resync->trouble.len > 0 ? resync->trouble.data : NULL;
    bool complete = resync->run.unanswered == 0;

    /* A dry run is never gone on with. */
    if (resync->run.dry && (resync->end == RESYNC_END_STOPPED || resync->end == RESYNC_END_LATER ||
                            resync->end == RESYNC_END_CLOSED))
        return resync_finish(worker->db, worker->owner, &resync->run, RESYNC_ABANDONED, TIME_NONE,
                             false, trouble);
    switch (resync->end) {
    case RESYNC_END_NONE:
        return resync_finish(worker->db, worker->owner, &resync->run, RESYNC_DONE,
                             watermark_of(&resync->run), complete, trouble);
    case RESYNC_END_REFUSED:
        return resync_finish(worker->db, worker->owner, &resync->run, RESYNC_REFUSED, TIME_NONE,
                             false, trouble);
    case RESYNC_END_SPOILT:
        return resync_finish(worker->db, worker->owner, &resync->run, RESYNC_ABANDONED, TIME_NONE,
                             false, trouble);
    case RESYNC_END_CLOSED:
        return resync_leave(worker->db, worker->owner, &resync->run, resync->problem.data);
    case RESYNC_END_STOPPED:
    case RESYNC_END_LATER:
        return resync_leave(worker->db, worker->owner, &resync->run, trouble);
    case RESYNC_END_LOST:
    case RESYNC_END_DATABASE:
        break;
    }
    return DB_OK;
}

/* Orders that nobody can be given, and what to do about it. */
static void say_without_address(struct resync *resync)
{
    int64_t count;

    if (resync_without_address(resync->worker->db, resync->run.source_id, &count) != DB_OK ||
        count == 0)
        return;
    printf("%s: %" PRId64 " paid orders tell no address, so nobody is given what they bought: let "
           "the shop's plan or the key's scopes tell addresses, sell through signed references, or "
           "assign them with purchasectl order assign\n",
           resync->source->name, count);
}

static int say_end(struct resync *resync, int64_t took)
{
    const struct resync_run *run = &resync->run;
    const char *name = resync->source->name;

    if (resync->trouble.len > 0)
        printf("%s: %s\n", name, resync->trouble.data);
    if (resync->end != RESYNC_END_NONE) {
        bool stopped = resync->end == RESYNC_END_STOPPED;

        fprintf(stderr, "purchase-worker: %s: %s%s\n", name, resync->problem.data,
                resync->end == RESYNC_END_REFUSED || resync->end == RESYNC_END_SPOILT
                    ? ""
                    : "; the next resync goes on from here");
        if (!stopped)
            log_error("resync", "failed", LOG_S("source", name),
                      LOG_S("why", resync->problem.data));
        return stopped ? EXIT_DONE : EXIT_FAILED;
    }
    printf("%s: %s%" PRIu64 " facts read in %" PRIu64 " calls, %" PRIu64 " change%s%s, %.1f s\n",
           name, run->whole ? "all orders, " : "", run->orders_read, run->calls, run->changes,
           run->changes == 1 ? "" : "s", run->dry ? " to come" : "", (double)took / TIME_SECOND);
    if (run->unusable > 0)
        printf("%s: %" PRIu64 " entries were left out: see the log\n", name, run->unusable);
    if (!run->dry)
        say_without_address(resync);
    log_info("resync", "done", LOG_S("source", name), LOG_I("orders", run->orders_read),
             LOG_I("calls", run->calls), LOG_I("changes", run->changes));
    if (run->unanswered > 0) {
        fprintf(stderr,
                "purchase-worker: %s: %" PRIu64 " question%s not answered, the rest counts: the "
                "next resync asks again\n",
                name, run->unanswered, run->unanswered == 1 ? " was" : "s were");
        log_error("resync", "incomplete", LOG_S("source", name),
                  LOG_I("unanswered", run->unanswered));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* Runs what was claimed, from its beginning or from where it was left. */
static int run_source(struct resync *resync)
{
    int64_t began = clock_monotonic();
    int code;

    resync->told_at = began;
    resync->walk = (struct shop_walk){
        .whole = resync->run.whole, .since = resync->run.since, .began = resync->run.began_at};
    run_parts(resync);
    if (run_put_down(resync) != DB_OK)
        resync_stop(resync, RESYNC_END_DATABASE, "the database: %s", db_error(resync->worker->db));
    if (resync->run.lost)
        resync_stop(resync, RESYNC_END_LOST, "another process has taken this run over");
    code = say_end(resync, clock_monotonic() - began);
    fflush(stdout);
    return code;
}

static int resync_source(struct worker *worker, const struct resync_options *options,
                         const struct settings_source *source)
{
    struct resync resync = {.worker = worker, .options = options, .source = source};
    struct resync_want want = {.source_id = source_map_id(worker->sources, source->name),
                               .owner = worker->owner,
                               .now = clock_now(),
                               .full = options->full || shop_lists_all(source),
                               .since = shop_lists_all(source) ? TIME_NONE : options->since,
                               .dry = options->dry_run};
    struct resync_holder holder;
    enum resync_claim claim;
    int code = EXIT_DONE;

    if (resync_claim(worker->db, &want, &resync.run, &claim, &holder) != DB_OK) {
        fprintf(stderr, "purchase-worker: %s: the database: %s\n", source->name,
                db_error(worker->db));
        return EXIT_FAILED;
    }
    if (claim == RESYNC_HELD) {
        printf("%s: another resync is at it (%s); nothing to do here\n", source->name,
               holder.owner);
        return EXIT_DONE;
    }
    resync.resumed = claim == RESYNC_RESUMED;
    if (resync.resumed)
        printf("%s: goes on with a resync that did not end, %" PRIu64 " facts read\n", source->name,
               resync.run.orders_read);
    code = run_source(&resync);
    buf_free(&resync.problem);
    buf_free(&resync.trouble);
    return code;
}

/* --- the people ---------------------------------------------------------------------------- */

static void person_line(void *arg, const char *text)
{
    (void)arg;
    printf("Miro: %s\n", text);
}

static int resync_people(struct worker *worker, bool dry_run)
{
    struct people_report report = {.line = person_line};

    if (people_resync(worker, dry_run, &report) != DB_OK) {
        fprintf(stderr, "purchase-worker: Miro: the database: %s\n", db_error(worker->db));
        return EXIT_FAILED;
    }
    printf("Miro: %zu tokens due", report.tokens_due);
    if (!dry_run)
        printf(", %zu refreshed, %zu refused, %zu put off", report.tokens_refreshed,
               report.tokens_refused, report.tokens_put_off);
    printf("; %zu profiles due", report.profiles_due);
    if (!dry_run)
        printf(", %zu read, %zu put off, %zu addresses linked, %zu contested", report.profiles_read,
               report.profiles_put_off, report.addresses_linked, report.addresses_contested);
    printf("\n");
    return EXIT_DONE;
}

/* --- all ----------------------------------------------------------------------------------- */

/* What a run that is over has left on the stage, this one or one that was cut off, goes. */
static void clear_stage(struct worker *worker)
{
    if (resync_sweep(worker->db) != DB_OK)
        log_warn("resync", "stage_not_cleared", LOG_S("error", db_error(worker->db)));
}

int resync_command(struct worker *worker, const struct resync_options *options)
{
    int code = EXIT_DONE;

    if (options->source != NULL &&
        settings_source(worker->settings, options->source, strlen(options->source)) == NULL) {
        fprintf(stderr, "purchase-worker: --source %s: the configuration has no [source %s]\n",
                options->source, options->source);
        return EXIT_USAGE;
    }
    clear_stage(worker);
    for (size_t i = 0; i < worker->settings->source_count && !worker->stopping; i++) {
        const struct settings_source *source = &worker->settings->sources[i];

        if (options->source != NULL && strcmp(options->source, source->name) != 0)
            continue;
        if (!shop_can_list(source)) {
            printf("%s: %s\n", source->name,
                   source->provider == PROVIDER_STANDARD
                       ? "a shop of this kind has no API to ask: its webhooks are all there is"
                       : "cannot be asked: set api_url and api_key_file");
            code = options->source != NULL ? EXIT_FAILED : code;
        } else if (resync_source(worker, options, source) != EXIT_DONE) {
            code = EXIT_FAILED;
        }
    }
    if (options->source == NULL && !worker->stopping &&
        resync_people(worker, options->dry_run) != EXIT_DONE)
        code = EXIT_FAILED;
    clear_stage(worker);
    return code;
}
