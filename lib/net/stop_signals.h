/*
 * SIGTERM and SIGINT. The first is told on the loop, for the program to come to an end in order.
 * The second ends it on the spot, with code 1, whatever it is at: in a statement that hangs, too.
 */
#ifndef NET_STOP_SIGNALS_H
#define NET_STOP_SIGNALS_H

#include "net/loop.h"

struct stop_signals;

/* One a process; `program` names it in the second one's line of the log. */
struct stop_signals *stop_signals_new(struct loop *loop, const char *program,
                                      loop_callback *callback, void *arg);
/* From then on a signal ends the program as by default. Before the loop's end. */
void stop_signals_free(struct stop_signals *signals);

#endif
