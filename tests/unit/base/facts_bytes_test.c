#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/facts_bytes.h"
#include "base/limits.h"
#include "base/mem.h"

/* A xorshift generator: the same facts for the same seed, everywhere. */
static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static bool draw_flag(void)
{
    return draw(2) == 1;
}

static int64_t draw_number(void)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MAX, -1, 0, 1, 63, 64, -64, -65};
    if (draw(3) == 0)
        return edges[draw(sizeof(edges) / sizeof(edges[0]))];
    int64_t number = (int64_t)(draw(UINT64_MAX) >> draw(64));
    return draw_flag() ? number : -number;
}

/* From `least` bytes to `most`, any byte but NUL. */
static char *draw_text(size_t least, size_t most)
{
    size_t len = draw(4) == 0 ? most : least + draw(most < 12 ? most : 12);
    char *text = xcalloc(len + 1, 1);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(unsigned char)(1 + draw(255));
    return text;
}

static char *draw_optional(size_t most)
{
    return draw_flag() ? draw_text(0, most) : NULL;
}

static size_t draw_refund_lines(struct fact_refund_line **lines)
{
    size_t count = 0;
    for (size_t more = draw(3); more > 0; more--) {
        struct fact_refund_line *line = fact_add_refund_line(lines, &count);
        line->line_id = draw_text(1, LIMIT_ORDER_ID);
        line->quantity = draw_number();
    }
    return count;
}

static void draw_snapshot(struct fact_snapshot *snapshot)
{
    snapshot->time = draw_number();
    snapshot->time_flagged = draw_flag();
    snapshot->time_claimed = draw_number();
    snapshot->from_api = draw_flag();
    snapshot->read_at = draw_number();
    snapshot->status = (enum order_status)draw(ORDER_REFUNDED + 1);
    snapshot->disputed = draw_flag();
    snapshot->lines_known = draw_flag();
    snapshot->paid_at = draw_number();
    snapshot->payment = draw_optional(LIMIT_ORDER_ID);
    snapshot->total = draw_number();
    snapshot->refunded_total = draw_number();
    snapshot->address_state = (enum address_state)draw(ADDRESS_REAL + 1);
    if (snapshot->address_state == ADDRESS_REAL)
        snapshot->address = draw_text(1, LIMIT_ADDRESS);
    snapshot->reference = draw_optional(LIMIT_REFERENCE);
    snapshot->lists_refunds = draw_flag();
    for (size_t more = draw(4); more > 0; more--)
        *fact_add_line(snapshot) = (struct fact_line){
            .id = draw_text(1, LIMIT_ORDER_ID),
            .product = draw_optional(LIMIT_SELECTOR),
            .product2 = draw_optional(LIMIT_SELECTOR),
            .variant = draw_optional(LIMIT_SELECTOR),
            .sku = draw_optional(LIMIT_SELECTOR),
            .quantity = draw_number(),
            .refunded_quantity = draw_number(),
        };
    for (size_t more = draw(3); more > 0; more--) {
        struct fact_listed_refund *refund = fact_add_listed_refund(snapshot);
        refund->id = draw_text(1, LIMIT_ORDER_ID);
        refund->amount = draw_number();
        refund->lines_known = draw_flag();
        refund->line_count = draw_refund_lines(&refund->lines);
    }
}

static void draw_tellings(struct fact_order *order)
{
    for (size_t more = draw(3); more > 0; more--) {
        struct fact_refund *refund = fact_add_refund(order);
        refund->id = draw_text(1, LIMIT_ORDER_ID);
        refund->time = draw_number();
        refund->state = (enum refund_state)draw(REFUND_FAILED + 1);
        refund->amount = draw_number();
        refund->payment = draw_optional(LIMIT_ORDER_ID);
        refund->lines_known = draw_flag();
        refund->detail_only = draw_flag();
        refund->line_count = draw_refund_lines(&refund->lines);
    }
    for (size_t more = draw(3); more > 0; more--) {
        struct fact_dispute *dispute = fact_add_dispute(order);
        dispute->id = draw_text(1, LIMIT_ORDER_ID);
        dispute->time = draw_number();
        dispute->state = (enum dispute_state)draw(DISPUTE_LOST + 1);
    }
}

static struct fact_order *draw_order(struct facts *facts, uint64_t seed)
{
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    char *id = draw_text(1, LIMIT_ORDER_ID);
    struct fact_order *order = facts_add_order(facts, id, strlen(id));
    free(id);
    order->identity = draw_optional(LIMIT_IDENTITY);
    order->key = draw_optional(LIMIT_ORDER_ID);
    for (size_t more = draw(4); more > 0; more--) {
        char *alias = draw_text(1, LIMIT_ORDER_ID);
        fact_add_alias(order, alias);
        free(alias);
    }
    if (draw_flag())
        *fact_order_subscription(order) = (struct fact_subscription){
            .time = draw_number(),
            .from_api = draw_flag(),
            .read_at = draw_number(),
            .state = (enum subscription_state)draw(SUBSCRIPTION_EXPIRED + 1),
            .paid_until = draw_number(),
            .unpaid_since = draw_number(),
        };
    if (draw(4) > 0)
        draw_snapshot(fact_order_snapshot(order));
    draw_tellings(order);
    return order;
}

