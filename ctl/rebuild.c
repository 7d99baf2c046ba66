/*
 * rebuild [--check]: every entitlement anew from the facts. With --check nothing is changed, and
 * any drift is a failure: contributions are a pure function of facts and catalogue.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "page.h"
#include "store/catalogue_store.h"
#include "store/orders.h"
#include "verbs.h"

#define ORDERS_A_STEP 256
#define DRIFT_LISTED 1000 /* orders; the rest is counted: memory does not grow with them */
#define LOOKS 3 /* at an order that seems to drift: a worker may write it at that moment */

static const struct table_column drift_columns[] = {
    {"source", "source"}, {"order", "order"}, {"changes", "changes"}, {NULL, NULL}};

struct rebuild {
    struct ctl *ctl;
    struct orders_context context;
    struct order_name *names;
    struct order_news *news;
    size_t count;
    uint64_t orders, changed_orders, changes;
    struct table *drift;
};

/* One step, as the body of a transaction: what it tells is set anew each time. */
static enum db_result step_apply(struct db *db, void *arg)
{
    struct rebuild *rebuild = arg;

    for (size_t i = 0; i < rebuild->count; i++) {
        rebuild->news[i] = (struct order_news){
            .source_id = rebuild->names[i].source_id,
            .order_id = rebuild->names[i].order_id,
            .cause = CAUSE_REBUILD,
        };
        snprintf(rebuild->news[i].cause_id, sizeof(rebuild->news[i].cause_id), "rebuild");
    }
    return orders_apply(db, &rebuild->context, rebuild->news, rebuild->count);
}

/* Leaves of the step the orders that a dry run found different. */
static void step_keep_drift(struct rebuild *rebuild)
{
    size_t kept = 0;

    for (size_t i = 0; i < rebuild->count; i++) {
        if (rebuild->news[i].changes > 0)
            rebuild->names[kept++] = rebuild->names[i];
    }
    rebuild->count = kept;
}

/* Runs the step; a check takes no locks, so it looks again at what seemed to drift. */
static enum db_result step_run(struct rebuild *rebuild)
{
    enum db_result result = db_transaction(rebuild->ctl->db, step_apply, rebuild);

    for (int look = 1; look < LOOKS && result == DB_OK && rebuild->context.dry_run; look++) {
        step_keep_drift(rebuild);
        if (rebuild->count == 0)
            break;
        result = db_transaction(rebuild->ctl->db, step_apply, rebuild);
    }
    return result;
}

/* Notes what a committed step found. */
static void step_count(struct rebuild *rebuild)
{
    for (size_t i = 0; i < rebuild->count; i++) {
        const struct order_news *news = &rebuild->news[i];

        rebuild->changes += news->changes;
        rebuild->changed_orders += news->changes > 0;
        if (news->changes == 0 || table_rows(rebuild->drift) >= DRIFT_LISTED)
            continue;
        table_text(rebuild->drift, source_map_name(rebuild->ctl->sources, news->source_id));
        table_text(rebuild->drift, news->order_id);
        table_int(rebuild->drift, (int64_t)news->changes);
    }
}

/* All orders in the order of their keys, a step a transaction. */
static enum exit_code orders_rebuild(struct rebuild *rebuild)
{
    struct progress progress = {.what = "orders rebuilt"};
    struct ctl *ctl = rebuild->ctl;
    struct order_name last;
    size_t walked;
    enum exit_code code = EXIT_DONE;

    do {
        if (orders_walk(ctl->db, rebuild->orders == 0 ? NULL : &last, rebuild->names, ORDERS_A_STEP,
                        &rebuild->count) != DB_OK)
            code = ctl_database_failed(ctl, "walking the orders");
        walked = code == EXIT_DONE ? rebuild->count : 0;
        if (walked == 0)
            break;
        last = rebuild->names[walked - 1];
        if (step_run(rebuild) != DB_OK) {
            code = ctl_database_failed(ctl, "rebuilding");
            break;
        }
        step_count(rebuild);
        rebuild->orders += walked;
        progress_tick(&progress, rebuild->orders);
    } while (walked == ORDERS_A_STEP);
    progress_end(&progress);
    return code;
}

/* Whether orders still wait for the worker to project them with the catalogue in force: no drift,
 * but news. */
static enum exit_code older_find(struct rebuild *rebuild, bool *older)
{
    size_t count = 0;

    if (orders_older_than(rebuild->ctl->db, rebuild->context.catalogue->version, rebuild->names, 1,
                          &count) != DB_OK)
        return ctl_database_failed(rebuild->ctl, "looking for older contributions");
    *older = count > 0;
    return EXIT_DONE;
}

/* The figures, and the verdict of a check. */
static enum exit_code rebuild_report(struct rebuild *rebuild, struct page *page, bool older)
{
    bool check = rebuild->context.dry_run;

    page_int(page, "orders", NULL, (int64_t)rebuild->orders);
    page_int(page, "changed_orders", NULL, (int64_t)rebuild->changed_orders);
    page_int(page, "changes", NULL, (int64_t)rebuild->changes);
    page_bool(page, "check", NULL, check);
    page_bool(page, "older_catalogue", NULL, older);
    if (rebuild->ctl->json) {
        page_print(page, true);
    } else {
        if (table_rows(rebuild->drift) > 0)
            table_print(rebuild->drift, 0);
        if (rebuild->changed_orders > DRIFT_LISTED)
            printf("and %" PRIu64 " more\n", rebuild->changed_orders - DRIFT_LISTED);
        printf("%" PRIu64 " orders, %" PRIu64 " %s %" PRIu64 " contributions\n", rebuild->orders,
               rebuild->changed_orders, check ? "drifted in" : "changed in", rebuild->changes);
    }
    if (!check || rebuild->changes == 0)
        return EXIT_DONE;
    return ctl_fail(EXIT_FAILED, "%s",
                    older
                        ? "drift: some orders still stand on an older catalogue; the worker redoes "
                          "them, so look again when it is done"
                        : "drift: what stands is not what the facts say; purchasectl rebuild "
                          "mends it");
}

enum exit_code rebuild_run(struct ctl *ctl)
{
    struct catalogue *catalogue = ctl_catalogue(ctl);
    struct page *page = page_new();
    struct rebuild rebuild = {
        .ctl = ctl,
        .context = {.vault = ctl->vault,
                    .sources = ctl->sources,
                    .catalogue = catalogue,
                    .now = ctl->now,
                    .dry_run = options_flag(ctl->options, "--check")},
        .names = xcalloc(ORDERS_A_STEP, sizeof(*rebuild.names)),
        .news = xcalloc(ORDERS_A_STEP, sizeof(*rebuild.news)),
        .drift = page_table(page, "drift", NULL, NULL, drift_columns),
    };
    bool older = false;
    enum exit_code code = catalogue == NULL ? EXIT_FAILED : older_find(&rebuild, &older);

    if (code == EXIT_DONE)
        code = orders_rebuild(&rebuild);
    if (code == EXIT_DONE)
        code = rebuild_report(&rebuild, page, older);
    free(rebuild.names);
    free(rebuild.news);
    page_free(page);
    catalogue_free(catalogue);
    return code;
}
