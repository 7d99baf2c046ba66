#include "person.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "sandbox.h"

struct people {
    struct person **items;
    size_t count;
};

#define TEAM_ACME "3458764514838398336"
#define TEAM_NORTH "3458764514838398400"
#define TEAM_FREE "3458764514838398401"

static const struct {
    const char *id, *name;
} teams[] = {
    {TEAM_ACME, "Acme Design"},
    {TEAM_NORTH, "Studio North"},
    {TEAM_FREE, "Freelancers"},
};

/* One of each kind that the profile endpoint is known, or feared, to answer. */
static const struct {
    const char *id, *name, *address, *state, *teams[2];
    bool lasting;
} cast[] = {
    {"3458764514838398337",
     "Zoë Müller",
     "zoe@example.test",
     "registered",
     {TEAM_ACME, TEAM_NORTH},
     false},
    {"3458764514838398338", "Ben Okafor", "ben@example.test", "registered", {TEAM_ACME}, false},
    {"3458764514838398339", "Chiara Rossi", NULL, "registered", {TEAM_ACME}, false},
    {"3458764514838398340", "Dev Patel", "Zoe@Example.Test", "registered", {TEAM_NORTH}, false},
    {"3458764514838398341", "Emi Sato", "emi@example.test", "not_registered", {TEAM_ACME}, false},
    {"3458764514838398342", "Finn Larsen", "finn@example.test", "deleted", {TEAM_ACME}, false},
    {"3458764514838398343", "Grace Liu", "grace@example.test", "registered", {TEAM_FREE}, true},
    {"3458764514838398344", "Hana Kim", "hana@example.test", NULL, {TEAM_NORTH, TEAM_FREE}, false},
};

/* Releases a person. */
static void person_free(struct person *person)
{
    if (person == NULL)
        return;
    for (size_t i = 0; i < person->team_count; i++)
        free(person->teams[i]);
    free(person->id);
    free(person->name);
    free(person->address);
    free(person->state);
    free(person);
}

/* Adds an empty person under an id. */
static struct person *add(struct people *people, const char *id)
{
    struct person *person = xcalloc(1, sizeof(*person));
    person->id = xstrdup(id);
    people->items = xreallocarray(people->items, people->count + 1, sizeof(*people->items));
    people->items[people->count++] = person;
    return person;
}

/* Text that may be absent, copied. */
static char *copy(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

/* The cast, as the program begins. */
struct people *people_new(void)
{
    struct people *people = xcalloc(1, sizeof(*people));
    for (size_t i = 0; i < sizeof(cast) / sizeof(cast[0]); i++) {
        struct person *person = add(people, cast[i].id);
        person->name = xstrdup(cast[i].name);
        person->address = copy(cast[i].address);
        person->state = copy(cast[i].state);
        person->lasting = cast[i].lasting;
        for (size_t t = 0; t < 2 && cast[i].teams[t] != NULL; t++)
            person->teams[person->team_count++] = xstrdup(cast[i].teams[t]);
    }
    return people;
}

/* Releases everybody. */
void people_free(struct people *people)
{
    if (people == NULL)
        return;
    for (size_t i = 0; i < people->count; i++)
        person_free(people->items[i]);
    free(people->items);
    free(people);
}

/* By id. */
struct person *people_find(struct people *people, const char *id)
{
    for (size_t i = 0; id != NULL && i < people->count; i++)
        if (strcmp(people->items[i]->id, id) == 0)
            return people->items[i];
    return NULL;
}

/* By place, for listing. */
struct person *people_at(struct people *people, size_t index)
{
    return index < people->count ? people->items[index] : NULL;
}

/* Membership decides for which teams a person can install. */
bool person_in_team(const struct person *person, const char *team)
{
    for (size_t i = 0; team != NULL && i < person->team_count; i++)
        if (strcmp(person->teams[i], team) == 0)
            return true;
    return false;
}

/* Teams that a test invents have no name of their own. */
const char *team_name(const char *team)
{
    for (size_t i = 0; i < sizeof(teams) / sizeof(teams[0]); i++)
        if (strcmp(teams[i].id, team) == 0)
            return teams[i].name;
    return "Team";
}

/* Miro's ids are decimal digits that fit 64 bits. */
static bool is_id(const char *text)
{
    int64_t number;
    return text != NULL && text_to_int(text, strlen(text), &number) == 0;
}

/* Replaces a text member where the input tells one, be it null. */
static void change_text(struct json_object *input, const char *key, char **field)
{
    if (!tree_has(input, key))
        return;
    free(*field);
    *field = copy(tree_get_text(input, key));
}

/* Replaces the teams; the ids were checked. */
static void change_teams(struct person *person, struct json_object *list)
{
    for (size_t i = 0; i < person->team_count; i++)
        free(person->teams[i]);
    person->team_count = 0;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const char *team = json_object_get_string(json_object_array_get_idx(list, i));
        person->teams[person->team_count++] = xstrdup(team);
    }
}

/* Nothing is changed unless all of it can be. */
struct person *people_change(struct people *people, struct json_object *input, const char **error)
{
    const char *id = tree_get_text(input, "id");
    struct json_object *list = tree_get_array(input, "teams");
    struct person *person = people_find(people, id);
    *error = NULL;
    if (!is_id(id))
        *error = "id: expected the digits of a Miro user id";
    else if (person == NULL && people->count >= SANDBOX_PEOPLE)
        *error = "there are too many people already";
    else if (person == NULL && (list == NULL || tree_get_text(input, "name") == NULL))
        *error = "a new person needs a name and teams";
    size_t count = list == NULL ? 0 : json_object_array_length(list);
    if (*error == NULL && count > PERSON_TEAMS)
        *error = "teams: at most 8";
    for (size_t i = 0; *error == NULL && i < count; i++)
        if (!is_id(json_object_get_string(json_object_array_get_idx(list, i))))
            *error = "teams: expected the digits of team ids";
    if (*error != NULL)
        return NULL;
    if (person == NULL)
        person = add(people, id);
    if (tree_get_text(input, "name") != NULL)
        change_text(input, "name", &person->name);
    change_text(input, "email", &person->address);
    change_text(input, "state", &person->state);
    person->lasting = tree_get_bool(input, "lasting", person->lasting);
    if (list != NULL)
        change_teams(person, list);
    return person;
}

/* All that the sandbox knows of a person. */
struct json_object *person_tree(const struct person *person)
{
    struct json_object *tree = tree_object();
    struct json_object *list = tree_array();
    tree_text(tree, "id", person->id);
    tree_text(tree, "name", person->name);
    tree_text(tree, "email", person->address);
    tree_text(tree, "state", person->state);
    tree_bool(tree, "lasting", person->lasting);
    for (size_t i = 0; i < person->team_count; i++) {
        struct json_object *team = tree_object();
        tree_text(team, "id", person->teams[i]);
        tree_text(team, "name", team_name(person->teams[i]));
        tree_add(list, team);
    }
    tree_put(tree, "teams", list);
    return tree;
}

/* Without an address Miro answers its short form: type, id, name. */
struct json_object *person_profile(const struct person *person)
{
    struct json_object *tree = tree_object();
    tree_text(tree, "type", "user");
    tree_text(tree, "id", person->id);
    tree_text(tree, "name", person->name);
    if (person->address == NULL)
        return tree;
    tree_text(tree, "createdAt", "2017-03-23T09:41:01Z");
    tree_text(tree, "role", "designer");
    tree_text(tree, "email", person->address);
    if (person->state != NULL)
        tree_text(tree, "state", person->state);
    return tree;
}
