/*
 * Any text as an address that mail is sent to: what is accepted can neither end a line of SMTP nor
 * be taken for more than one address.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept)
{
    if (!kept)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *address = xstrndup((const char *)data, size);

    if (mail_can_go_to(address)) {
        const char *at = strchr(address, '@');
        promise(at != NULL && at > address && strchr(at + 1, '@') == NULL);
        promise(strchr(at, '.') != NULL && strlen(address) <= 254);
        for (const char *c = address; *c != '\0'; c++)
            promise(*c > ' ' && *c < 0x7f);
        promise(strpbrk(address, "\"(),:;<>[\\]") == NULL);
    }
    free(address);
    return 0;
}
