/*
 * The yardstick of durability: one INSERT with commit at a time, on one connection, alone. The row
 * is one of the peer's inbox, its indexes and all, and its body random bytes, as a sealed one is.
 *
 *     insert SOCKET DATABASE USER PASSWORD-FILE SECONDS BYTES
 *
 * Prints one line of JSON: requests, seconds, and the percentiles of the time of a commit in
 * microseconds. "met" counts each commit as often as it is long: the time of the commit that
 * somebody who comes at any moment finds under way, of which one percent are longer. A stall of the
 * disk is one commit among thousands, but all who come meanwhile meet it.
 */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"

#define LATENCIES_MOST (1 << 20)
#define PUT                                                                                      \
    "INSERT INTO peer_delivery (source_id, delivery_key, received_at, last_received_at, due_at," \
    " body) VALUES (1,?,?,?,?,?)"
#define PUT_VALUES 5

static MYSQL *connect_to(char **arguments)
{
    char password[256] = "";
    FILE *file = fopen(arguments[3], "r");
    MYSQL *mysql = mysql_init(NULL);

    if (file == NULL || fgets(password, sizeof(password), file) == NULL)
        die("insert: %s cannot be read", arguments[3]);
    fclose(file);
    password[strcspn(password, "\n")] = '\0';
    if (mysql == NULL || mysql_real_connect(mysql, NULL, arguments[2], password, arguments[1], 0,
                                            arguments[0], 0) == NULL)
        die("insert: %s", mysql ? mysql_error(mysql) : "out of memory");
    return mysql;
}

struct row {
    unsigned char key[DIGEST_LEN];
    long long now;
    unsigned char *body;
    unsigned long key_len, body_len;
};

/* The statement, bound to a row that changes from one execution to the next. */
static MYSQL_STMT *prepare(MYSQL *mysql, struct row *row)
{
    MYSQL_STMT *statement = mysql_stmt_init(mysql);
    MYSQL_BIND values[PUT_VALUES] = {
        {.buffer_type = MYSQL_TYPE_BLOB, .buffer = row->key, .length = &row->key_len},
        {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &row->now},
        {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &row->now},
        {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &row->now},
        {.buffer_type = MYSQL_TYPE_BLOB, .buffer = row->body, .length = &row->body_len},
    };

    if (statement == NULL || mysql_stmt_prepare(statement, PUT, sizeof(PUT) - 1) != 0 ||
        mysql_stmt_bind_param(statement, values) != 0)
        die("insert: %s", statement ? mysql_stmt_error(statement) : "out of memory");
    return statement;
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/* Of sorted times: the least that, with all longer ones, has a hundredth of their sum. */
static uint32_t met(const uint32_t *latencies, size_t count)
{
    uint64_t sum = 0, longer = 0;

    for (size_t i = 0; i < count; i++)
        sum += latencies[i];
    while (count > 0 && longer + latencies[count - 1] <= sum / 100)
        longer += latencies[--count];
    return count > 0 ? latencies[count - 1] : 0;
}

int main(int argc, char **argv)
{
    double seconds = argc == 7 ? atof(argv[5]) : 0;
    struct row row = {.key_len = DIGEST_LEN,
                      .body_len = argc == 7 ? strtoul(argv[6], NULL, 10) : 0};
    uint32_t *latencies;
    size_t count = 0;
    MYSQL *mysql;
    MYSQL_STMT *statement;
    int64_t began, until;

    if (seconds <= 0 || row.body_len < 1 || row.body_len > 1 << 20) {
        fprintf(stderr, "usage: insert SOCKET DATABASE USER PASSWORD-FILE SECONDS BYTES\n");
        return 2;
    }
    mysql = connect_to(argv + 1);
    row.body = xmalloc(row.body_len);
    latencies = xcalloc(LATENCIES_MOST, sizeof(*latencies));
    statement = prepare(mysql, &row);
    began = clock_monotonic();
    until = began + (int64_t)(seconds * 1e6);
    for (int64_t now = began; now < until && count < LATENCIES_MOST; count++) {
        int64_t sent;

        digest_random(row.key, sizeof(row.key));
        digest_random(row.body, row.body_len);
        row.now = clock_now();
        sent = clock_monotonic();
        if (mysql_stmt_execute(statement) != 0)
            die("insert: %s", mysql_stmt_error(statement));
        now = clock_monotonic();
        latencies[count] = (uint32_t)(now - sent);
    }
    seconds = (double)(clock_monotonic() - began) / 1e6;
    qsort(latencies, count, sizeof(*latencies), compare);
    printf("{\"requests\": %zu, \"seconds\": %.3f, \"p50\": %u, \"p99\": %u, \"p999\": %u,"
           " \"met\": %u}\n",
           count, seconds, latencies[count / 2], latencies[count * 99 / 100],
           latencies[count * 999 / 1000], met(latencies, count));
    mysql_stmt_close(statement);
    mysql_close(mysql);
    free(row.body);
    free(latencies);
    return 0;
}
