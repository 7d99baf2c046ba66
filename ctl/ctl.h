/*
 * What every verb of purchasectl starts from: the configuration, a connection, the keys, the
 * sources.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options.h"
#include "base/settings.h"
#include "db/db.h"
#include "entitlement/catalogue.h"
#include "store/source.h"
#include "vault/vault.h"

/* How much of that a verb needs; each level holds those before it. */
enum ctl_needs {
    NEEDS_OPTIONS,  /* nothing but the command line */
    NEEDS_SETTINGS, /* the configuration and its keyring */
    NEEDS_DATABASE, /* a connection, whatever schema lies there */
    NEEDS_STORE,    /* the schema fits, the index key opens, the sources are known */
    NEEDS_SEALING,  /* and the process counts among the holders of keys: ctl_hold_keys() */
};

struct ctl {
    const struct options *options;
    const char **arguments; /* those after the verb's words */
    size_t argument_count;
    bool json;
    int64_t now; /* when the verb began */
    struct settings *settings;
    struct vault *vault;
    struct db *db;
    struct source_map *sources;
    bool holds_keys;      /* NEEDS_SEALING: to be left at the end */
    int64_t keys_said_at; /* monotonic */
};

/* EXIT_DONE, or what the program ends with after having said why on stderr. */
enum exit_code ctl_open(struct ctl *ctl, enum ctl_needs needs) __attribute__((warn_unused_result));
/* Makes the connection, and says nothing: EXIT_FAILED, and db_error() tells why. */
enum exit_code ctl_connect(struct ctl *ctl) __attribute__((warn_unused_result));
/* Refuses a schema that this program does not understand: for verbs that need no more of it. */
enum exit_code ctl_schema_check(struct ctl *ctl) __attribute__((warn_unused_result));
/* Counts this process among the holders of keys until ctl_close(): NEEDS_SEALING does. */
enum exit_code ctl_hold_keys(struct ctl *ctl) __attribute__((warn_unused_result));
/* From time to time, if it counts: it still does. */
enum exit_code ctl_keep_keys(struct ctl *ctl) __attribute__((warn_unused_result));
void ctl_close(struct ctl *ctl);

/* "purchasectl: ..." on stderr; the code comes back, to be returned. */
enum exit_code ctl_fail(enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for a database fault: what was under way, and the database's own words. */
enum exit_code ctl_database_failed(struct ctl *ctl, const char *doing);

/* Who works here, for the records: "alice@host". A new string. */
char *ctl_operator(void);
/* The source's number, or 0 after having said on stderr which ones there are. */
uint32_t ctl_source(const struct ctl *ctl, const char *name);
/* The --why of a verb that needs one, or NULL after having said so. */
const char *ctl_why(const struct ctl *ctl);
/* The catalogue in force, to be freed, or NULL after having said why not. */
struct catalogue *ctl_catalogue(struct ctl *ctl);
/* The line a person typed or piped: an address that no argument list shows. -1 at the end of input.
 */
int ctl_read_line(char *line, size_t size) __attribute__((warn_unused_result));

/* Long work tells how far it is, on stderr, if that is a terminal; five times a second at most. */
struct progress {
    const char *what;
    int64_t shown_at;
    bool shown;
};
void progress_tick(struct progress *progress, uint64_t done);
void progress_end(struct progress *progress);

#endif
