/*
 * Outbound mail: one message to one address, by SMTP, on a thread of its own, because a mail server
 * may take its time. The result comes back on the loop's thread. Certificates are checked; see
 * `starttls` in the configuration for when TLS is spoken.
 */
#ifndef NET_MAIL_H
#define NET_MAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/settings.h"
#include "net/loop.h"

enum mail_result {
    MAIL_SENT,    /* the server took it */
    MAIL_REFUSED, /* 5yz: it will not take it later either */
    MAIL_LATER,   /* not reached, cut off, TLS or the sign-in refused, 4yz: try again */
};
struct mail_answer {
    enum mail_result result;
    int status;        /* the server's last reply, or 0 */
    const char *error; /* a sentence for the log, without an address or a secret; "" if sent */
};
/* On the loop's thread, once a call; the call is to be freed then, not from within. */
typedef void mail_answered(const struct mail_answer *answer, void *arg);

struct mail_call;

/* `to` is one that mail_can_go_to() accepts. All is copied. */
struct mail_call *mail_send(struct loop *loop, const struct settings_mail *server, const char *to,
                            const char *message, size_t len, mail_answered *answered, void *arg);
/* One that was not answered yet is broken off; its thread is waited for. NULL is nothing. */
void mail_call_free(struct mail_call *call);

/* Whether mail may be sent to an address at all: plain ASCII, a dot-atom (RFC 5322) before the @
 * and a host name with a dot behind it. No quotes, no comments, no lists, no line breaks. */
bool mail_can_go_to(const char *address);

#endif
