#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define OTHERS_MODE 007

void secret_free(struct secret *secret)
{
    if (secret->bytes != NULL)
        explicit_bzero(secret->bytes, secret->len);
    free(secret->bytes);
    *secret = (struct secret){0};
}

void secret_list_free(struct secret_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        secret_free(&list->items[i]);
    *list = (struct secret_list){0};
}

/* The rules are asked of the open file, so that nobody can change it in between. */
static int check_file(int fd, const char *path, bool guarded, struct buf *error)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        buf_printf(error, "%s cannot be examined: %s", path, strerror(errno));
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        buf_printf(error, "%s is not a regular file", path);
        return -1;
    }
    if (guarded && (status.st_mode & OTHERS_MODE) != 0) {
        buf_printf(error, "%s can be used by others (mode %04o; chmod o= mends it)", path,
                   (unsigned int)(status.st_mode & 07777));
        return -1;
    }
    if (status.st_size > LIMIT_SECRET_FILE_BYTES) {
        buf_printf(error, "%s has more than %d bytes", path, LIMIT_SECRET_FILE_BYTES);
        return -1;
    }
    return 0;
}

/* Reads to the end, within the limit even if the file grows meanwhile. */
static int read_all(int fd, const char *path, struct buf *out, struct buf *error)
{
    buf_reserve(out, LIMIT_SECRET_FILE_BYTES + 1);
    for (;;) {
        ssize_t got = read(fd, out->data + out->len, LIMIT_SECRET_FILE_BYTES + 1 - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            buf_printf(error, "%s cannot be read: %s", path, strerror(errno));
            return -1;
        }
        if (got == 0)
            return 0;
        out->len += (size_t)got;
        if (out->len > LIMIT_SECRET_FILE_BYTES) {
            buf_printf(error, "%s has more than %d bytes", path, LIMIT_SECRET_FILE_BYTES);
            return -1;
        }
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line, cut at its blanks; false if the list is full. */
static bool add_line(struct secret_list *list, const char *line, size_t len)
{
    while (len > 0 && is_blank(line[0])) {
        line++;
        len--;
    }
    while (len > 0 && is_blank(line[len - 1]))
        len--;
    if (len == 0)
        return true;
    if (list->count == LIMIT_KEYRING_KEYS)
        return false;
    list->items[list->count++] = (struct secret){(unsigned char *)xstrndup(line, len), len};
    return true;
}

static int split_lines(const struct buf *text, const char *path, struct secret_list *out,
                       struct buf *error)
{
    const char *at = text->data, *end = text->data + text->len;
    if (memchr(at, '\0', text->len) != NULL) {
        buf_printf(error, "%s holds a NUL byte", path);
        return -1;
    }
    if (text->len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
        buf_printf(error, "%s begins with a byte order mark, which would be part of its secret",
                   path);
        return -1;
    }
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL)
            line_end = end;
        if (!add_line(out, at, (size_t)(line_end - at))) {
            buf_printf(error, "%s has more than %d lines", path, LIMIT_KEYRING_KEYS);
            return -1;
        }
        at = line_end < end ? line_end + 1 : end;
    }
    if (out->count == 0) {
        buf_printf(error, "%s is empty", path);
        return -1;
    }
    return 0;
}

/* Opened without waiting: a pipe in the place of a file must not stop the program. */
static int read_file(const char *path, bool guarded, struct buf *out, struct buf *error)
{
    int result = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        buf_printf(error, "%s cannot be opened: %s", path, strerror(errno));
        return -1;
    }
    if (check_file(fd, path, guarded, error) == 0)
        result = read_all(fd, path, out, error);
    close(fd);
    return result;
}

int secret_list_load(const char *path, struct secret_list *out, struct buf *error)
{
    struct secret_list list = {0};
    struct buf text = {0};
    int result = -1;
    if (read_file(path, true, &text, error) != 0 || split_lines(&text, path, &list, error) != 0)
        goto out;
    *out = list;
    list = (struct secret_list){0};
    result = 0;
out:
    secret_list_free(&list);
    buf_wipe(&text);
    return result;
}

int secret_load(const char *path, bool guarded, struct secret *out, struct buf *error)
{
    struct buf text = {0};
    int result = -1;
    if (read_file(path, guarded, &text, error) != 0)
        goto out;
    if (text.len == 0 || memchr(text.data, '\0', text.len) != NULL) {
        buf_printf(error, "%s %s", path, text.len == 0 ? "is empty" : "holds a NUL byte");
        goto out;
    }
    *out = (struct secret){(unsigned char *)xstrndup(text.data, text.len), text.len};
    result = 0;
out:
    buf_wipe(&text);
    return result;
}

char *secret_path(const char *name, const char *config_path)
{
    if (name[0] == '/')
        return xstrdup(name);
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (credentials != NULL && credentials[0] != '\0')
        return xasprintf("%s/%s", credentials, name);
    const char *slash = strrchr(config_path, '/');
    if (slash == NULL)
        return xstrdup(name);
    return xasprintf("%.*s/%s", (int)(slash - config_path), config_path, name);
}
