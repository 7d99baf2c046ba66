/*
 * Users and their addresses: who holds what, and how it changes hands.
 */
#include "store/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "entitlement/order.h"
#include "store/audit.h"
#include "store/rows.h"
#include "store/sealed_context.h"

/* Keeps the address sealed under its own index; a copy that is there stays. */
static enum db_result address_put(struct db *db, const struct vault *vault, const char *address,
                                  const unsigned char index[DIGEST_LEN], int64_t now)
{
    struct buf context = {0}, sealed = {0};
    enum db_result result;

    address_context(index, &context);
    vault_seal(vault, VAULT_ADDRESS, (struct span){context.data, context.len}, SPAN_TEXT(address),
               &sealed);
    result =
        db_execute(db,
                   "INSERT INTO address (address_index, sealed, first_seen_at)"
                   " VALUES (?,?,?) ON DUPLICATE KEY UPDATE"
                   " sealed = COALESCE(sealed, VALUES(sealed)), erased_at = NULL",
                   (struct db_value[]){DB_VALUE_BYTES(index, DIGEST_LEN),
                                       DB_VALUE_BYTES(sealed.data, sealed.len), DB_VALUE_INT(now)},
                   3);
    buf_free(&context);
    buf_free(&sealed);
    return result;
}

/* Audit and feed of one change between an address and a user. */
static enum db_result note_link(struct db *db, enum cause cause, const char *action,
                                const unsigned char index[DIGEST_LEN], const char *user,
                                const char *before, const char *after, int64_t now)
{
    struct audit audit = {0};
    struct feed feed = {0};
    unsigned char subject[DIGEST_LEN];
    enum db_result result;

    audit_add(
        &audit,
        &(struct audit_row){
            .cause = cause, .cause_id = user, .action = action, .subject = index, .user = user},
        before, after);
    subject_of_user(user, subject);
    feed_add(&feed, subject);
    feed_add(&feed, index);
    result = audit_write(db, &audit, now);
    if (result == DB_OK)
        result = feed_write(db, &feed, now);
    audit_free(&audit);
    feed_free(&feed);
    return result;
}

/* Who holds an address; the row stays locked until the transaction ends. "" if nobody does. */
static enum db_result link_holder(struct db *db, const unsigned char index[DIGEST_LEN],
                                  char holder[LIMIT_MIRO_ID + 1])
{
    struct db_value key = DB_VALUE_BYTES(index, DIGEST_LEN);
    struct db_rows *rows;
    enum db_result result =
        db_query(db, "SELECT user_id FROM link WHERE address_index = ? FOR UPDATE", &key, 1, &rows);
    size_t len;

    if (result != DB_OK)
        return result;
    holder[0] = '\0';
    if (db_rows_next(rows))
        snprintf(holder, LIMIT_MIRO_ID + 1, "%s", db_bytes(rows, 0, &len));
    db_rows_free(rows);
    return DB_OK;
}

static enum db_result contest(struct db *db, const unsigned char index[DIGEST_LEN],
                              const struct people_link *link)
{
    return db_execute(db,
                      "INSERT INTO contested_address (address_index, user_id, origin, seen_at)"
                      " VALUES (?,?,?,?) ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at)",
                      (struct db_value[]){DB_VALUE_BYTES(index, DIGEST_LEN), db_text(link->user),
                                          DB_VALUE_INT((int)link->origin + 1),
                                          DB_VALUE_INT(link->now)},
                      4);
}

/* Who loses an address is told so by their next answer, until it is theirs again. */
static enum db_result note_moved(struct db *db, const struct people_link *link,
                                 const unsigned char index[DIGEST_LEN], const char *holder)
{
    enum db_result result =
        db_execute(db, "DELETE FROM link_moved WHERE user_id = ? AND address_index = ?",
                   (struct db_value[]){db_text(link->user), DB_VALUE_BYTES(index, DIGEST_LEN)}, 2);

    if (result != DB_OK || holder[0] == '\0')
        return result;
    return db_execute(db,
                      "INSERT INTO link_moved (user_id, address_index, moved_at) VALUES (?,?,?)"
                      " ON DUPLICATE KEY UPDATE moved_at = VALUES(moved_at)",
                      (struct db_value[]){db_text(holder), DB_VALUE_BYTES(index, DIGEST_LEN),
                                          DB_VALUE_INT(link->now)},
                      3);
}

/* Writes the link and what follows from it: the contest is over, the cause is kept, answers change.
 */
