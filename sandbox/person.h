/*
 * The people that the stand-in Miro knows: with and without an address, in one team or several, in
 * every state that a profile can tell.
 */
#ifndef SANDBOX_PERSON_H
#define SANDBOX_PERSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tree.h"

#define PERSON_TEAMS 8

struct person {
    char *id; /* digits; past 2^53, so text everywhere */
    char *name;
    char *address; /* as the person typed it, or NULL: the profile tells none */
    char *state;   /* "registered", ..., or NULL: the profile tells none */
    char *teams[PERSON_TEAMS];
    size_t team_count;
    bool lasting;        /* tokens that do not expire, and so no refresh token */
    int64_t rate_window; /* the minute that rate_used counts */
    int64_t rate_used;
};

struct people *people_new(void);
void people_free(struct people *people);
struct person *people_find(struct people *people, const char *id); /* or NULL */
struct person *people_at(struct people *people, size_t index);     /* or NULL past the end */
bool person_in_team(const struct person *person, const char *team);
const char *team_name(const char *team);

/* Changes or adds the person that `input` describes: id, name, email, state, teams, lasting. NULL
 * with a sentence in *error. */
struct person *people_change(struct people *people, struct json_object *input, const char **error);
/* The person as the knobs tell it. */
struct json_object *person_tree(const struct person *person);
/* The person as GET /v1/users/me tells it. */
struct json_object *person_profile(const struct person *person);

#endif
