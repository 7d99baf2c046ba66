/*
 * IP addresses and networks: who a client is, and whom the configuration means. A v4 address is
 * kept as its v4-mapped v6 address, so that one client has one form on either kind of socket.
 */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

struct sockaddr;

#define ADDRESS_LEN 16
#define ADDRESS_TEXT 46 /* room for address_format() */

struct address {
    unsigned char bytes[ADDRESS_LEN];
};

struct network {
    struct address prefix; /* zero beyond `bits` */
    unsigned bits;         /* of 128; a v4 network has 96 of them more than its text says */
};

struct network_list {
    struct network *items; /* owned */
    size_t count;
};

/* "192.0.2.1" or "2001:db8::1", without brackets, port or zone; 0 or -1. */
int address_parse(const char *text, size_t len, struct address *out)
    __attribute__((warn_unused_result));
/* All zero (`::`) for a family that is no IP. */
void address_of_socket(const struct sockaddr *from, struct address *out);
void address_format(const struct address *address, char out[ADDRESS_TEXT]);
/* Whose it is, for counting: a v4 address as it is; of a v6 address the first 64 bits, which is
 * the least that one customer is given, and all of which one host may use. */
struct address address_holder(const struct address *address);

/* An address, or "ADDRESS/BITS" with nothing set beyond BITS. 0, or -1 with what is wrong (static).
 */
int network_parse(const char *text, struct network *out, const char **fault)
    __attribute__((warn_unused_result));
/* A v6 network holds no v4 address, though `::/0` would hold its mapped form. */
bool network_holds(const struct network *network, const struct address *address);
bool networks_hold(const struct network_list *list, const struct address *address);

#endif
