#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"

static char folder[] = "/tmp/secret_test.XXXXXX";
static char path[sizeof(folder) + 8];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/secret", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_secret(const char *text, size_t len, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* Loads what is at `path` and wants to be refused with `part` in the sentence. */
static void is_refused(const char *part)
{
    struct secret_list list = {0};
    struct buf error = {0};
    assert_int_equal(secret_list_load(path, &list, &error), -1);
    assert_int_equal(list.count, 0);
    assert_non_null(strstr(error.data, part));
    assert_non_null(strstr(error.data, path));
    buf_free(&error);
}

static void test_lines(void **state)
{
    (void)state;
    static const char text[] = "\n  first secret \r\n\t\n#second;\nthird";
    struct secret_list list = {0};
    struct buf error = {0};
    write_secret(text, strlen(text), 0640);
    assert_int_equal(secret_list_load(path, &list, &error), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].bytes, "first secret");
    assert_int_equal(list.items[0].len, 12);
    assert_string_equal(list.items[1].bytes, "#second;");
    assert_string_equal(list.items[2].bytes, "third");
    secret_list_free(&list);
    assert_int_equal(list.count, 0);
    buf_free(&error);
}

static void test_files_that_others_can_use(void **state)
{
    (void)state;
    static const mode_t modes[] = {0604, 0602, 0601, 0644};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_secret("x", 1, modes[i]);
        is_refused("chmod o=");
    }
}

static void test_contents(void **state)
{
    (void)state;
    write_secret("", 0, 0600);
    is_refused("is empty");
    write_secret(" \r\n\n\t", 5, 0600);
    is_refused("is empty");
    write_secret("a\0b", 3, 0600);
    is_refused("NUL");
    struct buf many = {0};
    for (int i = 0; i < LIMIT_KEYRING_KEYS; i++)
        buf_puts(&many, "x\n");
    struct secret_list list = {0};
    struct buf error = {0};
    write_secret(many.data, many.len, 0600);
    assert_int_equal(secret_list_load(path, &list, &error), 0);
    secret_list_free(&list);
    buf_puts(&many, "x");
    write_secret(many.data, many.len, 0600);
    is_refused("has more than 32 lines");
    buf_reset(&many);
    while (many.len <= LIMIT_SECRET_FILE_BYTES)
        buf_puts(&many, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    write_secret(many.data, many.len, 0600);
    is_refused("has more than 65536 bytes");
    buf_free(&many);
}

static void test_byte_order_mark_is_no_part_of_a_secret(void **state)
{
    (void)state;
    write_secret("\xef\xbb\xbfs3cret\n", 10, 0600);
    is_refused("begins with a byte order mark, which would be part of its secret");
    write_secret("s3cret\n\xef\xbb\xbfolder\n", 16, 0600);
    struct secret_list list = {0};
    struct buf error = {0};
    assert_int_equal(secret_list_load(path, &list, &error), 0); /* only there it is a mark */
    assert_int_equal(list.count, 2);
    secret_list_free(&list);
}

static void test_no_file(void **state)
{
    (void)state;
    unlink(path);
    is_refused("No such file");
    assert_int_equal(mkdir(path, 0700), 0);
    is_refused("not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    is_refused("not a regular file");
}

/* A whole file, as it is: what TLS needs. Only of a private one do others have no business. */
static void test_whole_files(void **state)
{
    (void)state;
    static const char text[] = " line\n\n line \r\n";
    struct secret secret = {0};
    struct buf error = {0};
    write_secret(text, sizeof(text) - 1, 0600);
    assert_int_equal(secret_load(path, true, &secret, &error), 0);
    assert_int_equal(secret.len, sizeof(text) - 1);
    assert_string_equal((const char *)secret.bytes, text);
    secret_free(&secret);
    write_secret(text, sizeof(text) - 1, 0604);
    assert_int_equal(secret_load(path, false, &secret, &error), 0);
    secret_free(&secret);
    assert_int_equal(secret_load(path, true, &secret, &error), -1);
    assert_non_null(strstr(error.data, "can be used by others"));
    write_secret("a\0b", 3, 0600);
    assert_int_equal(secret_load(path, true, &secret, &error), -1);
    assert_non_null(strstr(error.data, "holds a NUL byte"));
    write_secret("", 0, 0600);
    assert_int_equal(secret_load(path, false, &secret, &error), -1);
    assert_non_null(strstr(error.data, "is empty"));
    assert_null(secret.bytes);
    buf_free(&error);
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *credentials, *name, *config, *path;
    } rows[] = {
        {NULL, "/run/secret", "/etc/x/conf", "/run/secret"},
        {NULL, "secret", "/etc/x/conf", "/etc/x/secret"},
        {NULL, "sub/secret", "/conf", "/sub/secret"},
        {NULL, "secret", "conf", "secret"},
        {NULL, "secret", "x/conf", "x/secret"},
        {"", "secret", "/etc/x/conf", "/etc/x/secret"},
        {"/run/credentials", "secret", "/etc/x/conf", "/run/credentials/secret"},
        {"/run/credentials", "/run/secret", "/etc/x/conf", "/run/secret"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].credentials != NULL)
            setenv("CREDENTIALS_DIRECTORY", rows[i].credentials, 1);
        else
            unsetenv("CREDENTIALS_DIRECTORY");
        char *found = secret_path(rows[i].name, rows[i].config);
        assert_string_equal(found, rows[i].path);
        free(found);
    }
    unsetenv("CREDENTIALS_DIRECTORY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_files_that_others_can_use),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_whole_files),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_byte_order_mark_is_no_part_of_a_secret),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
