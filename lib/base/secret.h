/*
 * Secrets live in files, never in the configuration, the environment or an argument. One a line:
 * all are accepted, which is how they rotate; the first is used for what we sign ourselves.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/limits.h"

struct secret {
    unsigned char *bytes; /* owned; also NUL-terminated */
    size_t len;
};

struct secret_list {
    struct secret items[LIMIT_KEYRING_KEYS]; /* the longest list is a keyring's */
    size_t count;
};

/*
 * Reads the lines of `path` (blank ones skipped, CR and surrounding blanks cut). -1 with a sentence
 * in `error` if the file is missing, not regular, readable or writable by others (mode & 007),
 * larger than LIMIT_SECRET_FILE_BYTES, begins with a byte order mark, holds a NUL, no line at all,
 * or over LIMIT_KEYRING_KEYS lines. How many lines a file of its kind may have is the caller's to
 * check.
 */
int secret_list_load(const char *path, struct secret_list *out, struct buf *error)
    __attribute__((warn_unused_result));
/* The whole of a file as it is, a NUL within it refused; with `guarded` under the same rules, else
 * anybody may read it. */
int secret_load(const char *path, bool guarded, struct secret *out, struct buf *error)
    __attribute__((warn_unused_result));
void secret_list_free(struct secret_list *list); /* wipes */
void secret_free(struct secret *secret);         /* wipes */

/* Where a secret file named `name` lies: absolute as it is, else in $CREDENTIALS_DIRECTORY if set,
 * else beside the configuration file `config_path`. A new string. */
char *secret_path(const char *name, const char *config_path);

#endif
