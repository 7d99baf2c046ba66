#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/text.h"
#include "delivery.h"
#include "grant.h"
#include "manners.h"
#include "many.h"
#include "news.h"
#include "person.h"
#include "route.h"
#include "sandbox.h"
#include "stand.h"
#include "woo_shop.h"

#define DRAIN_US (2 * TIME_SECOND)
#define RETRY_AFTER_MS 500

static const char usage[] =
    "purchase-sandbox: a stand-in Miro and stand-in shops, for the demo and for tests\n"
    "\n"
    "usage: purchase-sandbox [--config FILE] [--listen HOST:PORT]\n"
    "\n"
    "Reads the configuration of the front that it poses for: whose client secrets and webhook\n"
    "secrets to use, and where to deliver. Listens on the loopback interface only.\n";

static const struct option_spec specs[] = {
    {"--listen", "HOST:PORT", "where to listen; loopback only", "127.0.0.1:8090"},
    {NULL, NULL, NULL, NULL},
};

/* By the section's name. */
struct woo_shop *sandbox_shop(struct sandbox *sandbox, const char *name)
{
    for (size_t i = 0; i < sandbox->shop_count; i++)
        if (name == NULL || strcmp(sandbox->shops[i]->source, name) == 0)
            return sandbox->shops[i];
    return NULL;
}

/* Counts down. */
bool fault_take(int64_t *count)
{
    if (*count <= 0)
        return false;
    *count -= 1;
    return true;
}

/* Only this machine may reach a program that hands out tokens for the asking. */
static bool is_loopback(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - listen);
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        if (strlen(hosts[i]) == len && memcmp(hosts[i], listen, len) == 0)
            return true;
    return false;
}

/* Adds a stand for a source of another provider, unless it has one or the provider has none. */
static void open_stand(struct sandbox *sandbox, const struct settings_source *source)
{
    const struct stand *stand = stand_of(source->provider);
    if (stand == NULL || sandbox_stand(sandbox, source->name) != NULL ||
        sandbox->stand_count == LIMIT_SOURCES)
        return;
    char *home = xasprintf("%s/shops/%s", sandbox->origin, source->name);
    sandbox->stands[sandbox->stand_count++] = stand_shop_new(stand, source->name, home);
    free(home);
}

/* Adds shops for the sources that have none yet; old ones keep their orders. */
static void open_shops(struct sandbox *sandbox)
{
    const struct settings *settings = sandbox->settings;
    for (size_t i = 0; i < settings->source_count; i++)
        open_stand(sandbox, &settings->sources[i]);
    for (size_t i = 0; i < settings->source_count && sandbox->shop_count < LIMIT_SOURCES; i++) {
        const struct settings_source *source = &settings->sources[i];
        if (source->provider != PROVIDER_WOOCOMMERCE || sandbox_shop(sandbox, source->name) != NULL)
            continue;
        char *home = sandbox->shop_count == 0
                         ? xstrdup(sandbox->origin)
                         : xasprintf("%s/shops/%s", sandbox->origin, source->name);
        sandbox->shops[sandbox->shop_count++] = woo_shop_new(source->name, home);
        free(home);
    }
}

/* A second signal, or the end of the patience, cuts what is left. */
static void stop_now(void *arg)
{
    struct sandbox *sandbox = arg;
    loop_stop(sandbox->loop);
}

/* Whether everything under way has ended; looked at until it has. */
static void stop_when_quiet(void *arg)
{
    struct sandbox *sandbox = arg;
    if (http_server_connections(sandbox->server) == 0 &&
        http_client_in_flight(sandbox->client) == 0)
        loop_stop(sandbox->loop);
}

/* Drains on the first signal. */
static void stop(void *arg)
{
    struct sandbox *sandbox = arg;
    if (sandbox->draining) {
        stop_now(sandbox);
        return;
    }
    sandbox->draining = true;
    http_server_drain(sandbox->server);
    news_flush(sandbox->news);
    loop_timer_set(sandbox->patience, DRAIN_US, true);
    loop_timer_set(sandbox->quiet, TIME_SECOND / 50, false);
}

/* A bad new configuration changes nothing. */
static void reload(void *arg)
{
    struct sandbox *sandbox = arg;
    struct buf errors = {0};
    struct settings *settings = settings_load(sandbox->settings->path, &errors);
    if (settings == NULL) {
        log_error("sandbox", "reload_refused", LOG_S("why", errors.data));
    } else {
        settings_unref(sandbox->settings);
        sandbox->settings = settings;
        open_shops(sandbox);
        log_info("sandbox", "reloaded");
    }
    buf_free(&errors);
}

