/*
 * The pulse: tells the service manager, every few seconds, how the front is, and that it lives as
 * long as its loop turns and what it hands to the database comes back. A database that is away is
 * no reason to end a front, which takes deliveries and answers checks without it.
 */
#ifndef WEBHOOK_PULSE_H
#define WEBHOOK_PULSE_H

struct front;
struct pulse;

struct pulse *pulse_new(struct front *front);
void pulse_free(struct pulse *pulse);

#endif
