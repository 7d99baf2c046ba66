/*
 * Which entitlement keys the catalogue in force knows, read again when its version changes.
 */
#ifndef WEBHOOK_KNOWN_KEYS_H
#define WEBHOOK_KNOWN_KEYS_H

#include <stdbool.h>

#include "db/batch.h"
#include "entitlement/catalogue.h"

struct front;
struct known_keys;

struct known_keys *known_keys_new(struct front *front);
void known_keys_free(struct known_keys *keys); /* after the engine's end */
/* Looks at once, and from then on every few seconds. */
void known_keys_look(struct known_keys *keys);
/* Whether a catalogue, if only an empty one, was read yet. */
bool known_keys_loaded(const struct known_keys *keys);
/* The catalogue in force, borrowed until the loop turns; NULL until one was read. */
const struct catalogue *known_keys_catalogue(const struct known_keys *keys);
bool known_keys_has(const struct known_keys *keys, const char *key);

/* The operation is private. */
extern const struct batch_kind known_keys_batch;

#endif
