#include "gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allowances.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "front.h"
#include "net/http_forwarded.h"

struct gate {
    const struct settings_server *server;
    struct allowances *addresses, *users, *installs;
    int64_t installs_paid_at; /* of all of them together */
    bool told_forwarded;
    int64_t second; /* in which lines are counted */
    unsigned lines;
    int64_t unsaid;
};

struct gate *gate_new(const struct settings *settings)
{
    struct gate *gate = xcalloc(1, sizeof(*gate));
    gate->server = &settings->server;
    gate->addresses = allowances_new(LIMIT_ALLOWANCES);
    gate->users = allowances_new(LIMIT_ALLOWANCES);
    gate->installs = allowances_new(LIMIT_ALLOWANCES);
    return gate;
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    allowances_free(gate->addresses);
    allowances_free(gate->users);
    allowances_free(gate->installs);
    free(gate);
}

void gate_adopt(struct gate *gate, const struct settings *settings)
{
    gate->server = &settings->server;
    gate->told_forwarded = false;
}

bool gate_is_unlimited(const struct gate *gate, const struct address *client)
{
    return networks_hold(&gate->server->unlimited_addresses, client);
}

/* Behind a proxy stand many. */
size_t gate_connections_of(const struct gate *gate, const struct address *peer)
{
    const struct settings_server *server = gate->server;
    if (server->connections_per_address == 0 || gate_is_unlimited(gate, peer) ||
        networks_hold(&server->trusted_proxies, peer))
        return SIZE_MAX;
    return (size_t)server->connections_per_address;
}

struct address gate_client(const struct gate *gate, const struct http_request *request)
{
    size_t count;
    const struct http_header *headers = http_headers(request, &count);
    return http_forwarded_client(headers, count, http_peer(request),
                                 &gate->server->trusted_proxies);
}

void gate_client_text(const struct gate *gate, const struct http_request *request,
                      char out[ADDRESS_TEXT])
{
    struct address client = gate_client(gate, request);
    address_format(&client, out);
}

bool gate_may_log(struct gate *gate, int64_t *unsaid)
{
    int64_t second = clock_monotonic() / TIME_SECOND;
    if (gate->second != second) {
        gate->second = second;
        gate->lines = 0;
    }
    if (gate->lines == LIMIT_REFUSALS_LOGGED) {
        gate->unsaid++;
        return false;
    }
    gate->lines++;
    *unsaid = gate->unsaid;
    gate->unsaid = 0;
    return true;
}

/* Counts and logs what a limit refused. */
static void gate_note(struct front *front, const struct http_request *request, enum limited limit,
                      const struct address *client)
{
    char text[ADDRESS_TEXT];
    int64_t unsaid;
    metrics_limited(front->metrics, limit);
    if (!gate_may_log(front->gate, &unsaid))
        return;
    address_format(client, text);
    log_info("gate", "limited", LOG_S("request", http_request_id(request)),
             LOG_S("limit", limited_name(limit)), LOG_S("client", text), LOG_I("unsaid", unsaid));
}

static void gate_refuse(struct front *front, struct http_request *request, enum limited limit,
                        const struct address *client, int64_t wait_us)
{
    char headers[64];
    gate_note(front, request, limit, client);
    snprintf(headers, sizeof(headers), "Retry-After: %lld\r\n",
             (long long)((wait_us + TIME_SECOND - 1) / TIME_SECOND));
    front_problem(front, request, 429, "rate_limited", headers,
                  limit == LIMITED_USER
                      ? "This user asks too often: wait for Retry-After seconds."
                      : "This address asks too often: wait for Retry-After seconds.");
}

/*
 * The operator's own proxy, which this front was not told of: without it, clients are not told
 * apart, and no limit applies to them. Said once.
 */
static void gate_look_for_proxy(struct gate *gate, const struct http_request *request)
{
    size_t count;
    const struct http_header *headers = http_headers(request, &count);
    char text[ADDRESS_TEXT];
    if (gate->told_forwarded || !http_find(headers, count, "X-Forwarded-For", NULL))
        return;
    gate->told_forwarded = true;
    address_format(http_peer(request), text);
    log_warn("gate", "proxy_not_trusted", LOG_S("peer", text),
             LOG_S("why", "X-Forwarded-For came from an unlimited address that is not among "
                          "trusted_proxies: its clients are not told apart and not limited"));
}

/* Takes one of so many a second from whoever `bytes` names: 0, or how long to wait. */
static int64_t gate_take(struct allowances *from, const void *bytes, size_t len, int64_t per_second)
{
    if (per_second == 0)
        return 0;
    struct allowance_rate rate =
        allowance_rate_of(per_second, TIME_SECOND, per_second * LIMIT_REQUEST_BURST_S);
    return allowances_take(from, bytes, len, &rate, clock_monotonic());
}

static bool gate_admit_client(struct front *front, struct http_request *request,
                              const struct address *client)
{
    struct gate *gate = front->gate;
    struct address holder = address_holder(client);
    int64_t wait_us =
        gate_take(gate->addresses, &holder, sizeof(holder), gate->server->requests_per_address);
    if (wait_us > 0)
        gate_refuse(front, request, LIMITED_ADDRESS, client, wait_us);
    return wait_us == 0;
}

bool gate_admit(struct front *front, struct http_request *request)
{
    struct address client = gate_client(front->gate, request);
    if (!gate_is_unlimited(front->gate, &client))
        return gate_admit_client(front, request, &client);
    gate_look_for_proxy(front->gate, request);
    return true;
}

/* The user first: what one of them asks in vain must not use up what their company's address has.
 */
bool gate_admit_user(struct front *front, struct http_request *request, const char *user)
{
    struct gate *gate = front->gate;
    struct address client = gate_client(gate, request);
    if (gate_is_unlimited(gate, &client)) {
        gate_look_for_proxy(gate, request);
        return true;
    }
    int64_t wait_us = gate_take(gate->users, user, strlen(user), gate->server->requests_per_user);
    if (wait_us > 0) {
        gate_refuse(front, request, LIMITED_USER, &client, wait_us);
        return false;
    }
    return gate_admit_client(front, request, &client);
}

/* An address that began too many takes nothing from what all have. */
bool gate_admit_install(struct front *front, struct http_request *request)
{
    struct gate *gate = front->gate;
    struct address client = gate_client(gate, request), holder = address_holder(&client);
    int64_t own = gate->server->installs_per_address, all = gate->server->installs_all;
    int64_t now = clock_monotonic();
    if (gate_is_unlimited(gate, &client))
        return true;
    if (own > 0) {
        struct allowance_rate rate = allowance_rate_of(own, TIME_MINUTE, own);
        if (allowances_take(gate->installs, &holder, sizeof(holder), &rate, now) > 0) {
            gate_note(front, request, LIMITED_INSTALLS_OF_ADDRESS, &client);
            return false;
        }
    }
    if (all > 0) {
        struct allowance_rate rate = allowance_rate_of(all, TIME_MINUTE, all);
        if (allowance_take(&gate->installs_paid_at, &rate, now) > 0) {
            gate_note(front, request, LIMITED_INSTALLS, &client);
            return false;
        }
    }
    return true;
}
