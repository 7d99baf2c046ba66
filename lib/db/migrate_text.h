/*
 * The grammar of a migration's text:
 *
 *     text      = *( comment-line / blank-line / statement )
 *     comment   = *blank "--" ... end-of-line          ; anywhere between two lines
 *     statement = 1*line, the last one ended by ";" *blank end-of-line
 *
 * A semicolon elsewhere in a line ends nothing. A string literal may not go over a line's end.
 */
#ifndef DB_MIGRATE_TEXT_H
#define DB_MIGRATE_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

/* The next statement, without comments, blank lines and its semicolon; false at the end of the
 * text. A last statement without semicolon counts too. */
bool migrate_text_next(const char **cursor, struct buf *statement);

#endif
