#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * docs/configuration.md is what the table says. With WRITE_DOCUMENT set, the test writes it.
 */
#include <stdio.h>

#include "base/digest.h"
#include "base/settings.h"

#define DOCUMENT_PATH "../docs/configuration.md"

static void read_document(struct buf *out)
{
    char piece[4096];
    size_t got;
    FILE *file = fopen(DOCUMENT_PATH, "rb");
    if (file == NULL)
        fail_msg("%s cannot be read; the test runs in tests/", DOCUMENT_PATH);
    while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_append(out, piece, got);
    assert_int_equal(fclose(file), 0);
}

static void write_document(const struct buf *document)
{
    FILE *file = fopen(DOCUMENT_PATH, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(document->data, 1, document->len, file), document->len);
    assert_int_equal(fclose(file), 0);
}

static void test_reference_is_the_table(void **state)
{
    (void)state;
    struct buf expected = {0}, found = {0};
    settings_document(&expected);
    if (getenv("WRITE_DOCUMENT") != NULL)
        write_document(&expected);
    read_document(&found);
    if (!digest_equal(found.data, found.len, expected.data, expected.len))
        fail_msg("%s is not what the table says; run this test in tests/ with WRITE_DOCUMENT=1",
                 DOCUMENT_PATH);
    buf_free(&expected);
    buf_free(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference_is_the_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
