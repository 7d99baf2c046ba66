#include "db/db.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mysql.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/connection.h"
#include "db/fault.h"
#include "db/statement.h"

struct db {
    struct db_target target;       /* every string our own */
    size_t host;                   /* of target.hosts: the one that answered last */
    unsigned patience;             /* seconds an answer may take */
    uint64_t opened;               /* connections, in all */
    MYSQL *connection;             /* NULL: not connected */
    struct statements *statements; /* of this connection */
    bool in_transaction;
    int64_t commit_by; /* monotonic: of the transaction under way, or TIME_NONE */
    /*
     * DB_OK, or what ended the transaction on the server's side while the caller still believes in
     * it: until the rollback nothing more is run, lest it commit by itself.
     */
    enum db_result broken;
    int64_t affected, insert_id;
    unsigned error_number;
    char error[640];
    unsigned refusal;            /* last connection fault logged, so that it is logged once */
    pthread_mutex_t socket_lock; /* guards `socket` between its owner and db_interrupt() */
    int socket;                  /* -1: none */
};

/* The session that every statement may rely on; the lock waits are shorter than LIMIT_DB_IO_S. */
static const char *const session[] = {
    "SET SESSION time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = 5,"
    " lock_wait_timeout = 5, sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
};

void db_library_begin(void)
{
    if (mysql_library_init(0, NULL, NULL) != 0) {
        die("db: the client library does not start");
    }
}

void db_library_end(void)
{
    mysql_library_end();
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

/* Always a list, be it empty: what a socket needs no host for. */
static char **copy_hosts(char *const *hosts)
{
    size_t count = 0;
    while (hosts && hosts[count]) {
        count++;
    }
    char **copy = xcalloc(count + 1, sizeof(*copy));
    for (size_t i = 0; i < count; i++) {
        copy[i] = xstrdup(hosts[i]);
    }
    return copy;
}

struct db *db_new(const struct db_target *target)
{
    struct db *db = xcalloc(1, sizeof(*db));
    db->target = (struct db_target){
        .socket = copy_or_null(target->socket),
        .hosts = copy_hosts(target->hosts),
        .port = target->port,
        .tls_ca = copy_or_null(target->tls_ca),
        .user = copy_or_null(target->user),
        .password = copy_or_null(target->password),
        .name = copy_or_null(target->name),
    };
    db->patience = LIMIT_DB_IO_S;
    db->socket = -1;
    if (pthread_mutex_init(&db->socket_lock, NULL) != 0) {
        die("db: no mutex");
    }
    return db;
}

struct db *db_sibling(const struct db *db)
{
    return db_new(&db->target);
}

/* The target's strings are const to callers; these copies are ours to free. */
static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

static void free_target(struct db_target *target)
{
    char *password = (char *)(uintptr_t)target->password;
    if (password) {
        explicit_bzero(password, strlen(password));
    }
    free(password);
    for (char *const *host = target->hosts; *host; host++) {
        free(*host);
    }
    free((void *)(uintptr_t)target->hosts);
    free_text(target->socket);
    free_text(target->tls_ca);
    free_text(target->user);
    free_text(target->name);
}

static void set_socket(struct db *db, int socket)
{
    pthread_mutex_lock(&db->socket_lock);
    db->socket = socket;
    pthread_mutex_unlock(&db->socket_lock);
}

/*
 * A dead connection's socket is shut first, so that the goodbye cannot block on it. Statements are
 * closed after their connection: then it is only memory.
 */
static void disconnect(struct db *db, bool dead)
{
    if (!db->connection) {
        return;
    }
    int fd = db->socket;
    set_socket(db, -1);
    if (dead && fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR);
    }
    mysql_close(db->connection);
    statements_free(db->statements);
    db->connection = NULL;
    db->statements = NULL;
}

void db_free(struct db *db)
{
    if (!db) {
        return;
    }
    disconnect(db, false);
    free_target(&db->target);
    (void)pthread_mutex_destroy(&db->socket_lock);
    free(db);
}

