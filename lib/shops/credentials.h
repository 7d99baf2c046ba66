/*
 * What a source's key file holds, in the form that the shop's API wants; private to this room. Both
 * give a new string that the caller wipes, or NULL if the file holds nothing of that form.
 */
#ifndef SHOPS_CREDENTIALS_H
#define SHOPS_CREDENTIALS_H

#include <stdbool.h>

#include "base/settings.h"

/* "user:password" for Basic authentication: in one line, or the user in the first line and the
 * password in the second. */
char *credentials_basic(const struct settings_source *source) __attribute__((warn_unused_result));
/* "Authorization: Bearer KEY", of the first line. */
char *credentials_bearer(const struct settings_source *source) __attribute__((warn_unused_result));

/* Whether there is one: for an adapter's can_ask. */
bool credentials_has_basic(const struct settings_source *source);
bool credentials_has_bearer(const struct settings_source *source);

#endif
