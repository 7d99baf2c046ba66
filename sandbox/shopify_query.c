#include "shopify_query.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* What stands in a connection costs a quarter of what it would by itself. */
#define CONNECTION_DISCOUNT 4

/* Where the reader stands. Once `error` holds something, all of it fails. */
struct reader {
    const char *at;
    struct json_object *variables; /* given, or NULL */
    struct json_object *defaults;  /* of the operation's own head */
    struct buf *error;
    int depth;
};

/* Skips what GraphQL ignores: blanks, commas, comments. */
static void skip(struct reader *reader)
{
    for (;;) {
        while (*reader->at != '\0' && strchr(" \t\r\n,", *reader->at) != NULL)
            reader->at++;
        if (*reader->at != '#')
            return;
        reader->at += strcspn(reader->at, "\r\n");
    }
}

/* Writes down what was expected, once; false. */
static bool fail(struct reader *reader, const char *expected)
{
    if (reader->error->len == 0)
        buf_printf(reader->error, "syntax error: expected %s at \"%.20s\"", expected, reader->at);
    return false;
}

/* Takes one character if it stands here. */
static bool take(struct reader *reader, char c)
{
    skip(reader);
    if (*reader->at != c)
        return false;
    reader->at++;
    return true;
}

/* Takes one character that has to stand here. */
static bool need(struct reader *reader, char c)
{
    const char text[] = {'\'', c, '\'', '\0'};
    return take(reader, c) || fail(reader, text);
}

/* A name; a new string, or NULL if none stands here. */
static char *take_name(struct reader *reader)
{
    skip(reader);
    size_t len = 0;
    while (isalnum((unsigned char)reader->at[len]) || reader->at[len] == '_')
        len++;
    if (len == 0 || isdigit((unsigned char)reader->at[0]))
        return NULL;
    char *name = xstrndup(reader->at, len);
    reader->at += len;
    return name;
}

static bool take_value(struct reader *reader, struct json_object **out);

/* A string in quotes; its escapes are JSON's. */
static bool take_string(struct reader *reader, struct json_object **out)
{
    const char *end = reader->at + 1;
    while (*end != '\0' && *end != '"')
        end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    if (*end != '"')
        return fail(reader, "the end of a string");
    struct buf text = {0};
    buf_puts(&text, "{\"s\":");
    buf_append(&text, reader->at, (size_t)(end + 1 - reader->at));
    buf_putc(&text, '}');
    struct json_object *holder = tree_parse(text.data, text.len);
    buf_free(&text);
    struct json_object *value = NULL;
    if (holder == NULL || !json_object_object_get_ex(holder, "s", &value)) {
        json_object_put(holder);
        return fail(reader, "a string");
    }
    *out = json_object_get(value);
    json_object_put(holder);
    reader->at = end + 1;
    return true;
}

/* A variable's value, or its default. */
static bool take_variable(struct reader *reader, struct json_object **out)
{
    reader->at++;
    char *name = take_name(reader);
    struct json_object *value = NULL;
    if (name == NULL)
        return fail(reader, "a variable's name");
    if (!json_object_object_get_ex(reader->variables, name, &value))
        json_object_object_get_ex(reader->defaults, name, &value);
    free(name);
    *out = json_object_get(value);
    return true;
}

/* [ value ... ] */
static bool take_list(struct reader *reader, struct json_object **out)
{
    struct json_object *list = tree_array();
    reader->at++;
    while (!take(reader, ']')) {
        struct json_object *value = NULL;
        if (!take_value(reader, &value)) {
            json_object_put(list);
            return false;
        }
        tree_add(list, value);
    }
    *out = list;
    return true;
}

/* A number, true, false, null, or an enum's word, which is as good as its text. */
static bool take_word(struct reader *reader, struct json_object **out)
{
    size_t len = strcspn(reader->at, " \t\r\n,)]}{(:");
    char *word = xstrndup(reader->at, len);
    int64_t number;
    bool good = true;
    if (text_to_int(word, len, &number) == 0)
        *out = json_object_new_int64(number);
    else if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
        *out = json_object_new_boolean(word[0] == 't');
    else if (strcmp(word, "null") == 0)
        *out = NULL;
    else if (isalpha((unsigned char)word[0]))
        *out = json_object_new_string(word);
    else
        good = fail(reader, "a value");
    free(word);
    reader->at += good ? len : 0;
    return good;
}

/* Any value. Input objects are part of no query that is understood here. */
static bool take_value(struct reader *reader, struct json_object **out)
{
    skip(reader);
    if (*reader->at == '"')
        return take_string(reader, out);
    if (*reader->at == '$')
        return take_variable(reader, out);
    return *reader->at == '[' ? take_list(reader, out) : take_word(reader, out);
}