void db_interrupt(struct db *db)
{
    pthread_mutex_lock(&db->socket_lock);
    if (db->socket >= 0) {
        (void)shutdown(db->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&db->socket_lock);
}

const char *db_error(const struct db *db)
{
    return db->error;
}

unsigned db_errno(const struct db *db)
{
    return db->error_number;
}

uint64_t db_opened(const struct db *db)
{
    return db->opened;
}

bool db_in_transaction(const struct db *db)
{
    return db->in_transaction;
}

static void remember(struct db *db, const struct fault *fault, const char *sql)
{
    db->error_number = fault->number;
    fault_describe(fault, sql, db->error, sizeof(db->error));
}

static void log_fault(const struct db *db, enum db_result result, const struct fault *fault,
                      const char *sql)
{
    enum log_level level = result == DB_FAILED ? LOG_ERROR
                           : result == DB_GONE ? LOG_WARN
                                               : LOG_DEBUG;
    log_write(level, "db", "statement_failed", LOG_I("errno", fault->number),
              LOG_S("state", fault->state), LOG_N("statement", sql, fault_prefix(sql)),
              LOG_S("error", db->error));
}

/*
 * What a failed statement means for the connection and the transaction. A node without a majority
 * (1047) is left like a dead one: the next transaction begins on another host.
 */
static enum db_result statement_failed(struct db *db, const struct fault *fault, const char *sql)
{
    enum db_result result = fault_result(fault->number);
    remember(db, fault, sql);
    log_fault(db, result, fault, sql);
    if (result == DB_GONE || fault->number == 1047) {
        disconnect(db, true);
        db->host++;
    }
    if (db->in_transaction && (result == DB_GONE || result == DB_RETRY)) {
        db->broken = result;
    }
    return result;
}

static void set_options(const struct db *db, MYSQL *my)
{
    const unsigned connect_seconds = LIMIT_DB_CONNECT_S;
    const unsigned long packet = LIMIT_DB_PACKET;
    const unsigned off = 0;
    const my_bool yes = 1, no = 0;
    const unsigned protocol = db->target.socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;

    (void)mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
    (void)mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &db->patience);
    (void)mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &db->patience);
    (void)mysql_options(my, MYSQL_OPT_RECONNECT, &no);
    (void)mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &off);
    (void)mysql_options(my, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_options(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    (void)mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (db->target.tls_ca && !db->target.socket) {
        (void)mysql_ssl_set(my, NULL, NULL, db->target.tls_ca, NULL, NULL);
        (void)mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &yes);
        (void)mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    }
}

static void copy_fault(MYSQL *my, struct fault *fault)
{
    fault_set(fault, mysql_errno(my), mysql_sqlstate(my), mysql_error(my));
}

/*
 * What bounds the life of a transaction that wrote, whatever becomes of its client: the server ends
 * a statement that the client has given up on, and a client that falls silent within a transaction.
 */
static int set_deadlines(const struct db *db, MYSQL *my)
{
    char text[160];
    int len = snprintf(text, sizeof(text),
                       "SET SESSION max_statement_time = %u, idle_write_transaction_timeout = %d",
                       db->patience + LIMIT_DB_STATEMENT_SLACK_S, LIMIT_DB_IDLE_WRITE_S);
    return mysql_real_query(my, text, (unsigned long)len);
}

/* 0 with a connection whose session is set up, or -1 with *fault and no connection. */
static int open_connection(const struct db *db, const char *host, MYSQL **out, struct fault *fault)
{
    MYSQL *my = mysql_init(NULL);
    if (!my) {
        die("db: no memory for a connection");
    }
    set_options(db, my);
    if (!mysql_real_connect(my, host, db->target.user, db->target.password, db->target.name,
                            db->target.port, db->target.socket, 0)) {
        goto fail;
    }
    if (db->target.tls_ca && !db->target.socket && !mysql_get_ssl_cipher(my)) {
        fault_set(fault, 2026, "HY000", "the server offers no TLS, and tls_ca asks for it");
        mysql_close(my);
        return -1;
    }
    for (size_t i = 0; i < sizeof(session) / sizeof(session[0]); i++) {
        if (mysql_query(my, session[i]) != 0) {
            goto fail;
        }
    }
    if (set_deadlines(db, my) != 0) {
        goto fail;
    }
    *out = my;
    return 0;
fail:
    copy_fault(my, fault);
    mysql_close(my);
    return -1;
}

