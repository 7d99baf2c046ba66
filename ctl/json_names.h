/*
 * Members that stand twice in one object. A parser keeps the last and forgets the first, so that a
 * file says one thing to its reader and another to the program; here they are found.
 */
#ifndef CTL_JSON_NAMES_H
#define CTL_JSON_NAMES_H

#include <stddef.h>

#include "base/buf.h"

/*
 * `text` is what the parser accepted, at most LIMIT_JSON_DEPTH deep. Appends "FILE:LINE: what,
 * expected what" for each fault; returns how many.
 */
size_t json_names_check(const char *file, const char *text, size_t len, struct buf *errors);

#endif
