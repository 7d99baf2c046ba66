#include "person.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "entitlement/order.h"
#include "queries.h"

bool person_is_id(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= LIMIT_MIRO_ID && strspn(text, "0123456789") == len;
}

/* Normalises an address into the person, and wipes nothing it does not own. */
static enum exit_code address_take(struct ctl *ctl, const char *text, struct person *out)
{
    if (text_normalise_address(text, strlen(text), &out->address) != 0)
        return ctl_fail(EXIT_USAGE, "that is no e-mail address");
    vault_index(ctl->vault, out->address, out->index);
    return EXIT_DONE;
}

enum exit_code person_read_address(struct ctl *ctl, const char *argument, struct person *out)
{
    char line[LIMIT_ADDRESS + 64];
    enum exit_code code;

    memset(out, 0, sizeof(*out));
    if (strcmp(argument, "-") != 0)
        return address_take(ctl, argument, out);
    if (ctl_read_line(line, sizeof(line)) != 0)
        return ctl_fail(EXIT_USAGE, "-: no address on standard input");
    code = address_take(ctl, line, out);
    explicit_bzero(line, sizeof(line));
    return code;
}

/* Who holds the address, if anybody does. */
static enum exit_code holder_find(struct ctl *ctl, struct person *person)
{
    struct db_rows *rows;
    size_t len;
    const char *user;

    if (query_link(ctl->db, person->index, &rows) != DB_OK)
        return ctl_database_failed(ctl, "looking for who holds the address");
    if (db_rows_next(rows)) {
        user = db_bytes(rows, 0, &len);
        if (len <= LIMIT_MIRO_ID)
            memcpy(person->user, user, len);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

enum exit_code person_find(struct ctl *ctl, const char *argument, struct person *out)
{
    enum exit_code code;

    memset(out, 0, sizeof(*out));
    if (person_is_id(argument)) {
        memcpy(out->user, argument, strlen(argument));
        return EXIT_DONE;
    }
    if (strcmp(argument, "-") != 0 && strchr(argument, '@') == NULL)
        return ctl_fail(EXIT_USAGE,
                        "\"%s\" is neither a Miro user's id (digits) nor an e-mail address",
                        argument);
    code = person_read_address(ctl, argument, out);
    return code == EXIT_DONE ? holder_find(ctl, out) : code;
}

enum exit_code person_find_user(struct ctl *ctl, const char *argument, struct person *out)
{
    enum exit_code code = person_find(ctl, argument, out);

    if (code == EXIT_DONE && out->user[0] == '\0')
        return ctl_fail(EXIT_FAILED, "the address is linked to no Miro user: name the user by its "
                                     "id, or link the address first");
    return code;
}

void person_free(struct person *person)
{
    if (person->address != NULL) {
        explicit_bzero(person->address, strlen(person->address));
        xfree(person->address);
    }
    explicit_bzero(person->index, sizeof(person->index));
}

/* Adds one, unless it stands there already. */
static void subject_add(struct subjects *subjects, const unsigned char id[DIGEST_LEN])
{
    for (size_t i = 0; i < subjects->count; i++) {
        if (memcmp(subjects->ids[i], id, DIGEST_LEN) == 0)
            return;
    }
    subjects->ids = xreallocarray(subjects->ids, subjects->count + 1, sizeof(*subjects->ids));
    memcpy(subjects->ids[subjects->count++], id, DIGEST_LEN);
}

enum exit_code person_subjects(struct ctl *ctl, const struct person *person, struct subjects *out)
{
    unsigned char id[DIGEST_LEN];
    struct db_rows *rows;

    *out = (struct subjects){0};
    if (person->address != NULL)
        subject_add(out, person->index);
    if (person->user[0] == '\0')
        return EXIT_DONE;
    subject_of_user(person->user, id);
    subject_add(out, id);
    if (query_links(ctl->db, person->user, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the user's addresses");
    while (db_rows_next(rows)) {
        size_t len;
        const char *bytes = db_bytes(rows, 0, &len);

        if (len == DIGEST_LEN)
            subject_add(out, (const unsigned char *)bytes);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

void subjects_free(struct subjects *subjects)
{
    xfree(subjects->ids);
    subjects->count = 0;
}
