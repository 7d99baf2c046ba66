#include "checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "bearer.h"
#include "entitlement/answer.h"
#include "etag.h"
#include "store/standing.h"

#define CHECK_MAGIC 0x63686b73
#define JSON "Content-Type: application/json\r\n"
#define HEADERS_ROOM (sizeof(JSON) + ANSWER_VERSION + 16)
#define PATIENCE_US (LIMIT_CHECK_PATIENCE_MS * INT64_C(1000))
#define FRESH_US (LIMIT_FEED_FRESH_MS * INT64_C(1000))
#define WINDOW_US (TIME_SECOND / 10)

/* Who asks for what. */
struct asking {
    struct front *front;
    struct http_request *request; /* NULL once it is answered, or the client left */
    char user[LIMIT_MIRO_ID + 1], team[LIMIT_MIRO_ID + 1];
    const char *key; /* NULL: all of them */
    char *asked;     /* If-None-Match, or NULL */
    int64_t ends_at; /* monotonic: of the wait asked for, or TIME_NONE */
};

/* A check that the cache did not answer at once. The executor's while `reading`. */
struct check {
    uint32_t magic;
    struct asking asking;
    struct wait *wait;
    struct standing_read read;
    uint64_t moment; /* before it was submitted */
    int64_t submitted;
    bool reading, failed;
    struct check_list *list; /* of `readings`, or NULL */
    int64_t arrived, patient_until;
    char version[ANSWER_VERSION]; /* of the last answer, which the client has */
    TAILQ_ENTRY(check) later;
};

TAILQ_HEAD(check_list, check);

/* Checks that wait for the database, in the order in which they began to. */
struct readings {
    struct check_list fed;  /* for a reading of the feed that began after they arrived */
    struct check_list read; /* for what is known of their user */
    struct loop_timer *timer;
    bool armed;
    int64_t window; /* when the last count of checks began */
    unsigned count, before;
};

/* --- what is told -------------------------------------------------------------------------- */

/* Answers with a body, or with 304 where it is NULL. `version` is NULL for a single key. */
static void asking_answer(struct asking *asking, const char *version, const char *body, size_t len)
{
    char headers[HEADERS_ROOM], *at = headers;
    if (body)
        at = stpcpy(at, JSON);
    if (version)
        at = stpcpy(stpcpy(stpcpy(at, "ETag: \""), version), "\"\r\n");
    *at = '\0';
    front_answer(asking->front, asking->request, body ? 200 : 304, headers, body, len);
    metrics_check(asking->front->metrics, body ? CHECK_ANSWERED : CHECK_NOT_MODIFIED);
    asking->request = NULL;
}

/* Appends what old answers are marked with, to an object that is whole. */
static void put_stale(struct buf *body, int64_t stale_seconds)
{
    body->len--;
    buf_puts(body, ",\"stale_seconds\":");
    buf_put_int(body, stale_seconds);
    buf_putc(body, '}');
}

/* GET /v1/entitlements/{key}. `stale_seconds` is negative unless the answer is old. */
static void asking_tell_key(struct asking *asking, const struct standing *standing,
                            int64_t stale_seconds)
{
    struct buf body = {0};
    int64_t expires_at = TIME_NONE;
    enum reason reason =
        answer_reason(standing, asking->key, known_keys_has(asking->front->keys, asking->key),
                      clock_now(), &expires_at);
    answer_write_key(asking->key, reason, expires_at, &body);
    if (stale_seconds >= 0)
        put_stale(&body, stale_seconds);
    asking_answer(asking, NULL, body.data, body.len);
    buf_wipe(&body);
}

/* Whether the client has this version already. */
static bool asking_has(const struct asking *asking, const char *version)
{
    return asking->asked && etag_matches(asking->asked, version);
}

/* --- the cache ----------------------------------------------------------------------------- */

static bool cache_is_on(const struct front *front)
{
    return front->settings->server.answer_cache;
}

/* What is kept for the user and known to be true now, or LIMIT_FEED_FRESH_MS ago; else NULL. */
static struct kept_answer *cache_current(const struct asking *asking, int64_t monotonic)
{
    struct front *front = asking->front;
    struct kept_answer *kept;

    if (!cache_is_on(front))
        return NULL;
    follower_need(front->follower, monotonic);
    kept = answer_cache_find(front->answers, asking->user, asking->team);
    if (kept && (kept->in_doubt || !follower_fresh(front->follower, monotonic)))
        kept = NULL;
    return kept;
}

