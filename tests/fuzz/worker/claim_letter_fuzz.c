/*
 * The mail with a code: whatever the catalogue names its things, the message is lines of ASCII that
 * SMTP carries, and its head is ours alone. Input: a line for each name.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "claim_letter.h"

#define LINE_MOST 998 /* RFC 5322 */
#define HEAD_LINES_MOST 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept)
{
    if (!kept)
        abort();
}

static void check_lines(const struct buf *letter)
{
    const char *end = strstr(letter->data, "\r\n\r\n");
    size_t head_lines = 0;

    promise(end != NULL && strlen(letter->data) == letter->len);
    for (const char *line = letter->data; *line != '\0';) {
        size_t len = strcspn(line, "\r\n");

        promise(len <= LINE_MOST && line[len] == '\r' && line[len + 1] == '\n');
        for (size_t i = 0; i < len; i++)
            promise((line[i] >= ' ' && line[i] < 0x7f) || line[i] == '\t');
        head_lines += line < end;
        line += len + 2;
    }
    promise(head_lines <= HEAD_LINES_MOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct claim_mail mail = {.user = "3074457363680401096",
                              .address = "zoe@example.test",
                              .code = "123456",
                              .expires_at = INT64_C(1795428000) * TIME_SECOND};
    struct catalogue *catalogue = catalogue_new(1);
    char *text = xstrndup((const char *)data, size), *rest = text, *name;
    struct buf letter = {0};

    while (mail.key_count < LIMIT_CLAIM_NAMES && (name = strsep(&rest, "\n")) != NULL) {
        char *key = mail.keys[mail.key_count];

        key[0] = (char)('a' + mail.key_count++);
        catalogue_add_entitlement(catalogue, key, name);
    }
    mail.held_by_other = size % 2 == 0;
    claim_letter_write(&mail, "licences@example.test", catalogue, mail.expires_at - TIME_HOUR,
                       &letter);
    check_lines(&letter);
    catalogue_free(catalogue);
    buf_free(&letter);
    free(text);
    return 0;
}
