/*
 * The mails of claims: those that are due go out, few at a time, each on a thread of its own, while
 * the worker goes on with other work.
 */
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "claim_letter.h"
#include "net/mail.h"
#include "store/claims.h"
#include "worker.h"

#define AGAIN_LEAST TIME_SECOND
#define AGAIN_MOST (30 * TIME_SECOND)
#define LOOK_MS 20 /* how long a worker without other work waits for an answer */

enum mailing_state {
    MAILING_FREE,
    MAILING_SENT_OFF, /* leased in claim; the mail server is asked */
    MAILING_ANSWERED, /* what came of it is to be written */
};

struct mailing {
    enum mailing_state state;
    struct claim_mail mail;
    struct mail_call *call;
    enum mail_result result;
};

struct mails {
    struct mailing items[LIMIT_MAILS_IN_FLIGHT];
};

/* One line an attempt: no address, no code. */
static void mailing_answered(const struct mail_answer *answer, void *arg)
{
    static const char *const events[] = {
        [MAIL_SENT] = "mailed", [MAIL_REFUSED] = "mail_refused", [MAIL_LATER] = "mail_later"};
    struct mailing *mailing = arg;

    if (mailing->state != MAILING_SENT_OFF)
        die("mails: a stray answer");
    mailing->state = MAILING_ANSWERED;
    mailing->result = answer->result;
    log_write(answer->result == MAIL_SENT ? LOG_INFO : LOG_WARN, "claims", events[answer->result],
              LOG_S("user", mailing->mail.user), LOG_I("attempt", mailing->mail.attempts + 1),
              LOG_I("status", answer->status), LOG_S("why", answer->error));
}

static void mailing_clear(struct mailing *mailing)
{
    mail_call_free(mailing->call);
    claim_mail_wipe(&mailing->mail);
    memset(mailing, 0, sizeof(*mailing));
}

/* When a mail that has to wait is due again. */
static int64_t mailing_again(const struct mailing *mailing)
{
    uint32_t random;

    digest_random(&random, sizeof(random));
    return clock_now() + backoff_delay(AGAIN_LEAST, AGAIN_MOST, mailing->mail.attempts, random);
}

/* What an answer came to is written by the worker's own connection, not in the callback. */
static enum db_result mailing_settle(struct worker *worker, struct mailing *mailing)
{
    enum db_result result;

    if (mailing->result == MAIL_LATER)
        result = claims_put_off(worker->db, mailing->mail.id, mailing_again(mailing));
    else
        result = claims_finish(worker->db, mailing->mail.id,
                               mailing->result == MAIL_SENT ? CLAIM_MAILED : CLAIM_DROPPED);
    if (result == DB_OK)
        mailing_clear(mailing);
    return result;
}

static void mailing_begin(struct worker *worker, struct mailing *mailing,
                          const struct claim_mail *mail)
{
    const struct settings_mail *server = &worker->settings->mail;
    struct buf message = {0};

    mailing->mail = *mail;
    mailing->state = MAILING_SENT_OFF;
    claim_letter_write(mail, server->from, worker->lanes[0].catalogue, clock_now(), &message);
    mailing->call = mail_send(worker->loop, server, mail->address, message.data, message.len,
                              mailing_answered, mailing);
    buf_wipe(&message);
}

/* Leases as many as there is room for, and sends them off. */
static enum db_result mails_begin(struct worker *worker, struct mailing **room, size_t count,
                                  struct round *round)
{
    struct claim_mail due[LIMIT_MAILS_IN_FLIGHT];
    size_t leased, seen;
    enum db_result result =
        claims_lease(worker->db, worker->vault, clock_now(),
                     worker->settings->mail.smtp_url != NULL, due, count, &leased, &seen);

    if (result != DB_OK)
        return result;
    if (leased > 0)
        result = lane_catalogue(&worker->lanes[0]); /* a letter without names is still one */
    for (size_t i = 0; i < leased; i++) {
        mailing_begin(worker, room[i], &due[i]);
        claim_mail_wipe(&due[i]);
    }
    round->done += leased;
    round->more |= seen == count;
    return result;
}

enum db_result mail_round(struct worker *worker, struct round *round)
{
    struct mailing *room[LIMIT_MAILS_IN_FLIGHT];
    size_t count = 0;
    enum db_result result = DB_OK;

    if (worker->mails == NULL)
        worker->mails = xcalloc(1, sizeof(*worker->mails));
    for (size_t i = 0; i < LIMIT_MAILS_IN_FLIGHT && result == DB_OK; i++) {
        struct mailing *mailing = &worker->mails->items[i];

        if (mailing->state == MAILING_ANSWERED)
            result = mailing_settle(worker, mailing);
        if (mailing->state == MAILING_FREE)
            room[count++] = mailing;
    }
    if (result == DB_OK && count > 0)
        result = mails_begin(worker, room, count, round);
    if (result == DB_OK && worker_mails_under_way(worker)) {
        if (!round->more)
            loop_turn(worker->loop, LOOK_MS);
        round->more = true;
    }
    return result;
}

bool worker_mails_under_way(const struct worker *worker)
{
    for (size_t i = 0; worker->mails != NULL && i < LIMIT_MAILS_IN_FLIGHT; i++) {
        if (worker->mails->items[i].state != MAILING_FREE)
            return true;
    }
    return false;
}

void worker_mails_free(struct worker *worker)
{
    for (size_t i = 0; worker->mails != NULL && i < LIMIT_MAILS_IN_FLIGHT; i++)
        mailing_clear(&worker->mails->items[i]);
    xfree(worker->mails);
}
