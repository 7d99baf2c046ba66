/*
 * What the answers of all shops' APIs have in common, private to this room: which of them can be
 * read at all, and what the others mean.
 */
#ifndef SHOPS_ANSWER_H
#define SHOPS_ANSWER_H

#include <json-c/json.h>

#include "shops/shop.h"

/* What a person is told who has to look: sentences about this provider's configuration. */
struct answer_advice {
    const char *key;     /* after 401 and 403: "check that api_key_file holds ..." */
    const char *address; /* after a 404 that is not JSON: "check that api_url is ..." */
};

/*
 * The JSON of an answer whose status is 200 or 404, the caller's to put. NULL: *verdict says later
 * (busy, failing, a page in place of data) or refused, and `detail` has the sentence. A byte order
 * mark before it is skipped.
 */
struct json_object *answer_open(const struct shop_answer *answer,
                                const struct answer_advice *advice,
                                enum shop_answer_verdict *verdict, struct buf *detail)
    __attribute__((warn_unused_result));

/* When the answer came, by our clock where the caller says it: no time of the shop's counts beyond.
 */
int64_t answer_receipt(const struct shop_answer *answer);
/* When the shop says that it answered; a shop whose clock is ahead must not rule until it is then.
 */
int64_t answer_date(const struct shop_answer *answer);

/* Says why, and refuses. */
enum shop_answer_verdict answer_refuse(struct buf *detail, const char *sentence);

#endif
