#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "delivery.h"
#include "disturb.h"
#include "grant.h"
#include "manners.h"
#include "miro/id_token.h"
#include "news.h"
#include "person.h"
#include "route.h"
#include "stand.h"
#include "woo_json.h"
#include "woo_shop.h"

/*
 * The knobs of the stand-in Miro and of the faults: what the page calls, and what tests turn.
 */

#define SECONDS_MOST (INT64_C(10) * 365 * 86400)

/* Members of faults and manners that are plain numbers, with what they may be. */
struct number_knob {
    const char *name;
    size_t offset;
    int64_t least, most;
};

static const struct number_knob fault_knobs[] = {
    {"drop", offsetof(struct faults, drop), 0, 1000000},
    {"duplicate", offsetof(struct faults, duplicate), 0, 1000000},
    {"delay", offsetof(struct faults, delay), 0, 1000000},
    {"delay_ms", offsetof(struct faults, delay_ms), 0, 600000},
    {"corrupt", offsetof(struct faults, corrupt), 0, 1000000},
    {"cannot_view", offsetof(struct faults, cannot_view), 0, 1000000},
    {"miro_calls", offsetof(struct faults, miro_calls), 0, 1000000},
    {"miro_status", offsetof(struct faults, miro_status), 400, 599},
    {"shop_calls", offsetof(struct faults, shop_calls), 0, 1000000},
    {"shop_status", offsetof(struct faults, shop_status), 200, 599},
    {"seed", offsetof(struct faults, seed), 0, INT32_MAX},
    {"lose_percent", offsetof(struct faults, lose_percent), 0, 100},
    {"duplicate_percent", offsetof(struct faults, duplicate_percent), 0, 100},
    {"tamper_percent", offsetof(struct faults, tamper_percent), 0, 100},
    {"delay_percent", offsetof(struct faults, delay_percent), 0, 100},
    {"busy_percent", offsetof(struct faults, busy_percent), 0, 100},
    {"error_percent", offsetof(struct faults, error_percent), 0, 100},
    {"retry_after_ms", offsetof(struct faults, retry_after_ms), 0, 600000},
    {"reorder", offsetof(struct faults, reorder), 0, SANDBOX_REORDER},
    {"page_under_writes", offsetof(struct faults, page_under_writes), 0, 1000},
    {"calls", offsetof(struct faults, calls), 0, INT32_MAX},
};

