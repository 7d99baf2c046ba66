/*
 * Drains the spool into the inbox, on a connection of its own, a batch at a time and in order, each
 * delivery with its own time of arrival. While the database is away a small batch is tried every
 * LIMIT_SPOOL_PAUSE_MS: nothing else tells as surely that it stores again. A row is deleted once
 * the inbox has it; one that does not open is set apart, with an error in the log. When its own
 * spool is empty it takes over what lies in files of fronts that are gone.
 */
#ifndef WEBHOOK_DRAIN_H
#define WEBHOOK_DRAIN_H

struct front;
struct drain;

struct drain *drain_new(struct front *front);
void drain_free(struct drain *drain); /* after the engine's and the spool's end */
/* Looks at once whether there is something to do. */
void drain_wake(struct drain *drain);

#endif
