#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/db.h"

struct db_value db_text(const char *text)
{
    return text ? DB_VALUE_BYTES(text, strlen(text)) : DB_VALUE_NULL;
}

struct db_value db_time(int64_t time_or_none)
{
    return time_or_none == TIME_NONE ? DB_VALUE_NULL : DB_VALUE_INT(time_or_none);
}

void db_repeat(struct buf *sql, const char *group, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_putc(sql, ',');
        }
        buf_puts(sql, group);
    }
}

/* Few sizes mean few prepared statements; none is 1, because an IN list may not be empty. */
size_t db_padded(size_t count)
{
    size_t padded = 1;
    while (padded < count) {
        padded *= 2;
    }
    return padded;
}
