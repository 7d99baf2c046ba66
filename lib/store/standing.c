#include "store/standing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/rows.h"

#define STANDING_MOST 64 /* users of one statement */

void standing_free(struct standing *standing)
{
    xfree(standing->holdings);
    standing->holding_count = 0;
}

/*
 * One statement for all users, and so one consistent view: what their linked addresses hold, what
 * they hold by their own id, what operators gave them, and their tokens. Every arm gives (kind,
 * user, key, state, quantity, ends, grace); the second finds its user by the digest of the id.
 */
#define ARM_LINKS                                                                               \
    "SELECT 1, l.user_id, c.entitlement_key, CAST(c.state AS UNSIGNED), c.quantity, c.ends_at," \
    " c.grace_until FROM link l LEFT JOIN contribution c ON c.subject = l.address_index"        \
    " WHERE l.user_id IN ("
#define ARM_OWN                                                                                  \
    ") UNION ALL SELECT 2, c.subject, c.entitlement_key, CAST(c.state AS UNSIGNED), c.quantity," \
    " c.ends_at, c.grace_until FROM contribution c WHERE c.subject IN ("
#define ARM_GRANTS                                                                       \
    ") UNION ALL SELECT 3, g.user_id, g.entitlement_key, 1, g.quantity, g.ends_at, NULL" \
    " FROM manual_grant g WHERE g.revoked_at IS NULL AND g.user_id IN ("
#define ARM_TOKENS                                                                           \
    ") UNION ALL SELECT 4, t.user_id, NULL, CAST(t.state AS UNSIGNED), COUNT(*), NULL, NULL" \
    " FROM miro_token t WHERE t.user_id IN ("
enum arm { ARM_KIND_LINK = 1, ARM_KIND_OWN, ARM_KIND_GRANT, ARM_KIND_TOKEN };

/* The statement's text for a padded number of users. */
static void standing_sql(struct buf *sql, size_t users)
{
    static const char *const arms[] = {ARM_LINKS, ARM_OWN, ARM_GRANTS, ARM_TOKENS};

    for (size_t i = 0; i < sizeof(arms) / sizeof(arms[0]); i++) {
        buf_puts(sql, arms[i]);
        db_repeat(sql, "?", users);
    }
    buf_puts(sql, ") GROUP BY t.user_id, t.state");
}

struct standing_batch_work {
    struct standing **standings;
    unsigned char (*subjects)[DIGEST_LEN];
    size_t count;
};

static void add_holding(struct standing *standing, const struct db_rows *rows)
{
    struct holding *holding;
    size_t len;
    const char *key = db_bytes(rows, 2, &len);

    standing->holdings =
        xreallocarray(standing->holdings, standing->holding_count + 1, sizeof(*standing->holdings));
    holding = &standing->holdings[standing->holding_count++];
    snprintf(holding->key, sizeof(holding->key), "%s", key);
    holding->state = (enum contribution_state)(db_int(rows, 3) - 1);
    holding->quantity = db_int(rows, 4);
    holding->ends_at = db_time_of(rows, 5);
    holding->grace_until = db_time_of(rows, 6);
}

/* What one row says of one user. */
static void standing_take(struct standing *standing, enum arm arm, const struct db_rows *rows)
{
    if (arm == ARM_KIND_LINK)
        standing->has_address = true;
    if (arm == ARM_KIND_TOKEN) {
        if (db_int(rows, 3) == 1)
            standing->valid_tokens += (size_t)db_int(rows, 4);
        else
            standing->refused_tokens += (size_t)db_int(rows, 4);
    } else if (!db_is_null(rows, 2)) {
        add_holding(standing, rows);
    }
}

/* Gives a row to every standing it is about: one user may be asked for several times in a batch. */
static void standing_row(struct standing_batch_work *work, const struct db_rows *rows)
{
    enum arm arm = (enum arm)db_int(rows, 0);
    size_t len;
    const char *owner = db_bytes(rows, 1, &len);

    for (size_t i = 0; i < work->count; i++) {
        struct standing *standing = work->standings[i];
        bool mine = arm == ARM_KIND_OWN
                        ? len == DIGEST_LEN && memcmp(owner, work->subjects[i], DIGEST_LEN) == 0
                        : strcmp(owner, standing->user) == 0;

        if (mine)
            standing_take(standing, arm, rows);
    }
}

/* Everything but who is asked for is forgotten: a batch may run again. */
static void standing_reset(struct standing *standing)
{
    standing_free(standing);
    standing->has_address = false;
    standing->valid_tokens = standing->refused_tokens = 0;
}

static enum db_result standing_query(struct db *db, struct standing_batch_work *work)
{
    size_t padded = db_padded(work->count);
    struct values values = {0};
    struct buf sql = {0};
    struct db_rows *rows;
    enum db_result result;

    for (int arm = ARM_KIND_LINK; arm <= ARM_KIND_TOKEN; arm++) {
        for (size_t i = 0; i < padded; i++) {
            size_t at = i < work->count ? i : work->count - 1;

            if (arm == ARM_KIND_OWN)
                values_add_bytes(&values, work->subjects[at], DIGEST_LEN);
            else
                values_add_text(&values, work->standings[at]->user);
        }
    }
    standing_sql(&sql, padded);
    result = db_query(db, sql.data, values.items, values.count, &rows);
    while (result == DB_OK && db_rows_next(rows))
        standing_row(work, rows);
    if (result == DB_OK)
        db_rows_free(rows);
    values_free(&values);
    buf_free(&sql);
    return result;
}

static enum db_result standing_run(struct db *db, void **operations, size_t count, void *context)
{
    struct standing *standings[STANDING_MOST];
    unsigned char subjects[STANDING_MOST][DIGEST_LEN];
    struct standing_batch_work work = {standings, subjects, count};

    (void)context;
    for (size_t i = 0; i < count; i++) {
        standings[i] = &((struct standing_read *)operations[i])->standing;
        standing_reset(standings[i]);
        subject_of_user(standings[i]->user, subjects[i]);
    }
    return standing_query(db, &work);
}

const struct batch_kind standing_batch = {
    .name = "standing", .most = STANDING_MOST, .run = standing_run, .repeatable = true};

enum db_result standing_load(struct db *db, struct standing *standing)
{
    struct standing_read read = {.standing = *standing};
    void *operation = &read;
    enum db_result result = standing_run(db, &operation, 1, NULL);

    if (result == DB_OK)
        *standing = read.standing;
    else
        standing_free(&read.standing);
    return result;
}
