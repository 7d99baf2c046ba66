/*
 * Sockets that listen already and were handed over at the program's start, as systemd does
 * (sd_listen_fds(3)). They outlive the program: who connects while it is started anew waits in
 * their queue for the next one.
 */
#ifndef NET_HANDED_H
#define NET_HANDED_H

#include "base/buf.h"

/* The one called `name`; 0: none was handed over; -1 with a sentence in `error`: something was,
 * and it is not a TCP listener of that name alone. */
int handed_socket(const char *name, struct buf *error) __attribute__((warn_unused_result));

#endif
