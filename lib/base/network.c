#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

#define V4_BITS 32
#define V6_BITS 128
#define MAPPED_BITS (V6_BITS - V4_BITS)
#define HOLDER_BYTES 8

static const unsigned char mapped_prefix[MAPPED_BITS / 8] = {0, 0, 0, 0, 0,    0,
                                                             0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const struct address *address)
{
    return memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void set_v4(struct address *out, const void *bytes)
{
    memcpy(out->bytes, mapped_prefix, sizeof(mapped_prefix));
    memcpy(out->bytes + sizeof(mapped_prefix), bytes, V4_BITS / 8);
}

int address_parse(const char *text, size_t len, struct address *out)
{
    char copy[ADDRESS_TEXT];
    struct in_addr v4;
    if (len == 0 || len >= sizeof(copy))
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (strlen(copy) != len)
        return -1;
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        set_v4(out, &v4);
        return 0;
    }
    struct in6_addr v6;
    if (inet_pton(AF_INET6, copy, &v6) != 1)
        return -1;
    memcpy(out->bytes, v6.s6_addr, ADDRESS_LEN);
    return 0;
}

void address_of_socket(const struct sockaddr *from, struct address *out)
{
    *out = (struct address){{0}};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof(v4));
        set_v4(out, &v4.sin_addr);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof(v6));
        memcpy(out->bytes, v6.sin6_addr.s6_addr, ADDRESS_LEN);
    }
}

void address_format(const struct address *address, char out[ADDRESS_TEXT])
{
    bool v4 = is_v4(address);
    const void *bytes = v4 ? address->bytes + sizeof(mapped_prefix) : address->bytes;
    if (inet_ntop(v4 ? AF_INET : AF_INET6, bytes, out, ADDRESS_TEXT) == NULL)
        out[0] = '\0';
}

struct address address_holder(const struct address *address)
{
    struct address holder = *address;
    if (!is_v4(address))
        memset(holder.bytes + HOLDER_BYTES, 0, ADDRESS_LEN - HOLDER_BYTES);
    return holder;
}

/* Whether the two agree in their first `bits`. */
static bool same_prefix(const struct address *a, const struct address *b, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;
    if (memcmp(a->bytes, b->bytes, bytes) != 0)
        return false;
    return rest == 0 || (a->bytes[bytes] ^ b->bytes[bytes]) >> (8 - rest) == 0;
}

/* Whether nothing is set beyond the first `bits`. */
static bool ends_in_zeros(const struct address *address, unsigned bits)
{
    for (unsigned bit = bits; bit < V6_BITS; bit++) {
        if ((address->bytes[bit / 8] & 0x80u >> bit % 8) != 0)
            return false;
    }
    return true;
}

int network_parse(const char *text, struct network *out, const char **fault)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct network network;
    if (address_parse(text, len, &network.prefix) != 0) {
        *fault = "one of its addresses is not understood";
        return -1;
    }
    bool v4 = memchr(text, ':', len) == NULL;
    int64_t bits = v4 ? V4_BITS : V6_BITS;
    if (slash != NULL && (text_to_int(slash + 1, strlen(slash + 1), &bits) != 0 ||
                          bits > (v4 ? V4_BITS : V6_BITS))) {
        *fault = "what follows a `/` is not a number of bits";
        return -1;
    }
    network.bits = (unsigned)bits + (v4 ? MAPPED_BITS : 0);
    if (!ends_in_zeros(&network.prefix, network.bits)) {
        *fault = "one of its networks has bits set beyond its prefix";
        return -1;
    }
    *out = network;
    return 0;
}

bool network_holds(const struct network *network, const struct address *address)
{
    if (is_v4(address) && network->bits < MAPPED_BITS)
        return false;
    return same_prefix(&network->prefix, address, network->bits);
}

bool networks_hold(const struct network_list *list, const struct address *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (network_holds(&list->items[i], address))
            return true;
    }
    return false;
}
