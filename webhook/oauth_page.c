#include "oauth_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

#define STYLE                                                                   \
    "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;" \
    "padding:0 1.5rem;color:#1c1c28;background:#fff}h1{font-size:1.4rem}"       \
    "code{color:#6b6b80;font-size:.85rem}"                                      \
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#1c1c28}}"

static const struct page {
    int status;
    bool later; /* with Retry-After */
    const char *title, *advice;
} pages[OAUTH_OUTCOMES] = {
    [OAUTH_DENIED] = {403, false, "The app was not installed",
                      "Miro says that the request was declined, so nothing was stored. To install "
                      "the app after all, begin again in Miro and choose Install and authorize."},
    [OAUTH_UNKNOWN_APP] = {404, false, "There is no such app here",
                           "The link names an app that is not set up on this server. Ask whoever "
                           "gave you the link for the right one."},
    [OAUTH_REQUEST_INVALID] = {400, false, "This link cannot be read",
                               "A part of the link is repeated or garbled. Begin again in Miro "
                               "rather than by copying the link."},
    [OAUTH_CODE_MISSING] = {400, false, "Something is missing from this link",
                            "This page is where Miro sends people after an install; it does "
                            "nothing by itself. Begin in Miro."},
    [OAUTH_STATE_INVALID] = {400, false, "This link is no longer good",
                             "It was used already, is more than ten minutes old, or was opened in "
                             "another browser than the one it began in. Begin again; nothing was "
                             "stored."},
    [OAUTH_CODE_REFUSED] = {400, false, "Miro did not accept this install",
                            "Its code was used already or is too old. Begin the install again in "
                            "Miro. If it happens each time, tell the app's support."},
    [OAUTH_MIRO_UNREACHABLE] = {503, true, "Miro did not answer",
                                "Miro could not be reached just now. Wait a minute, then begin the "
                                "install again."},
    [OAUTH_MIRO_STRANGE] = {502, false, "Miro answered in a way this server cannot read",
                            "Begin the install again. If it happens each time, tell the app's "
                            "support."},
    [OAUTH_UNAVAILABLE] = {503, true, "This server is busy or being repaired",
                           "The install could not be stored. Wait a minute, then begin it again."},
    [OAUTH_RATE_LIMITED] = {429, true, "Too many installs at once",
                            "More people are installing the app just now than this server takes at "
                            "a time. Wait a minute, then begin the install again."},
};

/* A browser names text/html; another client gets the error as the rest of the API tells it. */
static bool page_wanted(const struct http_request *request)
{
    char *accept = http_header_text(request, "Accept");
    bool wanted = accept && strcasestr(accept, "text/html");
    free(accept);
    return wanted;
}

void oauth_headers(struct buf *headers)
{
    unsigned char digest[DIGEST_LEN];
    digest_sha256(STYLE, sizeof(STYLE) - 1, digest);
    buf_puts(headers, "Content-Security-Policy: default-src 'none'; style-src 'sha256-");
    digest_base64(digest, sizeof(digest), headers);
    buf_puts(headers, "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
                      "Referrer-Policy: no-referrer\r\n");
}

void oauth_page(struct front *front, struct http_request *request, enum oauth_outcome outcome,
                const char *headers)
{
    const struct page *page = &pages[outcome];
    const char *code = oauth_outcome_name(outcome);
    struct buf lines = {0}, body = {0};

    metrics_oauth(front->metrics, outcome);
    oauth_headers(&lines);
    buf_puts(&lines, "Vary: Accept\r\n");
    if (page->later)
        buf_puts(&lines, "Retry-After: 30\r\n");
    if (headers)
        buf_puts(&lines, headers);
    if (page_wanted(request)) {
        buf_puts(&lines, "Content-Type: text/html; charset=utf-8\r\n");
        buf_printf(&body,
                   "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width\"><title>%s</title>"
                   "<style>" STYLE "</style></head><body><h1>%s</h1><p>%s</p>"
                   "<p><code>%s</code></p></body></html>\n",
                   page->title, page->title, page->advice, code);
        front_answer(front, request, page->status, lines.data, body.data, body.len);
    } else {
        front_problem(front, request, page->status, code, lines.data, page->advice);
    }
    buf_free(&lines);
    buf_free(&body);
}