/* What is kept for the user and may be told while the database is away, with its age in seconds;
 * else NULL. */
static struct kept_answer *cache_stale(const struct asking *asking, int64_t *age)
{
    struct front *front = asking->front;
    struct kept_answer *kept;
    int64_t true_at;

    if (!cache_is_on(front))
        return NULL;
    kept = answer_cache_find(front->answers, asking->user, asking->team);
    if (!kept)
        return NULL;
    true_at = kept->in_doubt ? kept->true_at : follower_true_at(front->follower);
    *age = (clock_monotonic() - true_at) / TIME_SECOND;
    return *age < front->settings->server.stale_answers ? kept : NULL;
}

/* --- a check's life ------------------------------------------------------------------------ */

/* Frees a check that is neither read for nor waits. */
static void check_free(struct check *check)
{
    check->magic = 0;
    standing_read_free(&check->read);
    free((void *)(uintptr_t)check->asking.key);
    free(check->asking.asked);
    free(check);
}

/* Takes over what was asked. */
static struct check *check_new(struct asking *asking)
{
    struct check *check = xcalloc(1, sizeof(*check));
    check->magic = CHECK_MAGIC;
    check->asking = *asking;
    check->asking.key = asking->key ? xstrdup(asking->key) : NULL;
    asking->asked = NULL;
    return check;
}

static void readings_arm(struct readings *readings);

static void readings_leave(struct check *check)
{
    if (check->list)
        TAILQ_REMOVE(check->list, check, later);
    check->list = NULL;
}

/* Waits in a list until something comes, for so long. */
static void readings_enter(struct check *check, struct check_list *list, int64_t patience)
{
    readings_leave(check);
    check->list = list;
    check->patient_until = clock_monotonic() + patience;
    TAILQ_INSERT_TAIL(list, check, later);
    readings_arm(check->asking.front->readings);
}

/* Its request is answered or gone: the last thing that is done with a check unless a read is under
 * way. */
static void check_end(struct check *check)
{
    check->asking.request = NULL;
    readings_leave(check);
    if (check->wait) {
        wait_end(check->wait);
        check->wait = NULL;
    }
    if (!check->reading)
        check_free(check);
}

/* The client left while its check waits: nothing is owed to it. */
static void check_gone(void *arg)
{
    struct check *check = arg;
    if (check->magic != CHECK_MAGIC)
        die("checks: a stray request");
    metrics_check(check->asking.front->metrics, CHECK_GONE);
    check_end(check);
}

static void check_unavailable(struct check *check)
{
    struct front *front = check->asking.front;
    front_unavailable(front, check->asking.request);
    metrics_check(front->metrics, CHECK_UNAVAILABLE);
    check_end(check);
}

static void check_not_modified(struct check *check, const char *version)
{
    asking_answer(&check->asking, version, NULL, 0);
    check_end(check);
}

static void check_look(struct check *check);

/* A wait is over without news; a database that is away makes none known. */
static void check_over(struct check *check)
{
    int64_t age;
    if (check->failed && !cache_stale(&check->asking, &age))
        check_unavailable(check);
    else
        check_not_modified(check, check->version);
}

/* The wait's turn: look again, or answer that nothing is new. */
static void check_turn(enum wait_turn turn, void *arg)
{
    struct check *check = arg;
    if (check->magic != CHECK_MAGIC)
        die("checks: a stray wait");
    if (turn == WAIT_LOOK)
        check_look(check);
    else
        check_over(check);
}

/*
 * Nothing is new: waits on if that was asked for and there is room, else says so. `changes_at` is
 * when the passing of time alone makes news. Where `kept` or `read` is given, nothing that the
 * answer stands on was touched, and the wait is told when something is.
 */
static void check_unchanged(struct check *check, const char *version, int64_t changes_at,
                            int64_t now, const struct kept_answer *kept,
                            const struct standing_read *read)
{
    struct asking *asking = &check->asking;
    struct front *front = asking->front;

    memcpy(check->version, version, sizeof(check->version));
    if (!check->wait && asking->ends_at != TIME_NONE) {
        check->wait = wait_begin(front->waits, asking->user, asking->ends_at, check_turn, check);
        if (check->wait)
            http_on_gone(asking->request, check_gone, check);
    }
    if (!check->wait) {
        check_not_modified(check, check->version);
        return;
    }
    if (kept)
        subjects_stand_beside(front->subjects, wait_stander(check->wait), &kept->stander);
    else if (read)
        subjects_stand(front->subjects, wait_stander(check->wait),
                       (const unsigned char(*)[DIGEST_LEN])read->subjects, read->subject_count);
    follower_need(front->follower, clock_monotonic());
    wait_sleep(check->wait,
               changes_at == TIME_NONE ? TIME_NONE : clock_monotonic() + changes_at - now);
    if (!check->reading)
        standing_read_free(&check->read);
}

