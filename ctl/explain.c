/*
 * explain USER KEY: why, or why not, walked back to the bytes that a shop signed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "chain.h"
#include "entitlement/answer.h"
#include "evidence.h"
#include "queries.h"
#include "store/standing.h"
#include "verbs.h"

#define UNMAPPED_ORDERS_MOST 50

static const struct table_column address_columns[] = {
    {"address", "address"}, {"origin", "origin"}, {"linked_at", "linked"}, {NULL, NULL}};

static const struct table_column grant_columns[] = {
    {"grant", "grant"}, {"granted_at", "granted"}, {"ends_at", "until"},       {"granted_by", "by"},
    {"why", "why"},     {"revoked_at", "revoked"}, {"revoked_why", "because"}, {NULL, NULL}};

static const struct table_column missing_columns[] = {{"what", "what"}, {NULL, NULL}};

struct explanation {
    struct ctl *ctl;
    const char *key;
    struct person person;
    struct subjects subjects;
    enum reason reason;
    size_t addresses;
    struct page *head; /* the answer, addresses, grants */
    struct chain *chain;
    struct table *missing; /* of `tail` */
    struct page *tail;
};

/* Names the keys that exist, for one that does not. */
static void unknown_key_explain(const struct explanation *explanation,
                                const struct catalogue *catalogue)
{
    struct buf text = {0};

    if (catalogue->version == 0) {
        table_text(explanation->missing,
                   "no catalogue was applied yet: purchasectl catalog apply FILE");
        return;
    }
    buf_printf(&text, "catalogue %u has no such key; it has:", catalogue->version);
    for (size_t i = 0; i < catalogue->entitlement_count; i++)
        buf_printf(&text, " %s", catalogue->entitlements[i].key);
    table_text(explanation->missing, text.data);
    buf_free(&text);
}

/* The answer itself, from the reading and the function that the front uses. */
static enum exit_code answer_explain(struct explanation *explanation)
{
    static const char *const identities[] = {"reauthorize", "linked", "no_email", "not_installed"};
    struct ctl *ctl = explanation->ctl;
    struct catalogue *catalogue = ctl_catalogue(ctl);
    struct standing standing = {0};
    struct answer answer;
    int64_t expires_at = TIME_NONE;

    if (catalogue == NULL)
        return EXIT_FAILED;
    snprintf(standing.user, sizeof(standing.user), "%s", explanation->person.user);
    if (standing.user[0] != '\0' && standing_load(ctl->db, &standing) != DB_OK) {
        catalogue_free(catalogue);
        return ctl_database_failed(ctl, "reading what the user holds");
    }
    explanation->reason =
        answer_reason(&standing, explanation->key, catalogue_has_key(catalogue, explanation->key),
                      ctl->now, &expires_at);
    answer_aggregate(&standing, ctl->now, &answer);
    page_text(explanation->head, "user", "Miro user",
              standing.user[0] == '\0' ? NULL : standing.user);
    if (explanation->person.address != NULL)
        page_text(explanation->head, "address", "found by", explanation->person.address);
    page_text(explanation->head, "key", "key", explanation->key);
    page_bool(explanation->head, "entitled", "entitled",
              explanation->reason == REASON_ACTIVE || explanation->reason == REASON_GRACE);
    page_text(explanation->head, "reason", "reason", reason_name(explanation->reason));
    page_time(explanation->head, "expires_at", "until", expires_at);
    page_text(explanation->head, "identity", "identity",
              standing.user[0] == '\0' ? NULL : identities[answer.identity]);
    if (explanation->reason == REASON_UNKNOWN_KEY)
        unknown_key_explain(explanation, catalogue);
    answer_free(&answer);
    standing_free(&standing);
    catalogue_free(catalogue);
    return EXIT_DONE;
}

/* Under which addresses purchases are looked for. */
static enum exit_code addresses_explain(struct explanation *explanation)
{
    struct ctl *ctl = explanation->ctl;
    struct table *table = page_table(explanation->head, "addresses", "Addresses linked to the user",
                                     "none", address_columns);
    struct db_rows *rows;

