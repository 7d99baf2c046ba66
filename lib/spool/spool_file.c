#include "spool/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/log.h"
#include "base/mem.h"

#define FORMAT 1           /* PRAGMA user_version */
#define ROW_BYTES 256      /* what a row takes beside what is sealed in it, rounded up */
#define SHRINK_PAGES 64    /* an empty file of more pages is made small */
#define LOG_KEPT "4194304" /* bytes of the write-ahead log that stay after a checkpoint */

enum statement {
    STATEMENT_ADD,
    STATEMENT_READ,
    STATEMENT_SIZE,
    STATEMENT_REMOVE,
    STATEMENT_SET_APART,
    STATEMENT_COUNT
};

/* `sealed` is the last column: what stands before it is read without it. */
static const char *const statements[STATEMENT_COUNT] = {
    [STATEMENT_ADD] = "INSERT INTO delivery (source, delivery_key, topic, received_at, apart,"
                      " sealed) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
    [STATEMENT_READ] = "SELECT id, source, delivery_key, topic, received_at, apart, sealed"
                       " FROM delivery WHERE id > ? AND (apart = '' OR ?) ORDER BY id LIMIT ?",
    [STATEMENT_SIZE] = "SELECT length(sealed), apart FROM delivery WHERE id = ?",
    [STATEMENT_REMOVE] = "DELETE FROM delivery WHERE id = ?",
    [STATEMENT_SET_APART] = "UPDATE delivery SET apart = ? WHERE id = ?",
};

struct spool_file {
    sqlite3 *db;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
    struct spool_totals totals, before; /* `before` the transaction under way */
    enum spool_fault fault;
    struct buf error;
};

/* --- faults -------------------------------------------------------------------------------- */

static enum spool_fault fault_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return FILE_HELD;
    case SQLITE_FULL:
        return FILE_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        return FILE_DAMAGED;
    default:
        return FILE_FAILED;
    }
}

/* Notes what SQLite says of the call that just failed, with what the system said of it. */
static int file_fail(struct spool_file *file)
{
    int code = sqlite3_extended_errcode(file->db), number = sqlite3_system_errno(file->db);

    file->fault = fault_of(code);
    buf_reset(&file->error);
    buf_printf(&file->error, "%s (%d)", sqlite3_errmsg(file->db), code);
    if (number != 0)
        buf_printf(&file->error, ": %s", strerror(number));
    return -1;
}

static int file_run(struct spool_file *file, const char *sql)
{
    return sqlite3_exec(file->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : file_fail(file);
}

enum spool_fault spool_file_fault(const struct spool_file *file)
{
    return file->fault;
}

const char *spool_file_error(const struct spool_file *file)
{
    return file->error.data ? file->error.data : "";
}

const struct spool_totals *spool_file_totals(const struct spool_file *file)
{
    return &file->totals;
}

static int64_t bytes_of(int64_t sealed)
{
    return sealed + ROW_BYTES;
}

int64_t spool_row_bytes(const struct spool_row *row)
{
    return bytes_of((int64_t)row->sealed.len);
}

/* --- opening ------------------------------------------------------------------------------- */

/* The one number that a statement tells; 0 or -1. */
static int file_number(struct spool_file *file, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int result = -1;

    if (sqlite3_prepare_v2(file->db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
        result = 0;
    } else {
        file_fail(file);
    }
    sqlite3_finalize(statement);
    return result;
}

/* A file that cannot have the log would keep its promise at no power cut: not used. */
static int file_make_durable(struct spool_file *file)
{
    sqlite3_stmt *statement = NULL;
    bool log = false;
    int64_t level = 0;

    if (sqlite3_prepare_v2(file->db, "PRAGMA journal_mode=WAL", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        file_fail(file);
        sqlite3_finalize(statement);
        return -1;
    }
    log = strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    if (file_run(file, "PRAGMA synchronous=FULL") != 0 ||
        file_number(file, "PRAGMA synchronous", &level) != 0)
        return -1;
    if (log && level == 2)
        return 0;
    file->fault = FILE_FAILED;
    buf_reset(&file->error);
    buf_puts(&file->error, "no write-ahead log, synchronised in full, can be had on this disk");
    return -1;
}

/* Takes the lock, for good, and makes the table if it is not there. */
static int file_prepare(struct spool_file *file)
{
    int64_t format;

    /* Held by this process alone, the log's index is in its memory: no third file. */
    if (file_run(file, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY") != 0 ||
        file_number(file, "PRAGMA user_version", &format) != 0)
        return -1;
    if (format > FORMAT) {
        file->fault = FILE_HELD;
        buf_puts(&file->error, "it is a newer release's");
        return -1;
    }
    if (file_make_durable(file) != 0 ||
        file_run(file, "PRAGMA journal_size_limit=" LOG_KEPT "; BEGIN EXCLUSIVE;"
                       "CREATE TABLE IF NOT EXISTS delivery (id INTEGER PRIMARY KEY,"
                       " source TEXT NOT NULL, delivery_key BLOB NOT NULL, topic TEXT NOT NULL,"
                       " received_at INTEGER NOT NULL, apart TEXT NOT NULL, sealed BLOB NOT NULL,"
                       " UNIQUE (source, delivery_key)) STRICT;"
                       "PRAGMA user_version=1; COMMIT") != 0)
        return -1;
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(file->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &file->prepared[i], NULL) != SQLITE_OK)
            return file_fail(file);
    }
    return 0;
}

/* Counts what is there. */
static int file_count(struct spool_file *file)
{
    int64_t rows = 0, apart = 0, sealed = 0;

    if (file_number(file, "SELECT count(*) FROM delivery", &rows) != 0 ||
        file_number(file, "SELECT count(*) FROM delivery WHERE apart <> ''", &apart) != 0 ||
        file_number(file, "SELECT coalesce(sum(length(sealed)), 0) FROM delivery", &sealed) != 0)
        return -1;
    file->totals = (struct spool_totals){
        .pending = (size_t)(rows - apart),
        .apart = (size_t)apart,
        .bytes = sealed + rows * ROW_BYTES,
    };
    return 0;
}

/* Makes the file, readable by nobody else, and its name in the folder durable: SQLite does neither.
 */
static int file_create(const char *path, struct buf *why)
{
    char *folder = xstrdup(path), *slash = strrchr(folder, '/');
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), dir = -1, result = -1;

    if (slash)
        *slash = '\0';
    if (fd >= 0)
        dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0 && fsync(dir) == 0)
        result = 0;
    else
        buf_puts(why, strerror(errno));
    if (dir >= 0)
        close(dir);
    if (fd >= 0)
        close(fd);
    free(folder);
    return result;
}

