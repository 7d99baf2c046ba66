/*
 *     order   = version fields                   fields of each struct in the order of its table
 *     text    = number(length + 1) bytes / number(0), which is NULL
 *     list    = number(count) *fields
 *     one     = number(0) / number(1) fields     a pointer that may be NULL
 *     signed  = number(zigzag)
 *     time    = number(0), which is TIME_NONE / number(zigzag + 1)
 *     number  = 7 bits a byte, least first, the high bit on all but the last; no byte too many
 *
 * A field of facts.h is a row of a table here. Bytes of one release may be read by the next: a
 * table that changes is a change of the version, and the tables of the version before it stay until
 * no run can have staged with it.
 */
#include "base/facts_bytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#define VERSION 1

enum field_kind {
    FIELD_ID,     /* a text that is never NULL, nor empty */
    FIELD_TEXT,   /* or NULL */
    FIELD_NUMBER, /* int64_t */
    FIELD_TIME,   /* int64_t */
    FIELD_FLAG,   /* bool */
    FIELD_STATE,  /* an enum */
    FIELD_LIST,   /* an array and its count */
    FIELD_ONE,    /* a pointer to one, or NULL */
};

struct shape;
struct field {
    enum field_kind kind;
    size_t offset;
    size_t most;  /* bytes of a text, elements of a list, the last value of a state */
    size_t count; /* FIELD_LIST: where its count stands */
    const struct shape *element;
};

struct shape {
    size_t size;
    const struct field *fields;
    size_t field_count;
};

#define SHAPE(type, table)                                      \
    {                                                           \
        sizeof(type), table, sizeof(table) / sizeof((table)[0]) \
    }
#define LIST(type, array, counter, limit, shape)                                 \
    {                                                                            \
        FIELD_LIST, offsetof(type, array), limit, offsetof(type, counter), shape \
    }
#define FIELD(type, member, kind, limit)             \
    {                                                \
        kind, offsetof(type, member), limit, 0, NULL \
    }

static const struct field line_fields[] = {
    FIELD(struct fact_line, id, FIELD_ID, LIMIT_ORDER_ID),
    FIELD(struct fact_line, product, FIELD_TEXT, LIMIT_SELECTOR),
    FIELD(struct fact_line, product2, FIELD_TEXT, LIMIT_SELECTOR),
    FIELD(struct fact_line, variant, FIELD_TEXT, LIMIT_SELECTOR),
    FIELD(struct fact_line, sku, FIELD_TEXT, LIMIT_SELECTOR),
    FIELD(struct fact_line, quantity, FIELD_NUMBER, 0),
    FIELD(struct fact_line, refunded_quantity, FIELD_NUMBER, 0),
};
static const struct shape line_shape = SHAPE(struct fact_line, line_fields);

static const struct field refund_line_fields[] = {
    FIELD(struct fact_refund_line, line_id, FIELD_ID, LIMIT_ORDER_ID),
    FIELD(struct fact_refund_line, quantity, FIELD_NUMBER, 0),
};
static const struct shape refund_line_shape = SHAPE(struct fact_refund_line, refund_line_fields);

static const struct field listed_refund_fields[] = {
    FIELD(struct fact_listed_refund, id, FIELD_ID, LIMIT_ORDER_ID),
    FIELD(struct fact_listed_refund, amount, FIELD_NUMBER, 0),
    FIELD(struct fact_listed_refund, lines_known, FIELD_FLAG, 0),
    LIST(struct fact_listed_refund, lines, line_count, LIMIT_ORDER_LINES, &refund_line_shape),
};
static const struct shape listed_refund_shape =
    SHAPE(struct fact_listed_refund, listed_refund_fields);