    if (query_links(ctl->db, explanation->person.user, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the links");
    while (db_rows_next(rows)) {
        struct buf address = {0};
        size_t index_len, len;
        const char *index = db_bytes(rows, 0, &index_len);
        const char *sealed = db_bytes(rows, 1, &len);

        address_open(ctl, index, sealed, len, &address);
        table_text(table, address.data);
        buf_wipe(&address);
        table_from(table, rows, 3);
        table_time(table, db_time_of(rows, 4));
        explanation->addresses++;
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

static enum exit_code grants_explain(struct explanation *explanation)
{
    struct ctl *ctl = explanation->ctl;
    struct table *table =
        page_table(explanation->head, "grants", "Granted by hand", "nothing", grant_columns);
    struct db_rows *rows;

    if (query_grants(ctl->db, explanation->person.user, explanation->key, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the grants");
    while (db_rows_next(rows)) {
        struct buf id = {0};
        size_t len;
        const char *bytes = db_bytes(rows, 0, &len);

        digest_hex(bytes, len, &id);
        table_text(table, id.data);
        buf_free(&id);
        table_time(table, db_time_of(rows, 3));
        table_time(table, db_time_of(rows, 4));
        table_from(table, rows, 5);
        table_from(table, rows, 6);
        table_time(table, db_time_of(rows, 7));
        table_from(table, rows, 9);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

/* Orders of the person with lines that no rule knows: the usual reason for "never bought". */
static enum exit_code unmapped_explain(struct explanation *explanation)
{
    struct ctl *ctl = explanation->ctl;
    struct db_rows *rows;

    if (query_orders_of(ctl->db, &explanation->subjects, UNMAPPED_ORDERS_MOST, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the person's orders");
    while (db_rows_next(rows)) {
        const char *source = source_map_name(ctl->sources, (uint32_t)db_int(rows, 0));
        struct buf text = {0};
        size_t len;

        if (db_int(rows, 4) == 0)
            continue;
        buf_printf(&text,
                   "order %s at %s has %" PRId64 " line%s that no rule knows: see purchasectl "
                   "order show",
                   db_bytes(rows, 1, &len), source == NULL ? "?" : source, db_int(rows, 4),
                   db_int(rows, 4) == 1 ? "" : "s");
        table_text(explanation->missing, text.data);
        buf_free(&text);
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

/* Says how many deliveries nobody has looked at yet: the order may be among them. */
static enum exit_code waiting_explain(struct explanation *explanation)
{
    struct ctl *ctl = explanation->ctl;
    struct db_rows *rows;
    int64_t pending;

    if (query_pending(ctl->db, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the inbox");
    pending = db_rows_next(rows) ? db_int(rows, 0) : 0;
    db_rows_free(rows);
    if (pending > 0) {
        char *text =
            xasprintf("deliveries that the worker has not processed yet: %" PRId64, pending);

        table_text(explanation->missing, text);
        free(text);
    }
    return EXIT_DONE;
}

/* What would have to be there for a yes. */
static enum exit_code missing_explain(struct explanation *explanation)
{
    enum exit_code code;

    if (explanation->reason != REASON_NEVER_BOUGHT)
        return EXIT_DONE;
    if (explanation->person.user[0] == '\0')
        table_text(explanation->missing, "the address is linked to no Miro user: what is bought "
                                         "under it waits for one");
    else if (explanation->addresses == 0)
        table_text(explanation->missing, "no address is linked to the user, so only orders that "
                                         "carry a buyer reference can be found");
    else
        table_text(explanation->missing,
                   "no order under the addresses linked, or bound to the user by a reference, "
                   "has a line that a rule gives this key");
    code = unmapped_explain(explanation);
    return code == EXIT_DONE ? waiting_explain(explanation) : code;
}

/* All parts, each from the database anew. */
static enum exit_code explanation_make(struct explanation *explanation)
{
    enum exit_code code = answer_explain(explanation);

    if (code == EXIT_DONE)
        code = addresses_explain(explanation);
    if (code == EXIT_DONE)
        code = grants_explain(explanation);
    if (code == EXIT_DONE)
        code = person_subjects(explanation->ctl, &explanation->person, &explanation->subjects);
    if (code == EXIT_DONE)
        code = chain_walk(explanation->ctl, &explanation->subjects, explanation->key,
                          explanation->chain);
    return code == EXIT_DONE ? missing_explain(explanation) : code;
}

/* For people: the answer, then each purchase as a numbered block, then what is missing. */
static void explanation_print(const struct explanation *explanation)
{
    page_lines(explanation->head, 0);
    chain_print(explanation->chain);
    if (table_rows(explanation->missing) > 0)
        page_lines(explanation->tail, 0);
}

/* For programs: one object. */
static void explanation_write(const struct explanation *explanation)
{
    struct writer writer = {0};

    writer_object(&writer, NULL);
    page_members(explanation->head, &writer);
    chain_write(explanation->chain, &writer, "contributions");
    page_members(explanation->tail, &writer);
    writer_close(&writer);
    writer_print(&writer);
}

enum exit_code explain_run(struct ctl *ctl)
{
    struct explanation explanation = {.ctl = ctl, .key = ctl->arguments[1]};
    enum exit_code code = person_find(ctl, ctl->arguments[0], &explanation.person);

    explanation.head = page_new();
    explanation.tail = page_new();
    explanation.chain = chain_new();
    explanation.missing =
        page_table(explanation.tail, "missing", "What is missing", "nothing", missing_columns);
    if (code == EXIT_DONE)
        code = explanation_make(&explanation);
    if (code == EXIT_DONE && ctl->json)
        explanation_write(&explanation);
    else if (code == EXIT_DONE)
        explanation_print(&explanation);
    page_free(explanation.head);
    page_free(explanation.tail);
    chain_free(explanation.chain);
    subjects_free(&explanation.subjects);
    person_free(&explanation.person);
    return code;
}
