#include "known_keys.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "front.h"
#include "store/catalogue_store.h"

#define LOOK_US (2 * TIME_SECOND)

/* One look: the version that is held already goes in, a newer catalogue comes out. */
struct look {
    bool held;
    uint32_t version;
    struct catalogue *fresh; /* out: NULL if nothing changed */
};

struct known_keys {
    struct front *front;
    struct catalogue *catalogue; /* NULL until the first look came back */
    struct loop_timer *timer;
    struct look look; /* the executor's while `looking` */
    bool looking;
};

/* Loads the version in force, once for all looks of the batch that need it. */
static enum db_result known_keys_run(struct db *db, void **operations, size_t count, void *context)
{
    (void)context;
    uint32_t version;
    enum db_result result = catalogue_current_version(db, &version);
    for (size_t i = 0; i < count && result == DB_OK; i++) {
        struct look *look = operations[i];
        catalogue_free(look->fresh);
        look->fresh = NULL;
        if (!look->held || look->version != version)
            result = catalogue_load(db, version, &look->fresh);
    }
    return result;
}

const struct batch_kind known_keys_batch = {
    .name = "known_keys", .most = 8, .run = known_keys_run, .repeatable = true};

/* Puts what was read in force. */
static void known_keys_looked(void *operation, enum db_result result)
{
    struct known_keys *keys = OWNER_OF(operation, struct known_keys, look);
    keys->looking = false;
    if (result == DB_OK && keys->look.fresh) {
        catalogue_free(keys->catalogue);
        keys->catalogue = keys->look.fresh;
        log_info("catalogue", "read", LOG_I("version", keys->catalogue->version),
                 LOG_I("keys", keys->catalogue->entitlement_count));
    } else {
        catalogue_free(keys->look.fresh);
    }
    keys->look.fresh = NULL;
}

void known_keys_look(struct known_keys *keys)
{
    loop_timer_set(keys->timer, LOOK_US, true);
    if (keys->looking)
        return;
    keys->look.held = keys->catalogue != NULL;
    keys->look.version = keys->catalogue ? keys->catalogue->version : 0;
    keys->looking = front_submit(keys->front, &known_keys_batch, &keys->look, known_keys_looked);
}

/* The timer's callback. */
static void known_keys_tick(void *arg)
{
    known_keys_look(arg);
}

struct known_keys *known_keys_new(struct front *front)
{
    struct known_keys *keys = xcalloc(1, sizeof(*keys));
    keys->front = front;
    keys->timer = loop_timer_new(front->loop, known_keys_tick, keys);
    return keys;
}

void known_keys_free(struct known_keys *keys)
{
    if (!keys)
        return;
    loop_timer_free(keys->timer);
    catalogue_free(keys->catalogue);
    catalogue_free(keys->look.fresh);
    free(keys);
}

bool known_keys_loaded(const struct known_keys *keys)
{
    return keys->catalogue != NULL;
}

const struct catalogue *known_keys_catalogue(const struct known_keys *keys)
{
    return keys->catalogue;
}

bool known_keys_has(const struct known_keys *keys, const char *key)
{
    return keys->catalogue && catalogue_has_key(keys->catalogue, key);
}