/* Answers with what is kept, or waits for more. */
static void check_tell_kept(struct check *check, struct kept_answer *kept)
{
    struct asking *asking = &check->asking;
    int64_t now = clock_now();

    if (asking->key) {
        asking_tell_key(asking, &kept->standing, -1);
        check_end(check);
        return;
    }
    kept_answer_render(asking->front->answers, kept, now);
    if (asking_has(asking, kept->version)) {
        check_unchanged(check, kept->version, kept->changes_at, now, kept, NULL);
        return;
    }
    asking_answer(asking, kept->version, kept->body, kept->len);
    check_end(check);
}

/* The same with what is not kept. `read` is given where nothing of it was touched since; an old
 * answer has its age. */
static void check_tell(struct check *check, const struct standing *standing, int64_t stale_seconds,
                       const struct standing_read *read)
{
    struct asking *asking = &check->asking;
    struct answer answer;
    struct buf body = {0};
    char version[ANSWER_VERSION];
    int64_t now = clock_now();

    if (asking->key) {
        asking_tell_key(asking, standing, stale_seconds);
        check_end(check);
        return;
    }
    answer_aggregate(standing, now, &answer);
    answer_write(standing, &answer, stale_seconds, &body, version);
    if (asking_has(asking, version)) {
        check_unchanged(check, version, answer.changes_at, now, NULL, read);
    } else {
        asking_answer(asking, version, body.data, body.len);
        check_end(check);
    }
    answer_free(&answer);
    buf_wipe(&body);
}

/* The database did not answer, or not in time. A waiting check survives that: it looks again. */
static void check_failed(struct check *check)
{
    struct front *front = check->asking.front;
    int64_t age;
    struct kept_answer *kept = cache_stale(&check->asking, &age);

    check->failed = true;
    if (kept) {
        metrics_cache(front->metrics, CACHE_STALE);
        check_tell(check, &kept->standing, age, NULL);
    } else if (check->wait) {
        wait_sleep(check->wait, TIME_NONE);
    } else {
        check_unavailable(check);
    }
}

/* Whether what was read can be relied on until something of it is touched: see subjects.h. */
static enum cache_result check_judge(const struct check *check)
{
    const struct front *front = check->asking.front;
    const struct standing_read *read = &check->read;

    if (!follower_following(front->follower))
        return CACHE_UNFOLLOWED;
    if (!follower_follows(front->follower, read->place))
        return CACHE_ELSEWHERE;
    if (subjects_touched_since(front->subjects, check->moment,
                               (const unsigned char(*)[DIGEST_LEN])read->subjects,
                               read->subject_count))
        return CACHE_RACED;
    return CACHE_HIT;
}

/* Keeps what was read, if it may be kept; else in doubt, in place of an older answer in doubt,
 * which is known to be old now. */
static struct kept_answer *check_keep(struct check *check, enum cache_result judged)
{
    struct front *front = check->asking.front;
    struct standing_read *read = &check->read;
    struct kept_answer *kept = NULL;

    if (!cache_is_on(front))
        return NULL;
    if (judged == CACHE_HIT) {
        kept = answer_cache_keep(front->answers, &read->standing,
                                 (const unsigned char(*)[DIGEST_LEN])read->subjects,
                                 read->subject_count);
        if (!kept)
            metrics_cache(front->metrics, CACHE_LARGE);
        return kept;
    }
    metrics_cache(front->metrics, judged);
    return answer_cache_renew(front->answers, &read->standing,
                              (const unsigned char(*)[DIGEST_LEN])read->subjects,
                              read->subject_count, check->submitted);
}

/* What was read is kept if it may be, and told to whoever still wants to know. */
static void check_was_read(struct check *check)
{
    enum cache_result judged = check_judge(check);
    struct kept_answer *kept = check_keep(check, judged);

    check->failed = false;
    if (!check->asking.request)
        check_free(check);
    else if (kept && !kept->in_doubt)
        check_tell_kept(check, kept);
    else
        check_tell(check, kept ? &kept->standing : &check->read.standing, -1,
                   judged == CACHE_HIT ? &check->read : NULL);
}

