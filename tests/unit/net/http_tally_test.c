#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/http_tally.h"

static struct address numbered(unsigned number)
{
    struct address address = {{0}};
    memcpy(address.bytes, &number, sizeof(number));
    return address;
}

static void counts(void **state)
{
    (void)state;
    struct tally *tally = tally_new();
    struct address one = numbered(1), two = numbered(2);
    struct tallied *first = tally_enter(tally, &one);
    assert_int_equal(tally_count(first), 1);
    assert_ptr_equal(tally_enter(tally, &one), first);
    struct tallied *other = tally_enter(tally, &two);
    assert_int_equal(tally_count(first), 2);
    assert_int_equal(tally_count(other), 1);
    tally_leave(first);
    tally_leave(other);
    assert_int_equal(tally_count(first), 1);
    tally_leave(first);
    first = tally_enter(tally, &one);
    assert_int_equal(tally_count(first), 1);
    tally_leave(first);
    tally_free(tally);
}

/* More than there are buckets, in and out again. */
static void many(void **state)
{
    (void)state;
    enum { MANY = 10000 };
    struct tally *tally = tally_new();
    struct tallied **all = calloc(MANY, sizeof(struct tallied *));
    assert_non_null(all);
    for (unsigned i = 0; i < MANY; i++) {
        struct address address = numbered(i);
        all[i] = tally_enter(tally, &address);
        assert_int_equal(tally_count(all[i]), 1);
    }
    for (unsigned i = 0; i < MANY; i++)
        tally_leave(all[i]);
    free(all);
    tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
