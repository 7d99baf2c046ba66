/*
 * Addresses that strangers type: what is let through can neither add a header nor a recipient.
 */
#include <string.h>

#include "base/limits.h"
#include "net/mail.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define LOCAL_MOST 64 /* RFC 5321 */
#define LABEL_MOST 63

/* Words of `allowed` with single dots between them, each of at most `most`; counts the dots. */
static bool is_dotted(const char *text, size_t len, const char *allowed, size_t most, size_t *dots)
{
    size_t word = 0;

    *dots = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.') {
            if (word == 0)
                return false;
            word = 0;
            ++*dots;
        } else if (strchr(allowed, text[i]) == NULL || ++word > most) {
            return false;
        }
    }
    return word > 0;
}

bool mail_can_go_to(const char *address)
{
    const char *at = strchr(address, '@');
    const char *host = at == NULL ? "" : at + 1;
    size_t local = at == NULL ? 0 : (size_t)(at - address), dots;

    if (at == NULL || strlen(address) > LIMIT_ADDRESS || local > LOCAL_MOST)
        return false;
    if (!is_dotted(address, local, LETTERS DIGITS "!#$%&'*+-/=?^_`{|}~", LOCAL_MOST, &dots))
        return false;
    return is_dotted(host, strlen(host), LETTERS DIGITS "-", LABEL_MOST, &dots) && dots > 0 &&
           host[0] != '-' && strstr(host, ".-") == NULL && strstr(host, "-.") == NULL &&
           host[strlen(host) - 1] != '-';
}
