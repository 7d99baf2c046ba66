/*
 * Who has paid and could use nothing today: no Miro user is linked to the buyer's address, and the
 * order names none. After an import's dry run the file counts as if it had been imported.
 */
#ifndef CTL_PAYERS_H
#define CTL_PAYERS_H

#include "page.h"

#include "ctl.h"

/* Adds them, with what remedies there are, and the products that no rule knows. The connection has
 * the tables of import_scratch.h. */
enum exit_code payers_tell(struct ctl *ctl, struct page *page) __attribute__((warn_unused_result));

#endif
