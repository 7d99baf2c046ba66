#include "evidence.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queries.h"
#include "shops/shop.h"
#include "store/orders.h"
#include "store/sealed_context.h"

#define ENVELOPE_FRAME 30 /* version, length of the kid, nonce and tag */

const char *order_status_text(enum order_status status)
{
    static const char *const names[] = {"pending", "paid", "cancelled", "refunded"};

    return names[status];
}

const char *dispute_state_text(enum dispute_state state)
{
    static const char *const names[] = {"none", "inquiry", "open", "won", "lost"};

    return names[state];
}

const char *refund_state_text(enum refund_state state)
{
    static const char *const names[] = {"pending", "done", "failed"};

    return names[state];
}

/* Reads which delivery told each snapshot. */
static enum exit_code origins_load(struct ctl *ctl, struct evidence *evidence)
{
    struct db_rows *rows;

    if (query_snapshots(ctl->db, evidence->source_id, evidence->known.id, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the order's snapshots");
    evidence->origins = xcalloc(db_rows_count(rows) + 1, sizeof(*evidence->origins));
    while (db_rows_next(rows)) {
        struct origin *origin = &evidence->origins[evidence->origin_count];
        size_t len;
        const char *digest = db_bytes(rows, 0, &len);

        if (len != DIGEST_LEN)
            continue;
        memcpy(origin->digest, digest, DIGEST_LEN);
        origin->delivery_id = (uint64_t)db_int(rows, 1);
        origin->recorded_at = db_int(rows, 2);
        strncpy(origin->reference_state, db_bytes(rows, 3, &len),
                sizeof(origin->reference_state) - 1);
        evidence->origin_count++;
    }
    db_rows_free(rows);
    return EXIT_DONE;
}

enum exit_code evidence_load(struct ctl *ctl, uint32_t source_id, const char *order_id,
                             struct evidence *out, bool *found)
{
    enum exit_code code;

    *out = (struct evidence){.source_id = source_id,
                             .source = source_map_name(ctl->sources, source_id)};
    if (out->source == NULL)
        out->source = "";
    if (orders_known(ctl->db, ctl->sources, source_id, order_id, &out->known, found) != DB_OK)
        return ctl_database_failed(ctl, "reading the order's facts");
    if (!*found) {
        known_order_free(&out->known);
        return EXIT_DONE;
    }
    order_merge(&out->known, &out->merged);
    code = origins_load(ctl, out);
    if (code != EXIT_DONE)
        evidence_free(out);
    return code;
}

void evidence_free(struct evidence *evidence)
{
    merged_order_free(&evidence->merged);
    known_order_free(&evidence->known);
    xfree(evidence->origins);
    evidence->origin_count = 0;
}

const struct origin *evidence_origin(const struct evidence *evidence,
                                     const struct known_snapshot *snapshot)
{
    for (size_t i = 0; snapshot != NULL && i < evidence->origin_count; i++) {
        if (memcmp(evidence->origins[i].digest, snapshot->digest, DIGEST_LEN) == 0)
            return &evidence->origins[i];
    }
    return NULL;
}

const char *evidence_gap(const struct ctl *ctl, const struct evidence *evidence)
{
    const struct settings_source *source =
        settings_source(ctl->settings, evidence->source, strlen(evidence->source));

    if (!evidence->merged.wants_refund_lines || evidence->merged.status != ORDER_PAID)
        return NULL;
    if (source == NULL)
        return "refund lines were not fetched: the source is no longer in the configuration";
    return shop_has_api(source)
               ? "refund lines were not fetched yet: the worker asks the shop's API for them"
               : "granted on what the signed payload proves; refund lines were not fetched "
                 "(no API key)";
}

/* Whether the lines of a refund name this one; any refund fits NULL. */
static bool refund_names(const struct fact_refund_line *lines, size_t count, const char *line_id)
{
    for (size_t i = 0; line_id != NULL && i < count; i++) {
        if (strcmp(lines[i].line_id, line_id) == 0)
            return true;
    }
    return line_id == NULL;
}

/* Appends an id to "a, b", unless it stands there. */
static void id_append(struct buf *out, const char **seen, size_t *seen_count, const char *id)
{
    for (size_t i = 0; i < *seen_count; i++) {
        if (strcmp(seen[i], id) == 0)
            return;
    }
    seen[(*seen_count)++] = id;
    buf_printf(out, "%s%s", *seen_count > 1 ? ", " : "", id);
}

void evidence_refund_ids(const struct evidence *evidence, const char *line_id, struct buf *out)
{
    const struct known_snapshot *winner = evidence->merged.winner;
    size_t listed = winner == NULL ? 0 : winner->facts.refund_count, count = 0;
    const char **seen = xcalloc(listed + evidence->known.refund_count + 1, sizeof(*seen));

    for (size_t i = 0; i < listed; i++) {
        const struct fact_listed_refund *refund = &winner->facts.refunds[i];

        if (refund_names(refund->lines, refund->line_count, line_id))
            id_append(out, seen, &count, refund->id);
    }
    for (size_t i = 0; i < evidence->known.refund_count; i++) {
        const struct fact_refund *refund = &evidence->known.refunds[i];

        if (refund->state == REFUND_DONE &&
            refund_names(refund->lines, refund->line_count, line_id))
            id_append(out, seen, &count, refund->id);
    }
    free(seen);
}

void address_open(const struct ctl *ctl, const char *index, const char *sealed, size_t len,
                  struct buf *out)
{
    struct buf context = {0};

    if (sealed == NULL) {
        buf_puts(out, "(erased)");
        return;
    }
    address_context((const unsigned char *)index, &context);
    if (vault_open(ctl->vault, VAULT_ADDRESS, (struct span){context.data, context.len},
                   (struct span){sealed, len}, out) != 0)
        buf_puts(out, "(sealed with a key that is not in the keyring)");
    buf_free(&context);
}

bool body_is_open(struct ctl *ctl, const struct inbox_row *row, const struct buf *body)
{
    struct db_rows *rows;
    char *kid = NULL;
    bool empty = false;

    if (body->len > 0)
        return true;
    if (query_envelope(ctl->db, row->id, &rows) != DB_OK)
        return false;
    if (db_rows_next(rows)) {
        struct span head;

        head.bytes = db_bytes(rows, 0, &head.len);
        kid = vault_envelope_kid(head);
        empty = kid != NULL && row->sealed_bytes == ENVELOPE_FRAME + strlen(kid);
    }
    db_rows_free(rows);
    free(kid);
    return empty;
}

/* The user that a bound order names: the snapshot's owner whose digest is the subject. */
static const char *owner_user(const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->known.snapshot_count; i++) {
        const char *user = evidence->known.snapshots[i].owner_user;
        unsigned char id[DIGEST_LEN];

        if (user == NULL)
            continue;
        subject_of_user(user, id);
        if (memcmp(id, evidence->merged.subject.id, DIGEST_LEN) == 0)
            return user;
    }
    return NULL;
}

/* "ada@example.test, linked to Miro user 12". */
static enum exit_code owner_by_address(struct ctl *ctl, const struct evidence *evidence,
                                       struct buf *out)
{
    const unsigned char *index = evidence->merged.subject.id;
    struct db_rows *rows;
    size_t len;