static const struct number_knob manner_knobs[] = {
    {"token_seconds", offsetof(struct miro_manners, token_seconds), 1, SECONDS_MOST},
    {"id_token_seconds", offsetof(struct miro_manners, id_token_seconds), 1, SECONDS_MOST},
    {"code_seconds", offsetof(struct miro_manners, code_seconds), 1, SECONDS_MOST},
    {"rate_limit", offsetof(struct miro_manners, rate_limit), 0, 1000000000},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The number that a row of a table stands for. */
static int64_t *number_at(void *base, const struct number_knob *knob)
{
    return (int64_t *)(void *)((char *)base + knob->offset);
}

/* Sets what the input names; false after answering. */
static bool set_numbers(struct visit *visit, const struct number_knob *knobs, size_t count,
                        void *base)
{
    for (size_t i = 0; i < count; i++) {
        if (!tree_has(visit->input, knobs[i].name))
            continue;
        int64_t number = tree_get_number(visit->input, knobs[i].name, INT64_MIN);
        if (number < knobs[i].least || number > knobs[i].most) {
            struct buf detail = {0};
            buf_printf(&detail, "%s: expected a number from %lld to %lld", knobs[i].name,
                       (long long)knobs[i].least, (long long)knobs[i].most);
            reply_bad(visit, detail.data);
            buf_free(&detail);
            return false;
        }
        *number_at(base, &knobs[i]) = number;
    }
    return true;
}

/* The numbers of a table. */
static struct json_object *numbers_tree(const struct number_knob *knobs, size_t count, void *base)
{
    struct json_object *tree = tree_object();
    for (size_t i = 0; i < count; i++)
        tree_number(tree, knobs[i].name, *number_at(base, &knobs[i]));
    return tree;
}

/* GET /sandbox/api/faults: what is left of them. */
static void faults_get(struct visit *visit)
{
    struct faults *faults = &visit->sandbox->faults;
    struct json_object *tree = numbers_tree(fault_knobs, COUNT(fault_knobs), faults);
    tree_bool(tree, "hold", faults->hold);
    tree_text(tree, "api_mode", api_mode_name(faults->api_mode));
    reply_json(visit, tree);
}

/* POST /sandbox/api/faults: sets what is named, answers all. */
static void faults_post(struct visit *visit)
{
    struct faults *faults = &visit->sandbox->faults;
    const char *mode = tree_get_text(visit->input, "api_mode");
    if (mode != NULL && !api_mode_of(mode, &faults->api_mode)) {
        reply_bad(visit, "api_mode: expected truth, empty, html, refunded or gone");
        return;
    }
    if (mode != NULL)
        faults->api_mode_since = clock_now();
    if (!set_numbers(visit, fault_knobs, COUNT(fault_knobs), faults))
        return;
    faults->hold = tree_get_bool(visit->input, "hold", faults->hold);
    faults_get(visit);
}

/* "truth", "absent", or a number. */
static bool set_expiry(struct visit *visit)
{
    struct miro_manners *manners = &visit->sandbox->manners;
    if (!tree_has(visit->input, "expires_in"))
        return true;
    const char *text = tree_get_text(visit->input, "expires_in");
    int64_t number = tree_get_number(visit->input, "expires_in", INT64_MIN);
    if (number != INT64_MIN && number >= -1 && number <= SECONDS_MOST)
        manners->expires_in = number;
    else if (text != NULL && strcmp(text, "truth") == 0)
        manners->expires_in = EXPIRES_TRUTH;
    else if (text != NULL && strcmp(text, "absent") == 0)
        manners->expires_in = EXPIRES_ABSENT;
    else {
        reply_bad(visit, "expires_in: expected \"truth\", \"absent\" or a number");
        return false;
    }
    return true;
}

/* The redirect URIs that the app has in its settings, besides the front's. */
static bool set_redirects(struct visit *visit)
{
    struct miro_manners *manners = &visit->sandbox->manners;
    struct json_object *list = tree_get_array(visit->input, "redirect_uris");
    if (list == NULL)
        return true;
    size_t count = json_object_array_length(list);
    for (size_t i = 0; i < count; i++) {
        const char *uri = json_object_get_string(json_object_array_get_idx(list, i));
        if (count > SANDBOX_REDIRECTS || uri == NULL || strncmp(uri, "http", 4) != 0 ||
            strpbrk(uri, "\r\n ;") != NULL) {
            reply_bad(visit, "redirect_uris: expected at most 16 URLs");
            return false;
        }
    }
    for (size_t i = 0; i < manners->redirect_count; i++)
        free(manners->redirect_uris[i]);
    manners->redirect_count = 0;
    for (size_t i = 0; i < count; i++)
        manners->redirect_uris[manners->redirect_count++] =
            xstrdup(json_object_get_string(json_object_array_get_idx(list, i)));
    return true;
}

/* POST /sandbox/api/miro: how Miro behaves from now on. */
static void miro_post(struct visit *visit)
{
    struct miro_manners *manners = &visit->sandbox->manners;
    if (!set_numbers(visit, manner_knobs, COUNT(manner_knobs), manners) || !set_expiry(visit) ||
        !set_redirects(visit))
        return;
    manners->team_as_number =
        tree_get_bool(visit->input, "team_as_number", manners->team_as_number);
    manners->no_refresh_token =
        tree_get_bool(visit->input, "no_refresh_token", manners->no_refresh_token);
    if (tree_has(visit->input, "profile_as")) {
        const char *user = tree_get_text(visit->input, "profile_as");
        free(manners->profile_as);
        manners->profile_as = user == NULL ? NULL : xstrdup(user);
    }
    reply_json(visit, numbers_tree(manner_knobs, COUNT(manner_knobs), manners));
}

/* A person with the number of its living grants. */
static struct json_object *user_tree(const struct visit *visit, const struct person *person)
{
    struct json_object *tree = person_tree(person);
    tree_number(tree, "grants", (int64_t)grant_count(visit->sandbox->grants, person->id));
    return tree;
}

/* All people. */
static struct json_object *users_tree(const struct visit *visit)
{
    struct json_object *list = tree_array();
    const struct person *person;
    for (size_t i = 0; (person = people_at(visit->sandbox->people, i)) != NULL; i++)
        tree_add(list, user_tree(visit, person));
    return list;
}

/* GET /sandbox/api/users. */
static void users_get(struct visit *visit)
{
    struct json_object *tree = tree_object();
    tree_put(tree, "users", users_tree(visit));
    reply_json(visit, tree);
}

/* POST /sandbox/api/users: adds or changes one. */
static void users_post(struct visit *visit)
{
    const char *error = NULL;
    const struct person *person = people_change(visit->sandbox->people, visit->input, &error);
    if (person == NULL)
        reply_bad(visit, error);
    else
        reply_json(visit, user_tree(visit, person));
}

/* The configured app that the input names by client_id, or the first. */
static const struct settings_miro *app_of(const struct visit *visit)
{
    const char *client = tree_get_text(visit->input, "client_id");
    const struct settings *settings = visit->sandbox->settings;
    return client == NULL ? &settings->miro[0] : settings_miro_by_client(settings, client);
}

/* POST /sandbox/api/id-token {user, team[, client_id, seconds]}: miro.board.getIdToken(). */
static void id_token_post(struct visit *visit)
{
    const struct settings_miro *app = app_of(visit);
    const struct person *person =
        people_find(visit->sandbox->people, tree_get_text(visit->input, "user"));
    const char *team = tree_get_text(visit->input, "team");
    int64_t seconds =
        tree_get_number(visit->input, "seconds", visit->sandbox->manners.id_token_seconds);
    if (person != NULL && team == NULL && person->team_count > 0)
        team = person->teams[0];
    if (app == NULL || person == NULL || team == NULL) {
        reply_bad(visit, "expected a known user, a team, and a configured client_id or none");
        return;
    }
    int64_t now = clock_now();
    int64_t ends = now + seconds * TIME_SECOND;
    struct buf token = {0};
    id_token_mint(app, person->id, team, now, ends, &token);
    struct json_object *tree = tree_object();
    tree_text(tree, "token", token.data);
    tree_time(tree, "expires_at", ends);
    tree_number(tree, "seconds", seconds);
    buf_wipe(&token);
    reply_json(visit, tree);
}

/* POST /sandbox/api/uninstall {user[, team]}: tokens stop working, and nobody is told. */
static void uninstall_post(struct visit *visit)
{
    const char *user = tree_get_text(visit->input, "user");
    struct json_object *tree = tree_object();
    size_t count = user == NULL ? 0
                                : grant_revoke_user(visit->sandbox->grants, user,
                                                    tree_get_text(visit->input, "team"));
    tree_number(tree, "revoked", (int64_t)count);
    reply_json(visit, tree);
}

/* POST /sandbox/api/expire {user}: the hour of the access tokens is over. */
static void expire_post(struct visit *visit)
{
    const char *user = tree_get_text(visit->input, "user");
    struct json_object *tree = tree_object();
    size_t count = user == NULL ? 0 : grant_expire_user(visit->sandbox->grants, user, clock_now());
    tree_number(tree, "expired", (int64_t)count);
    reply_json(visit, tree);
}

/* The shops that stand here, with what they sell. */
static struct json_object *shops_tree(const struct sandbox *sandbox)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sandbox->shop_count; i++) {
        struct json_object *tree = tree_object();
        struct json_object *products = tree_array();
        tree_text(tree, "source", sandbox->shops[i]->source);
        tree_text(tree, "home", sandbox->shops[i]->home);
        for (size_t p = 0; p < woo_product_count; p++)
            tree_add(products, woo_product_tree(&woo_products[p]));
        tree_put(tree, "products", products);
        tree_add(list, tree);
    }
    return list;
}

