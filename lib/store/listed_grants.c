#include "store/listed_grants.h"

#include <string.h>

#include "base/clock.h"
#include "entitlement/order.h"
#include "store/audit.h"

void listed_grant_id(const struct listed_grant *grant, unsigned char id[LISTED_GRANT_ID])
{
    unsigned char digest[DIGEST_LEN];
    char until[TIME_TEXT] = "";

    if (grant->ends_at != TIME_NONE)
        clock_format(grant->ends_at, until);
    const struct span parts[] = {SPAN_TEXT("listed grant"), SPAN_TEXT(grant->user),
                                 SPAN_TEXT(grant->key), SPAN_TEXT(until), SPAN_TEXT(grant->why)};
    digest_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), digest);
    memcpy(id, digest, LISTED_GRANT_ID);
}

/* The same rows as of a grant given by hand. */
static enum db_result note_made(struct db *db, const struct listed_grant *grant,
                                const unsigned char id[LISTED_GRANT_ID])
{
    struct audit audit = {0};
    struct feed feed = {0};
    struct buf hex = {0};
    unsigned char subject[DIGEST_LEN];
    enum db_result result;

    digest_hex(id, LISTED_GRANT_ID, &hex);
    subject_of_user(grant->user, subject);
    audit_add(&audit,
              &(struct audit_row){.cause = CAUSE_OPERATOR,
                                  .cause_id = hex.data,
                                  .action = "granted",
                                  .key = grant->key,
                                  .subject = subject,
                                  .user = grant->user},
              NULL, grant->why);
    feed_add(&feed, subject);
    result = audit_write(db, &audit, grant->now);
    if (result == DB_OK)
        result = feed_write(db, &feed, grant->now);
    audit_free(&audit);
    feed_free(&feed);
    buf_free(&hex);
    return result;
}

/* The number is the key: of two who write one grant at once, the second finds it. */
static enum db_result grant_make(struct db *db, struct listed_grant *grant)
{
    unsigned char id[LISTED_GRANT_ID];
    const struct db_value user[] = {db_text(grant->user), DB_VALUE_INT(grant->now)};
    enum db_result result = db_execute(db,
                                       "INSERT INTO miro_user (user_id, created_at) VALUES (?,?)"
                                       " ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)",
                                       user, 2);

    listed_grant_id(grant, id);
    if (result == DB_OK)
        result = db_execute(db,
                            "INSERT INTO manual_grant (grant_id, user_id, entitlement_key,"
                            " granted_at, ends_at, granted_by, why) VALUES (?,?,?,?,?,?,?)"
                            " ON DUPLICATE KEY UPDATE grant_id = VALUES(grant_id)",
                            (struct db_value[]){DB_VALUE_BYTES(id, sizeof(id)),
                                                db_text(grant->user), db_text(grant->key),
                                                DB_VALUE_INT(grant->now), db_time(grant->ends_at),
                                                db_text(grant->by), db_text(grant->why)},
                            7);
    grant->made = result == DB_OK && db_affected(db) == 1;
    return grant->made ? note_made(db, grant, id) : result;
}

struct grants {
    struct listed_grant *items;
    size_t count;
};

static enum db_result grants_body(struct db *db, void *arg)
{
    const struct grants *grants = arg;
    enum db_result result = DB_OK;

    for (size_t i = 0; i < grants->count && result == DB_OK; i++)
        result = grant_make(db, &grants->items[i]);
    return result;
}

enum db_result listed_grants_make(struct db *db, struct listed_grant *grants, size_t count)
{
    return db_transaction(db, grants_body, &(struct grants){grants, count});
}
