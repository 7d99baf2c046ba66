/*
 * Who would gain or lose what if a catalogue came into force: every order projected with it,
 * compared with what stands. A buyer is a subject: an address, or a Miro user bound by a reference.
 */
#ifndef CTL_JUDGEMENT_H
#define CTL_JUDGEMENT_H

#include "ctl.h"
#include "page.h"

struct judgement;

/* Walks all orders; memory grows with what changes, at most JUDGED_CHANGES_MOST, not with the
 * orders. */
enum exit_code judgement_make(struct ctl *ctl, const struct catalogue *catalogue,
                              struct judgement **out) __attribute__((warn_unused_result));
void judgement_free(struct judgement *judgement);

/* Adds counts by key, and the first `most` changes, by short ids. */
void judgement_show(const struct judgement *judgement, size_t most, struct page *page);
/* Whether more than that share of the entitled buyers (in millionths of a percent), and more than
 * one buyer, would lose a key. */
bool judgement_exceeds(const struct judgement *judgement, int64_t micro_percent);

#endif