static const struct field refund_fields[] = {
    FIELD(struct fact_refund, id, FIELD_ID, LIMIT_ORDER_ID),
    FIELD(struct fact_refund, time, FIELD_TIME, 0),
    FIELD(struct fact_refund, state, FIELD_STATE, REFUND_FAILED),
    FIELD(struct fact_refund, amount, FIELD_NUMBER, 0),
    FIELD(struct fact_refund, payment, FIELD_TEXT, LIMIT_ORDER_ID),
    FIELD(struct fact_refund, lines_known, FIELD_FLAG, 0),
    FIELD(struct fact_refund, detail_only, FIELD_FLAG, 0),
    LIST(struct fact_refund, lines, line_count, LIMIT_ORDER_LINES, &refund_line_shape),
};
static const struct shape refund_shape = SHAPE(struct fact_refund, refund_fields);

static const struct field dispute_fields[] = {
    FIELD(struct fact_dispute, id, FIELD_ID, LIMIT_ORDER_ID),
    FIELD(struct fact_dispute, time, FIELD_TIME, 0),
    FIELD(struct fact_dispute, state, FIELD_STATE, DISPUTE_LOST),
};
static const struct shape dispute_shape = SHAPE(struct fact_dispute, dispute_fields);

static const struct field snapshot_fields[] = {
    FIELD(struct fact_snapshot, time, FIELD_TIME, 0),
    FIELD(struct fact_snapshot, time_flagged, FIELD_FLAG, 0),
    FIELD(struct fact_snapshot, time_claimed, FIELD_TIME, 0),
    FIELD(struct fact_snapshot, from_api, FIELD_FLAG, 0),
    FIELD(struct fact_snapshot, read_at, FIELD_TIME, 0),
    FIELD(struct fact_snapshot, status, FIELD_STATE, ORDER_REFUNDED),
    FIELD(struct fact_snapshot, disputed, FIELD_FLAG, 0),
    FIELD(struct fact_snapshot, lines_known, FIELD_FLAG, 0),
    FIELD(struct fact_snapshot, paid_at, FIELD_TIME, 0),
    FIELD(struct fact_snapshot, payment, FIELD_TEXT, LIMIT_ORDER_ID),
    FIELD(struct fact_snapshot, total, FIELD_NUMBER, 0),
    FIELD(struct fact_snapshot, refunded_total, FIELD_NUMBER, 0),
    FIELD(struct fact_snapshot, address_state, FIELD_STATE, ADDRESS_REAL),
    FIELD(struct fact_snapshot, address, FIELD_TEXT, LIMIT_ADDRESS),
    FIELD(struct fact_snapshot, reference, FIELD_TEXT, LIMIT_REFERENCE),
    LIST(struct fact_snapshot, lines, line_count, LIMIT_ORDER_LINES, &line_shape),
    FIELD(struct fact_snapshot, lists_refunds, FIELD_FLAG, 0),
    LIST(struct fact_snapshot, refunds, refund_count, LIMIT_ORDER_REFUNDS, &listed_refund_shape),
};
static const struct shape snapshot_shape = SHAPE(struct fact_snapshot, snapshot_fields);

static const struct field subscription_fields[] = {
    FIELD(struct fact_subscription, time, FIELD_TIME, 0),
    FIELD(struct fact_subscription, from_api, FIELD_FLAG, 0),
    FIELD(struct fact_subscription, read_at, FIELD_TIME, 0),
    FIELD(struct fact_subscription, state, FIELD_STATE, SUBSCRIPTION_EXPIRED),
    FIELD(struct fact_subscription, paid_until, FIELD_TIME, 0),
    FIELD(struct fact_subscription, unpaid_since, FIELD_TIME, 0),
};
static const struct shape subscription_shape = SHAPE(struct fact_subscription, subscription_fields);

static const struct field alias_fields[] = {{FIELD_ID, 0, LIMIT_ORDER_ID, 0, NULL}};
static const struct shape alias_shape = SHAPE(char *, alias_fields);

static const struct field order_fields[] = {
    FIELD(struct fact_order, id, FIELD_ID, LIMIT_ORDER_ID),
    FIELD(struct fact_order, identity, FIELD_TEXT, LIMIT_IDENTITY),
    FIELD(struct fact_order, key, FIELD_TEXT, LIMIT_ORDER_ID),
    LIST(struct fact_order, aliases, alias_count, LIMIT_ORDER_ALIASES, &alias_shape),
    {FIELD_ONE, offsetof(struct fact_order, subscription), 0, 0, &subscription_shape},
    {FIELD_ONE, offsetof(struct fact_order, snapshot), 0, 0, &snapshot_shape},
    LIST(struct fact_order, refunds, refund_count, LIMIT_ORDER_REFUNDS, &refund_shape),
    LIST(struct fact_order, disputes, dispute_count, LIMIT_ORDER_DISPUTES, &dispute_shape),
};
static const struct shape order_shape = SHAPE(struct fact_order, order_fields);

