#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "grant.h"
#include "person.h"
#include "route.h"
#include "template.h"

/*
 * Miro as a person sees it: the page that asks whether an app may be installed, and the page that
 * says it is. Who is signed in to Miro is the cookie that the sandbox's own page sets.
 */

#define SIGNED_IN_COOKIE "sandbox_user="

/* What an app asks for, checked. */
struct request_for_access {
    const struct settings_miro *app;
    char *redirect_uri;
    char *state; /* NULL: none was sent */
    char *team;  /* pre-selected, or NULL */
};

/* Releases the strings. */
static void request_free(struct request_for_access *wish)
{
    free(wish->redirect_uri);
    free(wish->state);
    free(wish->team);
}

/* An HTML answer that no other site may frame, and that runs only our own script. */
static void reply_html(struct visit *visit, int status, const char *form_targets,
                       const struct buf *body)
{
    struct buf headers = {0};
    buf_printf(&headers,
               "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
               "X-Content-Type-Options: nosniff\r\nReferrer-Policy: same-origin\r\n"
               "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; "
               "img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'%s\r\n",
               form_targets);
    http_respond(visit->request, status, headers.data, body->data, body->len);
    buf_free(&headers);
}

/* Miro shows a page and sends nobody anywhere when the request itself is wrong. */
static void reply_error_page(struct visit *visit, const char *what)
{
    struct buf body = {0};
    template_fill("error.html", (const struct template_value[]){{"WHAT", what}, {NULL, NULL}},
                  &body);
    reply_html(visit, 400, "", &body);
    buf_free(&body);
}

/* Exactly, to the last slash. */
static bool redirect_registered(const struct sandbox *sandbox, const char *uri)
{
    struct buf own = {0};
    buf_printf(&own, "%s/oauth/callback", sandbox->settings->server.public_url);
    bool found = strcmp(own.data, uri) == 0;
    buf_free(&own);
    for (size_t i = 0; !found && i < sandbox->manners.redirect_count; i++)
        found = strcmp(sandbox->manners.redirect_uris[i], uri) == 0;
    return found;
}

/* Checks the parameters of the query; false after answering. */
static bool request_read(struct visit *visit, struct request_for_access *wish)
{
    char *type = visit_query(visit, "response_type");
    char *client = visit_query(visit, "client_id");
    const char *wrong = NULL;
    wish->redirect_uri = visit_query(visit, "redirect_uri");
    wish->state = visit_query(visit, "state");
    wish->team = visit_query(visit, "team_id");
    if (client != NULL)
        wish->app = settings_miro_by_client(visit->sandbox->settings, client);
    if (type == NULL || client == NULL || wish->redirect_uri == NULL)
        wrong = "Required parameters are response_type, client_id and redirect_uri.";
    else if (strcmp(type, "code") != 0)
        wrong = "The response_type must be code.";
    else if (wish->app == NULL)
        wrong = "There is no app with this client_id.";
    else if (!redirect_registered(visit->sandbox, wish->redirect_uri))
        wrong = "The redirect_uri is not one of the app's, to the letter.";
    if (wish->state != NULL && wish->state[0] == '\0')
        xfree(wish->state);
    free(type);
    free(client);
    if (wrong != NULL)
        reply_error_page(visit, wrong);
    return wrong == NULL;
}

/* The id in the cookie of the person who is signed in, or NULL. */
static char *signed_in(const struct visit *visit)
{
    char *cookies = http_header_text(visit->request, "Cookie");
    const char *at = cookies == NULL ? NULL : strstr(cookies, SIGNED_IN_COOKIE);
    char *id = NULL;
    if (at != NULL) {
        at += strlen(SIGNED_IN_COOKIE);
        id = xstrndup(at, strcspn(at, "; "));
    }
    free(cookies);
    return id;
}

/* A radio button for a person in a team. */
static void put_choice(const struct person *person, const char *team, bool checked, struct buf *out)
{
    buf_puts(out, "<label class=\"choice\"><input type=\"radio\" name=\"who\" value=\"");
    buf_printf(out, "%s/%s\"%s>", person->id, team, checked ? " checked" : "");
    buf_puts(out, "<span class=\"choice-name\">");
    template_escape(person->name, out);
    buf_puts(out, "</span><span class=\"choice-team\">");
    template_escape(team_name(team), out);
    buf_puts(out, "</span><span class=\"choice-mail\">");
    template_escape(person->address == NULL ? "no e-mail shared" : person->address, out);
    buf_puts(out, "</span></label>");
}

/* The teams of those people who are (or are not) the one signed in. */
static void put_choices(const struct visit *visit, const struct person *first, bool others,
                        const char *team, struct buf *out)
{
    const struct person *person;
    for (size_t i = 0; (person = people_at(visit->sandbox->people, i)) != NULL; i++) {
        if ((person == first) == others)
            continue;
        bool fits = team != NULL && person_in_team(person, team);
        for (size_t t = 0; t < person->team_count; t++)
            put_choice(person, person->teams[t],
                       !others && (fits ? strcmp(person->teams[t], team) == 0 : t == 0), out);
    }
}

/* " ORIGIN ORIGIN": where the form's answer may lead the browser. */
static void form_targets(const struct request_for_access *wish, struct buf *out)
{
    const char *urls[] = {wish->redirect_uri, wish->app->completed_url};
    for (size_t i = 0; i < 2; i++) {
        const char *host = strstr(urls[i], "://");
        size_t len = host == NULL ? 0 : (size_t)(host - urls[i]) + 3 + strcspn(host + 3, "/?#");
        if (len > 0 && memchr(urls[i], ';', len) == NULL && memchr(urls[i], ' ', len) == NULL)
            buf_printf(out, " %.*s", (int)len, urls[i]);
    }
}

