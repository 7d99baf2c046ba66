#include "net/mail.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

#define MAIL_MAGIC 0x6d61696cu

/* The thread's from mail_send() until it is joined. */
struct mail_call {
    unsigned magic;
    char *url, *ca, *user, *password, *from, *to, *message;
    size_t len, sent;
    enum starttls starttls;
    bool local, has_credentials;
    atomic_bool broken_off;
    mail_answered *answered;
    void *arg;
    pthread_t thread;
    bool joined;
    int ready; /* eventfd: the thread has its result and ends */
    struct loop_watch *watch;
    enum mail_result result;
    int status;
    char error[CURL_ERROR_SIZE];
};

/* Whether the URL's host is this machine, to which nobody listens in. */
static bool url_is_local(const char *url)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost"};
    const char *host = strstr(url, "://");

    host = host == NULL ? url : host + 3;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t len = strlen(hosts[i]);

        if (strncasecmp(host, hosts[i], len) == 0 && strchr(":/", host[len]) != NULL)
            return true;
    }
    return false;
}

/* What is never sent in clear to another machine: a password. */
static long tls_wish(const struct mail_call *call)
{
    if (call->starttls == STARTTLS_NEVER)
        return CURLUSESSL_NONE;
    if (call->starttls == STARTTLS_REQUIRED || (call->has_credentials && !call->local))
        return CURLUSESSL_ALL;
    return CURLUSESSL_TRY;
}

/* A machine's own mail server seldom has a certificate in its own name. */
static bool checks_certificate(const struct mail_call *call)
{
    return !call->local || call->starttls == STARTTLS_REQUIRED ||
           strncasecmp(call->url, "smtps:", 6) == 0;
}

static size_t on_read(char *out, size_t size, size_t count, void *arg)
{
    struct mail_call *call = arg;
    size_t room = size * count, left = call->len - call->sent;
    size_t len = left < room ? left : room;

    memcpy(out, call->message + call->sent, len);
    call->sent += len;
    return len;
}

static int on_progress(void *arg, curl_off_t down, curl_off_t down_now, curl_off_t up,
                       curl_off_t up_now)
{
    struct mail_call *call = arg;

    (void)down;
    (void)down_now;
    (void)up;
    (void)up_now;
    return atomic_load(&call->broken_off);
}

static bool set_server(CURL *easy, const struct mail_call *call)
{
    long checked = checks_certificate(call);

    return curl_easy_setopt(easy, CURLOPT_URL, call->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USE_SSL, tls_wish(call)) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, checked) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, checked ? 2L : 0L) == CURLE_OK &&
           (call->ca == NULL || curl_easy_setopt(easy, CURLOPT_CAINFO, call->ca) == CURLE_OK) &&
           (!call->has_credentials ||
            (curl_easy_setopt(easy, CURLOPT_USERNAME, call->user) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_PASSWORD, call->password) == CURLE_OK)) &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)LIMIT_MAIL_CONNECT_MS) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)LIMIT_MAIL_TOTAL_MS) == CURLE_OK;
}

static bool set_message(CURL *easy, struct mail_call *call, struct curl_slist *to)
{
    return curl_easy_setopt(easy, CURLOPT_MAIL_FROM, call->from) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error) == CURLE_OK;
}

/* A sign-in or TLS that is refused is for the operator to mend: the mail waits for that. */
static enum mail_result judge(CURLcode code, long status)
{
    if (code == CURLE_OK)
        return MAIL_SENT;
    if (code == CURLE_LOGIN_DENIED || code == CURLE_USE_SSL_FAILED)
        return MAIL_LATER;
    return status >= 500 && status <= 599 ? MAIL_REFUSED : MAIL_LATER;
}

/* curl's own words where it speaks of the connection; of a reply, whose text may quote an address,
 * only its number is told. */
static void explain(struct mail_call *call, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        call->error[0] = '\0';
        return;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        if (call->error[0] != '\0')
            return;
        break;
    default:
        break;
    }
    snprintf(call->error, sizeof(call->error), "%s", curl_easy_strerror(code));
}

static void perform(struct mail_call *call)
{
    struct curl_slist *to = curl_slist_append(NULL, call->to);
    CURL *easy = curl_easy_init();
    long status = 0;
    CURLcode code;

    if (easy == NULL || to == NULL || !set_server(easy, call) || !set_message(easy, call, to))
        die("mail: curl refused an option");
    code = curl_easy_perform(easy);
    if (curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
        status = 0;
    call->result = judge(code, status);
    call->status = (int)status;
    explain(call, code);
    curl_easy_cleanup(easy);
    curl_slist_free_all(to);
}

static void *mail_run(void *arg)
{
    struct mail_call *call = arg;
    const uint64_t one = 1;

    perform(call);
    if (write(call->ready, &one, sizeof(one)) != (ssize_t)sizeof(one))
        die("mail: eventfd refuses");
    return NULL;
}

/* Joins the thread and hands its result over. */
static void mail_ready(void *arg)
{
    struct mail_call *call = arg;

    if (call->magic != MAIL_MAGIC)
        die("mail: not a call");
    loop_watch_free(call->watch);
    call->watch = NULL;
    pthread_join(call->thread, NULL);
    call->joined = true;
    struct mail_answer answer = {call->result, call->status, call->error};
    call->answered(&answer, call->arg);
}

/* Signals are the loop's. */
static void mail_start(struct mail_call *call)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    if (pthread_create(&call->thread, NULL, mail_run, call) != 0)
        die("mail: no thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct mail_call *mail_send(struct loop *loop, const struct settings_mail *server, const char *to,
                            const char *message, size_t len, mail_answered *answered, void *arg)
{
    struct mail_call *call = xcalloc(1, sizeof(*call));

    call->magic = MAIL_MAGIC;
    call->url = xstrdup(server->smtp_url);
    call->ca = server->tls_ca == NULL ? NULL : xstrdup(server->tls_ca);
    call->from = xstrdup(server->from);
    call->to = xstrdup(to);
    call->message = xmemdup(message, len);
    call->len = len;
    call->starttls = server->starttls;
    call->local = url_is_local(server->smtp_url);
    call->has_credentials = server->credentials.count > 0;
    if (call->has_credentials) {
        const char *line = (const char *)server->credentials.items[0].bytes;
        size_t user = strcspn(line, ":");
        call->user = xstrndup(line, user);
        call->password = xstrdup(line[user] == ':' ? line + user + 1 : "");
    }
    call->answered = answered;
    call->arg = arg;
    call->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (call->ready < 0)
        die("mail: no eventfd");
    call->watch = loop_watch_new(loop, call->ready, mail_ready, call);
    mail_start(call);
    return call;
}

/* Overwrites what was secret in it. */
static void wipe(char *text, size_t len)
{
    if (text != NULL)
        explicit_bzero(text, len);
    free(text);
}

void mail_call_free(struct mail_call *call)
{
    if (call == NULL)
        return;
    if (!call->joined) {
        atomic_store(&call->broken_off, true);
        pthread_join(call->thread, NULL);
    }
    if (call->watch != NULL)
        loop_watch_free(call->watch);
    close(call->ready);
    wipe(call->password, call->password == NULL ? 0 : strlen(call->password));
    wipe(call->message, call->len);
    wipe(call->to, strlen(call->to));
    free(call->url);
    free(call->ca);
    free(call->user);
    free(call->from);
    call->magic = 0;
    free(call);
}
