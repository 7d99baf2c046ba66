/*
 * Whom an operator means: a Miro user by id, or by an address that is linked.
 */
#ifndef CTL_PERSON_H
#define CTL_PERSON_H

#include "base/digest.h"
#include "base/limits.h"
#include "ctl.h"

struct person {
    char user[LIMIT_MIRO_ID + 1];    /* "" if the address is linked to nobody */
    char *address;                   /* normalised, if one was given; wiped by person_free() */
    unsigned char index[DIGEST_LEN]; /* of the address */
};

/* What a subject may be: the user itself, and each address linked to it. */
struct subjects {
    unsigned char (*ids)[DIGEST_LEN];
    size_t count;
};

/* An id, an address, or - for an address from standard input. Says on stderr what is wrong. */
enum exit_code person_find(struct ctl *ctl, const char *argument, struct person *out)
    __attribute__((warn_unused_result));
/* The same, and refuses an address that is linked to nobody. */
enum exit_code person_find_user(struct ctl *ctl, const char *argument, struct person *out)
    __attribute__((warn_unused_result));
/* An address alone. `out->user` is not looked up. */
enum exit_code person_read_address(struct ctl *ctl, const char *argument, struct person *out)
    __attribute__((warn_unused_result));
void person_free(struct person *person);

/* All under which orders of this person may stand. */
enum exit_code person_subjects(struct ctl *ctl, const struct person *person, struct subjects *out)
    __attribute__((warn_unused_result));
void subjects_free(struct subjects *subjects);

/* Whether the text is an id as Miro gives them. */
bool person_is_id(const char *text);

#endif
