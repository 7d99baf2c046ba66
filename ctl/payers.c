#include "payers.h"

#define PRODUCTS_LISTED 100

static const struct table_column payer_columns[] = {
    {"source", "source"}, {"buyers", "buyers"}, {"orders", "orders"}, {NULL, NULL}};

static const struct table_column nobody_columns[] = {
    {"source", "source"}, {"orders", "orders"}, {NULL, NULL}};

static const struct table_column product_columns[] = {
    {"source", "source"}, {"product", "product"}, {"variant", "variant"},
    {"sku", "sku"},       {"orders", "orders"},   {NULL, NULL}};

/*
 * Orders that are paid, with the buyer that counts: whom their contributions name or, where no rule
 * knows any of their lines, the address of the greatest snapshot that has one. Those whose lines
 * give nothing any more (given back, disputed, over) lock nobody. What the file says of an order
 * counts where it is newer than what is known.
 */
#define PAYING_ORDERS                                                                              \
    "SELECT o.source_id, o.order_id, COALESCE((SELECT c.subject FROM contribution c"               \
    "   WHERE c.source_id = o.source_id AND c.order_id = o.order_id LIMIT 1), s.address_index)"    \
    "  AS subject FROM shop_order o"                                                               \
    " JOIN order_snapshot s ON s.source_id = o.source_id AND s.order_id = o.order_id"              \
    " AND s.address_index IS NOT NULL"                                                             \
    " WHERE o.status = 'paid' AND o.subject_kind = 'address'"                                      \
    " AND NOT EXISTS (SELECT 1 FROM order_snapshot n WHERE n.source_id = s.source_id"              \
    "  AND n.order_id = s.order_id AND n.address_index IS NOT NULL"                                \
    "  AND (n.time, n.from_api, n.read_at, n.digest) > (s.time, s.from_api, s.read_at, s.digest))" \
    " AND (NOT EXISTS (SELECT 1 FROM contribution c WHERE c.source_id = o.source_id"               \
    "   AND c.order_id = o.order_id)"                                                              \
    "  OR EXISTS (SELECT 1 FROM contribution c WHERE c.source_id = o.source_id"                    \
    "   AND c.order_id = o.order_id AND c.state = 'active' AND c.quantity > 0"                     \
    "   AND (c.ends_at IS NULL OR c.ends_at > ? OR c.grace_until > ?)))"                           \
    " AND NOT EXISTS (SELECT 1 FROM import_order i WHERE i.source_id = o.source_id"                \
    "  AND i.order_id = o.order_id AND i.time > (SELECT MAX(m.time) FROM order_snapshot m"         \
    "   WHERE m.source_id = o.source_id AND m.order_id = o.order_id))"

#define NEWEST_OF_FILE                                                                \
    " FROM import_order i WHERE i.pays"                                               \
    " AND NOT EXISTS (SELECT 1 FROM import_order j WHERE j.source_id = i.source_id"   \
    "  AND j.order_id = i.order_id AND j.time > i.time)"                              \
    " AND NOT EXISTS (SELECT 1 FROM order_snapshot k WHERE k.source_id = i.source_id" \
    "  AND k.order_id = i.order_id AND k.time >= i.time)"

/* source_id, buyers, orders */
static enum db_result query_locked(struct db *db, int64_t now, struct db_rows **rows)
{
    const struct db_value values[] = {DB_VALUE_INT(now), DB_VALUE_INT(now)};

    return db_query(
        db,
        "SELECT source_id, COUNT(DISTINCT subject), COUNT(DISTINCT order_id) FROM (" PAYING_ORDERS
        " UNION ALL SELECT i.source_id, i.order_id, i.payer" NEWEST_OF_FILE
        " AND i.payer IS NOT NULL) p"
        " WHERE NOT EXISTS (SELECT 1 FROM link l WHERE l.address_index = p.subject)"
        " AND NOT EXISTS (SELECT 1 FROM import_link f"
        "  WHERE f.address_index = p.subject)"
        " GROUP BY source_id ORDER BY source_id",
        values, 2, rows);
}

/* source_id, orders that are paid and belong to nobody */
static enum db_result query_nobody(struct db *db, struct db_rows **rows)
{
    return db_query(db,
                    "SELECT source_id, COUNT(*) FROM (SELECT source_id, order_id FROM shop_order"
                    " WHERE is_nobodys = 1"
                    " UNION SELECT i.source_id, i.order_id" NEWEST_OF_FILE " AND i.nobody) o"
                    " GROUP BY source_id ORDER BY source_id",
                    NULL, 0, rows);
}

/* source_id, product, variant, sku, orders */
static enum db_result query_products(struct db *db, struct db_rows **rows)
{
    const struct db_value most = DB_VALUE_INT(PRODUCTS_LISTED);

    return db_query(db,
                    "SELECT source_id, product, variant, sku, COUNT(DISTINCT order_id) AS orders"
                    " FROM (SELECT source_id, order_id, product, variant, sku FROM unmapped_line"
                    " UNION SELECT source_id, order_id, product, variant, sku"
                    " FROM import_unmapped) u GROUP BY source_id, product, variant, sku"
                    " ORDER BY orders DESC, source_id, product, variant, sku LIMIT ?",
                    &most, 1, rows);
}

/* Rows that begin with a source, as they are. */
static void rows_tell(const struct ctl *ctl, struct db_rows *rows, unsigned columns,
                      unsigned numbers_from, struct table *table)
{
    while (db_rows_next(rows)) {
        table_text(table, source_map_name(ctl->sources, (uint32_t)db_int(rows, 0)));
        for (unsigned column = 1; column < columns; column++) {
            if (column >= numbers_from)
                table_int(table, db_int(rows, column));
            else
                table_from(table, rows, column);
        }
    }
    db_rows_free(rows);
}

static void remedies_tell(struct page *page, bool locked, bool nobody, bool unknown)
{
    if (locked)
        page_text(page, NULL, "to unlock buyers",
                  "they unlock when they install the plugin with that address, or claim it by a "
                  "mailed code; or import links");
    if (nobody)
        page_text(page, NULL, "to find addresses",
                  "the shop's plan or the key's scope may hide them; or let orders carry the "
                  "buyer's reference, or assign them");
    if (unknown)
        page_text(page, NULL, "to unlock products",
                  "add rules for them to the catalogue, or `\"ignore\": true`");
}

enum exit_code payers_tell(struct ctl *ctl, struct page *page)
{
    struct table *locked, *nobody, *products;
    struct db_rows *rows;

    locked = page_table(page, "locked_payers", "Payers who would be locked today", "nobody",
                        payer_columns);
    nobody =
        page_table(page, "orders_without_address",
                   "Paid orders that tell neither address nor reference", "none", nobody_columns);
    products = page_table(page, "unmapped_products", "Products bought that no rule knows", "none",
                          product_columns);
    if (query_locked(ctl->db, ctl->now, &rows) != DB_OK)
        return ctl_database_failed(ctl, "counting the payers who would be locked");
    rows_tell(ctl, rows, 3, 1, locked);
    if (query_nobody(ctl->db, &rows) != DB_OK)
        return ctl_database_failed(ctl, "counting the orders without an address");
    rows_tell(ctl, rows, 2, 1, nobody);
    if (query_products(ctl->db, &rows) != DB_OK)
        return ctl_database_failed(ctl, "listing the products that no rule knows");
    rows_tell(ctl, rows, 5, 4, products);
    remedies_tell(page, table_rows(locked) > 0, table_rows(nobody) > 0, table_rows(products) > 0);
    return EXIT_DONE;
}