/* ( name: value ... ) */
static bool take_arguments(struct reader *reader, struct json_object *arguments)
{
    while (!take(reader, ')')) {
        char *name = take_name(reader);
        struct json_object *value = NULL;
        bool good = name == NULL ? fail(reader, "an argument")
                                 : need(reader, ':') && take_value(reader, &value);
        if (good)
            tree_put(arguments, name, value);
        free(name);
        if (!good)
            return false;
    }
    return true;
}

/* ( $name: Type [= default] ... ); the types are taken as they are. */
static bool take_head(struct reader *reader)
{
    while (!take(reader, ')')) {
        char *name = need(reader, '$') ? take_name(reader) : NULL;
        struct json_object *value = NULL;
        bool good = name != NULL && need(reader, ':');
        skip(reader);
        reader->at += good ? strspn(reader->at, "[]!_0123456789abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
                           : 0;
        if (good && take(reader, '=') && take_value(reader, &value))
            tree_put(reader->defaults, name, value);
        free(name);
        if (!good)
            return fail(reader, "a variable");
    }
    return reader->error->len == 0;
}

static bool take_selection(struct reader *reader, struct query_field *holder);

/* What follows "...": on Type { }. */
static bool take_fragment(struct reader *reader, struct query_field *field)
{
    reader->at += 3;
    char *on = take_name(reader);
    bool good = on != NULL && strcmp(on, "on") == 0;
    free(on);
    if (!good || (field->on = take_name(reader)) == NULL)
        return fail(reader, "an inline fragment");
    return need(reader, '{') && take_selection(reader, field);
}

/* One field with all that belongs to it. */
static bool take_field(struct reader *reader, struct query_field *field)
{
    skip(reader);
    field->arguments = tree_object();
    if (strncmp(reader->at, "...", 3) == 0)
        return take_fragment(reader, field);
    field->name = take_name(reader);
    if (field->name == NULL)
        return fail(reader, "a field");
    if (take(reader, ':')) {
        field->alias = field->name;
        field->name = take_name(reader);
        if (field->name == NULL)
            return fail(reader, "a field");
    } else {
        field->alias = xstrdup(field->name);
    }
    if (take(reader, '(') && !take_arguments(reader, field->arguments))
        return false;
    return take(reader, '{') ? take_selection(reader, field) : true;
}

/* The fields up to the closing brace. */
static bool take_selection(struct reader *reader, struct query_field *holder)
{
    if (++reader->depth > QUERY_DEPTH)
        return fail(reader, "fewer levels");
    do {
        holder->fields = xreallocarray(holder->fields, holder->count + 1, sizeof(*holder->fields));
        holder->fields[holder->count] = (struct query_field){0};
        if (!take_field(reader, &holder->fields[holder->count++]))
            return false;
    } while (!take(reader, '}'));
    reader->depth--;
    return true;
}

/* Releases what a field holds. */
static void field_release(struct query_field *field)
{
    for (size_t i = 0; i < field->count; i++)
        field_release(&field->fields[i]);
    free(field->fields);
    free(field->alias);
    free(field->name);
    free(field->on);
    json_object_put(field->arguments);
}

/* Mutations are for those who have rights that a reader of orders lacks. */
struct query_field *query_read(const char *text, struct json_object *variables, struct buf *error)
{
    struct query_field *query = xcalloc(1, sizeof(*query));
    struct reader reader = {
        .at = text, .variables = variables, .defaults = tree_object(), .error = error};
    char *operation = take_name(&reader);
    bool good = operation == NULL || strcmp(operation, "query") == 0 ||
                fail(&reader, "a query, which reads");
    if (good && operation != NULL) {
        free(take_name(&reader));
        good = !take(&reader, '(') || take_head(&reader);
    }
    good = good && need(&reader, '{') && take_selection(&reader, query);
    skip(&reader);
    if (good && *reader.at != '\0')
        good = fail(&reader, "the end");
    free(operation);
    json_object_put(reader.defaults);
    if (good)
        return query;
    query_free(query);
    return NULL;
}

/* All of it. */
void query_free(struct query_field *query)
{
    if (query == NULL)
        return;
    field_release(query);
    free(query);
}

static const struct query_member page_info_members[] = {
    {"hasNextPage", NULL, QUERY_ONE}, {"hasPreviousPage", NULL, QUERY_ONE},
    {"startCursor", NULL, QUERY_ONE}, {"endCursor", NULL, QUERY_ONE},
    {NULL, NULL, QUERY_ONE},
};
static const struct query_type page_info = {"PageInfo", page_info_members, NULL};

/* The member of a type, or NULL. */
static const struct query_member *member_of(const struct query_type *type, const char *name)
{
    for (const struct query_member *member = type->members; member->name != NULL; member++)
        if (strcmp(member->name, name) == 0)
            return member;
    return NULL;
}

/* The type that a fragment is on, if the outer one may be that; or NULL. */
static const struct query_type *fragment_type(const struct query_field *field,
                                              const struct query_type *type)
{
    if (strcmp(field->on, type->name) == 0)
        return type;
    bool behind = type->possible != NULL && strcmp(field->on, type->possible->name) == 0;
    return behind ? type->possible : NULL;
}

/* What is asked of a connection: nodes, edges, pageInfo. */
static bool check_connection(const struct query_field *field, const struct query_type *type,
                             struct buf *error)
{
    if (tree_get_number(field->arguments, "first", 0) < 1 ||
        tree_get_number(field->arguments, "first", 0) > 250) {
        buf_printf(error, "you must provide `first` of 1 to 250 on the `%s` connection",
                   field->name);
        return false;
    }
    for (size_t i = 0; i < field->count; i++) {
        const struct query_field *part = &field->fields[i];
        const char *name = part->name == NULL ? "..." : part->name;
        const struct query_member edge_members[] = {
            {"cursor", NULL, QUERY_ONE}, {"node", type, QUERY_ONE}, {NULL, NULL, QUERY_ONE}};
        const struct query_type edge = {"Edge", edge_members, NULL};
        const struct query_type *inner = strcmp(name, "nodes") == 0      ? type
                                         : strcmp(name, "edges") == 0    ? &edge
                                         : strcmp(name, "pageInfo") == 0 ? &page_info
                                                                         : NULL;
        if (inner == NULL) {
            /* A connection is of a type. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
            buf_printf(error, "Field '%s' doesn't exist on type '%sConnection'", name, type->name);
            return false;
        }
        if (!query_check(part, inner, error))
            return false;
    }
    return true;
}

/* One field with what is asked for within it. */
static bool check_field(const struct query_field *field, const struct query_type *type,
                        struct buf *error)
{
    if (field->on != NULL) {
        const struct query_type *inner = fragment_type(field, type);
        if (inner != NULL)
            return query_check(field, inner, error);
        buf_printf(error, "Fragment on %s can't be spread inside %s", field->on, type->name);
        return false;
    }
    const struct query_member *member = member_of(type, field->name);
    if (strcmp(field->name, "__typename") == 0)
        return true;
    if (member == NULL) {
        buf_printf(error, "Field '%s' doesn't exist on type '%s'", field->name, type->name);
        return false;
    }
    if ((member->type == NULL) != (field->count == 0)) {
        buf_printf(error, "Field '%s' %s", field->name,
                   member->type == NULL ? "can't have selections" : "must have selections");
        return false;
    }
    if (member->type == NULL)
        return true;
    return member->shape == QUERY_CONNECTION ? check_connection(field, member->type, error)
                                             : query_check(field, member->type, error);
}

/* Every field of it. */
bool query_check(const struct query_field *query, const struct query_type *type, struct buf *error)
{
    for (size_t i = 0; i < query->count; i++)
        if (!check_field(&query->fields[i], type, error))
            return false;
    return true;
}

/* The cost of what stands in a connection, once. */
static int64_t connection_cost(const struct query_field *field, const struct query_type *type)
{
    int64_t cost = 0;
    for (size_t i = 0; i < field->count; i++) {
        const struct query_field *part = &field->fields[i];
        if (strcmp(part->name, "nodes") == 0)
            cost += 1 + query_cost(part, type);
        else if (strcmp(part->name, "edges") == 0)
            for (size_t j = 0; j < part->count; j++)
                cost += part->fields[j].count == 0 ? 0 : 1 + query_cost(&part->fields[j], type);
    }
    return cost;
}

/* Over all that is asked for. */
int64_t query_cost(const struct query_field *query, const struct query_type *type)
{
    int64_t cost = 0;
    for (size_t i = 0; i < query->count; i++) {
        const struct query_field *field = &query->fields[i];
        const struct query_member *member =
            field->name == NULL ? NULL : member_of(type, field->name);
        if (field->on != NULL)
            cost += query_cost(field, fragment_type(field, type));
        if (member == NULL || member->type == NULL)
            continue;
        if (member->shape == QUERY_CONNECTION)
            cost += 2 + tree_get_number(field->arguments, "first", 0) *
                            connection_cost(field, member->type) / CONNECTION_DISCOUNT;
        else
            cost += 1 + query_cost(field, member->type);
    }
    return cost;
}

/* Where an element stands: its own cursor, else its place. */
static char *cursor_of(struct json_object *array, size_t at)
{
    const char *told = tree_get_text(json_object_array_get_idx(array, at), QUERY_CURSOR);
    return told != NULL ? xstrdup(told) : xasprintf("%zu", at + 1);
}

/* The first element behind `after`. */
static size_t begin_of(struct json_object *array, const char *after)
{
    for (size_t i = 0; after != NULL && i < json_object_array_length(array); i++) {
        char *cursor = cursor_of(array, i);
        bool same = strcmp(cursor, after) == 0;
        free(cursor);
        if (same)
            return i + 1;
    }
    return 0;
}

/* The window that pageInfo tells of. */
static struct json_object *page_info_tree(const struct query_field *field,
                                          struct json_object *array, size_t begin, size_t end)
{
    struct json_object *info = tree_object();
    char *first = begin < end ? cursor_of(array, begin) : NULL;
    char *last = begin < end ? cursor_of(array, end - 1) : NULL;
    tree_bool(info, "hasNextPage", end < json_object_array_length(array));
    tree_bool(info, "hasPreviousPage", begin > 0);
    tree_text(info, "startCursor", first);
    tree_text(info, "endCursor", last);
    free(first);
    free(last);
    struct json_object *selected = query_select(field, &page_info, info);
    json_object_put(info);
    return selected;
}

/* One edge: its cursor and its node. */
static struct json_object *edge_tree(const struct query_field *field, const struct query_type *type,
                                     struct json_object *array, size_t at)
{
    struct json_object *edge = tree_object();
    for (size_t i = 0; i < field->count; i++) {
        const struct query_field *part = &field->fields[i];
        char *cursor = cursor_of(array, at);
        if (strcmp(part->name, "cursor") == 0)
            tree_text(edge, part->alias, cursor);
        else
            tree_put(edge, part->alias,
                     query_select(part, type, json_object_array_get_idx(array, at)));
        free(cursor);
    }
    return edge;
}

/* nodes, edges and pageInfo of the window that `first` and `after` cut. */
static struct json_object *select_connection(const struct query_field *field,
                                             const struct query_type *type,
                                             struct json_object *array)
{
    struct json_object *out = tree_object();
    size_t begin = begin_of(array, tree_get_text(field->arguments, "after"));
    size_t count = json_object_array_length(array);
    size_t first = (size_t)tree_get_number(field->arguments, "first", 0);
    size_t end = count - begin > first ? begin + first : count;
    for (size_t i = 0; i < field->count; i++) {
        const struct query_field *part = &field->fields[i];
        struct json_object *list = NULL;
        if (strcmp(part->name, "pageInfo") == 0) {
            tree_put(out, part->alias, page_info_tree(part, array, begin, end));
            continue;
        }
        list = tree_array();
        for (size_t j = begin; j < end; j++)
            tree_add(list, strcmp(part->name, "edges") == 0
                               ? edge_tree(part, type, array, j)
                               : query_select(part, type, json_object_array_get_idx(array, j)));
        tree_put(out, part->alias, list);
    }
    return out;
}

/* A member as it is asked for. */
static struct json_object *select_member(const struct query_field *field,
                                         const struct query_member *member,
                                         struct json_object *value)
{
    if (value == NULL || member->type == NULL)
        return json_object_get(value);
    if (member->shape == QUERY_ONE)
        return query_select(field, member->type, value);
    if (member->shape == QUERY_CONNECTION)
        return select_connection(field, member->type, value);
    struct json_object *list = tree_array();
    size_t count = json_object_array_length(value);
    size_t first = (size_t)tree_get_number(field->arguments, "first", (int64_t)count);
    for (size_t i = 0; i < count && i < first; i++)
        tree_add(list, query_select(field, member->type, json_object_array_get_idx(value, i)));
    return list;
}

/* Puts what a selection asks for into `out`. */
static void select_into(const struct query_field *query, const struct query_type *type,
                        struct json_object *value, struct json_object *out)
{
    for (size_t i = 0; i < query->count; i++) {
        const struct query_field *field = &query->fields[i];
        struct json_object *member = NULL;
        if (field->on != NULL) {
            select_into(field, fragment_type(field, type), value, out);
            continue;
        }
        if (strcmp(field->name, "__typename") == 0) {
            tree_text(out, field->alias,
                      type->possible == NULL ? type->name : type->possible->name);
            continue;
        }
        const struct query_member *known = member_of(type, field->name);
        if (known == NULL)
            die("shopify_query: a field that was not checked");
        json_object_object_get_ex(value, field->name, &member);
        tree_put(out, field->alias, select_member(field, known, member));
    }
}

/* A member that the value does not have is null. */
struct json_object *query_select(const struct query_field *query, const struct query_type *type,
                                 struct json_object *value)
{
    if (value == NULL)
        return NULL;
    struct json_object *out = tree_object();
    select_into(query, type, value, out);
    return out;
}
