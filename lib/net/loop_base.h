/* For the neighbours in this room alone: the event base behind a loop. */
#ifndef NET_LOOP_BASE_H
#define NET_LOOP_BASE_H

#include <event2/event.h>

#include "net/loop.h"

struct event_base *loop_base(struct loop *loop);

#endif
