/*
 * What the two files of resyncs share. Private to this room.
 */
#ifndef STORE_RESYNC_WORK_H
#define STORE_RESYNC_WORK_H

#include "store/resync.h"
#include "store/rows.h"

/* resync_note() in the caller's transaction. */
enum db_result resync_note_within(struct db *db, const char *owner, struct resync_run *run)
    __attribute__((warn_unused_result));

#endif