static enum db_result link_write(struct db *db, const struct people_link *link,
                                 const unsigned char index[DIGEST_LEN], const char *holder)
{
    static const char *const origins[] = {"profile", "claim", "support", "import"};
    enum cause cause =
        link->origin == LINK_SUPPORT || link->origin == LINK_IMPORT ? CAUSE_OPERATOR : CAUSE_LINK;
    enum db_result result =
        db_execute(db,
                   "INSERT INTO link (address_index, user_id, origin, linked_at, linked_by, why)"
                   " VALUES (?,?,?,?,?,?) ON DUPLICATE KEY UPDATE user_id = VALUES(user_id),"
                   " origin = VALUES(origin), linked_at = VALUES(linked_at),"
                   " linked_by = VALUES(linked_by), why = VALUES(why)",
                   (struct db_value[]){DB_VALUE_BYTES(index, DIGEST_LEN), db_text(link->user),
                                       DB_VALUE_INT((int)link->origin + 1), DB_VALUE_INT(link->now),
                                       db_text(link->by), db_text(link->why)},
                   6);

    if (result == DB_OK)
        result =
            db_execute(db,
                       "UPDATE contested_address SET resolved_at = ?"
                       " WHERE address_index = ? AND user_id = ?",
                       (struct db_value[]){DB_VALUE_INT(link->now),
                                           DB_VALUE_BYTES(index, DIGEST_LEN), db_text(link->user)},
                       3);
    if (result == DB_OK)
        result = note_moved(db, link, index, holder);
    if (result == DB_OK && holder[0] != '\0')
        result = note_link(db, cause, "unlinked", index, holder, holder, link->user, link->now);
    if (result == DB_OK)
        result = note_link(db, cause, "linked", index, link->user, holder[0] ? holder : NULL,
                           origins[link->origin], link->now);
    return result;
}

struct link_work {
    const struct vault *vault;
    struct people_link *link;
};

/*
 * One address belongs to one user at a time: who holds it keeps it, unless it is taken on purpose.
 * Two transactions that link a free address at once meet at its key: one runs again and finds it
 * held.
 */
static enum db_result link_body(struct db *db, void *arg)
{
    const struct link_work *work = arg;
    struct people_link *link = work->link;
    unsigned char index[DIGEST_LEN];
    char holder[LIMIT_MIRO_ID + 1];
    enum db_result result;

    vault_index(work->vault, link->address, index);
    result = address_put(db, work->vault, link->address, index, link->now);
    if (result == DB_OK)
        result = link_holder(db, index, holder);
    if (result != DB_OK)
        return result;
    if (strcmp(holder, link->user) == 0) {
        link->outcome = LINK_HELD;
        return DB_OK;
    }
    if (holder[0] != '\0' && !link->take) {
        link->outcome = LINK_CONTESTED;
        return contest(db, index, link);
    }
    link->outcome = LINK_MADE;
    return link_write(db, link, index, holder);
}

/* A user row without which a link would point at nobody. */
static enum db_result user_put(struct db *db, const char *user, int64_t now)
{
    return db_execute(db,
                      "INSERT INTO miro_user (user_id, created_at) VALUES (?,?)"
                      " ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)",
                      (struct db_value[]){db_text(user), DB_VALUE_INT(now)}, 2);
}

static enum db_result link_and_user_body(struct db *db, void *arg)
{
    const struct link_work *work = arg;
    enum db_result result = user_put(db, work->link->user, work->link->now);

    return result == DB_OK ? link_body(db, arg) : result;
}

enum db_result people_link(struct db *db, const struct vault *vault, struct people_link *link)
{
    struct link_work work = {vault, link};

    return db_transaction(db, link_and_user_body, &work);
}

enum db_result people_link_within(struct db *db, const struct vault *vault,
                                  struct people_link *link)
{
    return link_and_user_body(db, &(struct link_work){vault, link});
}

struct unlink_work {
    unsigned char index[DIGEST_LEN];
    const char *by, *why;
    int64_t now;
    bool found; /* out */
};

static enum db_result unlink_body(struct db *db, void *arg)
{
    struct unlink_work *work = arg;
    struct db_value key = DB_VALUE_BYTES(work->index, DIGEST_LEN);
    char holder[LIMIT_MIRO_ID + 1], why[384];
    enum db_result result = link_holder(db, work->index, holder);

