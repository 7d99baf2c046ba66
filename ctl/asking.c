#include "asking.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* Copies what the client lends during the callback. */
static void answer_keep(const struct http_answer *answer, void *arg)
{
    struct asked *asked = arg;

    asked->failure = answer->failure;
    if (answer->error != NULL)
        snprintf(asked->error, sizeof(asked->error), "%s", answer->error);
    if (answer->failure != HTTP_ANSWERED)
        return;
    asked->status = answer->status;
    asked->date = answer->date;
    asked->json = strncmp(answer->content_type, "application/json", 16) == 0 ||
                  strncmp(answer->content_type, "application/problem+json", 24) == 0;
    buf_append(&asked->body, answer->body, answer->len);
}

void ask_all(const struct http_call *calls, struct asked *answers, size_t count)
{
    struct loop *loop = loop_new();
    struct http_client *client = http_client_new(loop, "purchasectl/" PURCHASE_SYNC_VERSION);

    for (size_t i = 0; i < count; i++) {
        answers[i] = (struct asked){.failure = HTTP_REFUSED_CALL, .date = TIME_NONE};
        if (!http_client_send(client, &calls[i], answer_keep, &answers[i]))
            die("asking: %zu calls at once", count);
    }
    while (http_client_in_flight(client) > 0)
        loop_turn(loop, 1000);
    http_client_free(client);
    loop_free(loop);
}