    if (query_address(ctl->db, index, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the address");
    if (db_rows_next(rows)) {
        const char *sealed = db_bytes(rows, 0, &len);

        address_open(ctl, (const char *)index, sealed, len, out);
    } else {
        buf_puts(out, "(erased)");
    }
    db_rows_free(rows);
    if (query_link(ctl->db, index, &rows) != DB_OK)
        return ctl_database_failed(ctl, "reading the address's link");
    if (db_rows_next(rows))
        buf_printf(out, ", linked to Miro user %s", db_bytes(rows, 0, &len));
    else
        buf_puts(out, ", linked to nobody yet");
    db_rows_free(rows);
    return EXIT_DONE;
}

enum exit_code evidence_owner(struct ctl *ctl, const struct evidence *evidence, struct buf *out)
{
    const char *user;

    switch (evidence->merged.subject.kind) {
    case SUBJECT_NONE:
        buf_puts(out, "nobody: no snapshot tells an address or carries a valid reference");
        return EXIT_DONE;
    case SUBJECT_USER:
        if (evidence->known.assigned_user != NULL) {
            buf_printf(out, "Miro user %s, assigned by an operator", evidence->known.assigned_user);
            return EXIT_DONE;
        }
        user = owner_user(evidence);
        buf_printf(out, "Miro user %s, by a buyer reference", user == NULL ? "?" : user);
        if (evidence->merged.subject.team[0] != '\0')
            buf_printf(out, " of team %s", evidence->merged.subject.team);
        return EXIT_DONE;
    case SUBJECT_ADDRESS:
        return owner_by_address(ctl, evidence, out);
    }
    return EXIT_DONE;
}