    work->found = result == DB_OK && holder[0] != '\0';
    if (result != DB_OK || !work->found)
        return result;
    snprintf(why, sizeof(why), "by %s: %s", work->by, work->why);
    why[254] = '\0';
    result = db_execute(db, "DELETE FROM link WHERE address_index = ?", &key, 1);
    if (result == DB_OK)
        result =
            note_link(db, CAUSE_OPERATOR, "unlinked", work->index, holder, holder, why, work->now);
    return result;
}

enum db_result people_unlink(struct db *db, const struct vault *vault, const char *address,
                             const char *by, const char *why, int64_t now, bool *found)
{
    struct unlink_work work = {.by = by, .why = why, .now = now};
    enum db_result result;

    vault_index(vault, address, work.index);
    result = db_transaction(db, unlink_body, &work);
    if (result == DB_OK)
        *found = work.found;
    return result;
}

/* --- profiles ------------------------------------------------------------------------------ */

/* Addresses change seldom, and a user can sign in again to be seen at once. */
#define PROFILE_AGAIN (7 * TIME_DAY)

struct profile_work {
    const struct vault *vault;
    struct people_profile *profile;
};

/* Only a registered user's address, or one whose state is not told, is linked by itself. */
static bool profile_is_trusted(const struct people_profile *profile)
{
    return profile->state[0] == '\0' || strcmp(profile->state, "registered") == 0;
}

static enum db_result profile_address(struct db *db, const struct profile_work *work)
{
    struct people_profile *profile = work->profile;
    struct people_link link = {.address = profile->address,
                               .user = profile->user,
                               .origin = LINK_PROFILE,
                               .now = profile->now};
    unsigned char index[DIGEST_LEN];
    enum db_result result;

    if (profile_is_trusted(profile)) {
        result = link_body(db, &(struct link_work){work->vault, &link});
        profile->outcome = link.outcome;
        return result;
    }
    vault_index(work->vault, profile->address, index);
    profile->outcome = LINK_CONTESTED;
    result = address_put(db, work->vault, profile->address, index, profile->now);
    return result == DB_OK ? contest(db, index, &link) : result;
}

/* When nobody says otherwise: up to a tenth earlier, so that a crowd spreads. */
static int64_t profile_due(const struct people_profile *profile)
{
    uint32_t random;

    digest_random(&random, sizeof(random));
    return profile->due_at != TIME_NONE
               ? profile->due_at
               : profile->now + PROFILE_AGAIN - (int64_t)random % (PROFILE_AGAIN / 10);
}

static enum db_result profile_body(struct db *db, void *arg)
{
    struct profile_work *work = arg;
    struct people_profile *profile = work->profile;
    enum db_result result = db_execute(
        db,
        "INSERT INTO miro_user (user_id, created_at, profile_state, profile_read_at,"
        " profile_due_at) VALUES (?,?,?,?,?) ON DUPLICATE KEY UPDATE"
        " profile_state = VALUES(profile_state), profile_read_at = VALUES(profile_read_at),"
        " profile_due_at = VALUES(profile_due_at), profile_attempts = 0, lease_owner = NULL",
        (struct db_value[]){db_text(profile->user), DB_VALUE_INT(profile->now),
                            db_text(profile->state[0] ? profile->state : NULL),
                            DB_VALUE_INT(profile->now), DB_VALUE_INT(profile_due(profile))},
        5);

    profile->outcome = LINK_NONE;
    if (result == DB_OK && profile->address != NULL)
        result = profile_address(db, work);
    return result;
}

enum db_result people_record_profile(struct db *db, const struct vault *vault,
                                     struct people_profile *profile)
{
    struct profile_work work = {vault, profile};

    return db_transaction(db, profile_body, &work);
}

static enum db_result profile_run(struct db *db, void **operations, size_t count, void *context)
{
    const struct store_context *store = context;

    for (size_t i = 0; i < count; i++) {
        enum db_result result = people_record_profile(db, store->vault, operations[i]);

        if (result != DB_OK)
            return result;
    }
    return DB_OK;
}

const struct batch_kind people_profile_batch = {
    .name = "people_profile", .most = 8, .run = profile_run, .repeatable = true};

/* --- manual grants ------------------------------------------------------------------------- */

struct grant_work {
    unsigned char id[8];
    const char *user, *key, *by, *why;
    int64_t ends_at, now;
    bool found; /* out, of a revocation */
};

