/*
 * What operators ask of the database beyond the store's verbs. Reads only: every write goes through
 * the store. Each gives rows that the caller frees; the comment names their columns in order.
 */
#ifndef CTL_QUERIES_H
#define CTL_QUERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "db/db.h"
#include "person.h"

#define QUERY_MUST __attribute__((warn_unused_result))

/* People. */

/* user_id, origin, linked_at */
enum db_result query_link(struct db *db, const unsigned char index[DIGEST_LEN],
                          struct db_rows **rows) QUERY_MUST;
/* address_index, sealed, erased_at, origin, linked_at, linked_by, why */
enum db_result query_links(struct db *db, const char *user, struct db_rows **rows) QUERY_MUST;
/* address_index, sealed, origin, seen_at, resolved_at, holder's user_id */
enum db_result query_contested(struct db *db, const char *user, struct db_rows **rows) QUERY_MUST;
/* user_id, origin, seen_at: who else says that the address is theirs, unresolved */
enum db_result query_contenders(struct db *db, const unsigned char index[DIGEST_LEN],
                                struct db_rows **rows) QUERY_MUST;
/* created_at, profile_state, profile_read_at, profile_due_at, profile_attempts */
enum db_result query_user(struct db *db, const char *user, struct db_rows **rows) QUERY_MUST;
/* client_id, team_id, state, issued_at, expires_at, refused_at, scope */
enum db_result query_tokens(struct db *db, const char *user, struct db_rows **rows) QUERY_MUST;
/* grant_id, entitlement_key, quantity, granted_at, ends_at, granted_by, why, revoked_at,
 * revoked_by, revoked_why; of every key if `key` is NULL */
enum db_result query_grants(struct db *db, const char *user, const char *key,
                            struct db_rows **rows) QUERY_MUST;
/* at, cause, cause_id, action, entitlement_key, before_value, after_value: the latest first */
enum db_result query_user_audit(struct db *db, const char *user, size_t most,
                                struct db_rows **rows) QUERY_MUST;
/* sealed, erased_at */
enum db_result query_address(struct db *db, const unsigned char index[DIGEST_LEN],
                             struct db_rows **rows) QUERY_MUST;

/* Orders. */

/* source_id, order_id, status, subject_kind, unmapped_lines, merged_at: the latest first */
enum db_result query_orders_of(struct db *db, const struct subjects *subjects, size_t most,
                               struct db_rows **rows) QUERY_MUST;
/* source_id, order_id, line_id, entitlement_key, state, quantity, starts_at, ends_at, grace_until,
 * catalogue_version, team_id; of every key if `key` is NULL */
enum db_result query_contributions_of(struct db *db, const struct subjects *subjects,
                                      const char *key, struct db_rows **rows) QUERY_MUST;
/* line_id, entitlement_key, state, quantity, starts_at, ends_at, grace_until, catalogue_version */
enum db_result query_contributions(struct db *db, uint32_t source_id, const char *order_id,
                                   struct db_rows **rows) QUERY_MUST;
/* source_id, order_id, entitlement_key, state, quantity, ends_at, grace_until, subject: those of
 * all orders between two names, both included */
enum db_result query_contributions_between(struct db *db, uint32_t first_source,
                                           const char *first_order, uint32_t last_source,
                                           const char *last_order,
                                           struct db_rows **rows) QUERY_MUST;
/* revision, catalogue_version, status, subject_kind, unmapped_lines, first_seen_at, merged_at,
 * reread_due_at, reread_attempts */
enum db_result query_order(struct db *db, uint32_t source_id, const char *order_id,
                           struct db_rows **rows) QUERY_MUST;
/* digest, delivery_id, recorded_at, reference_state */
enum db_result query_snapshots(struct db *db, uint32_t source_id, const char *order_id,
                               struct db_rows **rows) QUERY_MUST;
/* id, state, reason, topic, received_at, times_received: the deliveries that facts of the order
 * came from */
enum db_result query_order_deliveries(struct db *db, uint32_t source_id, const char *order_id,
                                      struct db_rows **rows) QUERY_MUST;
/* at, cause, cause_id, action, line_id, entitlement_key, before_value, after_value */
enum db_result query_order_audit(struct db *db, uint32_t source_id, const char *order_id,
                                 struct db_rows **rows) QUERY_MUST;
/* Whether a snapshot with this digest stands among the facts of the order, or of the one that the
 * id is an alias of. */
enum db_result query_snapshot_known(struct db *db, uint32_t source_id, const char *order_id,
                                    const unsigned char digest[DIGEST_LEN], bool *known) QUERY_MUST;

/* The whole installation. */

/* source_id, product, variant, sku, orders: the most frequent first */
enum db_result query_unmapped_products(struct db *db, size_t most,
                                       struct db_rows **rows) QUERY_MUST;
/* source_id, reason, deliveries */
enum db_result query_set_aside(struct db *db, struct db_rows **rows) QUERY_MUST;
/* received_at of the source's last delivery; no row if it never sent one */
enum db_result query_last_delivery(struct db *db, uint32_t source_id,
                                   struct db_rows **rows) QUERY_MUST;
/* last_success_at, trouble of the source's resyncs; no row: none was ever begun */
enum db_result query_resync(struct db *db, uint32_t source_id, struct db_rows **rows) QUERY_MUST;
/* the sealed body of a delivery */
enum db_result query_envelope(struct db *db, uint64_t delivery_id,
                              struct db_rows **rows) QUERY_MUST;
/* pending deliveries, received_at of the oldest */
enum db_result query_pending(struct db *db, struct db_rows **rows) QUERY_MUST;
/* buyers (subjects) who hold something live at `now` */
enum db_result query_entitled(struct db *db, int64_t now, int64_t *buyers) QUERY_MUST;
/* subject, entitlement_key, orders that give it live at `now`; for the subjects named */
enum db_result query_live_of(struct db *db, const struct subjects *subjects, int64_t now,
                             struct db_rows **rows) QUERY_MUST;
/* address_index, user_id: those of the subjects named that are linked addresses */
enum db_result query_holders(struct db *db, const struct subjects *subjects,
                             struct db_rows **rows) QUERY_MUST;
/* orders that stand in the database */
enum db_result query_order_count(struct db *db, int64_t *orders) QUERY_MUST;
/* valid tokens, refused tokens, users */
enum db_result query_token_count(struct db *db, struct db_rows **rows) QUERY_MUST;
/* innodb_flush_log_at_trx_commit, log_bin, sync_binlog, max_allowed_packet, version, microseconds
 * since 1970
 */
enum db_result query_server(struct db *db, struct db_rows **rows) QUERY_MUST;
/* variable_name, value of the server's states whose names match `like` */
enum db_result query_status(struct db *db, const char *like, struct db_rows **rows) QUERY_MUST;
/* version, applied_at, applied_by: the latest first */
enum db_result query_catalogue_versions(struct db *db, struct db_rows **rows) QUERY_MUST;

#endif