/* --- what was told and what came back, member for member ----------------------------------- */

static void check_text(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL)
        assert_string_equal(a, b);
}

#define CHECK_NUMBER(a, b, member) assert_true((a)->member == (b)->member)

static void check_refund_lines(const struct fact_refund_line *a, size_t a_count,
                               const struct fact_refund_line *b, size_t b_count)
{
    assert_int_equal(a_count, b_count);
    for (size_t i = 0; i < a_count; i++) {
        check_text(a[i].line_id, b[i].line_id);
        CHECK_NUMBER(&a[i], &b[i], quantity);
    }
}

static void check_line(const struct fact_line *a, const struct fact_line *b)
{
    check_text(a->id, b->id);
    check_text(a->product, b->product);
    check_text(a->product2, b->product2);
    check_text(a->variant, b->variant);
    check_text(a->sku, b->sku);
    CHECK_NUMBER(a, b, quantity);
    CHECK_NUMBER(a, b, refunded_quantity);
}

static void check_snapshot(const struct fact_snapshot *a, const struct fact_snapshot *b)
{
    CHECK_NUMBER(a, b, time);
    CHECK_NUMBER(a, b, time_flagged);
    CHECK_NUMBER(a, b, time_claimed);
    CHECK_NUMBER(a, b, from_api);
    CHECK_NUMBER(a, b, read_at);
    CHECK_NUMBER(a, b, status);
    CHECK_NUMBER(a, b, disputed);
    CHECK_NUMBER(a, b, lines_known);
    CHECK_NUMBER(a, b, paid_at);
    check_text(a->payment, b->payment);
    CHECK_NUMBER(a, b, total);
    CHECK_NUMBER(a, b, refunded_total);
    CHECK_NUMBER(a, b, address_state);
    check_text(a->address, b->address);
    check_text(a->reference, b->reference);
    CHECK_NUMBER(a, b, lists_refunds);
    CHECK_NUMBER(a, b, line_count);
    for (size_t i = 0; i < a->line_count; i++)
        check_line(&a->lines[i], &b->lines[i]);
    CHECK_NUMBER(a, b, refund_count);
    for (size_t i = 0; i < a->refund_count; i++) {
        const struct fact_listed_refund *one = &a->refunds[i], *other = &b->refunds[i];
        check_text(one->id, other->id);
        CHECK_NUMBER(one, other, amount);
        CHECK_NUMBER(one, other, lines_known);
        check_refund_lines(one->lines, one->line_count, other->lines, other->line_count);
    }
}

static void check_tellings(const struct fact_order *a, const struct fact_order *b)
{
    CHECK_NUMBER(a, b, refund_count);
    for (size_t i = 0; i < a->refund_count; i++) {
        const struct fact_refund *one = &a->refunds[i], *other = &b->refunds[i];
        check_text(one->id, other->id);
        CHECK_NUMBER(one, other, time);
        CHECK_NUMBER(one, other, state);
        CHECK_NUMBER(one, other, amount);
        check_text(one->payment, other->payment);
        CHECK_NUMBER(one, other, lines_known);
        CHECK_NUMBER(one, other, detail_only);
        check_refund_lines(one->lines, one->line_count, other->lines, other->line_count);
    }
    CHECK_NUMBER(a, b, dispute_count);
    for (size_t i = 0; i < a->dispute_count; i++) {
        check_text(a->disputes[i].id, b->disputes[i].id);
        CHECK_NUMBER(&a->disputes[i], &b->disputes[i], time);
        CHECK_NUMBER(&a->disputes[i], &b->disputes[i], state);
    }
}

static void check_order(const struct fact_order *a, const struct fact_order *b)
{
    check_text(a->id, b->id);
    check_text(a->identity, b->identity);
    check_text(a->key, b->key);
    CHECK_NUMBER(a, b, alias_count);
    for (size_t i = 0; i < a->alias_count; i++)
        check_text(a->aliases[i], b->aliases[i]);
    assert_int_equal(a->subscription == NULL, b->subscription == NULL);
    if (a->subscription != NULL) {
        CHECK_NUMBER(a->subscription, b->subscription, time);
        CHECK_NUMBER(a->subscription, b->subscription, from_api);
        CHECK_NUMBER(a->subscription, b->subscription, read_at);
        CHECK_NUMBER(a->subscription, b->subscription, state);
        CHECK_NUMBER(a->subscription, b->subscription, paid_until);
        CHECK_NUMBER(a->subscription, b->subscription, unpaid_since);
    }
    assert_int_equal(a->snapshot == NULL, b->snapshot == NULL);
    if (a->snapshot != NULL)
        check_snapshot(a->snapshot, b->snapshot);
    check_tellings(a, b);
}

