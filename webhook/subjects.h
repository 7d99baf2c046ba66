/*
 * Who stands on which subject, and which subjects were touched of late. The change feed names
 * subjects; kept answers and waiting checks stand on some, and are told when one of theirs is
 * touched.
 *
 * The race of a read against a change is settled here. Whoever reads the database notes the moment
 * before it submits the read, and asks afterwards whether any subject that the answer turned out to
 * stand on was touched since:
 *  - A change whose row the feed's reader had taken before the moment was committed before it. The
 *    statement runs later than it is submitted, on the same server, so its view holds the change.
 *  - A change whose row was taken between the moment and now may be in the view or not: the answer
 *    is told, and not relied on.
 *  - A change whose row is not taken yet will be told to who stands on the subject by then.
 * While the feed is not followed, and for reads that began before it was, everything counts as
 * touched.
 */
#ifndef WEBHOOK_SUBJECTS_H
#define WEBHOOK_SUBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct subjects;
struct stand;
struct stander;

/* It stands on nothing any more when it is called, and may be freed there. */
typedef void stander_touched(struct stander *stander);

/* Whoever is told; part of something larger. */
struct stander {
    struct stand *stands;
    stander_touched *touched;
};

struct subjects *subjects_new(void);
void subjects_free(struct subjects *subjects); /* when nobody stands any more */

void subjects_stand(struct subjects *subjects, struct stander *stander,
                    const unsigned char (*digests)[DIGEST_LEN], size_t count);
/* Stands where another does. */
void subjects_stand_beside(struct subjects *subjects, struct stander *stander,
                           const struct stander *other);
void subjects_leave(struct subjects *subjects, struct stander *stander);

uint64_t subjects_moment(const struct subjects *subjects);
bool subjects_touched_since(const struct subjects *subjects, uint64_t moment,
                            const unsigned char (*digests)[DIGEST_LEN], size_t count)
    __attribute__((warn_unused_result));

/* The feed's reader: from now on it follows, or does not. */
void subjects_follow(struct subjects *subjects, bool followed);
void subjects_touch(struct subjects *subjects, const unsigned char subject[DIGEST_LEN]);

#define SUBJECTS_STAND_BYTES 64 /* what one stand on one subject takes */

#endif
