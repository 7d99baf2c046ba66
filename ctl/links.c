/*
 * link, unlink: whose an address is, decided by support. No sync ever drops a link.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "person.h"
#include "queries.h"
#include "store/people.h"
#include "verbs.h"

/* Whom the address belongs to instead, for the refusal. */
static enum exit_code holder_tell(struct ctl *ctl, const struct person *person)
{
    char holder[LIMIT_MIRO_ID + 1] = "?";
    struct db_rows *rows;

    if (query_link(ctl->db, person->index, &rows) != DB_OK)
        return ctl_database_failed(ctl, "looking for who holds the address");
    if (db_rows_next(rows)) {
        size_t len;

        snprintf(holder, sizeof(holder), "%s", db_bytes(rows, 0, &len));
    }
    db_rows_free(rows);
    return ctl_fail(EXIT_FAILED,
                    "Miro user %s holds the address, so it is noted as contested; --take moves it",
                    holder);
}

/* Says what came of it. */
static void outcome_say(const struct ctl *ctl, const char *user, enum link_outcome outcome)
{
    static const char *const names[] = {"linked", "already linked", "contested", "none"};
    struct page *page = page_new();

    page_text(page, "user", "Miro user", user);
    page_text(page, "outcome", "address", names[outcome]);
    page_print(page, ctl->json);
    page_free(page);
}

/* Links, and tells. */
static enum exit_code link_write(struct ctl *ctl, const char *user, const struct person *person,
                                 const char *why)
{
    char *by = ctl_operator();
    struct people_link link = {
        .address = person->address,
        .user = user,
        .origin = LINK_SUPPORT,
        .by = by,
        .why = why,
        .take = options_flag(ctl->options, "--take"),
        .now = ctl->now,
    };
    enum db_result result = people_link(ctl->db, ctl->vault, &link);

    free(by);
    if (result != DB_OK)
        return ctl_database_failed(ctl, "linking");
    if (link.outcome == LINK_CONTESTED)
        return holder_tell(ctl, person);
    outcome_say(ctl, user, link.outcome);
    return EXIT_DONE;
}

enum exit_code link_run(struct ctl *ctl)
{
    const char *why = ctl_why(ctl), *user = ctl->arguments[0];
    struct person person;
    enum exit_code code;

    if (why == NULL)
        return EXIT_USAGE;
    if (!person_is_id(user))
        return ctl_fail(EXIT_USAGE, "\"%s\" is no Miro user's id (digits)", user);
    code = person_read_address(ctl, ctl->arguments[1], &person);
    if (code == EXIT_DONE)
        code = link_write(ctl, user, &person, why);
    person_free(&person);
    return code;
}

/* Unlinks, and tells. */
static enum exit_code link_drop(struct ctl *ctl, const struct person *person, const char *why)
{
    char *by = ctl_operator();
    struct page *page;
    bool found = false;
    enum db_result result =
        people_unlink(ctl->db, ctl->vault, person->address, by, why, ctl->now, &found);

    free(by);
    if (result != DB_OK)
        return ctl_database_failed(ctl, "unlinking");
    if (!found)
        return ctl_fail(EXIT_FAILED, "the address is linked to nobody");
    page = page_new();
    page_text(page, "outcome", "address", "unlinked");
    page_print(page, ctl->json);
    page_free(page);
    return EXIT_DONE;
}

enum exit_code unlink_run(struct ctl *ctl)
{
    const char *why = ctl_why(ctl);
    struct person person;
    enum exit_code code;

    if (why == NULL)
        return EXIT_USAGE;
    code = person_read_address(ctl, ctl->arguments[0], &person);
    if (code == EXIT_DONE)
        code = link_drop(ctl, &person, why);
    person_free(&person);
    return code;
}
