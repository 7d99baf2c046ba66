/*
 * A few HTTP calls at once, waited for: doctor's questions, and a sample delivery.
 */
#ifndef CTL_ASKING_H
#define CTL_ASKING_H

#include "net/http_client.h"

struct asked {
    enum http_failure failure; /* the rest holds only with HTTP_ANSWERED, but for `error` */
    char error[256];
    int status;
    bool json; /* by its content type */
    int64_t date;
    struct buf body;
};

/* Sends all and waits for all; every call has a deadline, so this ends. The caller frees the
 * bodies. */
void ask_all(const struct http_call *calls, struct asked *answers, size_t count);

#endif
