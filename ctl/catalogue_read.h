/*
 * A catalogue file, read strictly: whatever is not understood is refused, with its place.
 *
 *   {"entitlements": {KEY: {"name": TEXT}},
 *    "products": [{"source": NAME, "product"|"variant"|"sku": TEXT, "grants": [KEY, ...] |
 * "ignore": true, "duration_days": 1..36500, "grace_days": 1..3650, "checkout_url": URL}]}
 */
#ifndef CTL_CATALOGUE_READ_H
#define CTL_CATALOGUE_READ_H

#include "base/buf.h"
#include "base/settings.h"
#include "entitlement/catalogue.h"

/* `text` has a NUL behind its `len` bytes. NULL with a line for each fault in `errors`: "FILE:
 * products[3].grants[0]: what, expected what".
 */
struct catalogue *catalogue_read(const char *file, const char *text, size_t len,
                                 const struct settings *settings, struct buf *errors)
    __attribute__((warn_unused_result));

#endif