/* The same refusal again and again is one line in the log, not thousands. */
static void log_refusal(struct db *db, enum db_result result, const char *host)
{
    if (db->refusal == db->error_number) {
        return;
    }
    db->refusal = db->error_number;
    log_write(result == DB_FAILED ? LOG_ERROR : LOG_WARN, "db", "connect_failed",
              LOG_I("errno", db->error_number), LOG_S("host", host), LOG_S("error", db->error));
}

static enum db_result connect_to(struct db *db, const char *host)
{
    struct fault fault;
    if (open_connection(db, host, &db->connection, &fault) != 0) {
        enum db_result result = fault_connect_result(fault.number);
        remember(db, &fault, "connect");
        log_refusal(db, result, host ? host : db->target.socket);
        return result;
    }
    db->opened++;
    db->statements = statements_new(db->connection);
    set_socket(db, (int)mysql_get_socket(db->connection));
    db->refusal = 0;
    return DB_OK;
}

/* Every host once, beginning with the one that answered last (or the one after, if it failed). */
enum db_result db_connect(struct db *db)
{
    if (db->connection) {
        return DB_OK;
    }
    if (db->target.socket || !db->target.hosts[0]) {
        return connect_to(db, NULL);
    }
    size_t count = 0;
    while (db->target.hosts[count]) {
        count++;
    }
    enum db_result result = DB_GONE;
    for (size_t i = 0; i < count; i++) {
        db->host %= count;
        result = connect_to(db, db->target.hosts[db->host]);
        if (result == DB_OK) {
            return DB_OK;
        }
        db->host++;
    }
    return result;
}

void db_set_patience(struct db *db, unsigned seconds)
{
    if (db->in_transaction) {
        die("db: patience changed inside a transaction");
    }
    disconnect(db, false);
    db->patience = seconds;
}

/*
 * Between two statements the server has nothing to say: whatever can be read then is the end of the
 * connection (an idle timeout, a restart), noticed here while nothing is lost yet.
 */
static bool is_stale(const struct db *db)
{
    struct pollfd fd = {.fd = db->socket, .events = POLLIN | POLLRDHUP};
    return poll(&fd, 1, 0) > 0;
}

/* Inside a transaction the connection is what it is; outside, a dead one is replaced. */
static enum db_result make_ready(struct db *db)
{
    if (db->in_transaction) {
        return db->broken;
    }
    if (db->connection && is_stale(db)) {
        disconnect(db, true);
    }
    return db_connect(db);
}

/* Executes what is prepared: `count` values, or so many rows of them. */
typedef int executor(struct statements *statements, struct statement *statement,
                     const struct db_value *values, size_t count, struct fault *fault);

/* Prepares if need be, and executes. *statement is valid until the next statement. */
static enum db_result execute(struct db *db, const char *sql, executor *run,
                              const struct db_value *values, size_t count,
                              struct statement **statement)
{
    struct fault fault;
    enum db_result result = make_ready(db);
    if (result != DB_OK) {
        return result;
    }
    struct statement *found = statements_get(db->statements, sql, &fault);
    if (!found || run(db->statements, found, values, count, &fault) != 0) {
        return statement_failed(db, &fault, sql);
    }
    db->affected = statement_affected(found);
    db->insert_id = statement_insert_id(found);
    *statement = found;
    return DB_OK;
}

static enum db_result execute_only(struct db *db, const char *sql, executor *run,
                                   const struct db_value *values, size_t count)
{
    struct statement *statement = NULL;
    struct fault fault;
    enum db_result result = execute(db, sql, run, values, count, &statement);
    if (result == DB_OK && statement_discard(statement, &fault) != 0) {
        statements_drop(db->statements, statement);
        return statement_failed(db, &fault, sql);
    }
    return result;
}

enum db_result db_execute(struct db *db, const char *sql, const struct db_value *values,
                          size_t count)
{
    return execute_only(db, sql, statement_execute, values, count);
}

