#include "checks.h"

#include <stdlib.h>
#include <string.h>

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

/* A check between its token and its answer. The executor's while `reading`. */
struct check {
    uint32_t magic;
    struct front *front;
    struct http_request *request; /* NULL once it is answered, or the client left */
    char user[LIMIT_MIRO_ID + 1], team[LIMIT_MIRO_ID + 1];
    char *key;       /* NULL: all of them */
    char *asked;     /* If-None-Match, or NULL */
    int64_t ends_at; /* monotonic: of the wait asked for, or TIME_NONE */
    struct wait *wait;
    struct standing_read read;
    bool reading, failed;
    char version[ANSWER_VERSION]; /* of the last answer that was made */
};

/* Frees a check that is neither read for nor waits. */
static void check_free(struct check *check)
{
    check->magic = 0;
    standing_free(&check->read.standing);
    free(check->key);
    free(check->asked);
    free(check);
}

/* Parts with the request: the last thing that is done with a check unless a read is under way. */
static void check_leave(struct check *check, enum check_outcome outcome)
{
    metrics_check(check->front->metrics, outcome);
    check->request = NULL;
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
    check_leave(check, CHECK_GONE);
}

static void check_unavailable(struct check *check)
{
    front_unavailable(check->front, check->request);
    check_leave(check, CHECK_UNAVAILABLE);
}

/* Answers with a whole body, or with 304 where `body` is NULL. */
static void check_answer(struct check *check, const struct buf *body)
{
    struct buf headers = {0};
    if (body)
        buf_puts(&headers, JSON);
    if (!check->key)
        buf_printf(&headers, "ETag: \"%s\"\r\n", check->version);
    front_answer(check->front, check->request, body ? 200 : 304, headers.data,
                 body ? body->data : NULL, body ? body->len : 0);
    buf_free(&headers);
    check_leave(check, body ? CHECK_ANSWERED : CHECK_NOT_MODIFIED);
}

static void check_look(struct check *check);

/* The wait's turn: look again, or answer that nothing is new. */
static void check_turn(enum wait_turn turn, void *arg)
{
    struct check *check = arg;
    if (check->magic != CHECK_MAGIC)
        die("checks: a stray wait");
    if (turn == WAIT_LOOK)
        check_look(check);
    else if (check->failed)
        check_unavailable(check);
    else
        check_answer(check, NULL);
}

/* Nothing is new: waits on if that was asked for and there is room, else says so. `changes_at` is
 * when the passing of time alone makes news. */
static void check_unchanged(struct check *check, int64_t changes_at, int64_t now)
{
    if (!check->wait && check->ends_at != TIME_NONE) {
        check->wait =
            wait_begin(check->front->waits, check->user, check->ends_at, check_turn, check);
        if (check->wait)
            http_on_gone(check->request, check_gone, check);
    }
    if (!check->wait) {
        check_answer(check, NULL);
        return;
    }
    wait_sleep(check->wait,
               changes_at == TIME_NONE ? TIME_NONE : clock_monotonic() + changes_at - now);
}

/* GET /v1/entitlements, from what was read. */
static void check_tell_all(struct check *check)
{
    struct answer answer;
    struct buf body = {0};
    int64_t now = clock_now();

    answer_aggregate(&check->read.standing, now, &answer);
    answer_write(&check->read.standing, &answer, -1, &body, check->version);
    if (check->asked && etag_matches(check->asked, check->version))
        check_unchanged(check, answer.changes_at, now);
    else
        check_answer(check, &body);
    answer_free(&answer);
    buf_wipe(&body);
}

/* GET /v1/entitlements/{key}, from what was read. */
static void check_tell_key(struct check *check)
{
    struct buf body = {0};
    int64_t expires_at = TIME_NONE;
    enum reason reason =
        answer_reason(&check->read.standing, check->key,
                      known_keys_has(check->front->keys, check->key), clock_now(), &expires_at);
    answer_write_key(check->key, reason, expires_at, &body);
    check_answer(check, &body);
    buf_wipe(&body);
}

/* The read came back. A waiting check survives one that failed: it looks again. */
static void check_read_done(void *operation, enum db_result result)
{
    struct check *check = OWNER_OF(operation, struct check, read);
    if (check->magic != CHECK_MAGIC)
        die("checks: a stray operation");
    check->reading = false;
    if (!check->request) {
        check_free(check);
        return;
    }
    if (!check->wait)
        metrics_check_time(check->front->metrics, clock_monotonic() - http_arrived(check->request));
    check->failed = result != DB_OK;
    if (check->failed && check->wait)
        wait_sleep(check->wait, TIME_NONE);
    else if (check->failed)
        check_unavailable(check);
    else if (check->key)
        check_tell_key(check);
    else
        check_tell_all(check);
}

/* Reads what is known of the user, now. */
static void check_look(struct check *check)
{
    struct standing *standing = &check->read.standing;
    standing_free(standing);
    memset(standing, 0, sizeof(*standing));
    memcpy(standing->user, check->user, sizeof(standing->user));
    memcpy(standing->team, check->team, sizeof(standing->team));
    check->reading = front_submit(check->front, &standing_batch, &check->read, check_read_done);
    if (check->reading)
        return;
    check->failed = true;
    if (check->wait)
        wait_sleep(check->wait, TIME_NONE);
    else
        check_unavailable(check);
}

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

void checks_get(struct front *front, struct http_request *request, const struct route_parts *parts)
{
    struct id_token token;
    int64_t seconds = 0;
    const char *key = parts->part[0];

    if (bearer_authenticate(front, request, &token) != 0)
        return;
    if (!key && check_parse_wait(request, &seconds) != 0) {
        metrics_check(front->metrics, CHECK_BAD_REQUEST);
        front_problem(front, request, 400, "wait_invalid", NULL,
                      "`wait` is a whole number of seconds, such as 25.");
        return;
    }
    if (key && !known_keys_loaded(front->keys)) {
        metrics_check(front->metrics, CHECK_UNAVAILABLE);
        front_unavailable(front, request);
        return;
    }
    struct check *check = xcalloc(1, sizeof(*check));
    check->magic = CHECK_MAGIC;
    check->front = front;
    check->request = request;
    memcpy(check->user, token.user, sizeof(check->user));
    memcpy(check->team, token.team, sizeof(check->team));
    check->key = key ? xstrdup(key) : NULL;
    check->asked = key ? NULL : etag_asked(request);
    check->ends_at = check->asked && seconds > 0 ? check_wait_end(seconds, &token) : TIME_NONE;
    check_look(check);
}
