/*
 * user show: a person, by Miro id or by address, as support needs to see them. Tokens are never
 * shown.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "entitlement/answer.h"
#include "evidence.h"
#include "page.h"
#include "person.h"
#include "queries.h"
#include "store/standing.h"
#include "verbs.h"

#define ORDERS_MOST 200
#define RECORDS_MOST 50

static const struct table_column token_columns[] = {{"app", "app"},
                                                    {"client_id", "client id"},
                                                    {"team", "team"},
                                                    {"state", "state"},
                                                    {"issued_at", "issued"},
                                                    {"expires_at", "expires"},
                                                    {"refused_at", "refused"},
                                                    {"scope", "scope"},
                                                    {NULL, NULL}};

static const struct table_column link_columns[] = {{"address", "address"},  {"origin", "origin"},
                                                   {"linked_at", "linked"}, {"linked_by", "by"},
                                                   {"why", "why"},          {NULL, NULL}};

static const struct table_column contested_columns[] = {
    {"address", "address"}, {"origin", "origin"},        {"seen_at", "seen"},
    {"holder", "held by"},  {"resolved_at", "resolved"}, {NULL, NULL}};

static const struct table_column contender_columns[] = {
    {"user", "user"}, {"origin", "origin"}, {"seen_at", "seen"}, {NULL, NULL}};

static const struct table_column entitlement_columns[] = {
    {"key", "key"}, {"status", "status"}, {"quantity", "n"}, {"expires_at", "until"}, {NULL, NULL}};

static const struct table_column grant_columns[] = {
    {"grant", "grant"},     {"key", "key"}, {"granted_at", "granted"}, {"ends_at", "until"},
    {"granted_by", "by"},   {"why", "why"}, {"revoked_at", "revoked"}, {"revoked_by", "by"},
    {"revoked_why", "why"}, {NULL, NULL}};

static const struct table_column order_columns[] = {{"source", "source"},
                                                    {"order", "order"},
                                                    {"status", "status"},
                                                    {"subject", "owner by"},
                                                    {"unmapped_lines", "unmapped"},
                                                    {"merged_at", "merged"},
                                                    {NULL, NULL}};

static const struct table_column record_columns[] = {
    {"at", "at"},   {"cause", "cause"},   {"cause_id", "of"}, {"action", "action"},
    {"key", "key"}, {"before", "before"}, {"after", "after"}, {NULL, NULL}};

/* When the user came, and what Miro's profile call said last. */
static enum exit_code profile_write(struct ctl *ctl, const char *user, struct page *page)
{
    struct db_rows *rows;
    bool found;
    size_t len;

