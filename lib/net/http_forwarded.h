/*
 * Who a request comes from where proxies stand before us: X-Forwarded-For, of which a client can
 * write any part but what our own proxies append.
 */
#ifndef NET_HTTP_FORWARDED_H
#define NET_HTTP_FORWARDED_H

#include "base/network.h"
#include "net/http_parse.h"

/*
 *   X-Forwarded-For = element *( "," element ), over all its lines, each proxy appending one
 *   element         = v4 [ ":" port ] | v6 | "[" v6 "]" [ ":" port ], blanks around it
 *
 * Walked from the right, beginning with the connection's own address: while an address is a trusted
 * proxy's, the element that it appended tells the one before. The first that is not trusted is the
 * client. Where an element is missing or is no address, the proxy that sent it is.
 */
struct address http_forwarded_client(const struct http_header *headers, size_t header_count,
                                     const struct address *peer,
                                     const struct network_list *trusted);

#endif
