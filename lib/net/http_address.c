#include "net/http_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "net/http_chars.h"

struct block4 {
    uint32_t prefix;
    unsigned bits;
};

struct block6 {
    unsigned char prefix[16];
    unsigned bits;
};

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

/* The IANA special-purpose registry, without what is globally reachable, and multicast. */
static const struct block4 not_public4[] = {
    {V4(0, 0, 0, 0), 8},      {V4(10, 0, 0, 0), 8},     {V4(100, 64, 0, 0), 10},
    {V4(127, 0, 0, 0), 8},    {V4(169, 254, 0, 0), 16}, {V4(172, 16, 0, 0), 12},
    {V4(192, 0, 0, 0), 24},   {V4(192, 0, 2, 0), 24},   {V4(192, 88, 99, 0), 24},
    {V4(192, 168, 0, 0), 16}, {V4(198, 18, 0, 0), 15},  {V4(198, 51, 100, 0), 24},
    {V4(203, 0, 113, 0), 24}, {V4(224, 0, 0, 0), 4},    {V4(240, 0, 0, 0), 4},
};

static const struct block6 not_public6[] = {
    {{0}, 96},                         /* unspecified, loopback, v4-compatible */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48}, /* NAT64 of one network */
    {{1}, 64},                         /* discard */
    {{0x20, 0x01, 0, 0}, 23},          /* IETF protocols, Teredo among them */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},    /* documentation */
    {{0x3f, 0xff}, 20},                /* documentation */
    {{0x5f}, 16},                      /* segment routing */
    {{0xfc}, 7},                       /* unique local */
    {{0xfe, 0x80}, 10},                /* link-local */
    {{0xfe, 0xc0}, 10},                /* site-local */
    {{0xff}, 8},                       /* multicast */
};

static const struct block6 mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
static const struct block6 nat64 = {{0, 0x64, 0xff, 0x9b}, 96};
static const struct block6 six_to_four = {{0x20, 0x02}, 16};

static bool is_public4(uint32_t address)
{
    for (size_t i = 0; i < sizeof(not_public4) / sizeof(not_public4[0]); i++) {
        uint32_t mask = UINT32_MAX << (32 - not_public4[i].bits);
        if ((address & mask) == not_public4[i].prefix) {
            return false;
        }
    }
    return true;
}

static bool within(const unsigned char address[16], const struct block6 *block)
{
    unsigned bytes = block->bits / 8, rest = block->bits % 8;
    if (memcmp(address, block->prefix, bytes) != 0) {
        return false;
    }
    unsigned mask = 0xffu << (8 - rest) & 0xffu;
    return rest == 0 || (address[bytes] & mask) == block->prefix[bytes];
}

static uint32_t embedded4(const unsigned char *at)
{
    return V4(at[0], at[1], at[2], at[3]);
}

static bool is_public6(const unsigned char address[16])
{
    if (within(address, &mapped) || within(address, &nat64)) {
        return is_public4(embedded4(address + 12));
    }
    if (within(address, &six_to_four)) {
        return is_public4(embedded4(address + 2));
    }
    for (size_t i = 0; i < sizeof(not_public6) / sizeof(not_public6[0]); i++) {
        if (within(address, &not_public6[i])) {
            return false;
        }
    }
    return true;
}

bool http_address_is_public(const struct sockaddr *address, size_t len)
{
    if (address->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        return is_public4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        return is_public6(v6.sin6_addr.s6_addr);
    }
    return false;
}

bool http_host_is_literal(const char *host, size_t len)
{
    char text[INET6_ADDRSTRLEN + 2];
    unsigned char address[16];
    if (http_equal(host, len, "localhost")) {
        return true;
    }
    bool brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';
    host += brackets ? 1 : 0;
    len -= brackets ? 2 : 0;
    if (len == 0 || len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host, len);
    text[len] = '\0';
    return inet_pton(brackets ? AF_INET6 : AF_INET, text, address) == 1;
}
