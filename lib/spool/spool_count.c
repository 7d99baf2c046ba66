#include "spool/spool_count.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

#define COUNT_FORMAT "%019zu %019zu\n" /* always as long, so that a new one covers the old one */
#define DIGITS 19
#define COUNT_LEN (2 * DIGITS + 2)

void spool_count_write(const char *folder, int number, size_t pending, size_t apart)
{
    char *path = xasprintf("%s/spool-%02d.count", folder, number), text[COUNT_LEN + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t written = 0;

    snprintf(text, sizeof(text), COUNT_FORMAT, pending, apart);
    if (fd >= 0) {
        written = write(fd, text, COUNT_LEN);
        close(fd);
    }
    (void)written; /* see the header */
    free(path);
}

/* Adds what one file says; one that says nothing yet has nothing to say. */
static void count_add(int folder, const char *name, struct spool_count *out)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    char text[COUNT_LEN + 1] = "";
    int64_t pending, apart;
    ssize_t len = 0;

    if (fd >= 0) {
        len = read(fd, text, COUNT_LEN);
        close(fd);
    }
    if (len != COUNT_LEN || text_to_int(text, DIGITS, &pending) != 0 ||
        text_to_int(text + DIGITS + 1, DIGITS, &apart) != 0)
        return;
    out->files++;
    out->pending += (size_t)pending;
    out->apart += (size_t)apart;
}

int spool_count_read(const char *folder, struct spool_count *out)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    memset(out, 0, sizeof(*out));
    if (!dir)
        return -1;
    while ((entry = readdir(dir))) {
        const char *name = entry->d_name, *dot = strrchr(name, '.');

        if (strncmp(name, "spool-", strlen("spool-")) != 0 || !dot)
            continue;
        if (strcmp(dot, ".count") == 0)
            count_add(dirfd(dir), name, out);
        else if (strncmp(dot, ".damaged-", strlen(".damaged-")) == 0 && !strstr(dot, "-wal"))
            out->damaged++;
    }
    closedir(dir);
    return 0;
}