/* The shops of the other providers. */
static struct json_object *stands_tree(const struct sandbox *sandbox)
{
    struct json_object *list = tree_array();
    for (size_t i = 0; i < sandbox->stand_count; i++) {
        struct json_object *tree = tree_object();
        tree_text(tree, "source", sandbox->stands[i]->source);
        tree_text(tree, "provider", provider_name(sandbox->stands[i]->stand->provider));
        tree_text(tree, "home", sandbox->stands[i]->home);
        tree_add(list, tree);
    }
    return list;
}

/* GET /sandbox/api/state: what the page needs to begin. */
static void state_get(struct visit *visit)
{
    const struct sandbox *sandbox = visit->sandbox;
    struct json_object *tree = tree_object();
    tree_text(tree, "public_url", sandbox->settings->server.public_url);
    tree_text(tree, "client_id", sandbox->settings->miro[0].client_id);
    tree_put(tree, "users", users_tree(visit));
    tree_put(tree, "shops", shops_tree(sandbox));
    tree_put(tree, "stands", stands_tree(sandbox));
    reply_json(visit, tree);
}

const struct route knob_routes[] = {
    {"GET", "/sandbox/api/state", ROUTE_OPEN, state_get},
    {"GET", "/sandbox/api/activity", ROUTE_OPEN, news_visit},
    {"GET", "/sandbox/api/users", ROUTE_OPEN, users_get},
    {"POST", "/sandbox/api/users", ROUTE_KNOB, users_post},
    {"POST", "/sandbox/api/id-token", ROUTE_KNOB, id_token_post},
    {"POST", "/sandbox/api/uninstall", ROUTE_KNOB, uninstall_post},
    {"POST", "/sandbox/api/expire", ROUTE_KNOB, expire_post},
    {"POST", "/sandbox/api/miro", ROUTE_KNOB, miro_post},
    {"GET", "/sandbox/api/faults", ROUTE_OPEN, faults_get},
    {"POST", "/sandbox/api/faults", ROUTE_KNOB, faults_post},
    {NULL, NULL, ROUTE_OPEN, NULL},
};
