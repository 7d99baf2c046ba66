/*
 * order assign, order unassign: whose an order is, decided by support, whatever address it carries.
 */
#include "store/order_assign.h"

#include <stdlib.h>

#include "order_argument.h"
#include "page.h"
#include "person.h"
#include "verbs.h"

static void outcome_tell(const struct ctl *ctl, const struct order_argument *order,
                         const struct order_assign *assign)
{
    struct page *page = page_new();

    page_text(page, "source", "source", order->source);
    page_text(page, "order", "order", order->own);
    page_text(page, "user", "assigned to", assign->user);
    page_text(page, "outcome", "outcome",
              !assign->changed       ? "it was so already"
              : assign->user == NULL ? "unassigned"
                                     : "assigned");
    page_int(page, "changes", "changes of access", (int64_t)assign->changes);
    page_print(page, ctl->json);
    page_free(page);
}

/* `user` NULL: takes an assignment back. */
static enum exit_code assign_write(struct ctl *ctl, const struct order_argument *order,
                                   const char *user, const char *why)
{
    const struct orders_context context = {
        .vault = ctl->vault, .sources = ctl->sources, .now = ctl->now};
    char *by = ctl_operator();
    struct order_assign assign = {
        .source_id = order->source_id, .order_id = order->own, .user = user, .by = by, .why = why};
    enum db_result result = orders_assign(ctl->db, &context, &assign);

    free(by);
    if (result != DB_OK)
        return ctl_database_failed(ctl, "assigning the order");
    if (user == NULL && !assign.changed)
        return ctl_fail(EXIT_FAILED, "the order is assigned to nobody");
    outcome_tell(ctl, order, &assign);
    return EXIT_DONE;
}

enum exit_code order_assign_run(struct ctl *ctl)
{
    const char *why = ctl_why(ctl), *user = ctl->arguments[2];
    struct order_argument order;
    enum exit_code code;

    if (why == NULL)
        return EXIT_USAGE;
    if (!person_is_id(user))
        return ctl_fail(EXIT_USAGE, "that is no Miro user's id (digits)");
    code = order_argument_find(ctl, &order);
    return code == EXIT_DONE ? assign_write(ctl, &order, user, why) : code;
}

enum exit_code order_unassign_run(struct ctl *ctl)
{
    const char *why = ctl_why(ctl);
    struct order_argument order;
    enum exit_code code;

    if (why == NULL)
        return EXIT_USAGE;
    code = order_argument_find(ctl, &order);
    return code == EXIT_DONE ? assign_write(ctl, &order, NULL, why) : code;
}
