#include "store/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define AUDIT_COLUMNS 12

/* Keeps a copy of a text that the caller is about to forget. */
static const char *audit_keep(struct audit *audit, const char *text)
{
    if (text == NULL)
        return NULL;
    audit->texts = xreallocarray(audit->texts, audit->text_count + 1, sizeof(*audit->texts));
    audit->texts[audit->text_count] = xstrdup(text);
    return audit->texts[audit->text_count++];
}

void audit_add(struct audit *audit, const struct audit_row *row, const char *before,
               const char *after)
{
    struct values *values = &audit->values;

    values_add_int(values, 0); /* `at`: the time of writing, set then */
    values_add_int(values, (int)row->cause + 1);
    values_add_text(values, row->cause_id);
    values_add_text(values, row->action);
    values_add(values, row->source_id ? DB_VALUE_INT(row->source_id) : DB_VALUE_NULL);
    values_add_text(values, row->order_id);
    values_add_text(values, row->line_id);
    values_add_text(values, row->key);
    values_add(values, row->subject ? DB_VALUE_BYTES(row->subject, DIGEST_LEN) : DB_VALUE_NULL);
    values_add_text(values, row->user);
    values_add_text(values, audit_keep(audit, before));
    values_add_text(values, audit_keep(audit, after));
}

enum db_result audit_write(struct db *db, const struct audit *audit, int64_t now)
{
    for (size_t i = 0; i < audit->values.count; i += AUDIT_COLUMNS)
        audit->values.items[i].number = now;
    return rows_write(db,
                      "INSERT INTO audit (at, cause, cause_id, action, source_id, order_id,"
                      " line_id, entitlement_key, subject, user_id, before_value, after_value)"
                      " VALUES",
                      "(?,?,?,?,?,?,?,?,?,?,?,?)", "", &audit->values, AUDIT_COLUMNS);
}

void audit_free(struct audit *audit)
{
    for (size_t i = 0; i < audit->text_count; i++)
        xfree(audit->texts[i]);
    xfree(audit->texts);
    audit->text_count = 0;
    values_free(&audit->values);
}

void feed_add(struct feed *feed, const unsigned char subject[DIGEST_LEN])
{
    for (size_t i = 0; i < feed->count; i++) {
        if (memcmp(feed->subjects[i], subject, DIGEST_LEN) == 0)
            return;
    }
    feed->subjects = xreallocarray(feed->subjects, feed->count + 1, sizeof(*feed->subjects));
    memcpy(feed->subjects[feed->count++], subject, DIGEST_LEN);
}

/*
 * A row's time is the server's when it is written, or the caller's if that is later: who begins to
 * read the feed takes an old row to mean that nothing below it is still on its way, which a clock
 * that is behind must not feign. What is not committed within LIMIT_FEED_COMMIT_S is rolled back,
 * because readers do not look for its id much longer.
 */
enum db_result feed_write(struct db *db, const struct feed *feed, int64_t now)
{
    struct values values = {0};
    enum db_result result;

    for (size_t i = 0; i < feed->count; i++) {
        values_add_bytes(&values, feed->subjects[i], DIGEST_LEN);
        values_add_int(&values, now);
    }
    db_commit_within(db, LIMIT_FEED_COMMIT_S);
    result = rows_write(db, "INSERT INTO change_feed (subject, changed_at) VALUES",
                        "(?, GREATEST(?, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)))", "",
                        &values, 2);
    values_free(&values);
    return result;
}

void feed_free(struct feed *feed)
{
    xfree(feed->subjects);
    feed->count = 0;
}
