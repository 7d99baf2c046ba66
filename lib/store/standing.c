#include "store/standing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/feed.h"
#include "store/rows.h"

#define STANDING_MOST 64 /* users of one statement */

void standing_free(struct standing *standing)
{
    xfree(standing->holdings);
    standing->holding_count = 0;
}

void standing_read_free(struct standing_read *read)
{
    standing_free(&read->standing);
    xfree(read->subjects);
    read->subject_count = 0;
}

/*
 * One statement for all users, and so one consistent view: what their linked addresses hold, what
 * they hold by their own id, what operators gave them, which addresses they lost, and their tokens.
 * Every arm gives (kind, user, key, state, quantity, ends, grace, address); the second finds its
 * user by the digest of the id. A row before them says where the statement ran.
 */
#define ARM_LINKS                                                                                \
    "SELECT 5, NULL, NULL, 0, 0, NULL, NULL, " FEED_PLACE " UNION ALL"                           \
    " SELECT 1, l.user_id, c.entitlement_key, CAST(c.state AS UNSIGNED), c.quantity, c.ends_at," \
    " c.grace_until, l.address_index FROM link l"                                                \
    " LEFT JOIN contribution c ON c.subject = l.address_index WHERE l.user_id IN ("
#define ARM_OWN                                                                                  \
    ") UNION ALL SELECT 2, c.subject, c.entitlement_key, CAST(c.state AS UNSIGNED), c.quantity," \
    " c.ends_at, c.grace_until, NULL FROM contribution c WHERE c.subject IN ("
#define ARM_GRANTS                                                                             \
    ") UNION ALL SELECT 3, g.user_id, g.entitlement_key, 1, g.quantity, g.ends_at, NULL, NULL" \
    " FROM manual_grant g WHERE g.revoked_at IS NULL AND g.user_id IN ("
#define ARM_MOVED                                                         \
    ") UNION ALL SELECT 6, m.user_id, NULL, 0, 0, m.moved_at, NULL, NULL" \
    " FROM link_moved m WHERE m.user_id IN ("
#define ARM_TOKENS                                                                            \
    ") UNION ALL SELECT 4, t.user_id, NULL, CAST(t.state AS UNSIGNED), COUNT(*), NULL, NULL," \
    " NULL FROM miro_token t WHERE t.user_id IN ("
enum arm {
    ARM_KIND_LINK = 1,
    ARM_KIND_OWN,
    ARM_KIND_GRANT,
    ARM_KIND_TOKEN,
    ARM_KIND_PLACE,
    ARM_KIND_MOVED
};

/* The arms in the order of the text, each of which lists all users once. */
static const struct {
    enum arm kind;
    const char *sql;
} arms[] = {{ARM_KIND_LINK, ARM_LINKS},
            {ARM_KIND_OWN, ARM_OWN},
            {ARM_KIND_GRANT, ARM_GRANTS},
            {ARM_KIND_MOVED, ARM_MOVED},
            {ARM_KIND_TOKEN, ARM_TOKENS}};
#define ARM_COUNT (sizeof(arms) / sizeof(arms[0]))

/* The statement's text for a padded number of users. */
static void standing_sql(struct buf *sql, size_t users)
{
    for (size_t i = 0; i < ARM_COUNT; i++) {
        buf_puts(sql, arms[i].sql);
        db_repeat(sql, "?", users);
    }
    buf_puts(sql, ") GROUP BY t.user_id, t.state");
}

struct standing_batch_work {
    struct standing_read **reads;
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

/* Whose change changes the answer: the user, and every linked address, each once. */
static void add_subject(struct standing_read *read, const void *subject)
{
    for (size_t i = 0; i < read->subject_count; i++) {
        if (memcmp(read->subjects[i], subject, DIGEST_LEN) == 0)
            return;
    }
    read->subjects =
        xreallocarray(read->subjects, read->subject_count + 1, sizeof(*read->subjects));
    memcpy(read->subjects[read->subject_count++], subject, DIGEST_LEN);
}

/* What one row says of one user. */
static void standing_take(struct standing_read *read, enum arm arm, const struct db_rows *rows)
{
    struct standing *standing = &read->standing;
    size_t len;

    if (arm == ARM_KIND_LINK) {
        standing->has_address = true;
        add_subject(read, db_bytes(rows, 7, &len));
    }
    if (arm == ARM_KIND_MOVED && db_time_of(rows, 5) > standing->moved_at)
        standing->moved_at = db_time_of(rows, 5);
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
        struct standing_read *read = work->reads[i];
        bool mine = arm == ARM_KIND_OWN
                        ? len == DIGEST_LEN && memcmp(owner, work->subjects[i], DIGEST_LEN) == 0
                        : arm != ARM_KIND_PLACE && strcmp(owner, read->standing.user) == 0;

        if (arm == ARM_KIND_PLACE)
            row_copy(rows, 7, read->place, sizeof(read->place));
        else if (mine)
            standing_take(read, arm, rows);
    }
}

/* Everything but who is asked for is forgotten: a batch may run again. */
static void standing_reset(struct standing_read *read, const unsigned char own[DIGEST_LEN])
{
    struct standing *standing = &read->standing;

    standing_read_free(read);
    add_subject(read, own);
    read->place[0] = '\0';
    standing->has_address = false;
    standing->moved_at = 0;
    standing->valid_tokens = standing->refused_tokens = 0;
}

static enum db_result standing_query(struct db *db, struct standing_batch_work *work)
{
    size_t padded = db_padded(work->count);
    struct values values = {0};
    struct buf sql = {0};
    struct db_rows *rows;
    enum db_result result;

    for (size_t arm = 0; arm < ARM_COUNT; arm++) {
        for (size_t i = 0; i < padded; i++) {
            size_t at = i < work->count ? i : work->count - 1;

            if (arms[arm].kind == ARM_KIND_OWN)
                values_add_bytes(&values, work->subjects[at], DIGEST_LEN);
            else
                values_add_text(&values, work->reads[at]->standing.user);
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
    struct standing_read *reads[STANDING_MOST];
    unsigned char subjects[STANDING_MOST][DIGEST_LEN];
    struct standing_batch_work work = {reads, subjects, count};

    (void)context;
    for (size_t i = 0; i < count; i++) {
        reads[i] = operations[i];
        subject_of_user(reads[i]->standing.user, subjects[i]);
        standing_reset(reads[i], subjects[i]);
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

    if (result == DB_OK) {
        *standing = read.standing;
        read.standing = (struct standing){0};
    }
    standing_read_free(&read);
    return result;
}
