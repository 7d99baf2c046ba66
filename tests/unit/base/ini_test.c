#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/ini.h"

static void on_section(void *context, int line, const char *name, const char *instance)
{
    buf_printf(context, "%d[%s|%s]", line, name, instance);
}

static void on_pair(void *context, int line, const char *key, const char *value)
{
    buf_printf(context, "%d{%s|%s}", line, key, value);
}

static void on_fault(void *context, int line, const char *what)
{
    buf_printf(context, "%d!%.*s", line, (int)strcspn(what, ";"), what);
}

static void reads(const char *text, size_t len, const char *expected)
{
    struct buf seen = {0};
    const struct ini_handler handler = {on_section, on_pair, on_fault, &seen};
    buf_puts(&seen, "");
    ini_read(text, len, &handler);
    assert_string_equal(seen.data, expected);
    buf_free(&seen);
}

static void test_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *text, *seen;
    } rows[] = {
        {"", ""},
        {"\n \n\t\n", ""},
        {"[a]\n", "1[a|]"},
        {"\xef\xbb\xbf[a]", "1[a|]"},
        {"  [ a \t b.c-D_1 ]  ; comment", "1[a|b.c-D_1]"},
        {"[a]#x", "1!a section that does not end"},
        {"a=b", "1{a|b}"},
        {"\ta_1 = b c \t", "1{a_1|b c}"},
        {"a = b\r\nc = d\r\n", "1{a|b}2{c|d}"},
        {"a =", "1{a|}"},
        {"a = ; b", "1{a|}"},
        {"a = b;c#d", "1{a|b;c#d}"},
        {"a = b\t;c", "1{a|b}"},
        {"a = b #c", "1{a|b}"},
        {"a =;b", "1{a|;b}"},
        {"a = b=c", "1{a|b=c}"},
        {"a = \"b\"", "1{a|\"b\"}"},
        {"; x\n# y\n  ; z\na=b", "4{a|b}"},
        {"a", "1!neither a section nor a key"},
        {"= b", "1!a key's name is not understood"},
        {"a b = c", "1!a key's name is not understood"},
        {"[", "1!a section that does not end"},
        {"[]", "1!a section's name is not understood"},
        {"[a", "1!a section that does not end"},
        {"[a b c]", "1!a section's name is not understood"},
        {"[a/b]", "1!a section's name is not understood"},
        {"[a]]", "1!a section's name is not understood"},
        {"a=b\x01\nc=d", "1!a control character2{c|d}"},
        {"a=b\rc", "1!a control character"},
        {"a=\xff\nc=d", "1!bytes that are no UTF-82{c|d}"},
        {"a=Zo\xc3\xab", "1{a|Zo\xc3\xab}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        reads(rows[i].text, strlen(rows[i].text), rows[i].seen);
    reads("a=b\0c\nd=e", 9, "1!a control character2{d|e}");
}

static void test_lines_are_never_cut(void **state)
{
    (void)state;
    struct buf text = {0}, expected = {0};
    buf_puts(&text, "key = ");
    buf_puts(&expected, "1{key|");
    for (int i = 0; i < 50000; i++) {
        buf_putc(&text, 'v');
        buf_putc(&expected, 'v');
    }
    buf_putc(&expected, '}');
    reads(text.data, text.len, expected.data);
    buf_free(&text);
    buf_free(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_lines_are_never_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
