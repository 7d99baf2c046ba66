#include "load_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

#define MARK "@@@@@@@@@@"
#define MARK_LEN 10
#define MARKS_MOST 64

struct requests {
    void (*next)(struct requests *requests, struct buf *out);
    int port;
    const char *path;
    struct buf text; /* the tokens file, or the body */
    char **tokens;
    size_t token_count;
    struct buf secret;
    size_t marks[MARKS_MOST]; /* where in the body its number goes */
    size_t mark_count;
    uint64_t number;
};

static void read_file(const char *path, struct buf *out)
{
    char bytes[4096];
    FILE *file = fopen(path, "rb");
    size_t len;

    if (file == NULL)
        die("load: %s cannot be read", path);
    while ((len = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buf_append(out, bytes, len);
    fclose(file);
}

static void next_get(struct requests *requests, struct buf *out)
{
    buf_printf(out, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", requests->path,
               requests->port);
}

static void next_check(struct requests *requests, struct buf *out)
{
    buf_printf(out,
               "GET /v1/entitlements HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
               "Origin: https://plugin.example.com\r\nAuthorization: Bearer %s\r\n\r\n",
               requests->port, requests->tokens[requests->number++ % requests->token_count]);
}

/* The marks in the body become the order's number, and the whole is signed anew: the signature's
 * place is left open until the body stands where it is sent from. */
static void next_deliver(struct requests *requests, struct buf *out)
{
    unsigned char mac[DIGEST_LEN];
    char number[MARK_LEN + 11];
    struct buf signature = {0};
    size_t body, len = requests->text.len;

    snprintf(number, sizeof(number), "%010llu", (unsigned long long)requests->number++);
    buf_printf(out,
               "POST /webhooks/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
               "Content-Type: application/json\r\nX-WC-Webhook-Topic: order.updated\r\n"
               "Content-Length: %zu\r\nX-WC-Webhook-Signature: %44s\r\n\r\n",
               requests->path, requests->port, len, "");
    body = out->len;
    buf_append(out, requests->text.data, len);
    for (size_t i = 0; i < requests->mark_count; i++)
        memcpy(out->data + body + requests->marks[i], number, MARK_LEN);
    digest_hmac_sha256(requests->secret.data, requests->secret.len,
                       &(struct span){out->data + body, len}, 1, mac);
    digest_base64(mac, sizeof(mac), &signature);
    memcpy(out->data + body - 4 - signature.len, signature.data, signature.len);
    buf_free(&signature);
}

static void take_tokens(struct requests *requests, const char *path)
{
    read_file(path, &requests->text);
    for (char *line = strtok(requests->text.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        requests->tokens =
            xreallocarray(requests->tokens, requests->token_count + 1, sizeof(*requests->tokens));
        requests->tokens[requests->token_count++] = line;
    }
    if (requests->token_count == 0)
        die("load: %s holds no tokens", path);
    requests->next = next_check;
}

/* SOURCE SECRET-FILE BODY-FILE FIRST; a number has ten digits and begins with no 0, as JSON wants.
 */
static void take_delivery(struct requests *requests, char **arguments)
{
    requests->path = arguments[0];
    read_file(arguments[1], &requests->secret);
    while (requests->secret.len > 0 && requests->secret.data[requests->secret.len - 1] == '\n')
        requests->secret.data[--requests->secret.len] = '\0';
    read_file(arguments[2], &requests->text);
    for (const char *at = requests->text.data; (at = strstr(at, MARK)) != NULL; at += MARK_LEN) {
        if (requests->mark_count == MARKS_MOST)
            die("load: %s has more than %d marks", arguments[2], MARKS_MOST);
        requests->marks[requests->mark_count++] = (size_t)(at - requests->text.data);
    }
    requests->number = 1000000000 + strtoull(arguments[3], NULL, 10);
    requests->next = next_deliver;
}

struct requests *requests_new(const char *kind, int port, char **arguments, int count)
{
    struct requests *requests = xcalloc(1, sizeof(*requests));

    requests->port = port;
    if (count == 1 && strcmp(kind, "get") == 0) {
        requests->path = arguments[0];
        requests->next = next_get;
    } else if (count == 1 && (strcmp(kind, "check") == 0 || strcmp(kind, "idle") == 0 ||
                              strcmp(kind, "wait") == 0)) {
        take_tokens(requests, arguments[0]);
    } else if (count == 4 && strcmp(kind, "deliver") == 0) {
        take_delivery(requests, arguments);
    } else {
        requests_free(requests);
        return NULL;
    }
    return requests;
}

void requests_free(struct requests *requests)
{
    buf_free(&requests->text);
    buf_free(&requests->secret);
    free(requests->tokens);
    free(requests);
}

void requests_next(struct requests *requests, struct buf *out)
{
    requests->next(requests, out);
}
