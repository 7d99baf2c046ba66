/*
 * A visit: one request on its way to a handler, and the ways to answer it. Each handler answers
 * exactly once.
 */
#ifndef SANDBOX_REPLY_H
#define SANDBOX_REPLY_H

#include "sandbox.h"
#include "tree.h"

#define VISIT_CAPTURES 4

struct visit {
    struct sandbox *sandbox;
    struct http_request *request;
    char *captures[VISIT_CAPTURES]; /* what the stars of the route's pattern matched */
    struct woo_shop *shop;          /* for REST routes: the shop that the path names */
    struct stand_shop *stand;       /* or that of another provider (stand.h) */
    struct json_object *input;      /* for knobs: the body; never NULL there */
};

/* The value of a parameter, from a form body first and then from the query; a new string or NULL.
 */
char *visit_param(const struct visit *visit, const char *name);
/* The same from the query alone. */
char *visit_query(const struct visit *visit, const char *name);

/* JSON with status 200; takes `value`. */
void reply_json(struct visit *visit, struct json_object *value);
/* JSON as PHP writes it, with further header lines or NULL; takes `value`. */
void reply_php(struct visit *visit, int status, const char *headers, struct json_object *value);
/* A knob was turned wrongly: problem+json. */
void reply_bad(struct visit *visit, const char *detail);
/* Miro's envelope: {"status","code","message","type":"error"}. */
void reply_miro_error(struct visit *visit, int status, const char *code, const char *message);
/* WordPress's: {"code","message","data":{"status"}}. */
void reply_woo_error(struct visit *visit, int status, const char *code, const char *message);
/* 302. */
void reply_redirect(struct visit *visit, const char *url);
void reply_empty(struct visit *visit, int status);

#endif
