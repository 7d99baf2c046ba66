/*
 * GraphQL as far as the stand-in Shopify speaks it: one query operation with variables, aliases,
 * arguments and inline fragments, held against a table of types. A field that the table does not
 * know is refused, as Shopify refuses it, so that nobody asks for what is not there.
 *
 *     document  = [ "query" [ name ] [ "(" variables ")" ] ] selection
 *     selection = "{" 1*( field / "..." "on" name selection ) "}"
 *     field     = [ alias ":" ] name [ "(" arguments ")" ] [ selection ]
 */
#ifndef SANDBOX_SHOPIFY_QUERY_H
#define SANDBOX_SHOPIFY_QUERY_H

#include "tree.h"

#define QUERY_DEPTH 16

enum query_shape {
    QUERY_ONE,
    QUERY_LIST,
    QUERY_CONNECTION, /* told as an array; asked for as nodes, edges and pageInfo */
};

struct query_type;
struct query_member {
    const char *name;              /* NULL ends a type */
    const struct query_type *type; /* NULL: a scalar */
    enum query_shape shape;
};
struct query_type {
    const char *name;
    const struct query_member *members;
    const struct query_type *possible; /* of an interface: the one type that is behind it here */
};

struct query_field {
    char *alias, *name; /* name is NULL for an inline fragment */
    char *on;           /* the fragment's type, or NULL */
    struct json_object *arguments;
    struct query_field *fields;
    size_t count;
};

/* What an element of a connection's array carries besides its members: where a page may begin. */
#define QUERY_CURSOR "__cursor"

/* NULL with a sentence in *error. `variables` may be NULL. */
struct query_field *query_read(const char *text, struct json_object *variables, struct buf *error);
void query_free(struct query_field *query);

/* Whether the type has every field that is asked for; else a sentence. */
bool query_check(const struct query_field *query, const struct query_type *type, struct buf *error);
/* What it costs: nothing for a scalar, one for an object, and for a connection two and its `first`
 * times a quarter of what stands in it. */
int64_t query_cost(const struct query_field *query, const struct query_type *type);
/* The members of `value` that are asked for; a new tree. */
struct json_object *query_select(const struct query_field *query, const struct query_type *type,
                                 struct json_object *value);

#endif