/* Reads from a block that ends where the bytes do, so that a sanitizer sees a step beyond. */
static int read_exactly(const struct buf *bytes, size_t len, struct facts *out)
{
    char *block = xmalloc(len);
    memcpy(block, bytes->data, len);
    int result = fact_order_read(block, len, out);
    free(block);
    return result;
}

enum { SEEDS = 300 };

static void test_round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct facts told = {0}, back = {0};
        struct buf bytes = {0}, again = {0};
        struct fact_order *order = draw_order(&told, seed);
        fact_order_write(order, &bytes);
        fact_add_need(order, NEED_LINES, "not kept", true);
        assert_int_equal(read_exactly(&bytes, bytes.len, &back), 0);
        assert_int_equal(read_exactly(&bytes, bytes.len, &back), 0);
        assert_int_equal(back.order_count, 2);
        check_order(order, &back.orders[1]);
        assert_int_equal(back.orders[1].need_count, 0);
        fact_order_write(&back.orders[0], &again);
        assert_int_equal(bytes.len, again.len);
        assert_memory_equal(bytes.data, again.data, again.len);
        buf_wipe(&bytes);
        buf_wipe(&again);
        facts_free(&told);
        facts_free(&back);
    }
}

/* What was read may be added to, like facts that an adapter made. */
static void test_grows_after_reading(void **state)
{
    (void)state;
    struct facts told = {0}, back = {0};
    struct buf bytes = {0};
    struct fact_order *order = facts_add_order(&told, "12", 2);
    fact_add_alias(order, "pi_1");
    fact_add_line(fact_order_snapshot(order))->id = xstrdup("1");
    fact_order_write(order, &bytes);
    assert_int_equal(fact_order_read(bytes.data, bytes.len, &back), 0);
    for (int i = 0; i < 20; i++) {
        fact_add_line(back.orders[0].snapshot)->id = xstrdup("2");
        fact_add_refund(&back.orders[0])->id = xstrdup("3");
    }
    fact_add_alias(&back.orders[0], "pi_2");
    assert_int_equal(back.orders[0].snapshot->line_count, 21);
    assert_string_equal(back.orders[0].aliases[1], "pi_2");
    buf_free(&bytes);
    facts_free(&told);
    facts_free(&back);
}

/* Nothing is added unless the bytes are whole, and no byte is left over. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct facts told = {0}, back = {0};
        struct buf bytes = {0};
        fact_order_write(draw_order(&told, seed), &bytes);
        for (size_t len = 0; len < bytes.len; len++)
            assert_int_equal(read_exactly(&bytes, len, &back), -1);
        buf_putc(&bytes, '\0');
        assert_int_equal(read_exactly(&bytes, bytes.len, &back), -1);
        assert_int_equal(back.order_count, 0);
        assert_null(back.orders);
        buf_wipe(&bytes);
        facts_free(&told);
    }
}

/* Flipped bits are refused, or read as the facts whose one writing they are. */
static void test_flipped_bits(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct facts told = {0};
        struct buf bytes = {0};
        fact_order_write(draw_order(&told, seed), &bytes);
        for (size_t bit = 0; bit < bytes.len * 8; bit++) {
            struct facts back = {0};
            struct buf again = {0};
            bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << bit % 8));
            if (read_exactly(&bytes, bytes.len, &back) == 0) {
                fact_order_write(&back.orders[0], &again);
                assert_int_equal(bytes.len, again.len);
                assert_memory_equal(bytes.data, again.data, again.len);
            }
            bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << bit % 8));
            buf_wipe(&again);
            facts_free(&back);
        }
        buf_wipe(&bytes);
        facts_free(&told);
    }
}

/* The least order: a version, its id, and six times nothing. */
#define HEAD \
    "\1\3"   \
    "12"     \
    "\0\0"
