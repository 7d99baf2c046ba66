#include "json_names.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "cell.h"

struct member {
    char *name; /* decoded */
    size_t len;
    size_t line;
};

/* An object that is open. */
struct level {
    bool object;
    struct member *members;
    size_t count, cap;
};

struct scan {
    const char *text;
    size_t len, at, line;
    struct level levels[LIMIT_JSON_DEPTH + 1];
    size_t depth;
};

/* Moves past a string literal, whose quote is at `at`; returns where it ended. */
static size_t string_end(const struct scan *scan)
{
    size_t at = scan->at + 1;

    while (at < scan->len && scan->text[at] != '"')
        at += scan->text[at] == '\\' ? 2 : 1;
    return at + 1 < scan->len ? at + 1 : scan->len;
}

/* Whether the literal that ends here is a member's name: a colon follows. */
static bool colon_follows(const struct scan *scan, size_t at)
{
    while (at < scan->len && strchr(" \t\r\n", scan->text[at]) != NULL && scan->text[at] != '\0')
        at++;
    return at < scan->len && scan->text[at] == ':';
}

/* Keeps a name, decoded, so that "a" and "\u0061" are one. */
static void member_keep(struct level *level, const char *literal, size_t len, size_t line)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *decoded = json_tokener_parse_ex(tokener, literal, (int)len);
    struct member *member;

    if (level->count == level->cap) {
        level->cap = level->cap ? level->cap * 2 : 16;
        level->members = xreallocarray(level->members, level->cap, sizeof(*level->members));
    }
    member = &level->members[level->count++];
    member->len = (size_t)json_object_get_string_len(decoded);
    member->name = xstrndup(decoded == NULL ? "" : json_object_get_string(decoded), member->len);
    member->line = line;
    json_object_put(decoded);
    json_tokener_free(tokener);
}

/* A name may hold a NUL, and is not the one that ends there. */
static int compare_names(const struct member *left, const struct member *right)
{
    size_t len = left->len < right->len ? left->len : right->len;
    int order = memcmp(left->name, right->name, len);

    return order != 0 ? order : (left->len > right->len) - (left->len < right->len);
}

/* For qsort: by name, then by place. */
static int compare_members(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    int order = compare_names(left, right);

    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

/* One more fault of a member's name. */
static void fault(struct buf *errors, const char *file, const struct member *member,
                  const char *what)
{
    struct buf name = {0};

    buf_json_string(&name, member->name, member->len);
    buf_printf(errors, "%s:%zu: member ", file, member->line);
    text_escape(name.data, name.len, errors);
    buf_printf(errors, " %s\n", what);
    buf_free(&name);
}

/* The innermost container ends: its names are compared and forgotten. */
static size_t level_end(struct scan *scan, const char *file, struct buf *errors)
{
    struct level *level = &scan->levels[--scan->depth];
    size_t faults = 0;

    if (level->count > 1)
        qsort(level->members, level->count, sizeof(*level->members), compare_members);
    for (size_t i = 0; i < level->count; i++) {
        const struct member *member = &level->members[i];

        if (i > 0 && compare_names(member, member - 1) == 0) {
            fault(errors, file, member, "stands twice in its object, expected once");
            faults++;
        }
        if (memchr(member->name, '\0', member->len) != NULL) {
            fault(errors, file, member, "holds a NUL, expected printable text");
            faults++;
        }
    }
    for (size_t i = 0; i < level->count; i++)
        free(level->members[i].name);
    free(level->members);
    memset(level, 0, sizeof(*level));
    return faults;
}

/* Ends every level that is open. */
static size_t levels_end(struct scan *scan, const char *file, struct buf *errors)
{
    size_t faults = 0;

    while (scan->depth > 0)
        faults += level_end(scan, file, errors);
    return faults;
}

/* Moves past a string, and keeps it if it names a member. */
static void string_scan(struct scan *scan)
{
    size_t end = string_end(scan);

    if (scan->depth > 0 && scan->levels[scan->depth - 1].object && colon_follows(scan, end))
        member_keep(&scan->levels[scan->depth - 1], scan->text + scan->at, end - scan->at,
                    scan->line);
    scan->at = end;
}

size_t json_names_check(const char *file, const char *text, size_t len, struct buf *errors)
{
    struct scan scan = {.text = text, .len = len, .line = 1};
    size_t faults = 0;

    while (scan.at < len) {
        char c = text[scan.at];

        if (c == '"') {
            string_scan(&scan);
            continue;
        }
        if (c == '\'') {
            buf_printf(errors, "%s:%zu: a single quote, expected JSON's double ones\n", file,
                       scan.line);
            return faults + levels_end(&scan, file, errors) + 1;
        }
        if (c == '\n')
            scan.line++;
        if ((c == '{' || c == '[') && scan.depth <= LIMIT_JSON_DEPTH)
            scan.levels[scan.depth++].object = c == '{';
        if ((c == '}' || c == ']') && scan.depth > 0)
            faults += level_end(&scan, file, errors);
        scan.at++;
    }
    return faults + levels_end(&scan, file, errors);
}