struct spool_file *spool_file_open(const char *path, bool create, enum spool_fault *fault,
                                   struct buf *why)
{
    struct spool_file *file;

    *fault = FILE_FAILED;
    if (create && file_create(path, why) != 0)
        return NULL;
    file = xcalloc(1, sizeof(*file));
    if (sqlite3_open_v2(path, &file->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        file_prepare(file) != 0 || file_count(file) != 0) {
        if (file->error.len == 0)
            file_fail(file);
        *fault = file->fault;
        buf_puts(why, file->error.data);
        spool_file_close(file);
        return NULL;
    }
    *fault = FILE_SOUND;
    return file;
}

void spool_file_close(struct spool_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(file->prepared[i]);
    if (sqlite3_close(file->db) != SQLITE_OK)
        die("spool: a statement of the file is still open");
    buf_free(&file->error);
    free(file);
}

/* --- transactions -------------------------------------------------------------------------- */

/* What is written to a file that was deleted would be told durable, and gone with the process. */
int spool_file_begin(struct spool_file *file)
{
    int moved = 0;

    file->before = file->totals;
    if (sqlite3_file_control(file->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
        moved) {
        file->fault = FILE_LOST;
        buf_reset(&file->error);
        buf_puts(&file->error, "the file was moved or deleted");
        return -1;
    }
    return file_run(file, "BEGIN IMMEDIATE");
}

int spool_file_commit(struct spool_file *file)
{
    return file_run(file, "COMMIT");
}

/* Some faults have rolled back already. */
void spool_file_rollback(struct spool_file *file)
{
    file->totals = file->before;
    if (!sqlite3_get_autocommit(file->db))
        sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
}

/* --- rows ---------------------------------------------------------------------------------- */

/* Runs a statement that tells no rows, and makes it ready for the next time. */
static int file_step(struct spool_file *file, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement) == SQLITE_DONE ? 0 : file_fail(file);

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

static void totals_add(struct spool_totals *totals, bool apart, int64_t bytes)
{
    if (apart)
        totals->apart++;
    else
        totals->pending++;
    totals->bytes += bytes;
}

int spool_file_add(struct spool_file *file, const struct spool_row *row, bool *added)
{
    sqlite3_stmt *statement = file->prepared[STATEMENT_ADD];

    sqlite3_bind_text(statement, 1, row->source, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, row->key, sizeof(row->key), SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, row->topic, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, row->received_at);
    sqlite3_bind_text(statement, 5, row->apart, -1, SQLITE_STATIC);
    if (sqlite3_bind_blob64(statement, 6, row->sealed.data, row->sealed.len, SQLITE_STATIC) !=
        SQLITE_OK)
        return file_fail(file);
    if (file_step(file, statement) != 0)
        return -1;
    *added = sqlite3_changes(file->db) > 0;
    if (*added)
        totals_add(&file->totals, row->apart[0] != '\0', spool_row_bytes(row));
    return 0;
}

/* Copies a column of text, cut to its room: what is longer was not written by this program. */
static void column_copy(sqlite3_stmt *statement, int column, char *out, size_t room)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    size_t len = (size_t)sqlite3_column_bytes(statement, column);

    len = len < room ? len : room - 1;
    if (text)
        memcpy(out, text, len);
    out[len] = '\0';
}

static void row_read(sqlite3_stmt *statement, struct spool_row *out)
{
    size_t len = (size_t)sqlite3_column_bytes(statement, 2);

    memset(out, 0, sizeof(*out));
    out->id = sqlite3_column_int64(statement, 0);
    column_copy(statement, 1, out->source, sizeof(out->source));
    if (len == sizeof(out->key))
        memcpy(out->key, sqlite3_column_blob(statement, 2), len);
    column_copy(statement, 3, out->topic, sizeof(out->topic));
    out->received_at = sqlite3_column_int64(statement, 4);
    column_copy(statement, 5, out->apart, sizeof(out->apart));
    len = (size_t)sqlite3_column_bytes(statement, 6);
    buf_append(&out->sealed, sqlite3_column_blob(statement, 6), len);
}

void spool_take_free(struct spool_take *take)
{
    for (size_t i = 0; i < take->count; i++)
        buf_free(&take->rows[i].sealed);
    xfree(take->rows);
    take->count = 0;
}

int spool_file_read(struct spool_file *file, bool apart, struct spool_take *take)
{
    sqlite3_stmt *statement = file->prepared[STATEMENT_READ];
    size_t bytes = 0;
    int code = SQLITE_DONE, result = 0;

    take->rows = xcalloc(take->most, sizeof(*take->rows));
    take->count = 0;
    sqlite3_bind_int64(statement, 1, take->after);
    sqlite3_bind_int(statement, 2, apart);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)take->most);
    while (take->count < take->most && bytes < take->most_bytes &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        row_read(statement, &take->rows[take->count]);
        bytes += take->rows[take->count++].sealed.len;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = file_fail(file);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (result != 0)
        spool_take_free(take);
    return result;
}

