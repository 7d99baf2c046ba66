/*
 * doctor, the database: whether it answers, keeps what it says it keeps, and holds our schema and
 * key.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "db/migrate.h"
#include "doctor.h"
#include "queries.h"
#include "store/catalogue_store.h"
#include "store/keys.h"

#define SKEW_WARN (2 * TIME_SECOND)
#define SKEW_ERROR TIME_MINUTE
#define PACKET_ROOM 4 /* a batch of deliveries in one statement */
#define PRODUCTS_SHOWN 20

/* By socket, by TLS, or in clear. */
static void transport_note(struct doctor *doctor)
{
    const struct settings_database *database = &doctor->ctl->settings->database;
    struct db_rows *rows;
    const char *cipher = "";
    size_t len;

    if (database->socket != NULL) {
        doctor_note(doctor, FINDING_OK, "database", NULL, "reached by the socket %s",
                    database->socket);
        return;
    }
    if (query_status(doctor->ctl->db, "Ssl_cipher", &rows) != DB_OK)
        return;
    if (db_rows_next(rows))
        cipher = db_bytes(rows, 1, &len);
    if (cipher != NULL && *cipher != '\0')
        doctor_note(doctor, FINDING_OK, "database", NULL, "reached by TCP under TLS (%s)", cipher);
    else
        doctor_note(doctor, FINDING_WARN, "database",
                    "set tls_ca in [database], unless every host is this machine",
                    "reached by TCP in clear");
    db_rows_free(rows);
}

/* An acknowledged delivery must outlive a power cut. */
static void durability_note(struct doctor *doctor, const struct db_rows *rows)
{
    int64_t flush = db_int(rows, 0), log_bin = db_int(rows, 1), sync_binlog = db_int(rows, 2);

    if (flush != 1)
        doctor_note(doctor, FINDING_ERROR, "durability",
                    "set innodb_flush_log_at_trx_commit = 1 in the server's configuration",
                    "innodb_flush_log_at_trx_commit is %" PRId64
                    ": a crash may lose deliveries that were acknowledged",
                    flush);
    if (log_bin != 0 && sync_binlog != 1)
        doctor_note(doctor, FINDING_ERROR, "durability",
                    "set sync_binlog = 1, or turn the binary log off",
                    "the binary log is on and sync_binlog is %" PRId64
                    ": a power cut rolls back commits that it had not written yet",
                    sync_binlog);
    if (flush == 1 && (log_bin == 0 || sync_binlog == 1))
        doctor_note(doctor, FINDING_OK, "durability", NULL, "every commit is flushed to disk");
}

/* A batch of large deliveries goes in one statement. */
static void packet_note(struct doctor *doctor, int64_t packet)
{
    int64_t wanted = doctor->ctl->settings->server.max_body * PACKET_ROOM;

    if (packet < wanted)
        doctor_note(doctor, FINDING_WARN, "max_allowed_packet",
                    "raise max_allowed_packet at the server, or lower max_body in [server]",
                    "%" PRId64 " MiB, and deliveries of up to %" PRId64
                    " KiB are stored several at a time",
                    packet >> 20, doctor->ctl->settings->server.max_body >> 10);
    else
        doctor_note(doctor, FINDING_OK, "max_allowed_packet", NULL, "%" PRId64 " MiB",
                    packet >> 20);
}

/* Leases and due times are the hosts' clocks: they must agree. */
static void clock_note(struct doctor *doctor, int64_t skew)
{
    int64_t apart = skew < 0 ? -skew : skew;
    char seconds[32];

    snprintf(seconds, sizeof(seconds), "%.3f s", (double)apart / (double)TIME_SECOND);
    if (apart > SKEW_WARN)
        doctor_note(doctor, apart > SKEW_ERROR ? FINDING_ERROR : FINDING_WARN, "clock",
                    "let chrony or systemd-timesyncd keep both hosts' clocks",
                    "the database's clock is %s %s of this host's", seconds,
                    skew > 0 ? "ahead" : "behind");
    else
        doctor_note(doctor, FINDING_OK, "clock", NULL, "database and host are %s apart", seconds);
}