/* Numbers near 0 on either side become small ones; a bijection. */
static uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)((value >> 1) ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

/* --- writing ------------------------------------------------------------------------------- */

static void put_number(struct buf *out, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        buf_putc(out, (char)(unsigned char)(value | 0x80));
    buf_putc(out, (char)(unsigned char)value);
}

static void put_text(struct buf *out, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    put_number(out, text != NULL ? len + 1 : 0);
    buf_append(out, text != NULL ? text : "", len);
}

static void put_shape(struct buf *out, const struct shape *shape, const char *object);

static void put_list(struct buf *out, const struct field *field, const char *object)
{
    const char *elements;
    size_t count;
    memcpy(&elements, object + field->offset, sizeof(elements));
    memcpy(&count, object + field->count, sizeof(count));
    put_number(out, count);
    for (size_t i = 0; i < count; i++)
        put_shape(out, field->element, elements + i * field->element->size);
}

/* TIME_NONE is the one value whose zigzag has no successor. */
static void put_time(struct buf *out, int64_t time)
{
    put_number(out, time == TIME_NONE ? 0 : zigzag(time) + 1);
}

static void put_field(struct buf *out, const struct field *field, const char *object)
{
    const char *at = object + field->offset;
    const char *pointer;
    int64_t number;
    unsigned state;
    bool flag;
    switch (field->kind) {
    case FIELD_ID:
    case FIELD_TEXT:
        memcpy(&pointer, at, sizeof(pointer));
        put_text(out, pointer);
        break;
    case FIELD_NUMBER:
        memcpy(&number, at, sizeof(number));
        put_number(out, zigzag(number));
        break;
    case FIELD_TIME:
        memcpy(&number, at, sizeof(number));
        put_time(out, number);
        break;
    case FIELD_FLAG:
        memcpy(&flag, at, sizeof(flag));
        put_number(out, flag);
        break;
    case FIELD_STATE:
        memcpy(&state, at, sizeof(state));
        put_number(out, state);
        break;
    case FIELD_LIST:
        put_list(out, field, object);
        break;
    case FIELD_ONE:
        memcpy(&pointer, at, sizeof(pointer));
        put_number(out, pointer != NULL);
        if (pointer != NULL)
            put_shape(out, field->element, pointer);
        break;
    }
}

static void put_shape(struct buf *out, const struct shape *shape, const char *object)
{
    for (size_t i = 0; i < shape->field_count; i++)
        put_field(out, &shape->fields[i], object);
}

void fact_order_write(const struct fact_order *order, struct buf *out)
{
    buf_putc(out, VERSION);
    put_shape(out, &order_shape, (const char *)order);
}

/* --- reading ------------------------------------------------------------------------------- */

struct reader {
    const unsigned char *at, *end;
};

/* At most `most`; only the shortest writing of a number is one. */
static int take_number(struct reader *reader, uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint64_t bits = *reader->at & 0x7f;
        bool last = *reader->at++ < 0x80;
        if (bits << shift >> shift != bits)
            return -1;
        value |= bits << shift;
        if (!last)
            continue;
        if ((bits == 0 && shift > 0) || value > most)
            return -1;
        *out = value;
        return 0;
    }
    return -1;
}

static int take_text(struct reader *reader, const struct field *field, char **out)
{
    uint64_t told;
    if (take_number(reader, field->most + 1, &told))
        return -1;
    size_t len = told > 0 ? (size_t)told - 1 : 0;
    if (field->kind == FIELD_ID && len == 0)
        return -1;
    if (len > (size_t)(reader->end - reader->at) || memchr(reader->at, '\0', len) != NULL)
        return -1;
    *out = told > 0 ? xstrndup((const char *)reader->at, len) : NULL;
    reader->at += len;
    return 0;
}