/* Takes a row out of the totals; *found is false if there is none. */
static int row_uncount(struct spool_file *file, int64_t id, int64_t *bytes, bool *found)
{
    sqlite3_stmt *statement = file->prepared[STATEMENT_SIZE];
    int code, result = 0;

    sqlite3_bind_int64(statement, 1, id);
    code = sqlite3_step(statement);
    *found = code == SQLITE_ROW;
    if (*found) {
        *bytes = bytes_of(sqlite3_column_int64(statement, 0));
        if (sqlite3_column_bytes(statement, 1) > 0)
            file->totals.apart--;
        else
            file->totals.pending--;
        file->totals.bytes -= *bytes;
    } else if (code != SQLITE_DONE) {
        result = file_fail(file);
    }
    sqlite3_reset(statement);
    return result;
}

int spool_file_remove(struct spool_file *file, int64_t id)
{
    sqlite3_stmt *statement = file->prepared[STATEMENT_REMOVE];
    int64_t bytes;
    bool found;

    if (row_uncount(file, id, &bytes, &found) != 0)
        return -1;
    sqlite3_bind_int64(statement, 1, id);
    return file_step(file, statement);
}

int spool_file_set_apart(struct spool_file *file, int64_t id, const char *why)
{
    sqlite3_stmt *statement = file->prepared[STATEMENT_SET_APART];
    int64_t bytes;
    bool found;

    if (row_uncount(file, id, &bytes, &found) != 0)
        return -1;
    if (!found)
        return 0;
    totals_add(&file->totals, true, bytes);
    sqlite3_bind_text(statement, 1, why, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, id);
    return file_step(file, statement);
}

int spool_file_retry_apart(struct spool_file *file)
{
    if (file->totals.apart == 0)
        return 0;
    file->totals.pending += file->totals.apart;
    file->totals.apart = 0;
    return file_run(file, "UPDATE delivery SET apart = '' WHERE apart <> ''");
}

/* Only the disk's room is at stake. */
void spool_file_shrink(struct spool_file *file)
{
    int64_t pages;

    if (file->totals.pending + file->totals.apart > 0 ||
        file_number(file, "PRAGMA page_count", &pages) != 0 || pages <= SHRINK_PAGES)
        return;
    if (file_run(file, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)") != 0)
        log_warn("spool", "not_shrunk", LOG_S("why", spool_file_error(file)));
}
