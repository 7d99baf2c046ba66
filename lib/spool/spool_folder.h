/*
 * The spool's files in `state_dir`: spool-00.db and those beside it, one for each process. A file
 * is never deleted, so that the name under which one is held stays its own.
 */
#ifndef SPOOL_SPOOL_FOLDER_H
#define SPOOL_SPOOL_FOLDER_H

#include "spool/spool_file.h"

struct spool_slot {
    struct spool_file *file; /* NULL: none */
    int number;
};

/* Opens the first file that nobody holds, and makes it if need be. One that is damaged is set aside
 * under another name. 0, or -1 with a sentence in `why`. */
int spool_folder_open(const char *folder, struct spool_slot *slot, struct buf *why)
    __attribute__((warn_unused_result));
/* Opens the next file after number `after` that is there, is not `own`, that nobody holds, and that
 * holds rows; false if there is none. */
bool spool_folder_orphan(const char *folder, int own, int after, struct spool_slot *slot);

#endif
