/*
 * Follows the change feed for this front: reads it again and again, on a connection of its own,
 * while somebody asks or waits, and tells `subjects` what was touched. What it cannot follow it
 * begins anew, and what was kept until then is in doubt.
 */
#ifndef WEBHOOK_FOLLOWER_H
#define WEBHOOK_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct front;
struct follower;

struct follower *follower_new(struct front *front);
void follower_free(struct follower *follower); /* after the engine's end */

/* Somebody asks: reads the feed often for a while. */
void follower_need(struct follower *follower, int64_t monotonic);
/* Reads it at once, or as soon as the reading under way has ended: readings_fed() is told. */
void follower_read_now(struct follower *follower);
/* Whether what was not touched yet was true LIMIT_FEED_FRESH_MS ago, or later. */
bool follower_fresh(const struct follower *follower, int64_t monotonic);
/* Whether it follows, on the server of this name: what was read there can be kept. */
bool follower_follows(const struct follower *follower, const char *place);
bool follower_following(const struct follower *follower);
/* Whether the reading under way takes as long as makes a database one that is away, or follows one
 * that failed. */
bool follower_silent(const struct follower *follower, int64_t monotonic);
/* The time (monotonic) of which it knows everything; TIME_NONE if it never followed. */
int64_t follower_true_at(const struct follower *follower);
size_t follower_gaps(const struct follower *follower);
/* Another engine is in force: the database may be another one. */
void follower_adopt(struct follower *follower);

#endif