enum db_result db_execute_rows(struct db *db, const char *sql, const struct db_value *values,
                               size_t rows)
{
    return execute_only(db, sql, statement_execute_rows, values, rows);
}

static enum db_result query_with(struct db *db, const char *sql, executor *run,
                                 const struct db_value *values, size_t count, struct db_rows **rows)
{
    struct statement *statement = NULL;
    struct db_rows *got;
    struct fault fault;
    enum db_result result = execute(db, sql, run, values, count, &statement);
    if (result != DB_OK) {
        return result;
    }
    if (statement_rows(statement, &got, &fault) != 0) {
        statements_drop(db->statements, statement);
        return statement_failed(db, &fault, sql);
    }
    db->affected = statement_affected(statement);
    *rows = got;
    return DB_OK;
}

enum db_result db_query(struct db *db, const char *sql, const struct db_value *values, size_t count,
                        struct db_rows **rows)
{
    return query_with(db, sql, statement_execute, values, count, rows);
}

enum db_result db_query_rows(struct db *db, const char *sql, const struct db_value *values,
                             size_t count, struct db_rows **rows)
{
    return query_with(db, sql, statement_execute_rows, values, count, rows);
}

int64_t db_affected(const struct db *db)
{
    return db->affected;
}

int64_t db_insert_id(const struct db *db)
{
    return db->insert_id;
}

/* On a connection that is there, without a look at the transaction. Rows are dropped, lest they be
 * taken for the next statement's. */
static enum db_result send_text(struct db *db, const char *sql, size_t len)
{
    struct fault fault;
    if (mysql_real_query(db->connection, sql, len) == 0) {
        db->affected = (int64_t)mysql_affected_rows(db->connection);
        mysql_free_result(mysql_store_result(db->connection));
        if (mysql_errno(db->connection) == 0) {
            return DB_OK;
        }
    }
    copy_fault(db->connection, &fault);
    return statement_failed(db, &fault, sql);
}

enum db_result db_run_text(struct db *db, const char *sql, size_t len)
{
    enum db_result result = make_ready(db);
    return result == DB_OK ? send_text(db, sql, len) : result;
}

enum db_result db_begin(struct db *db)
{
    static const char begin[] = "START TRANSACTION";
    if (db->in_transaction && db->broken == DB_OK) {
        die("db: a transaction inside a transaction");
    }
    db_rollback(db);
    enum db_result result = db_run_text(db, begin, sizeof(begin) - 1);
    if (result == DB_OK) {
        db->in_transaction = true;
        db->commit_by = TIME_NONE;
    }
    return result;
}

void db_commit_within(struct db *db, int seconds)
{
    if (db->in_transaction && db->commit_by == TIME_NONE) {
        db->commit_by = clock_monotonic() + seconds * TIME_SECOND;
    }
}

/* Whether the transaction may still be committed; the log says if not. */
static bool is_in_time(const struct db *db)
{
    bool late = db->commit_by != TIME_NONE && clock_monotonic() > db->commit_by;
    if (late) {
        log_warn("db", "commit_too_late");
    }
    return !late;
}

/* Ends the transaction in every case. With DB_GONE it may have been committed or not. */
enum db_result db_commit(struct db *db)
{
    static const char commit[] = "COMMIT";
    if (!db->in_transaction) {
        die("db: COMMIT outside a transaction");
    }
    enum db_result result = db->broken;
    if (result == DB_OK && !is_in_time(db)) {
        result = DB_RETRY;
    }
    if (result == DB_OK) {
        result = send_text(db, commit, sizeof(commit) - 1);
    }
    if (result == DB_OK) {
        db->in_transaction = false;
    } else {
        db_rollback(db);
    }
    return result;
}

/* If even this fails, the connection goes, and the server rolls back by itself. */
void db_rollback(struct db *db)
{
    if (db->in_transaction && db->connection && mysql_query(db->connection, "ROLLBACK") != 0) {
        disconnect(db, true);
    }
    db->in_transaction = false;
    db->broken = DB_OK;
}
