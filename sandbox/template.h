/*
 * The page's files, and templates among them: {{NAME}} is replaced by escaped text, {{{NAME}}} by
 * markup that the caller made.
 */
#ifndef SANDBOX_TEMPLATE_H
#define SANDBOX_TEMPLATE_H

#include "base/buf.h"
#include "embedded.h"

struct template_value {
    const char *name; /* NULL ends the list */
    const char *text;
};

/* The embedded file of that name, or NULL. */
const struct embedded_file *template_file(const char *name);
/* Dies if the template is not there or names a value that is not: both are mistakes of ours. */
void template_fill(const char *name, const struct template_value *values, struct buf *out);
/* Text for an HTML document or a quoted attribute. */
void template_escape(const char *text, struct buf *out);

#endif
