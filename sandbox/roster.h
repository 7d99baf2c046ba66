/*
 * A roster: items in the order of a time and, where times are equal, of a number. Finding a place
 * in it costs the logarithm of its size, so that a page of a long list costs no more than its
 * items.
 */
#ifndef SANDBOX_ROSTER_H
#define SANDBOX_ROSTER_H

#include <stddef.h>
#include <stdint.h>

struct roster_entry {
    int64_t time, number;
    void *item;
};

struct roster {
    struct roster_entry *entries;
    size_t count, room;
};

void roster_free(struct roster *roster); /* the contents; the items are the caller's */
void roster_add(struct roster *roster, int64_t time, int64_t number, void *item);
/* Nothing happens if it is not there. */
void roster_remove(struct roster *roster, int64_t time, int64_t number);
/* How many come before this place: the place of the first that is not before it. */
size_t roster_place(const struct roster *roster, int64_t time, int64_t number);

#endif
