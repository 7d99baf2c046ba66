#include "vault/keyring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/secret.h"
#include "vault/envelope.h"
#include "vault/vault.h"

/* A change under way. */
struct rewrite {
    char *path;   /* the file itself, not a link to it */
    char *folder; /* where it lies */
    char *fresh;  /* the new file's name; NULL before there is one */
    int lock;     /* the folder */
    struct stat status;
    struct secret_list lines;
};

static int fail(struct buf *error, const char *path, const char *what)
{
    buf_printf(error, "%s cannot be %s: %s", path, what, strerror(errno));
    return -1;
}

/* Takes the lock of the folder, then reads the file; what is wrong with a line is a refusal. */
static int rewrite_begin(struct rewrite *rewrite, const char *path, struct buf *error)
{
    struct vault *vault;
    char *copy;

    *rewrite = (struct rewrite){.lock = -1};
    rewrite->path = realpath(path, NULL);
    if (rewrite->path == NULL)
        return fail(error, path, "found");
    copy = xstrdup(rewrite->path);
    rewrite->folder = xstrdup(dirname(copy));
    free(copy);
    rewrite->lock = open(rewrite->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rewrite->lock < 0 || flock(rewrite->lock, LOCK_EX) != 0)
        return fail(error, rewrite->folder, "locked");
    if (stat(rewrite->path, &rewrite->status) != 0)
        return fail(error, rewrite->path, "examined");
    if (secret_list_load(rewrite->path, &rewrite->lines, error) != 0)
        return -1;
    vault = vault_new(&rewrite->lines, error);
    vault_free(vault);
    return vault != NULL ? 0 : -1;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, bytes, len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        bytes += wrote;
        len -= (size_t)wrote;
    }
    return 0;
}

/* The text into the new file, as readable as the old one, and to the disk. */
static int fresh_write(const struct rewrite *rewrite, int fd, const struct buf *text)
{
    const struct stat *status = &rewrite->status;
    struct stat mine;

    if (fstat(fd, &mine) != 0)
        return -1;
    if ((mine.st_uid != status->st_uid || mine.st_gid != status->st_gid) &&
        fchown(fd, status->st_uid, status->st_gid) != 0)
        return -1;
    if (fchmod(fd, status->st_mode & 07777) != 0 || write_all(fd, text->data, text->len) != 0)
        return -1;
    return fsync(fd);
}

/* Puts the lines in the file's place. */
static int rewrite_commit(struct rewrite *rewrite, struct buf *error)
{
    struct buf text = {0};
    int fd, result = -1;

    for (size_t i = 0; i < rewrite->lines.count; i++) {
        buf_append(&text, rewrite->lines.items[i].bytes, rewrite->lines.items[i].len);
        buf_putc(&text, '\n');
    }
    rewrite->fresh = xasprintf("%s.XXXXXX", rewrite->path);
    fd = mkostemp(rewrite->fresh, O_CLOEXEC);
    if (fd < 0) {
        xfree(rewrite->fresh);
        fail(error, rewrite->folder, "written to");
        goto out;
    }
    if (fresh_write(rewrite, fd, &text) != 0 || rename(rewrite->fresh, rewrite->path) != 0) {
        fail(error, rewrite->path, "written");
        goto out;
    }
    xfree(rewrite->fresh);
    result = fsync(rewrite->lock);
    if (result != 0)
        fail(error, rewrite->folder, "synced");
out:
    if (fd >= 0)
        close(fd);
    buf_wipe(&text);
    return result;
}

static void rewrite_end(struct rewrite *rewrite)
{
    if (rewrite->fresh != NULL)
        unlink(rewrite->fresh);
    if (rewrite->lock >= 0)
        close(rewrite->lock);
    secret_list_free(&rewrite->lines);
    free(rewrite->fresh);
    free(rewrite->folder);
    free(rewrite->path);
}

/* The line of a kid; the count if there is none. */
static size_t line_find(const struct secret_list *lines, const char *kid)
{
    size_t len = strlen(kid), i = 0;

    while (i < lines->count && !(lines->items[i].len > len && lines->items[i].bytes[len] == ':' &&
                                 memcmp(lines->items[i].bytes, kid, len) == 0))
        i++;
    return i;
}

static struct secret line_make(const char *kid)
{
    unsigned char key[ENVELOPE_KEY_LEN];
    struct buf line = {0};
    size_t len;

    digest_random(key, sizeof(key));
    buf_printf(&line, "%s:", kid);
    buf_reserve(&line, 2 * sizeof(key)); /* so that no copy stays behind */
    digest_base64(key, sizeof(key), &line);
    explicit_bzero(key, sizeof(key));
    len = line.len;
    return (struct secret){(unsigned char *)buf_take(&line), len};
}

int keyring_file_append(const char *path, const char *kid, struct buf *error)
{
    struct rewrite rewrite;
    int result = rewrite_begin(&rewrite, path, error);

    if (result == 0 && line_find(&rewrite.lines, kid) < rewrite.lines.count) {
        buf_printf(error, "%s has a key \"%s\" already", path, kid);
        result = -1;
    }
    if (result == 0 && rewrite.lines.count == LIMIT_KEYRING_KEYS) {
        buf_printf(error, "%s holds %d keys, which is the most: remove those that nothing needs",
                   path, LIMIT_KEYRING_KEYS);
        result = -1;
    }
    if (result == 0) {
        rewrite.lines.items[rewrite.lines.count++] = line_make(kid);
        result = rewrite_commit(&rewrite, error);
    }
    rewrite_end(&rewrite);
    return result;
}

int keyring_file_promote(const char *path, const char *kid, struct buf *error)
{
    struct rewrite rewrite;
    int result = rewrite_begin(&rewrite, path, error);
    size_t found = result == 0 ? line_find(&rewrite.lines, kid) : 0;

    if (result == 0 && found == rewrite.lines.count) {
        buf_printf(error, "%s has no key \"%s\"", path, kid);
        result = -1;
    }
    if (result == 0 && found > 0) {
        struct secret line = rewrite.lines.items[found];

        memmove(rewrite.lines.items + 1, rewrite.lines.items, found * sizeof(line));
        rewrite.lines.items[0] = line;
        result = rewrite_commit(&rewrite, error);
    }
    rewrite_end(&rewrite);
    return result;
}
