/* A text of a few bytes a value takes hundreds of times as much once it is parsed. */
#include "support.h"

#include "base/buf.h"
#include "shops/json.h"

/* `count` times `value`, as a list. */
static struct buf list_of(const char *value, size_t count)
{
    struct buf out = {0};
    for (size_t i = 0; i < count; i++) {
        buf_puts(&out, i == 0 ? "[" : ",");
        buf_puts(&out, value);
    }
    buf_puts(&out, "]");
    return out;
}

static void expect_refused(const char *value, size_t count)
{
    struct buf text = list_of(value, count);
    const char *why = NULL;
    assert_null(shop_json_read(text.data, text.len, &why));
    assert_string_equal(why, "it holds too many values");
    buf_free(&text);
}

static void a_bomb_is_refused_before_it_is_parsed(void **state)
{
    (void)state;
    expect_refused("{}", 600000);
    expect_refused("[]", 800000);
    expect_refused("{}", 200000);
    expect_refused("0", LIMIT_JSON_WEIGHT + 1);
    expect_refused("{\"a\":{\"b\":{\"c\":[]}}}", 150000);
}

static void as_many_values_as_are_allowed_are_read(void **state)
{
    struct buf text = list_of("0", LIMIT_JSON_WEIGHT);
    const char *why = NULL;
    struct json_object *list = shop_json_read(text.data, text.len, &why);
    (void)state;
    assert_non_null(list);
    assert_int_equal(json_object_array_length(list), LIMIT_JSON_WEIGHT);
    json_object_put(list);
    buf_free(&text);
}

/* A long text is one value, whatever stands in it, short of the bound. */
static void a_long_text_is_no_bomb(void **state)
{
    static char text[(1 << 20) + 3];
    const char *why = NULL;
    struct json_object *value;
    (void)state;
    memset(text, 'x', sizeof(text));
    memset(text + 1, ',', LIMIT_JSON_WEIGHT / 2);
    text[0] = text[sizeof(text) - 1] = '"';
    value = shop_json_read(text, sizeof(text), &why);
    assert_non_null(value);
    json_object_put(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bomb_is_refused_before_it_is_parsed),
        cmocka_unit_test(as_many_values_as_are_allowed_are_read),
        cmocka_unit_test(a_long_text_is_no_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
