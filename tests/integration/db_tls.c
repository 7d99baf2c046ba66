/* Connections over TCP: certificates are checked, and several hosts are tried in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "db/db.h"
#include "test_server.h"

static struct db_target target;
static char localhost[] = "localhost", address[] = "127.0.0.1", nobody[] = "127.0.0.77";

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    if (!value) {
        fprintf(stderr, "skipped: %s is not set\n", name);
        exit(EXIT_SKIPPED);
    }
    return value;
}

static unsigned port(const char *name)
{
    return (unsigned)strtoul(variable(name), NULL, 10);
}

/* What connecting gives; with DB_OK also whether the session is ciphered. */
static enum db_result connect_to(const struct db_target *to, bool *ciphered)
{
    struct db *db = db_new(to);
    struct db_rows *rows;
    size_t len;
    enum db_result result = db_query(db, "SHOW SESSION STATUS LIKE 'Ssl_cipher'", NULL, 0, &rows);
    if (result == DB_OK) {
        assert_true(db_rows_next(rows));
        (void)db_bytes(rows, 1, &len);
        *ciphered = len > 0;
        db_rows_free(rows);
    } else {
        assert_true(strlen(db_error(db)) > 0);
    }
    db_free(db);
    return result;
}

static void the_right_certificate_is_accepted(void **state)
{
    char *hosts[] = {localhost, NULL};
    struct db_target to = target;
    bool ciphered = false;
    (void)state;
    to.hosts = hosts;
    to.tls_ca = variable("PURCHASE_SYNC_TEST_CA");
    assert_int_equal(connect_to(&to, &ciphered), DB_OK);
    assert_true(ciphered);
}

static void another_authority_is_refused(void **state)
{
    char *hosts[] = {localhost, NULL};
    struct db_target to = target;
    bool ciphered;
    (void)state;
    to.hosts = hosts;
    to.tls_ca = variable("PURCHASE_SYNC_TEST_OTHER_CA");
    assert_int_equal(connect_to(&to, &ciphered), DB_GONE);
}

static void another_name_is_refused(void **state)
{
    char *hosts[] = {address, NULL}; /* the certificate names localhost only */
    struct db_target to = target;
    bool ciphered;
    (void)state;
    to.hosts = hosts;
    to.tls_ca = variable("PURCHASE_SYNC_TEST_CA");
    assert_int_equal(connect_to(&to, &ciphered), DB_GONE);
}

static void a_server_without_tls_is_refused(void **state)
{
    char *hosts[] = {localhost, NULL};
    struct db_target to = target;
    bool ciphered;
    (void)state;
    to.hosts = hosts;
    to.port = port("PURCHASE_SYNC_TEST_PLAIN_PORT");
    assert_int_equal(connect_to(&to, &ciphered), DB_OK);
    assert_false(ciphered);
    to.tls_ca = variable("PURCHASE_SYNC_TEST_CA");
    assert_int_equal(connect_to(&to, &ciphered), DB_GONE);
}

static void hosts_are_tried_in_turn(void **state)
{
    char *hosts[] = {nobody, address, NULL};
    struct db_target to = target;
    bool ciphered;
    (void)state;
    to.hosts = hosts;
    assert_int_equal(connect_to(&to, &ciphered), DB_OK);
}

static void ignore_line(const char *line, size_t len)
{
    (void)line;
    (void)len;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_certificate_is_accepted),
        cmocka_unit_test(another_authority_is_refused),
        cmocka_unit_test(another_name_is_refused),
        cmocka_unit_test(a_server_without_tls_is_refused),
        cmocka_unit_test(hosts_are_tried_in_turn),
    };
    target = test_server();
    target.socket = NULL;
    target.port = port("PURCHASE_SYNC_TEST_PORT");
    target.user = variable("PURCHASE_SYNC_TEST_USER");
    target.password = variable("PURCHASE_SYNC_TEST_PASSWORD");
    db_library_begin();
    log_set_sink(ignore_line);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_end();
    return failed;
}
