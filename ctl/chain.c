#include "chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "evidence.h"
#include "queries.h"
#include "rule_text.h"
#include "store/catalogue_store.h"

struct chain {
    struct page **links;
    size_t count;
};

/* A row of `contribution`, copied out of its result. */
struct given {
    uint32_t source_id;
    char order_id[LIMIT_ORDER_ID + 1], line_id[LIMIT_ORDER_ID + 1];
    char key[LIMIT_ENTITLEMENT_KEY + 1];
    char state[16];
    int64_t quantity, starts_at, ends_at, grace_until;
    uint32_t catalogue_version;
};

struct chain *chain_new(void)
{
    return xcalloc(1, sizeof(struct chain));
}

void chain_free(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        page_free(chain->links[i]);
    free(chain->links);
    free(chain);
}

/* A column's text, cut to its limit, which the schema has too. */
static void text_copy(char *out, size_t size, const struct db_rows *rows, unsigned column)
{
    size_t len;
    const char *text = db_bytes(rows, column, &len);

    if (len >= size)
        len = size - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

static void given_read(const struct db_rows *rows, struct given *out)
{
    out->source_id = (uint32_t)db_int(rows, 0);
    text_copy(out->order_id, sizeof(out->order_id), rows, 1);
    text_copy(out->line_id, sizeof(out->line_id), rows, 2);
    text_copy(out->key, sizeof(out->key), rows, 3);
    text_copy(out->state, sizeof(out->state), rows, 4);
    out->quantity = db_int(rows, 5);
    out->starts_at = db_time_of(rows, 6);
    out->ends_at = db_time_of(rows, 7);
    out->grace_until = db_time_of(rows, 8);
    out->catalogue_version = (uint32_t)db_int(rows, 9);
}

struct matching {
    const char *key;
    struct buf text;
};

/* Keeps the text of each matching rule that grants the key. */
static void rule_keep(const struct catalogue_rule *rule, void *arg)
{
    struct matching *matching = arg;

    for (size_t i = 0; i < rule->key_count; i++) {
        if (strcmp(rule->keys[i], matching->key) != 0)
            continue;
        if (matching->text.len > 0)
            buf_puts(&matching->text, "; ");
        rule_text(rule, &matching->text);
        return;
    }
}

/* The line that the contribution stands for, among those that count now, or NULL. */
static const struct merged_line *line_find(const struct evidence *evidence, const char *line_id)
{
    for (size_t i = 0; i < evidence->merged.line_count; i++) {
        if (strcmp(evidence->merged.lines[i].line->id, line_id) == 0)
            return &evidence->merged.lines[i];
    }
    return NULL;
}

/* Which rules of the version that it was projected with made it. */
static enum exit_code rules_tell(struct ctl *ctl, const struct given *given,
                                 const struct evidence *evidence, struct page *link)
{
    const struct merged_line *line = line_find(evidence, given->line_id);
    struct matching matching = {.key = given->key};
    struct catalogue *catalogue = NULL;

    if (catalogue_load(ctl->db, given->catalogue_version, &catalogue) != DB_OK)
        return ctl_database_failed(ctl, "reading the catalogue");
    if (line != NULL)
        catalogue_match(catalogue, evidence->source, line->line, rule_keep, &matching);
    page_text(link, "rule", "rule",
              matching.text.len == 0 ? "none any more: purchasectl rebuild --check tells of drift"
                                     : matching.text.data);
    page_int(link, "catalogue_version", "catalogue", given->catalogue_version);
    buf_free(&matching.text);
    catalogue_free(catalogue);
    return EXIT_DONE;
}

/* "refund 13, 14", "dispute d-1", or what the order's status says. */
static void cause_tell(const struct given *given, const struct evidence *evidence,
                       struct page *link)
{
    struct buf text = {0};

    if (strcmp(given->state, "pending") == 0)
        buf_puts(&text, "the order is not paid yet");
    if (strcmp(given->state, "cancelled") == 0)
        buf_puts(&text, "the order was cancelled");
    if (strcmp(given->state, "refunded") == 0) {
        struct buf ids = {0};

        evidence_refund_ids(evidence, given->line_id, &ids);
        if (ids.len == 0)
            evidence_refund_ids(evidence, NULL, &ids);
        if (ids.len > 0)
            buf_printf(&text, "refunded by refund %s", ids.data);
        else
            buf_puts(&text, "the shop says that the order was refunded");
        buf_free(&ids);
    }
    if (strcmp(given->state, "disputed") == 0) {
        if (evidence->merged.winner->facts.disputed)
            buf_puts(&text, "the shop says that the order is disputed");
        else
            buf_puts(&text, "a chargeback stands:");
        for (size_t i = 0; i < evidence->known.dispute_count; i++) {
            const struct fact_dispute *dispute = &evidence->known.disputes[i];

            if (dispute->state == DISPUTE_OPEN || dispute->state == DISPUTE_LOST)
                buf_printf(&text, " dispute %s is %s", dispute->id,
                           dispute_state_text(dispute->state));
        }
    }
    page_text(link, "cause", text.len == 0 ? NULL : "because", text.len == 0 ? NULL : text.data);
    buf_free(&text);
}

/* The delivery's number, when it came, and the digest of the bytes that were signed. */
static enum exit_code delivery_tell(struct ctl *ctl, uint64_t delivery_id, struct page *link)
{
    unsigned char digest[DIGEST_LEN];
    struct inbox_row row;
    struct buf body = {0}, hex = {0};
    bool found = false;

    if (inbox_show(ctl->db, ctl->vault, delivery_id, &row, &body, &found) != DB_OK)
        return ctl_database_failed(ctl, "reading the delivery");
    page_int(link, "delivery", "delivery", (int64_t)delivery_id);
    page_time(link, "received_at", "received", found ? row.received_at : TIME_NONE);
    if (found && body_is_open(ctl, &row, &body)) {
        digest_sha256(body.data == NULL ? "" : body.data, body.len, digest);
        digest_hex(digest, DIGEST_LEN, &hex);
    }
    page_text(link, "body_sha256", "signed bytes, SHA-256",
              hex.len > 0 ? hex.data
              : found     ? "(sealed with a key that is not in the keyring)"
                          : "(the delivery is not kept any more)");
    buf_free(&hex);
    buf_wipe(&body);
    return EXIT_DONE;
}

/* The snapshot that counts, and what told it. */
static enum exit_code snapshot_tell(struct ctl *ctl, const struct evidence *evidence,
                                    struct page *link)
{
    const struct known_snapshot *winner = evidence->merged.winner;
    const struct origin *origin = evidence_origin(evidence, winner);
    struct buf digest = {0};

    if (winner == NULL) {
        page_text(link, "snapshot", "snapshot", NULL);
        return EXIT_DONE;
    }
    digest_hex(winner->digest, DIGEST_LEN, &digest);
    page_text(link, "snapshot", "snapshot", digest.data);
    buf_free(&digest);
    page_time(link, "snapshot_time", "snapshot's time", winner->facts.time);
    page_text(link, "snapshot_from", "told by",
              winner->facts.from_api                       ? "the shop's API"
              : origin != NULL && origin->delivery_id == 0 ? "an import"
                                                           : "a signed delivery");
    page_time(link, "recorded_at", "recorded", origin == NULL ? TIME_NONE : origin->recorded_at);
    if (origin == NULL || origin->delivery_id == 0)
        return EXIT_DONE;
    return delivery_tell(ctl, origin->delivery_id, link);
}

/* One contribution from its row down to the signed bytes. */
static enum exit_code given_tell(struct ctl *ctl, const struct given *given,
                                 const struct evidence *evidence, struct page *link)
{
    struct buf owner = {0};
    enum exit_code code = evidence_owner(ctl, evidence, &owner);

    page_text(link, "source", "source", evidence->source);
    page_text(link, "order", "order", given->order_id);
    page_text(link, "line", "line", given->line_id);
    page_text(link, "state", "state", given->state);
    cause_tell(given, evidence, link);
    page_int(link, "quantity", "quantity", given->quantity);
    page_time(link, "starts_at", "from", given->starts_at);
    page_time(link, "ends_at", "until", given->ends_at);
    page_time(link, "grace_until", "grace until", given->grace_until);
    page_text(link, "owner", "belongs to", owner.data);
    buf_wipe(&owner);
    if (code == EXIT_DONE)
        code = rules_tell(ctl, given, evidence, link);
    page_text(link, "order_status", "order is",
              evidence->merged.winner == NULL ? NULL : order_status_text(evidence->merged.status));
    if (code == EXIT_DONE)
        code = snapshot_tell(ctl, evidence, link);
    page_text(link, "note", evidence_gap(ctl, evidence) == NULL ? NULL : "note",
              evidence_gap(ctl, evidence));
    return code;
}

/* Adds one contribution to the chain. */
static enum exit_code chain_add(struct ctl *ctl, const struct given *given, struct chain *chain)
{
    struct evidence evidence;
    bool found = false;
    enum exit_code code = evidence_load(ctl, given->source_id, given->order_id, &evidence, &found);

    if (code != EXIT_DONE || !found)
        return code;
    chain->links = xreallocarray(chain->links, chain->count + 1, sizeof(*chain->links));
    chain->links[chain->count] = page_new();
    code = given_tell(ctl, given, &evidence, chain->links[chain->count++]);
    evidence_free(&evidence);
    return code;
}

enum exit_code chain_walk(struct ctl *ctl, const struct subjects *subjects, const char *key,
                          struct chain *chain)
{
    struct db_rows *rows;
    enum exit_code code = EXIT_DONE;

    if (subjects->count == 0)
        return EXIT_DONE;
    if (query_contributions_of(ctl->db, subjects, key, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading what the orders give");
    while (code == EXIT_DONE && db_rows_next(rows)) {
        struct given given;

        given_read(rows, &given);
        code = chain_add(ctl, &given, chain);
    }
    db_rows_free(rows);
    return code;
}

void chain_print(const struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        printf("\nPurchase %zu\n", i + 1);
        page_lines(chain->links[i], 2);
    }
}

void chain_write(const struct chain *chain, struct writer *writer, const char *name)
{
    writer_array(writer, name);
    for (size_t i = 0; i < chain->count; i++)
        page_write(chain->links[i], writer, NULL);
    writer_close(writer);
}