#define LEAST HEAD "\0\0\0\0\0"

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
        int result;
    } cases[] = {
#define CASE(what, text, result) {what, text, sizeof(text) - 1, result}
        CASE("the least order", LEAST, 0),
        CASE("nothing", "", -1),
        CASE("another version",
             "\2\3"
             "12"
             "\0\0\0\0\0\0\0",
             -1),
        CASE("version 0",
             "\0\3"
             "12"
             "\0\0\0\0\0\0\0",
             -1),
        CASE("no id", "\1\0\0\0\0\0\0\0\0", -1),
        CASE("an empty id", "\1\1\0\0\0\0\0\0\0", -1),
        CASE("a NUL in the id",
             "\1\3"
             "1\0"
             "\0\0\0\0\0\0\0",
             -1),
        CASE("a length with a byte too many",
             "\1\x83\0"
             "12"
             "\0\0\0\0\0\0\0",
             -1),
        CASE("a length beyond 64 bits", "\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", -1),
        CASE("a length that never ends", "\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", -1),
        CASE("more aliases than bytes", HEAD "\x7f\0\0\0\0", -1),
        CASE("an empty alias", HEAD "\1\1\0\0\0\0", -1),
        CASE("half a subscription", HEAD "\0\2\0\0\0", -1),
        CASE("a subscription", HEAD "\0\1\0\0\0\5\0\0\0\0\0", 0),
        CASE("a state that is none", HEAD "\0\1\0\0\0\6\0\0\0\0\0", -1),
        CASE("a flag that is none", HEAD "\0\1\0\2\0\5\0\0\0\0\0", -1),
        CASE("a dispute",
             HEAD "\0\0\0\0\1\2"
                  "d\0\4",
             0),
        CASE("a dispute of no state",
             HEAD "\0\0\0\0\1\2"
                  "d\0\5",
             -1),
        CASE("a snapshot", HEAD "\0\0\1\0\0\0\0\0\1\0\1\0\0\1\1\0\0\0\0\0\0\0\0", 0),
        CASE("a real address that is missing",
             HEAD "\0\0\1\0\0\0\0\0\1\0\1\0\0\1\1\2\0\0\0\0\0\0\0", -1),
        CASE("an address where there is none",
             HEAD "\0\0\1\0\0\0\0\0\1\0\1\0\0\1\1\0\4"
                  "a@b\0\0\0\0\0\0",
             -1),
#undef CASE
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct facts back = {0};
        struct buf bytes = {0};
        buf_append(&bytes, cases[i].bytes, cases[i].len);
        if (read_exactly(&bytes, bytes.len, &back) != cases[i].result)
            fail_msg("%s", cases[i].what);
        assert_int_equal(back.order_count, cases[i].result == 0 ? 1 : 0);
        buf_free(&bytes);
        facts_free(&back);
    }
}

/* An order whose one alias, or whose aliases, are at a limit or beyond it. */
static int read_with_aliases(size_t count, size_t len)
{
    struct facts told = {0}, back = {0};
    struct buf bytes = {0};
    struct fact_order *order = facts_add_order(&told, "12", 2);
    order->aliases = xcalloc(count, sizeof(*order->aliases));
    for (order->alias_count = 0; order->alias_count < count; order->alias_count++) {
        char *alias = order->aliases[order->alias_count] = xcalloc(len + 1, 1);
        memset(alias, 'a', len);
    }
    fact_order_write(order, &bytes);
    int result = read_exactly(&bytes, bytes.len, &back);
    buf_free(&bytes);
    facts_free(&told);
    facts_free(&back);
    return result;
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(read_with_aliases(1, LIMIT_ORDER_ID), 0);
    assert_int_equal(read_with_aliases(1, LIMIT_ORDER_ID + 1), -1);
    assert_int_equal(read_with_aliases(LIMIT_ORDER_ALIASES, 4), 0);
    assert_int_equal(read_with_aliases(LIMIT_ORDER_ALIASES + 1, 4), -1);
}

/* The writing of version 1, byte for byte: what one host staged, another reads. */
static void test_writing_stays(void **state)
{
    (void)state;
    static const char known[] = "\1\3"
                                "12"
                                "\0\0"
                                "\1\5pi_1"
                                "\0\1\1"
                                "\0\0\0\0\1\0\1\0\0\1\1\2\4a@b\0"
                                "\1\2"
                                "1\3"
                                "10\0\0\0\2\0"
                                "\0\0"
                                "\0\0";
    struct facts told = {0};
    struct buf bytes = {0};
    struct fact_order *order = facts_add_order(&told, "12", 2);
    fact_add_alias(order, "pi_1");
    struct fact_snapshot *snapshot = fact_order_snapshot(order);
    snapshot->time = 0;
    snapshot->time_claimed = snapshot->read_at = TIME_NONE;
    snapshot->status = ORDER_PAID;
    snapshot->lines_known = true;
    snapshot->address_state = ADDRESS_REAL;
    snapshot->address = xstrdup("a@b");
    *fact_add_line(snapshot) =
        (struct fact_line){.id = xstrdup("1"), .product = xstrdup("10"), .quantity = 1};
    fact_order_write(order, &bytes);
    assert_int_equal(bytes.len, sizeof(known) - 1);
    assert_memory_equal(bytes.data, known, bytes.len);
    buf_wipe(&bytes);
    facts_free(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_grows_after_reading),
        cmocka_unit_test(test_cut_anywhere),  cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_writing_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
