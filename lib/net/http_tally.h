/*
 * How many connections each address has open. There are no more entries than connections.
 */
#ifndef NET_HTTP_TALLY_H
#define NET_HTTP_TALLY_H

#include <stddef.h>

#include "base/network.h"

struct tally;
struct tallied;

struct tally *tally_new(void);
void tally_free(struct tally *tally); /* all have left */
/* One more of this holder; the entry is good until as many have left. */
struct tallied *tally_enter(struct tally *tally, const struct address *holder);
size_t tally_count(const struct tallied *tallied); /* with the one that just entered */
void tally_leave(struct tallied *tallied);

#endif