/* Audit and feed of a grant given or taken by hand. */
static enum db_result note_grant(struct db *db, const struct grant_work *work, const char *user,
                                 const char *key, const char *action, const char *before,
                                 const char *after)
{
    struct audit audit = {0};
    struct feed feed = {0};
    unsigned char subject[DIGEST_LEN];
    struct buf id = {0};
    enum db_result result;

    digest_hex(work->id, sizeof(work->id), &id);
    subject_of_user(user, subject);
    audit_add(&audit,
              &(struct audit_row){.cause = CAUSE_OPERATOR,
                                  .cause_id = id.data,
                                  .action = action,
                                  .key = key,
                                  .subject = subject,
                                  .user = user},
              before, after);
    feed_add(&feed, subject);
    result = audit_write(db, &audit, work->now);
    if (result == DB_OK)
        result = feed_write(db, &feed, work->now);
    audit_free(&audit);
    feed_free(&feed);
    buf_free(&id);
    return result;
}

static enum db_result grant_body(struct db *db, void *arg)
{
    struct grant_work *work = arg;
    enum db_result result = user_put(db, work->user, work->now);

    if (result == DB_OK)
        result = db_execute(db,
                            "INSERT INTO manual_grant (grant_id, user_id, entitlement_key,"
                            " granted_at, ends_at, granted_by, why) VALUES (?,?,?,?,?,?,?)",
                            (struct db_value[]){DB_VALUE_BYTES(work->id, sizeof(work->id)),
                                                db_text(work->user), db_text(work->key),
                                                DB_VALUE_INT(work->now), db_time(work->ends_at),
                                                db_text(work->by), db_text(work->why)},
                            7);
    if (result == DB_OK)
        result = note_grant(db, work, work->user, work->key, "granted", NULL, work->why);
    return result;
}

enum db_result people_grant(struct db *db, const char *user, const char *key, int64_t ends_at,
                            const char *by, const char *why, int64_t now, char grant_id[17])
{
    struct grant_work work = {
        .user = user, .key = key, .by = by, .why = why, .ends_at = ends_at, .now = now};
    struct buf id = {0};
    enum db_result result;

    digest_random(work.id, sizeof(work.id));
    result = db_transaction(db, grant_body, &work);
    if (result == DB_OK) {
        digest_hex(work.id, sizeof(work.id), &id);
        memcpy(grant_id, id.data, 17);
        buf_free(&id);
    }
    return result;
}

static enum db_result revoke_body(struct db *db, void *arg)
{
    struct grant_work *work = arg;
    struct db_value id = DB_VALUE_BYTES(work->id, sizeof(work->id));
    char user[LIMIT_MIRO_ID + 1], key[LIMIT_ENTITLEMENT_KEY + 1];
    struct db_rows *rows;
    size_t len;
    enum db_result result = db_query(db,
                                     "SELECT user_id, entitlement_key FROM manual_grant"
                                     " WHERE grant_id = ? AND revoked_at IS NULL FOR UPDATE",
                                     &id, 1, &rows);

    if (result != DB_OK)
        return result;
    work->found = db_rows_next(rows);
    if (work->found) {
        snprintf(user, sizeof(user), "%s", db_bytes(rows, 0, &len));
        snprintf(key, sizeof(key), "%s", db_bytes(rows, 1, &len));
    }
    db_rows_free(rows);
    if (!work->found)
        return DB_OK;
    result = db_execute(
        db,
        "UPDATE manual_grant SET revoked_at = ?, revoked_by = ?, revoked_why = ?"
        " WHERE grant_id = ?",
        (struct db_value[]){DB_VALUE_INT(work->now), db_text(work->by), db_text(work->why), id}, 4);
    if (result == DB_OK)
        result = note_grant(db, work, user, key, "revoked", "active x1", work->why);
    return result;
}

enum db_result people_revoke(struct db *db, const char *grant_id, const char *by, const char *why,
                             int64_t now, bool *found)
{
    struct grant_work work = {.by = by, .why = why, .now = now};
    struct buf id = {0};
    enum db_result result;

    *found = false;
    if (digest_unhex(grant_id, strlen(grant_id), &id) != 0 || id.len != sizeof(work.id)) {
        buf_free(&id);
        return DB_OK;
    }
    memcpy(work.id, id.data, sizeof(work.id));
    buf_free(&id);
    result = db_transaction(db, revoke_body, &work);
    if (result == DB_OK)
        *found = work.found;
    return result;
}
