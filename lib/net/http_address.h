/*
 * Which addresses are the public internet's. A call to a shop by name must not end at this host,
 * its network, or a cloud's metadata service, whatever the name leads to today.
 */
#ifndef NET_HTTP_ADDRESS_H
#define NET_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* False for loopback, private, link-local, shared (CGNAT), multicast, reserved and documentation
 * addresses, for addresses that embed such a one (mapped, NAT64, 6to4), and for other families. */
bool http_address_is_public(const struct sockaddr *address, size_t len);
/* Whether a host, as an origin writes it, is an IP address in its usual text form, or "localhost":
 * then whoever configured it meant just that. */
bool http_host_is_literal(const char *host, size_t len);

#endif