    if (query_user(ctl->db, user, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the user");
    found = db_rows_next(rows);
    page_bool(page, "known", "known", found);
    page_time(page, "created_at", "first seen", found ? db_time_of(rows, 0) : TIME_NONE);
    page_text(page, "profile_state", "profile state", found ? db_bytes(rows, 1, &len) : NULL);
    page_time(page, "profile_read_at", "profile read", found ? db_time_of(rows, 2) : TIME_NONE);
    page_time(page, "profile_due_at", "profile due", found ? db_time_of(rows, 3) : TIME_NONE);
    db_rows_free(rows);
    return EXIT_DONE;
}

/* Which tokens there are, and in what state: never what they are. */
static enum exit_code tokens_write(struct ctl *ctl, const char *user, struct page *page)
{
    struct table *table =
        page_table(page, "tokens", "Tokens", "none: the app is not installed", token_columns);
    struct db_rows *rows;

    if (query_tokens(ctl->db, user, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the tokens");
    while (db_rows_next(rows)) {
        size_t len;
        const struct settings_miro *app =
            settings_miro_by_client(ctl->settings, db_bytes(rows, 0, &len));

        table_text(table, app == NULL         ? "(not configured)"
                          : app->name[0] == 0 ? "miro"
                                              : app->name);
        table_from(table, rows, 0);
        table_from(table, rows, 1);
        table_from(table, rows, 2);
        table_time(table, db_time_of(rows, 3));
        table_time(table, db_time_of(rows, 4));
        table_time(table, db_time_of(rows, 5));
        table_from(table, rows, 6);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

static enum exit_code records_write(struct ctl *ctl, const char *user, struct page *page)
{
    struct table *table =
        page_table(page, "audit", "What changed, and why", "nothing", record_columns);
    struct db_rows *rows;

    if (query_user_audit(ctl->db, user, RECORDS_MOST, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the user's records");
    while (db_rows_next(rows)) {
        table_time(table, db_time_of(rows, 0));
        for (unsigned column = 1; column <= 6; column++)
            table_from(table, rows, column);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

/* The next cell: an address opened for support. */
static void cell_address(const struct ctl *ctl, struct table *table, const struct db_rows *rows,
                         unsigned index_column, unsigned sealed_column)
{
    struct buf address = {0};
    size_t index_len, len;
    const char *index = db_bytes(rows, index_column, &index_len);
    const char *sealed = db_bytes(rows, sealed_column, &len);

    address_open(ctl, index, sealed, len, &address);
    table_text(table, address.data);
    buf_wipe(&address);
}

static enum exit_code links_write(struct ctl *ctl, const char *user, struct page *page)
{
    struct table *table = page_table(page, "links", "Addresses", "none linked", link_columns);
    struct db_rows *rows;

    if (query_links(ctl->db, user, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the links");
    while (db_rows_next(rows)) {
        cell_address(ctl, table, rows, 0, 1);
        table_from(table, rows, 3);
        table_time(table, db_time_of(rows, 4));
        table_from(table, rows, 5);
        table_from(table, rows, 6);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

/* Addresses that somebody else holds, though this user's profile told them too. */
static enum exit_code contested_write(struct ctl *ctl, const char *user, struct page *page)
{
    struct table *table =
        page_table(page, "contested", "Contested addresses", "none", contested_columns);
    struct db_rows *rows;

    if (query_contested(ctl->db, user, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the contested addresses");
    while (db_rows_next(rows)) {
        cell_address(ctl, table, rows, 0, 1);
        table_from(table, rows, 2);
        table_time(table, db_time_of(rows, 3));
        table_from(table, rows, 5);
        table_time(table, db_time_of(rows, 4));
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

/* What the plugin is told now, from the same reading and the same function as the front's. */
static enum exit_code entitlements_write(struct ctl *ctl, const char *user, struct page *page)
{
    static const char *const identities[] = {"reauthorize", "linked", "no_email", "not_installed"};
    struct table *table;
    struct standing standing = {0};
    struct answer answer;

    snprintf(standing.user, sizeof(standing.user), "%s", user);
    if (standing_load(ctl->db, &standing) != DB_OK)
        return ctl_database_failed(ctl, "reading what the user holds");
    answer_aggregate(&standing, ctl->now, &answer);
    page_text(page, "identity", "identity", identities[answer.identity]);
    table = page_table(page, "entitlements", "Entitlements now", "none", entitlement_columns);
    for (size_t i = 0; i < answer.count; i++) {
        const struct entitlement *one = &answer.entitlements[i];

        table_text(table, one->key);
        table_text(table, one->status == ENTITLEMENT_ACTIVE ? "active" : "grace");
        table_int(table, one->quantity);
        table_time(table, one->expires_at);
    }
    answer_free(&answer);
    standing_free(&standing);
    return EXIT_DONE;
}

static enum exit_code grants_write(struct ctl *ctl, const char *user, struct page *page)
{
    struct table *table = page_table(page, "grants", "Granted by hand", "nothing", grant_columns);
    struct db_rows *rows;

    if (query_grants(ctl->db, user, NULL, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the grants");
    while (db_rows_next(rows)) {
        struct buf id = {0};
        size_t len;
        const char *bytes = db_bytes(rows, 0, &len);

        digest_hex(bytes, len, &id);
        table_text(table, id.data);
        buf_free(&id);
        table_from(table, rows, 1);
        table_time(table, db_time_of(rows, 3));
        table_time(table, db_time_of(rows, 4));
        table_from(table, rows, 5);
        table_from(table, rows, 6);
        table_time(table, db_time_of(rows, 7));
        table_from(table, rows, 8);
        table_from(table, rows, 9);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

/* Orders under any of the person's addresses, or bound to the user. */
static enum exit_code orders_write(struct ctl *ctl, const struct person *person, struct page *page)
{
    struct table *table = page_table(page, "orders", "Orders", "none", order_columns);
    struct subjects subjects;
    struct db_rows *rows;
    enum exit_code code = person_subjects(ctl, person, &subjects);

    if (code != EXIT_DONE)
        return code;
    if (query_orders_of(ctl->db, &subjects, ORDERS_MOST, &rows) != DB_OK) {
        subjects_free(&subjects);
        return ctl_database_failed(ctl, "reading the orders");
    }
    while (db_rows_next(rows)) {
        table_text(table, source_map_name(ctl->sources, (uint32_t)db_int(rows, 0)));
        table_from(table, rows, 1);
        table_from(table, rows, 2);
        table_from(table, rows, 3);
        table_int(table, db_int(rows, 4));
        table_time(table, db_time_of(rows, 5));
    }
    db_rows_free(rows);
    subjects_free(&subjects);
    return EXIT_DONE;
}

/* An address that nobody holds: who says that it is theirs, and what waits under it. */
static enum exit_code nobody_write(struct ctl *ctl, const struct person *person, struct page *page)
{
    struct table *table;
    struct db_rows *rows;

    page_text(page, "user", NULL, NULL);
    page_text(page, NULL, "Miro user", "nobody: the address is not linked");
    page_text(page, "address", "address", person->address);
    table =
        page_table(page, "contenders", "Users who claim the address", "none", contender_columns);
    if (query_contenders(ctl->db, person->index, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading who claims the address");
    while (db_rows_next(rows)) {
        table_from(table, rows, 0);
        table_from(table, rows, 1);
        table_time(table, db_time_of(rows, 2));
    }
    db_rows_free(rows);
    return orders_write(ctl, person, page);
}

/* Everything of a user. */
static enum exit_code somebody_write(struct ctl *ctl, const struct person *person,
                                     struct page *page)
{
    static enum exit_code (*const parts[])(struct ctl *, const char *, struct page *) = {
        profile_write,   entitlements_write, tokens_write,  links_write,
        contested_write, grants_write,       records_write,
    };
    enum exit_code code = EXIT_DONE;

    page_text(page, "user", "Miro user", person->user);
    if (person->address != NULL)
        page_text(page, "address", "found by", person->address);
    for (size_t i = 0; code == EXIT_DONE && i < sizeof(parts) / sizeof(parts[0]); i++)
        code = parts[i](ctl, person->user, page);
    return code == EXIT_DONE ? orders_write(ctl, person, page) : code;
}

enum exit_code user_show_run(struct ctl *ctl)
{
    struct person person;
    struct page *page = page_new();
    enum exit_code code = person_find(ctl, ctl->arguments[0], &person);

    if (code == EXIT_DONE)
        code = person.user[0] == '\0' ? nobody_write(ctl, &person, page)
                                      : somebody_write(ctl, &person, page);
    if (code == EXIT_DONE)
        page_print(page, ctl->json);
    page_free(page);
    person_free(&person);
    return code;
}
