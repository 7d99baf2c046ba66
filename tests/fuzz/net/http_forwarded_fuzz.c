/*
 * X-Forwarded-For as any bytes, a line each: whoever it names, an untrusted peer stays who it is,
 * and what stands left of an address that is not trusted changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/http_forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct network trust(const char *text)
{
    struct network network;
    const char *fault;
    if (network_parse(text, &network, &fault) != 0) {
        abort();
    }
    return network;
}

static struct address known(const char *text)
{
    struct address address;
    if (address_parse(text, strlen(text), &address) != 0) {
        abort();
    }
    return address;
}

static void require_same(struct address a, struct address b)
{
    if (memcmp(&a, &b, sizeof(a)) != 0) {
        abort();
    }
}

static size_t split(const char *bytes, size_t size, struct http_header *headers)
{
    size_t count = 0;
    while (size > 0 && count < LIMIT_HTTP_HEADERS - 1) {
        const char *end = memchr(bytes, '\n', size);
        size_t len = end != NULL ? (size_t)(end - bytes) : size;
        headers[count++] = (struct http_header){"X-Forwarded-For", 15, bytes, len};
        len += end != NULL;
        bytes += len;
        size -= len;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char client_text[] = "198.51.100.1";
    struct network networks[] = {trust("127.0.0.1"), trust("10.0.0.0/8"), trust("2001:db8::/32")};
    const struct network_list trusted = {networks, 3};
    struct address proxy = known("127.0.0.1"), stranger = known("203.0.113.9");
    struct http_header headers[LIMIT_HTTP_HEADERS];
    char *copy = size > 0 ? xmemdup(data, size) : NULL; /* so that a read beyond its end is seen */
    size_t count = split(copy, size, headers);

    require_same(http_forwarded_client(headers, count, &stranger, &trusted), stranger);
    http_forwarded_client(headers, count, &proxy, &trusted);
    headers[count++] = (struct http_header){"x-forwarded-for", 15, client_text, 12};
    require_same(http_forwarded_client(headers, count, &proxy, &trusted), known(client_text));
    free(copy);
    return 0;
}
