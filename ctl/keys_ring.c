/*
 * keys new, keys promote: this host's keyring file. A key is made on one host, brought to the
 * others, loaded by every program, and only then made the first, which seals.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "keys.h"
#include "page.h"
#include "store/key_holders.h"
#include "vault/envelope.h"
#include "vault/keyring_file.h"
#include "verbs.h"

/* "20261123-9f3a": the day, for people, and a part that no other host's key of that day has. */
static void kid_make(char out[ENVELOPE_KID_MAX + 1])
{
    unsigned char random[2];
    time_t now = time(NULL);
    struct tm day;

    digest_random(random, sizeof(random));
    gmtime_r(&now, &day);
    snprintf(out, ENVELOPE_KID_MAX + 1, "%04d%02d%02d-%02x%02x", (day.tm_year + 1900) % 10000,
             (day.tm_mon + 1) % 100, day.tm_mday % 100, random[0], random[1]);
}

static enum exit_code told(struct ctl *ctl, const char *kid, const char *title, const char *next)
{
    struct page *page = page_new();

    page_text(page, "kid", title, kid);
    page_text(page, "keyring", "keyring", ctl->settings->keyring_path);
    page_text(page, "next", "next", next);
    page_print(page, ctl->json);
    page_free(page);
    return EXIT_DONE;
}

enum exit_code keys_new_run(struct ctl *ctl)
{
    char kid[ENVELOPE_KID_MAX + 1];
    struct buf error = {0};
    enum exit_code code = EXIT_DONE;

    kid_make(kid);
    if (ctl->argument_count > 0) {
        const char *wanted = ctl->arguments[0];

        if (!envelope_kid_is_valid(wanted, strlen(wanted)))
            return ctl_fail(EXIT_USAGE,
                            "\"%s\" is no key id; expected 1 to %d of A-Z a-z 0-9 . _ -", wanted,
                            ENVELOPE_KID_MAX);
        snprintf(kid, sizeof(kid), "%s", wanted);
    }
    if (keyring_file_append(ctl->settings->keyring_path, kid, &error) != 0)
        code = ctl_fail(EXIT_FAILED, "%s", error.data);
    else
        code = told(ctl, kid, "new key, which opens and does not seal yet",
                    "bring this file to every host, reload every front and worker, then keys "
                    "promote on each host");
    buf_free(&error);
    return code;
}

enum exit_code keys_held_check(struct ctl *ctl, struct vault_key_name key)
{
    struct buf lacking = {0};
    bool held;
    enum exit_code code = EXIT_DONE;

    if (options_flag(ctl->options, "--force"))
        return EXIT_DONE;
    if (key_held_by_all(ctl->db, key, &held, &lacking) != DB_OK)
        code = ctl_database_failed(ctl, "looking who holds the key");
    else if (!held)
        code = ctl_fail(EXIT_FAILED,
                        "not every program that is alive holds the key \"%s\", and what it seals "
                        "they could not open: bring it to their host and reload %s",
                        key.kid, lacking.data);
    buf_free(&lacking);
    return code;
}

/* With the key noted as one that seals: now no program begins any more that does not hold it. */
static enum exit_code promote_noted(struct ctl *ctl, struct vault_key_name key)
{
    struct buf error = {0};
    enum exit_code code = keys_held_check(ctl, key);

    if (code == EXIT_DONE &&
        keyring_file_promote(ctl->settings->keyring_path, key.kid, &error) != 0)
        code = ctl_fail(EXIT_FAILED, "%s", error.data);
    buf_free(&error);
    return code;
}

enum exit_code keys_promote_run(struct ctl *ctl)
{
    enum exit_code code = ctl_schema_check(ctl);
    enum kid_state state;
    struct vault_key_name key;

    if (code != EXIT_DONE)
        return code;
    if (vault_find_kid(ctl->vault, ctl->arguments[0], &key) != 0)
        return ctl_fail(EXIT_FAILED, "%s has no key \"%s\"", ctl->settings->keyring_path,
                        ctl->arguments[0]);
    if (keys_find(ctl->db, key, &state) != DB_OK)
        return ctl_database_failed(ctl, "looking for the key");
    if (state == KID_ANOTHER)
        return ctl_fail(EXIT_FAILED,
                        "another host has another key \"%s\": make it on one host with keys new, "
                        "and bring that keyring to the others",
                        key.kid);
    if (keys_note(ctl->db, key) != DB_OK)
        return ctl_database_failed(ctl, "noting the key");
    code = promote_noted(ctl, key);
    if (code == EXIT_DONE)
        return told(ctl, key.kid, "first key, which seals",
                    "promote it on the other hosts, reload every front and worker, then keys "
                    "rewrap once");
    if (state == KID_FREE && keys_take_back(ctl->db, key) != DB_OK)
        return ctl_database_failed(ctl, "taking the note back");
    return code;
}
