#include "store/catalogue_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/rows.h"

enum db_result catalogue_current_version(struct db *db, uint32_t *version)
{
    struct db_rows *rows;
    enum db_result result =
        db_query(db, "SELECT MAX(version) FROM catalogue_version", NULL, 0, &rows);

    if (result != DB_OK)
        return result;
    *version = db_rows_next(rows) ? (uint32_t)db_int(rows, 0) : 0;
    db_rows_free(rows);
    return DB_OK;
}

static enum db_result load_entitlements(struct db *db, struct catalogue *catalogue)
{
    struct db_value version = DB_VALUE_INT(catalogue->version);
    struct db_rows *rows;
    enum db_result result =
        db_query(db, "SELECT entitlement_key, name FROM catalogue_entitlement WHERE version = ?",
                 &version, 1, &rows);

    if (result != DB_OK)
        return result;
    while (db_rows_next(rows)) {
        char *key = row_text(rows, 0), *name = row_text(rows, 1);

        catalogue_add_entitlement(catalogue, key, name);
        free(key);
        free(name);
    }
    db_rows_free(rows);
    return DB_OK;
}

static enum db_result load_rules(struct db *db, struct catalogue *catalogue)
{
    struct db_value version = DB_VALUE_INT(catalogue->version);
    struct db_rows *rows;
    int64_t current = -1;
    struct catalogue_rule *rule = NULL;
    enum db_result result =
        db_query(db,
                 "SELECT r.rule, r.source, r.product, r.variant, r.sku, r.ignored, r.duration_days,"
                 " r.grace_days, r.checkout_url, g.entitlement_key"
                 " FROM catalogue_rule r LEFT JOIN catalogue_rule_grant g"
                 " ON g.version = r.version AND g.rule = r.rule"
                 " WHERE r.version = ? ORDER BY r.rule, g.entitlement_key",
                 &version, 1, &rows);

    if (result != DB_OK)
        return result;
    while (db_rows_next(rows)) {
        size_t len;

        if (db_int(rows, 0) != current) {
            current = db_int(rows, 0);
            rule = catalogue_add_rule(catalogue, db_bytes(rows, 1, &len));
            rule->product = row_text(rows, 2);
            rule->variant = row_text(rows, 3);
            rule->sku = row_text(rows, 4);
            rule->ignored = db_int(rows, 5) != 0;
            rule->duration_days = db_int(rows, 6);
            rule->grace_days = db_int(rows, 7);
            rule->checkout_url = row_text(rows, 8);
        }
        if (!db_is_null(rows, 9))
            catalogue_rule_add_key(rule, db_bytes(rows, 9, &len));
    }
    db_rows_free(rows);
    return DB_OK;
}

enum db_result catalogue_load(struct db *db, uint32_t version, struct catalogue **out)
{
    struct catalogue *catalogue = catalogue_new(version);
    enum db_result result = DB_OK;

    if (version != 0)
        result = load_entitlements(db, catalogue);
    if (version != 0 && result == DB_OK)
        result = load_rules(db, catalogue);
    if (result != DB_OK) {
        catalogue_free(catalogue);
        return result;
    }
    catalogue_seal(catalogue);
    *out = catalogue;
    return DB_OK;
}

struct store_new {
    const struct catalogue *catalogue;
    const char *text;
    size_t len;
    const char *by;
    int64_t now;
    uint32_t version; /* out */
};

static enum db_result store_entitlements(struct db *db, const struct store_new *new)
{
    struct values values = {0};
    enum db_result result;

    for (size_t i = 0; i < new->catalogue->entitlement_count; i++) {
        values_add_int(&values, new->version);
        values_add_text(&values, new->catalogue->entitlements[i].key);
        values_add_text(&values, new->catalogue->entitlements[i].name);
    }
    result =
        rows_write(db, "INSERT INTO catalogue_entitlement (version, entitlement_key, name) VALUES",
                   "(?,?,?)", "", &values, 3);
    values_free(&values);
    return result;
}

/* 0 stands for "none" in the rule and for NULL in the table. */
static struct db_value days(int64_t count)
{
    return count == 0 ? DB_VALUE_NULL : DB_VALUE_INT(count);
}

static enum db_result store_rules(struct db *db, const struct store_new *new)
{
    struct values rules = {0}, grants = {0};
    enum db_result result;

    for (size_t i = 0; i < new->catalogue->rule_count; i++) {
        const struct catalogue_rule *rule = &new->catalogue->rules[i];

        values_add_int(&rules, new->version);
        values_add_int(&rules, (int64_t)i);
        values_add_text(&rules, rule->source);
        values_add_text(&rules, rule->product);
        values_add_text(&rules, rule->variant);
        values_add_text(&rules, rule->sku);
        values_add_int(&rules, rule->ignored);
        values_add(&rules, days(rule->duration_days));
        values_add(&rules, days(rule->grace_days));
        values_add_text(&rules, rule->checkout_url);
        for (size_t k = 0; k < rule->key_count; k++) {
            values_add_int(&grants, new->version);
            values_add_int(&grants, (int64_t)i);
            values_add_text(&grants, rule->keys[k]);
        }
    }
    result = rows_write(db,
                        "INSERT INTO catalogue_rule (version, rule, source, product, variant,"
                        " sku, ignored, duration_days, grace_days, checkout_url) VALUES",
                        "(?,?,?,?,?,?,?,?,?,?)", "", &rules, 10);
    if (result == DB_OK)
        result = rows_write(db,
                            "INSERT INTO catalogue_rule_grant (version, rule, entitlement_key)"
                            " VALUES",
                            "(?,?,?)", "ON DUPLICATE KEY UPDATE rule = VALUES(rule)", &grants, 3);
    values_free(&rules);
    values_free(&grants);
    return result;
}

/* The version's own row first: of two operators one finds it taken. */
static enum db_result store_body(struct db *db, void *arg)
{
    struct store_new *new = arg;
    enum db_result result = catalogue_current_version(db, &new->version);

    if (result != DB_OK)
        return result;
    new->version++;
    result = db_execute(db,
                        "INSERT INTO catalogue_version (version, applied_at, applied_by, text)"
                        " VALUES (?,?,?,?)",
                        (struct db_value[]){DB_VALUE_INT(new->version), DB_VALUE_INT(new->now),
                                            db_text(new->by), DB_VALUE_BYTES(new->text, new->len)},
                        4);
    if (result == DB_OK)
        result = store_entitlements(db, new);
    if (result == DB_OK)
        result = store_rules(db, new);
    return result;
}

enum db_result catalogue_store(struct db *db, const struct catalogue *catalogue, const char *text,
                               size_t len, const char *by, int64_t now, uint32_t *version)
{
    struct store_new new = {catalogue, text, len, by, now, 0};
    enum db_result result = db_transaction(db, store_body, &new);

    if (result == DB_OK)
        *version = new.version;
    return result;
}

enum db_result catalogue_text(struct db *db, uint32_t version, struct buf *out, bool *found)
{
    struct db_value value = DB_VALUE_INT(version);
    struct db_rows *rows;
    enum db_result result =
        db_query(db, "SELECT text FROM catalogue_version WHERE version = ?", &value, 1, &rows);

    if (result != DB_OK)
        return result;
    *found = db_rows_next(rows);
    if (*found) {
        size_t len;
        const char *text = db_bytes(rows, 0, &len);

        buf_append(out, text, len);
    }
    db_rows_free(rows);
    return DB_OK;
}
