#include "ctl.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "db/migrate.h"
#include "store/catalogue_store.h"
#include "store/key_holders.h"

#define WHY_MOST 255 /* the column's width */

enum exit_code ctl_fail(enum exit_code code, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("purchasectl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

enum exit_code ctl_database_failed(struct ctl *ctl, const char *doing)
{
    return ctl_fail(EXIT_FAILED, "%s: %s", doing, db_error(ctl->db));
}

/* Reads the configuration and the keyring that it names. */
static enum exit_code settings_open(struct ctl *ctl)
{
    struct buf errors = {0};
    enum exit_code code = EXIT_DONE;

    ctl->settings = settings_load(ctl->options->config, &errors);
    if (ctl->settings == NULL) {
        fputs(errors.data, stderr);
        code = EXIT_CONFIG;
    } else {
        ctl->vault = vault_new(&ctl->settings->keyring_lines, &errors);
        if (ctl->vault == NULL)
            code = ctl_fail(EXIT_CONFIG, "%s: %s", ctl->settings->keyring_path, errors.data);
    }
    buf_free(&errors);
    return code;
}

enum exit_code ctl_connect(struct ctl *ctl)
{
    const struct settings_database *database = &ctl->settings->database;

    ctl->db = db_new(&(struct db_target){
        .socket = database->socket,
        .hosts = database->hosts,
        .port = (unsigned)database->port,
        .tls_ca = database->tls_ca,
        .user = database->user,
        .password =
            database->password.count == 0 ? NULL : (char *)database->password.items[0].bytes,
        .name = database->name,
    });
    return db_connect(ctl->db) == DB_OK ? EXIT_DONE : EXIT_FAILED;
}

/* The same, and says why not. */
static enum exit_code database_open(struct ctl *ctl)
{
    return ctl_connect(ctl) == EXIT_DONE
               ? EXIT_DONE
               : ctl_database_failed(ctl, "the database cannot be reached");
}

enum exit_code ctl_schema_check(struct ctl *ctl)
{
    enum schema_fit fit;
    int version;

    if (migrate_fit(ctl->db, &fit, &version) != DB_OK)
        return ctl_database_failed(ctl, "reading the schema's version");
    switch (fit) {
    case SCHEMA_FITS:
    case SCHEMA_NEWER:
        return EXIT_DONE;
    case SCHEMA_ABSENT:
        return ctl_fail(EXIT_FAILED, "the database holds no schema yet: run `purchasectl migrate`");
    case SCHEMA_OLDER:
        return ctl_fail(EXIT_FAILED,
                        "the schema is at version %d, this program needs a later one: "
                        "run `purchasectl migrate`",
                        version);
    case SCHEMA_CHANGED:
        break;
    }
    return ctl_fail(EXIT_FAILED, "an applied migration is not the one built into this program: "
                                 "the database belongs to another build");
}

/* Opens the index key, without which no address is found, and reads the sources. */
static enum exit_code store_open(struct ctl *ctl)
{
    enum keys_fit fit = KEYS_ABSENT;
    enum exit_code code = ctl_schema_check(ctl);
    struct buf why = {0};

    if (code != EXIT_DONE)
        return code;
    if (keys_load(ctl->db, ctl->vault, &fit, &why) != DB_OK)
        code = ctl_database_failed(ctl, "reading the index key");
    else if (fit != KEYS_LOADED)
        code = ctl_fail(fit == KEYS_ABSENT ? EXIT_FAILED : EXIT_CONFIG, "%s: %s",
                        ctl->settings->keyring_path, why.data);
    buf_free(&why);
    if (code != EXIT_DONE)
        return code;
    if (source_map_load(ctl->db, ctl->settings, &ctl->sources) != DB_OK)
        return ctl_database_failed(ctl, "reading the sources");
    return EXIT_DONE;
}

#define PROGRAM "purchasectl" /* among the holders of keys */

enum exit_code ctl_hold_keys(struct ctl *ctl)
{
    enum keys_fit fit = KEYS_ABSENT;
    enum exit_code code = EXIT_DONE;
    struct buf why = {0};

    if (key_holder_join(ctl->db, ctl->vault, PROGRAM, &fit, &why) != DB_OK)
        code = ctl_database_failed(ctl, "saying which keys are held");
    else if (fit != KEYS_LOADED)
        code = ctl_fail(EXIT_CONFIG, "%s: %s", ctl->settings->keyring_path, why.data);
    ctl->holds_keys = code == EXIT_DONE;
    ctl->keys_said_at = clock_monotonic();
    buf_free(&why);
    return code;
}

enum exit_code ctl_keep_keys(struct ctl *ctl)
{
    int64_t now = clock_monotonic();

    if (!ctl->holds_keys || now - ctl->keys_said_at < LIMIT_KEYS_SAY_MS * INT64_C(1000))
        return EXIT_DONE;
    if (key_holder_say(ctl->db, ctl->vault, PROGRAM, false) != DB_OK)
        return ctl_database_failed(ctl, "saying which keys are held");
    ctl->keys_said_at = now;
    return EXIT_DONE;
}

enum exit_code ctl_open(struct ctl *ctl, enum ctl_needs needs)
{
    enum exit_code code = EXIT_DONE;

    if (needs >= NEEDS_SETTINGS)
        code = settings_open(ctl);
    if (code == EXIT_DONE && needs >= NEEDS_DATABASE)
        code = database_open(ctl);
    if (code == EXIT_DONE && needs >= NEEDS_STORE)
        code = store_open(ctl);
    if (code == EXIT_DONE && needs >= NEEDS_SEALING)
        code = ctl_hold_keys(ctl);
    return code;
}

void ctl_close(struct ctl *ctl)
{
    if (ctl->holds_keys && key_holder_leave(ctl->db) != DB_OK)
        fprintf(stderr, "purchasectl: it counts as a holder of keys for a minute: %s\n",
                db_error(ctl->db));
    ctl->holds_keys = false;
    source_map_free(ctl->sources);
    db_free(ctl->db);
    vault_free(ctl->vault);
    settings_unref(ctl->settings);
    ctl->sources = NULL;
    ctl->db = NULL;
    ctl->vault = NULL;
    ctl->settings = NULL;
}

char *ctl_operator(void)
{
    const char *behind = getenv("SUDO_USER");
    const struct passwd *account = getpwuid(geteuid());
    char host[65] = "";

    if (behind == NULL || *behind == '\0')
        behind = account == NULL ? "unknown" : account->pw_name;
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = '\0';
    return xasprintf("%.60s@%.60s", behind, host);
}

uint32_t ctl_source(const struct ctl *ctl, const char *name)
{
    uint32_t id = source_map_id(ctl->sources, name);
    struct buf names = {0};

    if (id != 0)
        return id;
    for (size_t i = 0; i < ctl->settings->source_count; i++)
        buf_printf(&names, " %s", ctl->settings->sources[i].name);
    ctl_fail(EXIT_FAILED, "no source is called \"%s\"; there %s:%s", name,
             names.len == 0 ? "is none" : "are", names.len == 0 ? "" : names.data);
    buf_free(&names);
    return 0;
}

const char *ctl_why(const struct ctl *ctl)
{
    const char *why = options_value(ctl->options, "--why");

    if (why == NULL || *why == '\0') {
        ctl_fail(EXIT_USAGE, "--why REASON is needed: it is kept in the records");
        return NULL;
    }
    if (strlen(why) > WHY_MOST) {
        ctl_fail(EXIT_USAGE, "--why: at most %d bytes", WHY_MOST);
        return NULL;
    }
    return why;
}

struct catalogue *ctl_catalogue(struct ctl *ctl)
{
    struct catalogue *catalogue = NULL;
    uint32_t version;

    if (catalogue_current_version(ctl->db, &version) != DB_OK ||
        catalogue_load(ctl->db, version, &catalogue) != DB_OK) {
        ctl_database_failed(ctl, "reading the catalogue");
        return NULL;
    }
    return catalogue;
}

int ctl_read_line(char *line, size_t size)
{
    if (fgets(line, (int)size, stdin) == NULL)
        return -1;
    line[strcspn(line, "\r\n")] = '\0';
    return 0;
}

void progress_tick(struct progress *progress, uint64_t done)
{
    int64_t now = clock_monotonic();

    if (!isatty(STDERR_FILENO) || now - progress->shown_at < TIME_SECOND / 5)
        return;
    progress->shown_at = now;
    progress->shown = true;
    fprintf(stderr, "\r%s: %llu", progress->what, (unsigned long long)done);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
