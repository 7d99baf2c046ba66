/*
 * The gate: how much one client may ask for. What a request proves decides against whom it counts:
 *
 *   a delivery whose signature holds   nobody: it is stored, however many come at once
 *   a check with a good idToken        its user, strictly; if that is granted, its address as well
 *   anything else                      its address, generously: many people share one
 *
 * An address is the client's own, as the proxies of `trusted_proxies` tell it, and of IPv6 its /64.
 * The clients of `unlimited_addresses` are never refused here. A preflight of CORS is not counted:
 * its answer costs no more than a refusal, which the page could not read. Each front counts for
 * itself.
 */
#ifndef WEBHOOK_GATE_H
#define WEBHOOK_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"
#include "base/settings.h"
#include "net/http_server.h"

struct front;
struct gate;

/* The settings stay theirs, and in force until gate_adopt(). */
struct gate *gate_new(const struct settings *settings);
void gate_free(struct gate *gate);
void gate_adopt(struct gate *gate, const struct settings *settings); /* debts stay */

/* How many connections a peer may have open. */
size_t gate_connections_of(const struct gate *gate, const struct address *peer);
/* Who asks, beyond our own proxies. */
struct address gate_client(const struct gate *gate, const struct http_request *request);
void gate_client_text(const struct gate *gate, const struct http_request *request,
                      char out[ADDRESS_TEXT]); /* for log lines */
bool gate_is_unlimited(const struct gate *gate, const struct address *client);

/* Counts one request; false if it is too many, and was answered 429 `rate_limited`. */
bool gate_admit(struct front *front, struct http_request *request)
    __attribute__((warn_unused_result));
/* The same for one whose idToken is good. */
bool gate_admit_user(struct front *front, struct http_request *request, const char *user)
    __attribute__((warn_unused_result));
/* Counts an install, which asks Miro on behalf of somebody who proved nothing yet; false if it is
 * too many: the caller answers. */
bool gate_admit_install(struct front *front, struct http_request *request)
    __attribute__((warn_unused_result));

/* Whether a line about what was refused may still be written this second. A line tells how many
 * were not. */
bool gate_may_log(struct gate *gate, int64_t *unsaid) __attribute__((warn_unused_result));

#endif