/* What the server says of itself. */
static void server_note(struct doctor *doctor)
{
    int64_t before = clock_now(), after;
    struct db_rows *rows;
    size_t len;

    if (query_server(doctor->ctl->db, &rows) != DB_OK || !db_rows_next(rows)) {
        doctor_note(doctor, FINDING_ERROR, "database", "see the database's log",
                    "its settings cannot be read: %s", db_error(doctor->ctl->db));
        return;
    }
    after = clock_now();
    doctor_note(doctor, FINDING_OK, "server", NULL, "MariaDB %s", db_bytes(rows, 4, &len));
    durability_note(doctor, rows);
    packet_note(doctor, db_int(rows, 3));
    clock_note(doctor, db_int(rows, 5) - (before + (after - before) / 2));
    db_rows_free(rows);
}

/* A node of a cluster that does not take part answers nothing. */
static void cluster_note(struct doctor *doctor)
{
    const char *state = NULL;
    struct db_rows *rows;
    size_t len;

    if (query_status(doctor->ctl->db, "wsrep_local_state_comment", &rows) != DB_OK)
        return;
    if (db_rows_next(rows))
        state = db_bytes(rows, 1, &len);
    if (state != NULL && strcmp(state, "Synced") == 0)
        doctor_note(doctor, FINDING_OK, "cluster", NULL, "the Galera node is Synced");
    else if (state != NULL && *state != '\0' && strcmp(state, "Initialized") != 0)
        doctor_note(doctor, FINDING_ERROR, "cluster",
                    "wait until it is Synced, or name another host first", "the Galera node is %s",
                    state);
    db_rows_free(rows);
}

/* Whether this program and the database's schema go together. */
static bool schema_note(struct doctor *doctor)
{
    enum schema_fit fit;
    int version;

    if (migrate_fit(doctor->ctl->db, &fit, &version) != DB_OK) {
        doctor_note(doctor, FINDING_ERROR, "schema", "see the database's log", "unreadable: %s",
                    db_error(doctor->ctl->db));
        return false;
    }
    switch (fit) {
    case SCHEMA_FITS:
        doctor_note(doctor, FINDING_OK, "schema", NULL, "version %d", version);
        return true;
    case SCHEMA_NEWER:
        doctor_note(doctor, FINDING_WARN, "schema", "update this host's programs soon",
                    "version %d is newer than this program, which still serves it", version);
        return true;
    case SCHEMA_OLDER:
        doctor_note(doctor, FINDING_ERROR, "schema", "run purchasectl migrate",
                    "version %d is older than this program needs", version);
        return false;
    case SCHEMA_ABSENT:
        doctor_note(doctor, FINDING_ERROR, "schema", "run purchasectl migrate",
                    "the database holds none yet");
        return false;
    case SCHEMA_CHANGED:
        break;
    }
    doctor_note(doctor, FINDING_ERROR, "schema", "use the programs that made this database",
                "an applied migration is not the one built into this program");
    return false;
}

/* The keyring opens this database's index key, or nobody would be found. */
static bool index_key_note(struct doctor *doctor)
{
    struct ctl *ctl = doctor->ctl;
    enum keys_fit fit;
    struct buf why = {0};

    if (ctl->vault == NULL)
        return false;
    if (keys_load(ctl->db, ctl->vault, &fit, &why) != DB_OK) {
        doctor_note(doctor, FINDING_ERROR, "index key", "see the database's log", "unreadable: %s",
                    db_error(ctl->db));
        return false;
    }
    if (fit == KEYS_LOADED)
        doctor_note(doctor, FINDING_OK, "index key", NULL, "the keyring opens it");
    else if (fit == KEYS_ABSENT)
        doctor_note(doctor, FINDING_ERROR, "index key", "run purchasectl migrate", "not made yet");
    else if (fit == KEYS_WRONG_KEYRING)
        doctor_note(doctor, FINDING_ERROR, "index key",
                    "put back the keyring of this installation: without it no address is found",
                    "no key of the keyring opens it");
    else
        doctor_note(doctor, FINDING_ERROR, "keyring", "put the key back", "%s", why.data);
    buf_free(&why);
    return fit == KEYS_LOADED;
}

