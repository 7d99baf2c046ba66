#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Loading from files: the configuration as an operator writes it, and every fault of a secret file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/settings.h"

static char folder[] = "/tmp/settings_load_test.XXXXXX";
static char config_path[64];

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void remove_file(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
}

static const char *const secret_names[] = {"db.password",       "keyring",        "miro.secret",
                                           "main-store.secret", "main-store.key", "other.secret"};

/* The example of the reference, with a second source beside it. */
static const char example[] =
    "[server]\n"
    "listen = 127.0.0.1:8080            ; public\n"
    "internal_listen = 127.0.0.1:8081   ; health, metrics, console: never public\n"
    "public_url = http://127.0.0.1:8080\n"
    "allowed_origins = https://plugin.example.com   ; space-separated, for CORS\n"
    "state_dir = /var/lib/purchase-sync ; the spool\n"
    "[database]                         ; socket, or host (several allowed) + port (+ tls_ca)\n"
    "socket = /run/mysqld/mysqld.sock\n"
    "user = purchase_sync\n"
    "password_file = db.password\n"
    "name = purchase_sync\n"
    "[keys]\n"
    "keyring_file = keyring             ; lines `kid:base64(32 bytes)`\n"
    "[miro]                             ; one Miro app\n"
    "client_id = 3074457363680401096\n"
    "client_secret_file = miro.secret   ; one a line: rotation\n"
    "authorize_url = https://miro.com/oauth/authorize\n"
    "api_url = https://api.miro.com\n"
    "profile_url = https://api.miro.com/v1/users/me\n"
    "completed_url = https://miro.com/app-install-completed/\n"
    "id_token_leeway = 60               ; seconds, at most 180\n"
    "[source main-store]                ; one per shop\n"
    "provider = woocommerce             ; shopify stripe paddle ...\n"
    "webhook_secret_file = main-store.secret   ; one a line, all accepted: rotation\n"
    "secret_encoding = auto             ; standard only: base64 | raw\n"
    "api_url = https://shop.example.com ; optional, as is the key; gumroad needs both\n"
    "api_key_file = main-store.key\n"
    "live = true                        ; false: test-mode events only\n"
    "[mail]\n"
    "smtp_url = smtp://127.0.0.1:25\n"
    "from = licences@example.com\n"
    "[source other]\n"
    "provider = stripe\n"
    "webhook_secret_file = other.secret\n";

static int write_good_files(void **state)
{
    (void)state;
    write_file("purchase-sync.conf", example, 0644);
    write_file("db.password", "database password\n", 0600);
    write_file("keyring", "k2:AAAA\nk1:BBBB\n", 0640);
    write_file("miro.secret", "new\nold\n", 0600);
    write_file("main-store.secret", "first\nsecond\n", 0600);
    write_file("main-store.key", "ck_1:cs_1\n", 0400);
    write_file("other.secret", "third\n", 0600);
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(config_path, sizeof(config_path), "%s/purchase-sync.conf", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(secret_names) / sizeof(secret_names[0]); i++)
        remove_file(secret_names[i]);
    unlink(config_path);
    return rmdir(folder);
}

static void test_example(void **state)
{
    (void)state;
    struct buf errors = {0};
    struct settings *settings = settings_load(config_path, &errors);
    assert_int_equal(errors.len, 0);
    assert_non_null(settings);
    assert_string_equal(settings->database.password.items[0].bytes, "database password");
    assert_int_equal(settings->keyring_lines.count, 2);
    assert_string_equal(settings->keyring_lines.items[0].bytes, "k2:AAAA");
    assert_int_equal(strncmp(settings->keyring_path, folder, strlen(folder)), 0);
    assert_string_equal(settings->miro[0].client_secrets.items[1].bytes, "old");
    const struct settings_source *source = settings_source(settings, "main-store", 10);
    assert_int_equal(source->provider, PROVIDER_WOOCOMMERCE);
    assert_int_equal(source->webhook_secrets.count, 2);
    assert_string_equal(source->api_keys.items[0].bytes, "ck_1:cs_1");
    settings_unref(settings);
}

/* Wants the load refused with this one fault, FILE standing for the folder. */
static void is_refused(int line, const char *fault)
{
    struct buf errors = {0}, expected = {0};
    buf_printf(&expected, "%s:%d: ", config_path, line);
    for (const char *at = fault; *at != '\0'; at++) {
        if (*at == '@')
            buf_puts(&expected, folder);
        else
            buf_putc(&expected, *at);
    }
    assert_null(settings_load(config_path, &errors));
    assert_string_equal(errors.data, expected.data);
    buf_free(&errors);
    buf_free(&expected);
}

