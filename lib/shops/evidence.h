/*
 * Putting what a shop tells into a snapshot, private to this room: the rules that hold whatever the
 * provider (a time is never beyond receipt, an id stands once, an address is matched normalised).
 * Those that can fail set the facts aside as malformed and give -1.
 */
#ifndef SHOPS_EVIDENCE_H
#define SHOPS_EVIDENCE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/facts.h"

/* A time that a shop tells, cut to five minutes after receipt. */
int64_t evidence_time(int64_t told, int64_t received_at);
/* Sets the snapshot's time to that, and notes it if it was cut. */
void evidence_set_time(struct fact_snapshot *snapshot, int64_t told, int64_t received_at);
/* The host of an http or https URL, with its port unless that is the scheme's own, in lower case:
 * which shop it is of. `*rest` is what follows. NULL: it is no such URL. */
char *evidence_host(const char *url, const char **rest);
/* Frees what a line owns: for one that could not be read whole. */
void evidence_free_line(struct fact_line *line);
/* Adds a line and takes over its strings, also when it fails. A line without an id, or with a
 * quantity below 0, is left out: it must not keep the rest of its order from counting. */
int evidence_add_line(struct facts *facts, struct fact_snapshot *snapshot, struct fact_line *line)
    __attribute__((warn_unused_result));
/* Whether a paid order has any line left of the `told` ones; its status must be set. */
int evidence_check_lines(struct facts *facts, const struct fact_snapshot *snapshot, size_t told)
    __attribute__((warn_unused_result));
/* Adds a refund to the list of a snapshot, with its id taken over; NULL: set aside. */
struct fact_listed_refund *evidence_add_listed_refund(struct facts *facts,
                                                      struct fact_snapshot *snapshot, char *id);
/* Adds what was given back of a line, with its id taken over; a line named twice counts once, with
 * the sum. */
int evidence_add_refund_line(struct facts *facts, struct fact_refund_line **lines, size_t *count,
                             char *line_id, int64_t quantity) __attribute__((warn_unused_result));
/* Sets address and address_state from the text that a shop tells, which may be NULL. */
void evidence_set_address(struct fact_snapshot *snapshot, const char *text);
/* Sets the buyer reference from `text_key` of the first element of `list` whose `name_key` says
 * miro_reference. */
void evidence_find_reference(struct fact_snapshot *snapshot, struct json_object *list,
                             const char *name_key, const char *text_key);
/* Sets the buyer reference to a member's value, whatever it is: nothing is said by null alone. */
void evidence_set_reference(struct fact_snapshot *snapshot, struct json_object *value);

#endif