static void check_read_done(void *operation, enum db_result result)
{
    struct check *check = OWNER_OF(operation, struct check, read);
    struct asking *asking = &check->asking;

    if (check->magic != CHECK_MAGIC)
        die("checks: a stray operation");
    check->reading = false;
    readings_leave(check);
    if (asking->request && !check->wait)
        metrics_check_time(asking->front->metrics,
                           clock_monotonic() - http_arrived(asking->request));
    if (result == DB_OK)
        check_was_read(check);
    else if (asking->request)
        check_failed(check);
    else
        check_free(check);
}

/* Reads what is known of the user, now. */
static void check_read(struct check *check)
{
    struct front *front = check->asking.front;
    struct standing *standing = &check->read.standing;

    standing_read_free(&check->read);
    memset(standing, 0, sizeof(*standing));
    memcpy(standing->user, check->asking.user, sizeof(standing->user));
    memcpy(standing->team, check->asking.team, sizeof(standing->team));
    check->moment = subjects_moment(front->subjects);
    check->submitted = clock_monotonic();
    check->reading = front_submit(front, &standing_batch, &check->read, check_read_done);
    if (!check->reading)
        check_failed(check);
}

/* A wait's look. One that was told an old answer may still be read for. */
static void check_look(struct check *check)
{
    struct kept_answer *kept = cache_current(&check->asking, clock_monotonic());
    if (check->reading)
        wait_sleep(check->wait, TIME_NONE);
    else if (kept)
        check_tell_kept(check, kept);
    else
        check_read(check);
}

/* --- those that wait for the database -------------------------------------------------------- */

/* Begins a check's first read; where neither deliveries nor the feed get an answer, none is waited
 * for. */
static void check_begin(struct check *check)
{
    struct front *front = check->asking.front;

    if (cache_is_on(front))
        metrics_cache(front->metrics, CACHE_MISS);
    if (outage_on(front->outage) && follower_silent(front->follower, clock_monotonic())) {
        check_failed(check);
        return;
    }
    readings_enter(check, &front->readings->read, PATIENCE_US);
    check_read(check);
}

/* The feed was read since a check arrived, or does not answer: what is kept is as good as a read,
 * or it is read. */
static void check_fed(struct check *check)
{
    struct kept_answer *kept = cache_current(&check->asking, clock_monotonic());

    readings_leave(check);
    if (!kept) {
        check_begin(check);
        return;
    }
    metrics_cache(check->asking.front->metrics, CACHE_HIT);
    metrics_check_time(check->asking.front->metrics,
                       clock_monotonic() - http_arrived(check->asking.request));
    check_tell_kept(check, kept);
}

void readings_fed(struct readings *readings, int64_t true_at)
{
    struct check *check;
    while ((check = TAILQ_FIRST(&readings->fed)) && check->arrived <= true_at)
        check_fed(check);
}

bool readings_hungry(const struct readings *readings)
{
    return !TAILQ_EMPTY(&readings->fed);
}

static void readings_arm(struct readings *readings)
{
    const struct check *read = TAILQ_FIRST(&readings->read), *fed = TAILQ_FIRST(&readings->fed);
    int64_t until, left;

    if (readings->armed || (!read && !fed))
        return;
    until = read && (!fed || read->patient_until < fed->patient_until) ? read->patient_until
                                                                       : fed->patient_until;
    left = until - clock_monotonic();
    loop_timer_set(readings->timer, left > FRESH_US ? FRESH_US : left > 0 ? left : 0, true);
    readings->armed = true;
}

/* A read takes too long. It alone may be slow: what is kept helps at once, but nobody is refused
 * before something else says that the database is away. */
static void check_late(struct check *check, int64_t now)
{
    struct front *front = check->asking.front;
    int64_t age;

    readings_leave(check);
    if (cache_stale(&check->asking, &age) || outage_on(front->outage) ||
        follower_silent(front->follower, now))
        check_failed(check);
    else
        readings_enter(check, &front->readings->read, PATIENCE_US);
}

/* Those for whom the feed takes too long read; those whose read takes too long are told so. */
static void readings_tick(void *arg)
{
    struct readings *readings = arg;
    int64_t now = clock_monotonic();
    struct check *check;

    readings->armed = false;
    while ((check = TAILQ_FIRST(&readings->fed)) && check->patient_until <= now)
        check_fed(check);
    while ((check = TAILQ_FIRST(&readings->read)) && check->patient_until <= now)
        check_late(check, now);
    readings_arm(readings);
}

