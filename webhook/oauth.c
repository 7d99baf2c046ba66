#include "oauth.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "install.h"
#include "miro/miro.h"
#include "oauth_page.h"
#include "oauth_state.h"
#include "query.h"

/* The app that a link without a name means: [miro], or the first one. */
static const struct settings_miro *oauth_default_app(const struct settings *settings)
{
    const struct settings_miro *app = settings_miro_by_name(settings, "");
    return app ? app : &settings->miro[0];
}

/* Sends the browser to Miro with a state, and binds the state to the browser by a cookie. */
static void oauth_send(struct front *front, struct http_request *request,
                       const struct settings_miro *app)
{
    const struct settings *settings = front->settings;
    bool secure = strncmp(settings->server.public_url, "https:", 6) == 0;
    struct buf headers = {0}, state = {0}, redirect_uri = {0};

    oauth_headers(&headers);
    oauth_state_make(front->engine->vault, app->name, secure, clock_now(), &state, &headers);
    install_redirect_uri(settings, &redirect_uri);
    buf_puts(&headers, "Location: ");
    miro_authorize_url(app, redirect_uri.data, state.data, &headers);
    buf_puts(&headers, "\r\n");
    metrics_oauth(front->metrics, OAUTH_STARTED);
    front_answer(front, request, 302, headers.data, NULL, 0);
    buf_free(&redirect_uri);
    buf_free(&state);
    buf_free(&headers);
}

void oauth_start(struct front *front, struct http_request *request, const struct route_parts *parts)
{
    char *name = NULL;
    const struct settings_miro *app;
    (void)parts;

    if (query_once(http_query(request), "app", LIMIT_NAME, &name) != 0) {
        oauth_page(front, request, OAUTH_REQUEST_INVALID, NULL);
        return;
    }
    app = name ? settings_miro_by_name(front->settings, name) : oauth_default_app(front->settings);
    free(name);
    if (!app)
        oauth_page(front, request, OAUTH_UNKNOWN_APP, NULL);
    else if (!front->engine)
        oauth_page(front, request, OAUTH_UNAVAILABLE, NULL);
    else
        oauth_send(front, request, app);
}

/* The callback's parameters, each NULL if it is absent. */
struct parameters {
    char *code, *state, *error, *client_id, *team_id;
};

static void parameters_free(struct parameters *parameters)
{
    free(parameters->code);
    free(parameters->state);
    free(parameters->error);
    free(parameters->client_id);
    free(parameters->team_id);
}

/* None of them may stand twice: two readers could pick different ones. */
static int parameters_read(const char *query, struct parameters *out)
{
    const size_t most = LIMIT_OAUTH_PARAMETER;
    if (query_once(query, "code", most, &out->code) == 0 &&
        query_once(query, "state", most, &out->state) == 0 &&
        query_once(query, "error", most, &out->error) == 0 &&
        query_once(query, "client_id", most, &out->client_id) == 0 &&
        query_once(query, "team_id", most, &out->team_id) == 0)
        return 0;
    return -1;
}

/* Which app a callback is for: the state's, else the one it names, else the default. */
static const struct settings_miro *oauth_callback_app(const struct settings *settings,
                                                      const struct parameters *parameters,
                                                      const struct oauth_state *state)
{
    const struct settings_miro *app = NULL;
    if (state)
        return settings_miro_by_name(settings, state->app);
    if (parameters->client_id)
        app = settings_miro_by_client(settings, parameters->client_id);
    return app ? app : oauth_default_app(settings);
}

/* Verifies what came, and says what is wrong with it, or begins the install. */
static enum oauth_outcome oauth_accept(struct front *front, struct http_request *request,
                                       struct parameters *parameters, const char **why)
{
    struct oauth_state state;
    const struct settings_miro *app;

    *why = "";
    if (parameters->error)
        return OAUTH_DENIED;
    if (!parameters->code || parameters->code[0] == '\0')
        return OAUTH_CODE_MISSING;
    if (!front->engine || front->install_count >= LIMIT_OAUTH_IN_FLIGHT)
        return OAUTH_UNAVAILABLE;
    if (parameters->state && oauth_state_verify(front->engine->vault, parameters->state, request,
                                                clock_now(), &state, why) != 0)
        return OAUTH_STATE_INVALID;
    *why = "app";
    app = oauth_callback_app(front->settings, parameters, parameters->state ? &state : NULL);
    if (!app)
        return OAUTH_STATE_INVALID;
    *why = "";
    if (!installs_admit(front, request))
        return OAUTH_RATE_LIMITED;
    install_begin(front, request, app, parameters->code, parameters->state ? &state : NULL);
    parameters->code = NULL;
    return OAUTH_INSTALLED;
}

void oauth_callback(struct front *front, struct http_request *request,
                    const struct route_parts *parts)
{
    struct parameters parameters = {0};
    enum oauth_outcome outcome = OAUTH_REQUEST_INVALID;
    const char *why = "parameters";
    (void)parts;

    if (parameters_read(http_query(request), &parameters) == 0)
        outcome = oauth_accept(front, request, &parameters, &why);
    if (outcome != OAUTH_INSTALLED) {
        log_warn("oauth", oauth_outcome_name(outcome), LOG_S("request", http_request_id(request)),
                 LOG_S("why", why));
        oauth_page(front, request, outcome, NULL);
    }
    parameters_free(&parameters);
}
