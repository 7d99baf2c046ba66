/*
 * A catalogue's rules and entitlements as one line each, the same wherever they are shown or
 * compared.
 */
#ifndef CTL_RULE_TEXT_H
#define CTL_RULE_TEXT_H

#include "base/buf.h"
#include "entitlement/catalogue.h"

/* "main-store product=10 sku=ADD-1: extra-boards, 365 days, 7 days grace". Two rules that do the
 * same have the same text, and no others do. */
void rule_text(const struct catalogue_rule *rule, struct buf *out);
/* "icons-pro "Icon pack Pro"". */
void entitlement_text(const struct catalogue_entitlement *entitlement, struct buf *out);

#endif