static int take_shape(struct reader *reader, const struct shape *shape, char *object);

/* No element is written in less than a byte: a count beyond what is left is false, and is not
 * allocated. What was read until a fault stands in the object, to be freed with it. */
static int take_list(struct reader *reader, const struct field *field, char *object)
{
    uint64_t told;
    if (take_number(reader, field->most, &told) || told > (size_t)(reader->end - reader->at))
        return -1;
    size_t count = (size_t)told, size = field->element->size;
    char *elements = count > 0 ? xcalloc(count, size) : NULL;
    memcpy(object + field->offset, &elements, sizeof(elements));
    memcpy(object + field->count, &count, sizeof(count));
    for (size_t i = 0; i < count; i++)
        if (take_shape(reader, field->element, elements + i * size))
            return -1;
    return 0;
}

static int take_one(struct reader *reader, const struct field *field, char *object)
{
    uint64_t told;
    if (take_number(reader, 1, &told))
        return -1;
    if (told == 0)
        return 0;
    char *one = xcalloc(1, field->element->size);
    memcpy(object + field->offset, &one, sizeof(one));
    return take_shape(reader, field->element, one);
}

/* Numbers, times, flags and states: all of them are one number in the bytes. */
static int take_scalar(struct reader *reader, const struct field *field, char *at)
{
    uint64_t most = field->kind == FIELD_STATE  ? field->most
                    : field->kind == FIELD_FLAG ? 1
                                                : UINT64_MAX;
    uint64_t told;
    if (take_number(reader, most, &told))
        return -1;
    bool flag = told != 0;
    unsigned state = (unsigned)told;
    int64_t number = field->kind == FIELD_NUMBER ? unzigzag(told)
                     : told == 0                 ? TIME_NONE
                                                 : unzigzag(told - 1);
    if (field->kind == FIELD_FLAG)
        memcpy(at, &flag, sizeof(flag));
    else if (field->kind == FIELD_STATE)
        memcpy(at, &state, sizeof(state));
    else
        memcpy(at, &number, sizeof(number));
    return 0;
}

static int take_field(struct reader *reader, const struct field *field, char *object)
{
    char *text;
    switch (field->kind) {
    case FIELD_ID:
    case FIELD_TEXT:
        if (take_text(reader, field, &text))
            return -1;
        memcpy(object + field->offset, &text, sizeof(text));
        return 0;
    case FIELD_LIST:
        return take_list(reader, field, object);
    case FIELD_ONE:
        return take_one(reader, field, object);
    case FIELD_NUMBER:
    case FIELD_TIME:
    case FIELD_FLAG:
    case FIELD_STATE:
        return take_scalar(reader, field, object + field->offset);
    }
    return -1;
}

static int take_shape(struct reader *reader, const struct shape *shape, char *object)
{
    for (size_t i = 0; i < shape->field_count; i++)
        if (take_field(reader, &shape->fields[i], object))
            return -1;
    return 0;
}

/* An address comes with the state that says so, and only with it. */
static bool address_fits(const struct fact_snapshot *snapshot)
{
    return snapshot == NULL ||
           (snapshot->address != NULL) == (snapshot->address_state == ADDRESS_REAL);
}

int fact_order_read(const void *bytes, size_t len, struct facts *out)
{
    struct reader reader = {bytes, (const unsigned char *)bytes + len};
    if (len == 0 || *reader.at++ != VERSION)
        return -1;
    struct facts read = {.orders = xcalloc(1, sizeof(*read.orders)), .order_count = 1};
    struct fact_order *order = read.orders;
    int result = -1;
    if (take_shape(&reader, &order_shape, (char *)order) == 0 && reader.at == reader.end &&
        address_fits(order->snapshot)) {
        struct fact_order *added = facts_add_order(out, "", 0);
        free(added->id);
        *added = *order;
        *order = (struct fact_order){0};
        result = 0;
    }
    facts_free(&read);
    return result;
}
