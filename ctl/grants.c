/*
 * grant, revoke: what an operator gives by hand. No sync ever touches it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "page.h"
#include "person.h"
#include "store/people.h"
#include "verbs.h"

/* "2026-12-31" (its first moment, UTC) or a whole RFC 3339 time; 0, or -1 after having said why
 * not. */
static int until_read(const struct ctl *ctl, int64_t *out)
{
    const char *text = options_value(ctl->options, "--until");
    char *day;
    int status = 0;

    *out = TIME_NONE;
    if (text == NULL)
        return 0;
    day = xasprintf("%.30sT00:00:00Z", text);
    if (clock_parse(text, strlen(text), out) != 0 && clock_parse(day, strlen(day), out) != 0)
        status = -1;
    free(day);
    if (status != 0)
        ctl_fail(EXIT_USAGE, "--until %s: expected 2026-12-31 or 2026-12-31T18:00:00Z", text);
    else if (*out <= ctl->now)
        status = -1, ctl_fail(EXIT_USAGE, "--until %s lies in the past", text);
    return status;
}

/* Refuses a key that the catalogue in force does not have. */
static enum exit_code key_check(struct ctl *ctl, const char *key)
{
    struct catalogue *catalogue = ctl_catalogue(ctl);
    struct buf keys = {0};
    enum exit_code code = EXIT_DONE;

    if (catalogue == NULL)
        return EXIT_FAILED;
    if (!catalogue_has_key(catalogue, key)) {
        for (size_t i = 0; i < catalogue->entitlement_count; i++)
            buf_printf(&keys, " %s", catalogue->entitlements[i].key);
        code = ctl_fail(EXIT_FAILED, "catalogue %u has no key \"%s\"; it has:%s",
                        catalogue->version, key, keys.len == 0 ? " none" : keys.data);
    }
    buf_free(&keys);
    catalogue_free(catalogue);
    return code;
}

/* Writes the grant, and says its number. */
static enum exit_code grant_write(struct ctl *ctl, const char *user, const char *key,
                                  int64_t ends_at, const char *why)
{
    char grant_id[17];
    char *by = ctl_operator();
    struct page *page = page_new();
    enum exit_code code = EXIT_DONE;

    if (people_grant(ctl->db, user, key, ends_at, by, why, ctl->now, grant_id) != DB_OK) {
        code = ctl_database_failed(ctl, "granting");
    } else {
        page_text(page, "grant", "grant", grant_id);
        page_text(page, "user", "Miro user", user);
        page_text(page, "key", "key", key);
        page_time(page, "ends_at", "until", ends_at);
        page_print(page, ctl->json);
    }
    page_free(page);
    free(by);
    return code;
}

enum exit_code grant_run(struct ctl *ctl)
{
    const char *why = ctl_why(ctl), *key = ctl->arguments[1];
    struct person person;
    int64_t ends_at;
    enum exit_code code;

    if (why == NULL || until_read(ctl, &ends_at) != 0)
        return EXIT_USAGE;
    code = person_find_user(ctl, ctl->arguments[0], &person);
    if (code == EXIT_DONE)
        code = key_check(ctl, key);
    if (code == EXIT_DONE)
        code = grant_write(ctl, person.user, key, ends_at, why);
    person_free(&person);
    return code;
}

enum exit_code revoke_run(struct ctl *ctl)
{
    const char *why = ctl_why(ctl), *grant = ctl->arguments[0];
    struct page *page;
    char *by;
    bool found = false;
    enum exit_code code = EXIT_DONE;

    if (why == NULL)
        return EXIT_USAGE;
    if (strlen(grant) != 16 || strspn(grant, "0123456789abcdef") != 16)
        return ctl_fail(EXIT_USAGE, "\"%s\" is no grant's number (16 hex digits)", grant);
    by = ctl_operator();
    page = page_new();
    if (people_revoke(ctl->db, grant, by, why, ctl->now, &found) != DB_OK) {
        code = ctl_database_failed(ctl, "revoking");
    } else if (!found) {
        code = ctl_fail(EXIT_FAILED, "there is no grant %s that still stands", grant);
    } else {
        page_text(page, "grant", "revoked grant", grant);
        page_print(page, ctl->json);
    }
    page_free(page);
    free(by);
    return code;
}
