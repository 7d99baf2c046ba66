/*
 * transfer: what one Miro user has, given to another.
 */
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "person.h"
#include "store/people_transfer.h"
#include "verbs.h"

static void outcome_tell(const struct ctl *ctl, const struct people_transfer *transfer)
{
    struct page *page = page_new();

    page_text(page, "from", "from", transfer->from);
    page_text(page, "to", "to", transfer->to);
    page_bool(page, "dry_run", "only shown", transfer->dry_run);
    page_int(page, "links", "addresses", (int64_t)transfer->links);
    page_int(page, "grants", "grants", (int64_t)transfer->grants);
    page_int(page, "orders", "bound orders", (int64_t)transfer->orders);
    page_print(page, ctl->json);
    page_free(page);
}

/* Moves, or counts what would be moved, and tells. */
static enum exit_code transfer_write(struct ctl *ctl, const char *why)
{
    const struct orders_context context = {
        .vault = ctl->vault, .sources = ctl->sources, .now = ctl->now};
    char *by = ctl_operator();
    struct people_transfer transfer = {.from = ctl->arguments[0],
                                       .to = ctl->arguments[1],
                                       .by = by,
                                       .why = why,
                                       .dry_run = options_flag(ctl->options, "--dry-run")};
    enum db_result result = people_transfer(ctl->db, &context, &transfer);

    free(by);
    if (result != DB_OK)
        return ctl_database_failed(ctl, "transferring");
    if (transfer.links + transfer.grants + transfer.orders == 0)
        return ctl_fail(EXIT_FAILED, "Miro user %s has nothing to transfer", transfer.from);
    outcome_tell(ctl, &transfer);
    return EXIT_DONE;
}

enum exit_code transfer_run(struct ctl *ctl)
{
    const char *why = ctl_why(ctl);

    if (why == NULL)
        return EXIT_USAGE;
    if (!person_is_id(ctl->arguments[0]) || !person_is_id(ctl->arguments[1]))
        return ctl_fail(EXIT_USAGE, "expected the ids of two Miro users (digits)");
    if (strcmp(ctl->arguments[0], ctl->arguments[1]) == 0)
        return ctl_fail(EXIT_USAGE, "both are the same Miro user");
    return transfer_write(ctl, why);
}