/* Miro as its documentation has it. */
static void set_manners(struct miro_manners *manners)
{
    manners->token_seconds = TOKEN_SECONDS;
    manners->id_token_seconds = ID_TOKEN_SECONDS;
    manners->code_seconds = CODE_SECONDS;
    manners->rate_limit = RATE_LIMIT;
    manners->expires_in = EXPIRES_TRUTH;
}

/* Listens, and writes the address down as visitors will use it. */
static int open_server(struct sandbox *sandbox, const char *listen)
{
    struct buf error = {0};
    struct http_server_options options = {.listen = listen,
                                          .max_body = SANDBOX_BODY,
                                          .max_connections = 1000,
                                          .handler = route_request,
                                          .arg = sandbox};
    sandbox->server = http_server_new(sandbox->loop, &options, &error);
    if (sandbox->server == NULL) {
        fprintf(stderr, "purchase-sandbox: %s\n", error.data);
        buf_free(&error);
        return -1;
    }
    sandbox->host = xasprintf("%.*s:%u", (int)(strrchr(listen, ':') - listen), listen,
                              http_server_port(sandbox->server));
    sandbox->origin = xasprintf("http://%s", sandbox->host);
    return 0;
}

/* Releases all in the order in which things lean on each other. */
static void sandbox_close(struct sandbox *sandbox)
{
    sandbox->draining = true;
    http_server_free(sandbox->server);
    http_client_free(sandbox->client);
    deliveries_free(sandbox->deliveries);
    news_free(sandbox->news);
    loop_timer_free(sandbox->patience);
    loop_timer_free(sandbox->quiet);
    for (size_t i = 0; i < sandbox->shop_count; i++)
        woo_shop_free(sandbox->shops[i]);
    for (size_t i = 0; i < sandbox->stand_count; i++)
        stand_shop_free(sandbox->stands[i]);
    many_free(sandbox->many);
    grants_free(sandbox->grants);
    people_free(sandbox->people);
    for (size_t i = 0; i < sandbox->manners.redirect_count; i++)
        free(sandbox->manners.redirect_uris[i]);
    free(sandbox->manners.profile_as);
    free(sandbox->host);
    free(sandbox->origin);
    settings_unref(sandbox->settings);
    loop_free(sandbox->loop);
}

/* Everything from the loaded settings to the end of the loop. */
static int sandbox_run(struct sandbox *sandbox, const char *listen)
{
    sandbox->loop = loop_new();
    sandbox->client =
        http_client_new(sandbox->loop, "WooCommerce/11.0.1 Hookshot (WordPress/7.0.4)");
    sandbox->people = people_new();
    sandbox->grants = grants_new();
    sandbox->deliveries = deliveries_new(sandbox);
    sandbox->news = news_new(sandbox);
    sandbox->many = many_new(sandbox);
    sandbox->patience = loop_timer_new(sandbox->loop, stop_now, sandbox);
    sandbox->quiet = loop_timer_new(sandbox->loop, stop_when_quiet, sandbox);
    set_manners(&sandbox->manners);
    sandbox->faults.seed = 1;
    sandbox->faults.shop_status = 503;
    sandbox->faults.miro_status = 503;
    sandbox->faults.retry_after_ms = RETRY_AFTER_MS;
    if (open_server(sandbox, listen) != 0)
        return EXIT_FAILED;
    open_shops(sandbox);
    loop_signal(sandbox->loop, SIGTERM, stop, sandbox);
    loop_signal(sandbox->loop, SIGINT, stop, sandbox);
    loop_signal(sandbox->loop, SIGHUP, reload, sandbox);
    log_info("sandbox", "listening", LOG_S("url", sandbox->origin),
             LOG_I("shops", sandbox->shop_count + sandbox->stand_count));
    loop_run(sandbox->loop);
    log_info("sandbox", "stopped");
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    static struct sandbox sandbox;
    struct options options;
    struct buf errors = {0};
    options_parse(argc, argv, usage, specs, &options);
    const char *listen = options_value(&options, "--listen");
    int code = EXIT_USAGE;
    if (options.argument_count > 0)
        fprintf(stderr, "purchase-sandbox: unexpected argument %s\n", options.arguments[0]);
    else if (!is_loopback(listen))
        fprintf(stderr,
                "purchase-sandbox: --listen %s: only the loopback interface is served; expected "
                "127.0.0.1:PORT, localhost:PORT or [::1]:PORT\n",
                listen);
    else if ((sandbox.settings = settings_load(options.config, &errors)) == NULL) {
        fprintf(stderr, "%s", errors.data);
        code = EXIT_CONFIG;
    } else {
        code = sandbox_run(&sandbox, listen);
        sandbox_close(&sandbox);
    }
    buf_free(&errors);
    options_free(&options);
    return code;
}
