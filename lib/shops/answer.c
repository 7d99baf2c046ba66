#include "shops/answer.h"

#include <string.h>

#include "shops/evidence.h"
#include "shops/json.h"

int64_t answer_receipt(const struct shop_answer *answer)
{
    return answer->received_at ? answer->received_at : answer->date;
}

int64_t answer_date(const struct shop_answer *answer)
{
    return evidence_time(answer->date, answer_receipt(answer));
}

enum shop_answer_verdict answer_refuse(struct buf *detail, const char *sentence)
{
    buf_puts(detail, sentence);
    return SHOP_ANSWER_REFUSED;
}

/* The bytes of the mark that a plugin's file, saved with one, puts before everything the shop says.
 */
static size_t byte_order_mark(const struct shop_answer *answer)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t len = sizeof(mark) - 1;
    return answer->len >= len && memcmp(answer->body, mark, len) == 0 ? len : 0;
}

struct json_object *answer_open(const struct shop_answer *answer,
                                const struct answer_advice *advice,
                                enum shop_answer_verdict *verdict, struct buf *detail)
{
    const char *why = "it is not JSON";
    *verdict = SHOP_ANSWER_REFUSED;
    if (answer->status == 401 || answer->status == 403) {
        buf_printf(detail, "the shop refused the key (%d): %s", answer->status, advice->key);
        return NULL;
    }
    *verdict = SHOP_ANSWER_LATER;
    if (answer->status != 200 && answer->status != 404) {
        buf_printf(detail, "the shop answered %d", answer->status);
        return NULL;
    }
    size_t mark = byte_order_mark(answer);
    struct json_object *root = shop_json_is_type(answer->content_type)
                                   ? shop_json_read(answer->body + mark, answer->len - mark, &why)
                                   : NULL;
    if (root)
        return root;
    if (answer->status == 404) {
        *verdict = SHOP_ANSWER_REFUSED;
        buf_printf(detail, "the shop has no such address: %s", advice->address);
    } else {
        buf_printf(detail, "the shop's answer cannot be read: %s", why);
    }
    return NULL;
}