/* GET /oauth/authorize. */
static void authorize_get(struct visit *visit)
{
    struct request_for_access wish = {0};
    if (request_read(visit, &wish)) {
        struct buf own = {0};
        struct buf others = {0};
        struct buf body = {0};
        struct buf targets = {0};
        char *id = signed_in(visit);
        const struct person *first = people_find(visit->sandbox->people, id);
        if (first == NULL)
            first = people_at(visit->sandbox->people, 0);
        put_choices(visit, first, false, wish.team, &own);
        put_choices(visit, first, true, wish.team, &others);
        template_fill("authorize.html",
                      (const struct template_value[]){{"CLIENT", wish.app->client_id},
                                                      {"QUERY", http_query(visit->request)},
                                                      {"NAME", first->name},
                                                      {"OWN", own.data},
                                                      {"OTHERS", others.data},
                                                      {NULL, NULL}},
                      &body);
        form_targets(&wish, &targets);
        reply_html(visit, 200, targets.data, &body);
        free(id);
        buf_free(&own);
        buf_free(&others);
        buf_free(&body);
        buf_free(&targets);
    }
    request_free(&wish);
}

/* GET /app-install/: Miro starts the install itself, with no state of the app's. */
static void install_get(struct visit *visit)
{
    const struct sandbox *sandbox = visit->sandbox;
    char *client = visit_query(visit, "client_id");
    char *redirect = visit_query(visit, "redirect_uri");
    struct buf own = {0};
    struct buf url = {0};
    buf_printf(&own, "%s/oauth/callback", sandbox->settings->server.public_url);
    if (client == NULL)
        client = xstrdup(sandbox->settings->miro[0].client_id);
    if (redirect == NULL)
        redirect = xstrdup(own.data);
    buf_puts(&url, "/oauth/authorize?response_type=code&client_id=");
    buf_url_encode(&url, client, strlen(client));
    buf_puts(&url, "&redirect_uri=");
    buf_url_encode(&url, redirect, strlen(redirect));
    reply_redirect(visit, url.data);
    free(client);
    free(redirect);
    buf_free(&own);
    buf_free(&url);
}

/* The person and team that the form chose; NULL if there is no such pair. */
static struct person *chosen(struct visit *visit, char **team)
{
    char *who = visit_param(visit, "who");
    char *user = visit_param(visit, "user");
    char *slash = who == NULL ? NULL : strchr(who, '/');
    *team = visit_param(visit, "team");
    if (slash != NULL) {
        free(*team);
        free(user);
        *team = xstrdup(slash + 1);
        user = xstrndup(who, (size_t)(slash - who));
    }
    struct person *person = people_find(visit->sandbox->people, user);
    free(who);
    free(user);
    return person != NULL && person_in_team(person, *team) ? person : NULL;
}

/* Appends "name=value" to the redirect URI, which may have a query already. */
static void add(struct buf *url, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_printf(url, "%c%s=", strchr(url->data, '?') == NULL ? '?' : '&', name);
    buf_url_encode(url, value, strlen(value));
}

/* POST /oauth/authorize: allow or deny. */
static void authorize_post(struct visit *visit)
{
    struct request_for_access wish = {0};
    char *team = NULL;
    char *decision = visit_param(visit, "decision");
    struct buf url = {0};
    if (request_read(visit, &wish)) {
        const struct person *person = chosen(visit, &team);
        bool allow = decision != NULL && strcmp(decision, "allow") == 0;
        buf_puts(&url, wish.redirect_uri);
        if (allow && person != NULL) {
            int64_t ends = clock_now() + visit->sandbox->manners.code_seconds * TIME_SECOND;
            add(&url, "code",
                grant_code(visit->sandbox->grants, wish.app->client_id, person->id, team,
                           wish.redirect_uri, ends));
            add(&url, "state", wish.state);
            add(&url, "client_id", wish.app->client_id);
            add(&url, "team_id", team);
            reply_redirect(visit, url.data);
        } else if (allow) {
            reply_error_page(visit, "Choose a person and one of that person's teams.");
        } else {
            add(&url, "error", "access_denied");
            add(&url, "state", wish.state);
            reply_redirect(visit, url.data);
        }
    }
    request_free(&wish);
    free(team);
    free(decision);
    buf_wipe(&url);
}

/* GET /app-install-completed/: where the front sends the browser at the end. */
static void completed_get(struct visit *visit)
{
    struct buf body = {0};
    char *team = visit_query(visit, "team_id");
    template_fill("completed.html",
                  (const struct template_value[]){
                      {"TEAM", team == NULL ? "your team" : team_name(team)}, {NULL, NULL}},
                  &body);
    reply_html(visit, 200, "", &body);
    free(team);
    buf_free(&body);
}

const struct route miro_page_routes[] = {
    {"GET", "/oauth/authorize", ROUTE_OPEN, authorize_get},
    {"POST", "/oauth/authorize", ROUTE_OPEN, authorize_post},
    {"GET", "/app-install/", ROUTE_OPEN, install_get},
    {"GET", "/app-install", ROUTE_OPEN, install_get},
    {"GET", "/app-install-completed/", ROUTE_OPEN, completed_get},
    {"GET", "/app-install-completed", ROUTE_OPEN, completed_get},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