static void test_secret_files(void **state)
{
    (void)state;
    write_file("miro.secret", "\n \n", 0600);
    is_refused(16, "[miro] client_secret_file: @/miro.secret is empty; "
                   "expected a secret file of at most 8 lines that others cannot read\n");
    write_file("miro.secret", "x\n", 0604);
    is_refused(16,
               "[miro] client_secret_file: @/miro.secret can be used by others (mode 0604; chmod "
               "o= mends it); expected a secret file of at most 8 lines that others "
               "cannot read\n");
    remove_file("miro.secret");
    is_refused(16, "[miro] client_secret_file: @/miro.secret cannot be opened: No such file or "
                   "directory; expected a secret file of at most 8 lines that others cannot "
                   "read\n");
    write_file("miro.secret", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", 0600);
    is_refused(16, "[miro] client_secret_file: @/miro.secret has 9 lines; expected a secret file "
                   "of at most 8 lines that others cannot read\n");
    write_file("miro.secret", "x\n", 0600);
    write_file("db.password", "a\nb\n", 0600);
    is_refused(10, "[database] password_file: @/db.password has 2 lines; expected a secret file of "
                   "one line that others cannot read\n");
}

static void test_shared_secret(void **state)
{
    (void)state;
    write_file("other.secret", "third\nsecond", 0600);
    is_refused(34, "[source other] webhook_secret_file: shares a secret with [source main-store]; "
                   "expected one of its own\n");
}

/* Two spellings of one key are one secret: with `standard` the text may be base64 of the key. */
static void test_shared_secret_spelled_twice(void **state)
{
    (void)state;
    static const struct {
        const char *main_provider, *main_secret, *other_provider, *other_secret;
        bool shared;
    } rows[] = {
        {"standard", "whsec_c2VjcmV0IGtleQ==", "standard", "c2VjcmV0IGtleQ==", true},
        {"standard", "c2VjcmV0IGtleQ", "standard", "whsec_c2VjcmV0IGtleQ==", true},
        {"standard", "x\nwhsec_c2VjcmV0IGtleQ==", "woocommerce", "y\nsecret key", true},
        {"shopify", "secret key", "standard", "c2VjcmV0IGtleQ==", true},
        {"shopify", "c2VjcmV0IGtleQ==", "standard", "whsec_c2VjcmV0IGtleQ==", true},
        {"standard", "plain text!", "standard", "whsec_plain text!", true},
        {"standard", "whsec_c2VjcmV0IGtleQ==", "standard", "whsec_b3RoZXIga2V5", false},
        {"stripe", "whsec_c2VjcmV0IGtleQ==", "shopify", "c2VjcmV0IGtleQ==", false},
        {"standard", "whsec_", "standard", "whsec_x", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = {0}, errors = {0};
        const char *main_at = strstr(example, "provider = woocommerce");
        const char *other_at = strstr(example, "provider = stripe");
        const char *main_end = strchr(main_at, '\n'), *other_end = strchr(other_at, '\n');
        buf_append(&text, example, (size_t)(main_at - example));
        buf_printf(&text, "provider = %s", rows[i].main_provider);
        buf_append(&text, main_end, (size_t)(other_at - main_end));
        buf_printf(&text, "provider = %s%s", rows[i].other_provider, other_end);
        write_file("purchase-sync.conf", text.data, 0600);
        write_file("main-store.secret", rows[i].main_secret, 0600);
        write_file("other.secret", rows[i].other_secret, 0600);
        struct settings *settings = settings_load(config_path, &errors);
        if ((settings == NULL) != rows[i].shared)
            print_error("row %zu: %s\n", i, errors.data == NULL ? "" : errors.data);
        assert_int_equal(settings == NULL, rows[i].shared);
        if (rows[i].shared)
            assert_non_null(strstr(errors.data, "[source other] webhook_secret_file: shares a "
                                                "secret with [source main-store]"));
        settings_unref(settings);
        buf_free(&text);
        buf_free(&errors);
    }
}

/* No fault hides another. */
static void test_all_faults_at_once(void **state)
{
    (void)state;
    struct buf errors = {0};
    write_file("miro.secret", "", 0600);
    write_file("keyring", "k", 0644);
    write_file("other.secret", "first", 0600);
    assert_null(settings_load(config_path, &errors));
    assert_non_null(strstr(errors.data, ":13: [keys] keyring_file: "));
    assert_non_null(strstr(errors.data, ":16: [miro] client_secret_file: "));
    assert_non_null(strstr(errors.data, ":34: [source other] webhook_secret_file: shares"));
    assert_null(strstr(errors.data, "first"));
    buf_free(&errors);
}

static void test_credentials_directory(void **state)
{
    (void)state;
    struct buf errors = {0};
    setenv("CREDENTIALS_DIRECTORY", "/nonexistent", 1);
    assert_null(settings_load(config_path, &errors));
    assert_non_null(strstr(errors.data, "/nonexistent/keyring cannot be opened"));
    buf_reset(&errors);
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    struct settings *settings = settings_load(config_path, &errors);
    assert_non_null(settings);
    settings_unref(settings);
    unsetenv("CREDENTIALS_DIRECTORY");
    buf_free(&errors);
}

static void test_the_file_itself(void **state)
{
    (void)state;
    struct buf errors = {0};
    assert_null(settings_load("/nonexistent/x.conf", &errors));
    assert_string_equal(errors.data, "/nonexistent/x.conf: cannot be opened: No such file or "
                                     "directory; expected a configuration file\n");
    buf_reset(&errors);
    assert_null(settings_load(folder, &errors));
    assert_non_null(strstr(errors.data, "is not a regular file"));
    buf_reset(&errors);
    char *large = xmalloc(LIMIT_CONFIG_BYTES + 2);
    memset(large, '\n', LIMIT_CONFIG_BYTES + 1);
    large[LIMIT_CONFIG_BYTES + 1] = '\0';
    write_file("purchase-sync.conf", large, 0600);
    free(large);
    assert_null(settings_load(config_path, &errors));
    assert_non_null(strstr(errors.data, "is too large; expected at most 1048576 bytes"));
    buf_free(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_example, write_good_files),
        cmocka_unit_test_setup(test_secret_files, write_good_files),
        cmocka_unit_test_setup(test_shared_secret, write_good_files),
        cmocka_unit_test_setup(test_shared_secret_spelled_twice, write_good_files),
        cmocka_unit_test_setup(test_all_faults_at_once, write_good_files),
        cmocka_unit_test_setup(test_credentials_directory, write_good_files),
        cmocka_unit_test_setup(test_the_file_itself, write_good_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