void doctor_database(struct doctor *doctor)
{
    struct ctl *ctl = doctor->ctl;
    enum exit_code code = ctl_connect(ctl);

    if (code != EXIT_DONE) {
        doctor_note(doctor, FINDING_ERROR, "database",
                    "start it, or mend [database]: user, password_file, socket or host, name",
                    "cannot be reached: %s", db_error(ctl->db));
        return;
    }
    doctor->connected = true;
    transport_note(doctor);
    server_note(doctor);
    cluster_note(doctor);
    if (!schema_note(doctor) || !index_key_note(doctor))
        return;
    if (source_map_load(ctl->db, ctl->settings, &ctl->sources) != DB_OK)
        doctor_note(doctor, FINDING_ERROR, "sources", "see the database's log", "unreadable: %s",
                    db_error(ctl->db));
    else
        doctor->stored = true;
}

/* Rules whose shop is not configured match nothing. */
static void rules_note(struct doctor *doctor, const struct catalogue *catalogue)
{
    size_t strays = 0;
    const char *stray = "";

    for (size_t i = 0; i < catalogue->rule_count; i++) {
        const char *name = catalogue->rules[i].source;

        if (settings_source(doctor->ctl->settings, name, strlen(name)) == NULL) {
            strays++;
            stray = name;
        }
    }
    if (strays > 0)
        doctor_note(doctor, FINDING_WARN, "catalogue",
                    "add the [source ...] section, or apply a catalogue without those rules",
                    "%zu rule%s a source that is not configured (such as %s)", strays,
                    strays == 1 ? " names" : "s name", stray);
}

/* Lines that were sold and unlock nothing: usually a product that somebody forgot. */
static void unmapped_note(struct doctor *doctor)
{
    struct db_rows *rows;

    if (query_unmapped_products(doctor->ctl->db, PRODUCTS_SHOWN, &rows) != DB_OK)
        return;
    while (db_rows_next(rows)) {
        const char *source = source_map_name(doctor->ctl->sources, (uint32_t)db_int(rows, 0));
        const char *product, *variant, *sku;
        size_t len;

        product = db_bytes(rows, 1, &len);
        variant = db_bytes(rows, 2, &len);
        sku = db_bytes(rows, 3, &len);
        doctor_note(doctor, FINDING_WARN, "unmapped product",
                    "give it a rule, or \"ignore\": true, and apply the catalogue",
                    "%s: product %s, variant %s, sku %s, in %" PRId64 " order%s",
                    source == NULL ? "?" : source, product == NULL ? "-" : product,
                    variant == NULL ? "-" : variant, sku == NULL ? "-" : sku, db_int(rows, 4),
                    db_int(rows, 4) == 1 ? "" : "s");
    }
    if (db_rows_count(rows) == 0)
        doctor_note(doctor, FINDING_OK, "unmapped products", NULL, "none");
    db_rows_free(rows);
}

void doctor_catalogue(struct doctor *doctor)
{
    struct catalogue *catalogue = ctl_catalogue(doctor->ctl);

    if (catalogue == NULL)
        return;
    if (catalogue->version == 0)
        doctor_note(doctor, FINDING_WARN, "catalogue", "purchasectl catalog apply FILE",
                    "none was applied: no order unlocks anything");
    else
        doctor_note(doctor, FINDING_OK, "catalogue", NULL, "version %u: %zu keys, %zu rules",
                    catalogue->version, catalogue->entitlement_count, catalogue->rule_count);
    rules_note(doctor, catalogue);
    unmapped_note(doctor);
    doctor_buyers(doctor, catalogue);
    catalogue_free(catalogue);
}

void doctor_people(struct doctor *doctor)
{
    struct db_rows *rows;

    if (query_token_count(doctor->ctl->db, &rows) != DB_OK)
        return;
    if (db_rows_next(rows)) {
        int64_t valid = db_int(rows, 0), refused = db_int(rows, 1), users = db_int(rows, 2);

        if (refused > 0)
            doctor_note(doctor, FINDING_WARN, "tokens",
                        "nothing to do here: those users are asked to authorize again",
                        "%" PRId64 " valid, %" PRId64 " refused by Miro, of %" PRId64 " users",
                        valid, refused, users);
        else
            doctor_note(doctor, FINDING_OK, "tokens", NULL,
                        "%" PRId64 " valid, of %" PRId64 " users", valid, users);
    }
    db_rows_free(rows);
}