struct readings *readings_new(struct loop *loop)
{
    struct readings *readings = xcalloc(1, sizeof(*readings));
    TAILQ_INIT(&readings->read);
    TAILQ_INIT(&readings->fed);
    readings->timer = loop_timer_new(loop, readings_tick, readings);
    return readings;
}

void readings_free(struct readings *readings)
{
    if (!readings)
        return;
    loop_timer_free(readings->timer);
    free(readings);
}

/*
 * Counts a check; whether there are so many that an answer may be as old as the last reading of the
 * feed. While there are few, each waits for a reading that begins after it came, and is told what
 * the database would tell at that moment: a plugin that asks right after a purchase sees it.
 */
static bool readings_busy(struct readings *readings, int64_t now)
{
    if (now - readings->window > WINDOW_US) {
        readings->before = now - readings->window > 2 * WINDOW_US ? 0 : readings->count;
        readings->count = 0;
        readings->window = now;
    }
    readings->count++;
    return readings->count > LIMIT_CHECKS_STRICT || readings->before > LIMIT_CHECKS_STRICT;
}

/* --- requests ------------------------------------------------------------------------------ */

/* Reads `wait`: seconds in *out, 0 if it is not asked for; -1 if it is no number. */
static int check_parse_wait(const struct http_request *request, int64_t *out)
{
    const char *query = http_query(request);
    char *text = text_query_value(query, strlen(query), "wait");
    int64_t seconds = 0;
    int failed = 0;
    if (text) {
        size_t len = strlen(text);
        if (len == 0 || strspn(text, "0123456789") != len)
            failed = -1;
        else if (text_to_int(text, len, &seconds) != 0 || seconds > LIMIT_WAIT_S)
            seconds = LIMIT_WAIT_S;
    }
    free(text);
    if (failed == 0)
        *out = seconds;
    return failed;
}

/* The end of a wait: what was asked for, and never beyond the token's own end. */
static int64_t check_wait_end(int64_t seconds, const struct id_token *token)
{
    int64_t left = token->expires_at - clock_now();
    int64_t wanted = seconds * TIME_SECOND;
    return clock_monotonic() + (left < wanted ? left : wanted);
}

/* Holds a check until the feed is read. */
static void asking_hold(struct asking *asking, int64_t now)
{
    struct front *front = asking->front;
    struct check *check = check_new(asking);

    check->arrived = now;
    readings_enter(check, &front->readings->fed, FRESH_US);
    follower_read_now(front->follower);
}

/* Answers from the cache; false if it cannot. */
static bool asking_hit(struct asking *asking)
{
    struct front *front = asking->front;
    int64_t arrived = http_arrived(asking->request), now = clock_monotonic();
    struct kept_answer *kept = cache_current(asking, now);

    if (!kept)
        return false;
    if (!readings_busy(front->readings, now)) {
        asking_hold(asking, now);
        return true;
    }
    metrics_cache(front->metrics, CACHE_HIT);
    if (asking->key) {
        asking_tell_key(asking, &kept->standing, -1);
    } else {
        kept_answer_render(front->answers, kept, clock_now());
        if (!asking_has(asking, kept->version))
            asking_answer(asking, kept->version, kept->body, kept->len);
        else if (asking->ends_at == TIME_NONE)
            asking_answer(asking, kept->version, NULL, 0);
        else
            check_tell_kept(check_new(asking), kept);
    }
    metrics_check_time(front->metrics, clock_monotonic() - arrived);
    return true;
}

void checks_get(struct front *front, struct http_request *request, const struct route_parts *parts)
{
    struct asking asking = {.front = front, .request = request, .key = parts->part[0]};
    struct id_token token;
    int64_t seconds = 0;

    if (bearer_authenticate(front, request, &token) != 0)
        return;
    if (!asking.key && check_parse_wait(request, &seconds) != 0) {
        metrics_check(front->metrics, CHECK_BAD_REQUEST);
        front_problem(front, request, 400, "wait_invalid", NULL,
                      "`wait` is a whole number of seconds, such as 25.");
        return;
    }
    if (asking.key && !known_keys_loaded(front->keys)) {
        metrics_check(front->metrics, CHECK_UNAVAILABLE);
        front_unavailable(front, request);
        return;
    }
    memcpy(asking.user, token.user, sizeof(asking.user));
    memcpy(asking.team, token.team, sizeof(asking.team));
    asking.asked = asking.key ? NULL : etag_asked(request);
    asking.ends_at = asking.asked && seconds > 0 ? check_wait_end(seconds, &token) : TIME_NONE;
    if (!asking_hit(&asking))
        check_begin(check_new(&asking));
    free(asking.asked);
}
