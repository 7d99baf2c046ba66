/*
 * The one typed table of what the configuration may say. Loading, defaults, checks, freeing and the
 * reference in docs/configuration.md all go by its rows; a new key is a new row.
 */
#ifndef BASE_SETTINGS_TABLE_H
#define BASE_SETTINGS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* How a value is read, and what it becomes at its row's offset. */
enum setting_type {
    SETTING_TEXT,     /* char *: free text of min to max bytes */
    SETTING_ID,       /* char *: letters, digits, '.', '_' and '-' */
    SETTING_LISTEN,   /* char *: host:port */
    SETTING_ORIGIN,   /* char * */
    SETTING_ORIGINS,  /* char **, NULL-terminated: origins, or none */
    SETTING_PREFIX,   /* char *: a URL that paths are added to */
    SETTING_PAGE,     /* char *: a whole URL */
    SETTING_SMTP,     /* char * */
    SETTING_ADDRESS,  /* char *: an e-mail address, as written */
    SETTING_PATH,     /* char *: absolute */
    SETTING_FILE,     /* char *: a path; a relative one lies beside the configuration file */
    SETTING_HOSTS,    /* char **, NULL-terminated: at least one host */
    SETTING_WORDS,    /* char **, NULL-terminated: at least min words without blanks */
    SETTING_NETWORKS, /* struct network_list: addresses and networks, or none */
    SETTING_NUMBER,   /* int64_t: min to max */
    SETTING_BYTES,    /* int64_t: min to max, with KiB or MiB if it likes */
    SETTING_BOOL,     /* bool */
    SETTING_CHOICE,   /* an enum, by the place of its name among `choices` */
    SETTING_CONTENTS, /* struct secret: the bytes of a file */
    SETTING_PRIVATE,  /* struct secret: the same of a secret file */
    SETTING_SECRETS,  /* struct secret_list: the lines of a secret file, at most max */
};

struct setting {
    const char *section;
    const char *key;
    enum setting_type type;
    bool needed;
    size_t offset;
    const char *fallback; /* as if the file said so; NULL: none */
    int64_t min, max;
    const char *const *choices; /* SETTING_CHOICE; NULL-terminated */
    size_t path_offset;         /* SETTING_SECRETS: where the file's path is kept as well, or 0 */
    const char *help;           /* one line of Markdown */
};

enum section_naming {
    SECTION_ALONE,  /* [name] */
    SECTION_NAMED,  /* [name instance] */
    SECTION_EITHER, /* [name], and more as [name instance] */
};

/* Which struct the offsets of a section's rows count from. */
enum section_place {
    PLACE_SERVER,
    PLACE_DATABASE,
    PLACE_SETTINGS,
    PLACE_MIRO,
    PLACE_SOURCE,
    PLACE_MAIL
};

struct section {
    const char *name;
    enum section_naming naming;
    enum section_place place;
    bool needed;
    const char *help;
};

extern const struct setting settings_table[];
extern const size_t settings_table_count;
extern const struct section settings_sections[];
extern const size_t settings_section_count;

/* What a value of this row must be: "a whole number from 0 to 180". */
void setting_put_expected(const struct setting *setting, struct buf *out);

struct setting_source {
    const char *config_path;
    bool read_files; /* false: secret files are left unread */
};
/* Replaces the value at the row's place in `base`. -1 with what is wrong in `fault`, and the place
 * as it was. */
int setting_set(const struct setting *setting, void *base, const char *value,
                const struct setting_source *source, struct buf *fault)
    __attribute__((warn_unused_result));
/* Frees what the row's place in `base` holds; secrets are wiped. */
void setting_clear(const struct setting *setting, void *base);

#endif
