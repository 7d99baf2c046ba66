#include "subjects.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define BUCKETS (1u << 15)

/* One stander on one subject: a link of the subject's bucket, and of the stander's own list. */
struct stand {
    unsigned char subject[DIGEST_LEN];
    struct stander *who;
    struct stand *next, **back; /* of the bucket */
    struct stand *other;        /* of the stander */
};
_Static_assert(sizeof(struct stand) == SUBJECTS_STAND_BYTES, "what a stand takes");

struct subjects {
    bool followed;
    uint64_t moment;                                  /* how many touches there were */
    uint64_t floor;                                   /* reads from before it are not relied on */
    unsigned char touches[LIMIT_TOUCHES][DIGEST_LEN]; /* by their number */
    struct stand *buckets[BUCKETS];
};

/* Subjects are digests, so any of their bits will do. */
static struct stand **bucket_of(struct subjects *subjects, const unsigned char subject[DIGEST_LEN])
{
    uint32_t bits;
    memcpy(&bits, subject, sizeof(bits));
    return &subjects->buckets[bits % BUCKETS];
}

struct subjects *subjects_new(void)
{
    return xcalloc(1, sizeof(struct subjects));
}

void subjects_free(struct subjects *subjects)
{
    if (!subjects)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        if (subjects->buckets[i])
            die("subjects: freed while somebody stands on one");
    }
    free(subjects);
}

static void stand_on(struct subjects *subjects, struct stander *stander,
                     const unsigned char subject[DIGEST_LEN])
{
    struct stand **bucket = bucket_of(subjects, subject);
    struct stand *stand = xmalloc(sizeof(*stand));

    memcpy(stand->subject, subject, DIGEST_LEN);
    stand->who = stander;
    stand->other = stander->stands;
    stander->stands = stand;
    stand->back = bucket;
    stand->next = *bucket;
    if (stand->next)
        stand->next->back = &stand->next;
    *bucket = stand;
}

void subjects_stand(struct subjects *subjects, struct stander *stander,
                    const unsigned char (*digests)[DIGEST_LEN], size_t count)
{
    for (size_t i = 0; i < count; i++)
        stand_on(subjects, stander, digests[i]);
}

void subjects_stand_beside(struct subjects *subjects, struct stander *stander,
                           const struct stander *other)
{
    for (const struct stand *stand = other->stands; stand; stand = stand->other)
        stand_on(subjects, stander, stand->subject);
}

void subjects_leave(struct subjects *subjects, struct stander *stander)
{
    (void)subjects; /* every stand knows its own place */
    while (stander->stands) {
        struct stand *stand = stander->stands;

        stander->stands = stand->other;
        *stand->back = stand->next;
        if (stand->next)
            stand->next->back = stand->back;
        free(stand);
    }
}

uint64_t subjects_moment(const struct subjects *subjects)
{
    return subjects->moment;
}

bool subjects_touched_since(const struct subjects *subjects, uint64_t moment,
                            const unsigned char (*digests)[DIGEST_LEN], size_t count)
{
    if (!subjects->followed || moment < subjects->floor ||
        subjects->moment - moment > LIMIT_TOUCHES)
        return true;
    for (uint64_t at = moment; at < subjects->moment; at++) {
        const unsigned char *touched = subjects->touches[at % LIMIT_TOUCHES];

        for (size_t i = 0; i < count; i++) {
            if (memcmp(touched, digests[i], DIGEST_LEN) == 0)
                return true;
        }
    }
    return false;
}

/* A read that began before this moment may have missed what nobody followed: the moment moves on,
 * and the floor with it. */
void subjects_follow(struct subjects *subjects, bool followed)
{
    subjects->followed = followed;
    subjects->floor = ++subjects->moment;
}

/* A stand on this subject, or NULL. */
static struct stand *stand_find(struct subjects *subjects, const unsigned char subject[DIGEST_LEN])
{
    struct stand *stand = *bucket_of(subjects, subject);
    while (stand && memcmp(stand->subject, subject, DIGEST_LEN) != 0)
        stand = stand->next;
    return stand;
}

/* Who is told has left first, so that each is told once, and may do what it likes. */
void subjects_touch(struct subjects *subjects, const unsigned char subject[DIGEST_LEN])
{
    struct stand *stand;

    memcpy(subjects->touches[subjects->moment++ % LIMIT_TOUCHES], subject, DIGEST_LEN);
    while ((stand = stand_find(subjects, subject))) {
        struct stander *who = stand->who;

        subjects_leave(subjects, who);
        who->touched(who);
    }
}
