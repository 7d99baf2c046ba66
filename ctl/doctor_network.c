/*
 * doctor, the network: the shops' APIs with their keys, Miro's API, and the front by its public
 * name. All are asked at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking.h"
#include "base/clock.h"
#include "base/mem.h"
#include "doctor.h"
#include "shops/shop.h"

#define QUESTIONS_MOST (LIMIT_SOURCES + LIMIT_MIRO_APPS + 1)
#define SHOP_SKEW TIME_MINUTE

struct question;
typedef void judge_answer(struct doctor *doctor, const struct question *question,
                          const struct asked *answer);

struct question {
    struct shop_fetch fetch; /* of a shop: owns target, key, header */
    const char *headers[2];
    char about[LIMIT_NAME + 16];
    judge_answer *judge;
};

struct questions {
    struct question items[QUESTIONS_MOST];
    struct http_call calls[QUESTIONS_MOST];
    struct asked answers[QUESTIONS_MOST];
    size_t count;
};

/* Whether an answer came at all; the finding says what stood in the way. */
static bool reached_note(struct doctor *doctor, const struct question *question,
                         const struct asked *answer, const char *remedy)
{
    if (answer->failure == HTTP_ANSWERED)
        return true;
    doctor_note(doctor, FINDING_ERROR, question->about, remedy, "not reachable: %s", answer->error);
    return false;
}

/* One page of one order: it takes the key, and says nothing about anybody. */
static void shop_judge(struct doctor *doctor, const struct question *question,
                       const struct asked *answer)
{
    if (!reached_note(doctor, question, answer,
                      "see api_url, and whether this host may reach the shop"))
        return;
    if (answer->status == 200 && answer->json)
        doctor_note(doctor, FINDING_OK, question->about, NULL, "the API accepts the key");
    else if (answer->status == 401 || answer->status == 403)
        doctor_note(doctor, FINDING_ERROR, question->about,
                    "make a new read key at the shop (over plain http it accepts none)",
                    "the API refuses the key (%d)", answer->status);
    else
        doctor_note(doctor, FINDING_ERROR, question->about,
                    "see api_url, and whether a firewall or a maintenance page answers",
                    "the API answers %d%s", answer->status, answer->json ? "" : ", and no JSON");
    if (answer->date != TIME_NONE && answer->date - clock_now() > SHOP_SKEW)
        doctor_note(doctor, FINDING_WARN, question->about, "compare both hosts' clocks",
                    "the shop's clock is %lld s ahead of this host's",
                    (long long)((answer->date - clock_now()) / TIME_SECOND));
}

/* Without a token Miro must refuse: that it does shows that it is Miro and that we reach it. */
static void miro_judge(struct doctor *doctor, const struct question *question,
                       const struct asked *answer)
{
    if (!reached_note(doctor, question, answer, "see api_url in [miro], and this host's network"))
        return;
    if (answer->status == 400 || answer->status == 401)
        doctor_note(doctor, FINDING_OK, question->about, NULL, "Miro's API answers");
    else
        doctor_note(doctor, FINDING_WARN, question->about, "see api_url in [miro]",
                    "GET /v1/oauth-token without a token answers %d, expected 401 or 400",
                    answer->status);
}

/* What the plugin would get without a token. */
static void front_judge(struct doctor *doctor, const struct question *question,
                        const struct asked *answer)
{
    bool ours = answer->body.data != NULL && strstr(answer->body.data, "token_missing") != NULL;

    if (!reached_note(doctor, question, answer,
                      "is purchase-webhook running, and public_url the way to it?"))
        return;
    if (answer->status == 401 && ours)
        doctor_note(doctor, FINDING_OK, question->about, NULL,
                    "the front answers at its public address");
    else
        doctor_note(doctor, FINDING_ERROR, question->about,
                    "public_url must lead to purchase-webhook, path and headers unchanged",
                    "GET /v1/entitlements without a token answers %d, expected 401 token_missing",
                    answer->status);
}

/* The next question. */
static struct question *question_add(struct questions *questions, judge_answer *judge,
                                     const char *origin, const char *target)
{
    struct question *question = &questions->items[questions->count];

    memset(question, 0, sizeof(*question));
    question->judge = judge;
    questions->calls[questions->count++] =
        (struct http_call){.method = "GET", .origin = origin, .target = target};
    return question;
}

/* A source whose API this build can ask. */
static void shop_ask(struct questions *questions, const struct settings_source *source)
{
    struct shop_fetch fetch;
    struct question *question;
    struct http_call *call;

    if (source->provider != PROVIDER_WOOCOMMERCE || shop_fetch_order(source, "1", &fetch) != 0)
        return;
    question =
        question_add(questions, shop_judge, source->api_url, "/wp-json/wc/v3/orders?per_page=1");
    call = &questions->calls[questions->count - 1];
    question->fetch = fetch;
    question->headers[0] = fetch.header;
    call->basic_auth = fetch.basic_auth;
    call->headers = fetch.header == NULL ? NULL : question->headers;
    snprintf(question->about, sizeof(question->about), "source %s", source->name);
}

void doctor_network(struct doctor *doctor)
{
    const struct settings *settings = doctor->ctl->settings;
    struct questions *questions = xcalloc(1, sizeof(*questions));
    struct question *question;

    for (size_t i = 0; i < settings->source_count; i++)
        shop_ask(questions, &settings->sources[i]);
    for (size_t i = 0; i < settings->miro_count; i++) {
        question =
            question_add(questions, miro_judge, settings->miro[i].api_url, "/v1/oauth-token");
        snprintf(question->about, sizeof(question->about), "miro%s%s",
                 settings->miro[i].name[0] == '\0' ? "" : " ", settings->miro[i].name);
    }
    question =
        question_add(questions, front_judge, settings->server.public_url, "/v1/entitlements");
    snprintf(question->about, sizeof(question->about), "public_url");
    ask_all(questions->calls, questions->answers, questions->count);
    for (size_t i = 0; i < questions->count; i++) {
        questions->items[i].judge(doctor, &questions->items[i], &questions->answers[i]);
        buf_wipe(&questions->answers[i].body);
        shop_fetch_free(&questions->items[i].fetch);
    }
    free(questions);
}
