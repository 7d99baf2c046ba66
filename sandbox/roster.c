#include "roster.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Releases the places. */
void roster_free(struct roster *roster)
{
    free(roster->entries);
    *roster = (struct roster){0};
}

/* Whether an entry comes before a place. */
static int is_before(const struct roster_entry *entry, int64_t time, int64_t number)
{
    return entry->time != time ? entry->time < time : entry->number < number;
}

/* By halves. */
size_t roster_place(const struct roster *roster, int64_t time, int64_t number)
{
    size_t from = 0, to = roster->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (is_before(&roster->entries[middle], time, number))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* What is newest is added most, and then nothing moves. */
void roster_add(struct roster *roster, int64_t time, int64_t number, void *item)
{
    size_t at = roster_place(roster, time, number);
    if (roster->count == roster->room) {
        roster->room = roster->room == 0 ? 64 : roster->room * 2;
        roster->entries = xreallocarray(roster->entries, roster->room, sizeof(*roster->entries));
    }
    memmove(&roster->entries[at + 1], &roster->entries[at],
            (roster->count - at) * sizeof(*roster->entries));
    roster->entries[at] = (struct roster_entry){time, number, item};
    roster->count++;
}

/* Closes the gap. */
void roster_remove(struct roster *roster, int64_t time, int64_t number)
{
    size_t at = roster_place(roster, time, number);
    if (at == roster->count || roster->entries[at].time != time ||
        roster->entries[at].number != number)
        return;
    roster->count--;
    memmove(&roster->entries[at], &roster->entries[at + 1],
            (roster->count - at) * sizeof(*roster->entries));
}
