#include "spool/spool_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define LOG_SUFFIX "-wal" /* SQLite's, after the file's name */

static char *folder_path(const char *folder, int number)
{
    return xasprintf("%s/spool-%02d.db", folder, number);
}

/* Who looks for a file is alone: two that find one damaged would set each other's new one aside. */
static int folder_lock(const char *folder, struct buf *why)
{
    char *path = xasprintf("%s/spool.lock", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        buf_printf(why, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

/* Keeps a damaged file for a person, with its log: what is whole in it can be read. */
static int folder_set_aside(const char *path, const char *why)
{
    long long now = clock_now() / TIME_SECOND;
    char *aside = xasprintf("%s.damaged-%lld", path, now);
    char *log = xasprintf("%s" LOG_SUFFIX, path), *log_aside = xasprintf("%s" LOG_SUFFIX, aside);
    int result = rename(path, aside);

    if (result == 0 && rename(log, log_aside) != 0 && errno != ENOENT)
        result = -1;
    if (result == 0)
        log_error("spool", "damaged", LOG_S("kept", aside), LOG_S("why", why));
    free(aside);
    free(log);
    free(log_aside);
    return result;
}

/* Whether the search is over with this number: its file is open, or nothing can be. */
static bool folder_try(const char *folder, int number, struct spool_slot *slot, struct buf *why)
{
    char *path = folder_path(folder, number);
    enum spool_fault fault;
    struct buf error = {0};

    slot->number = number;
    slot->file = spool_file_open(path, true, &fault, &error);
    if (!slot->file && fault == FILE_DAMAGED && folder_set_aside(path, error.data) == 0) {
        buf_reset(&error);
        slot->file = spool_file_open(path, true, &fault, &error);
    }
    if (!slot->file && fault != FILE_HELD)
        buf_printf(why, "%s: %s", path, error.data);
    free(path);
    buf_free(&error);
    return slot->file || fault != FILE_HELD;
}

int spool_folder_open(const char *folder, struct spool_slot *slot, struct buf *why)
{
    int lock = folder_lock(folder, why), number = 0;

    slot->file = NULL;
    if (lock < 0)
        return -1;
    while (number < LIMIT_SPOOL_FILES && !folder_try(folder, number, slot, why))
        number++;
    if (number == LIMIT_SPOOL_FILES)
        buf_printf(why, "%s: all %d files are held by other processes", folder, number);
    close(lock);
    return slot->file ? 0 : -1;
}

bool spool_folder_orphan(const char *folder, int own, int after, struct spool_slot *slot)
{
    for (int number = after + 1; number < LIMIT_SPOOL_FILES; number++) {
        char *path = folder_path(folder, number);
        struct buf why = {0};
        enum spool_fault fault = FILE_HELD;
        const struct spool_totals *totals;

        slot->number = number;
        slot->file = number != own && access(path, F_OK) == 0
                         ? spool_file_open(path, false, &fault, &why)
                         : NULL;
        if (!slot->file && fault != FILE_HELD)
            log_warn("spool", "orphan_unreadable", LOG_S("file", path), LOG_S("why", why.data));
        free(path);
        buf_free(&why);
        if (!slot->file)
            continue;
        totals = spool_file_totals(slot->file);
        if (totals->pending + totals->apart > 0)
            return true;
        spool_file_close(slot->file);
        slot->file = NULL;
    }
    return false;
}
