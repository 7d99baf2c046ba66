/*
 * purchasectl: the operator's tool. A verb is a row of the table below.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/harden.h"
#include "base/log.h"
#include "base/mem.h"
#include "verbs.h"

struct verb {
    const char *noun, *word; /* `word` NULL: the noun alone is the verb */
    const char *arguments;   /* for people */
    size_t least, most;      /* arguments */
    const char *options;     /* "|--dry-run|...|": what it takes beside --json */
    enum ctl_needs needs;
    verb_run *run;
};

#define MANY ((size_t)-1)

static const struct verb verbs[] = {
    {"migrate", NULL, "", 0, 0, "", NEEDS_DATABASE, migrate_run},
    {"doctor", NULL, "", 0, 0, "", NEEDS_OPTIONS, doctor_run},
    {"catalog", "apply", "FILE", 1, 1, "|--dry-run|--max-revoke|", NEEDS_STORE, catalog_apply_run},
    {"catalog", "show", "[VERSION]", 0, 1, "", NEEDS_STORE, catalog_show_run},
    {"catalog", "rollback", "[VERSION]", 0, 1, "|--dry-run|--max-revoke|", NEEDS_STORE,
     catalog_rollback_run},
    {"user", "show", "ID|EMAIL|-", 1, 1, "", NEEDS_STORE, user_show_run},
    {"order", "show", "SOURCE ID", 2, 2, "", NEEDS_STORE, order_show_run},
    {"order", "refresh", "SOURCE ID", 2, 2, "|--wait|", NEEDS_STORE, order_refresh_run},
    {"order", "assign", "SOURCE ID USER", 3, 3, "|--why|", NEEDS_STORE, order_assign_run},
    {"order", "unassign", "SOURCE ID", 2, 2, "|--why|", NEEDS_STORE, order_unassign_run},
    {"explain", NULL, "ID|EMAIL|- KEY", 2, 2, "", NEEDS_STORE, explain_run},
    {"deliveries", "list", "", 0, 0, "|--state|--limit|", NEEDS_STORE, deliveries_list_run},
    {"deliveries", "show", "ID", 1, 1, "", NEEDS_STORE, deliveries_show_run},
    {"deliveries", "replay", "ID...", 1, MANY, "", NEEDS_STORE, deliveries_replay_run},
    {"grant", NULL, "ID|EMAIL|- KEY", 2, 2, "|--until|--why|", NEEDS_STORE, grant_run},
    {"revoke", NULL, "GRANT", 1, 1, "|--why|", NEEDS_STORE, revoke_run},
    {"link", NULL, "ID EMAIL|-", 2, 2, "|--why|--take|", NEEDS_SEALING, link_run},
    {"unlink", NULL, "EMAIL|-", 1, 1, "|--why|", NEEDS_STORE, unlink_run},
    {"transfer", NULL, "FROM TO", 2, 2, "|--why|--dry-run|", NEEDS_STORE, transfer_run},
    {"import", "orders", "FILE|-", 1, 1, "|--dry-run|", NEEDS_STORE, import_orders_run},
    {"import", "links", "FILE|-", 1, 1, "|--dry-run|", NEEDS_STORE, import_links_run},
    {"import", "grants", "FILE|-", 1, 1, "|--dry-run|", NEEDS_STORE, import_grants_run},
    {"rebuild", NULL, "", 0, 0, "|--check|", NEEDS_STORE, rebuild_run},
    {"trigger", NULL, "SOURCE EVENT", 2, 2, "|--email|--product|--order|", NEEDS_STORE,
     trigger_run},
    {"keys", "new", "[KID]", 0, 1, "", NEEDS_SETTINGS, keys_new_run},
    {"keys", "promote", "KID", 1, 1, "|--force|", NEEDS_DATABASE, keys_promote_run},
    {"keys", "rewrap", "", 0, 0, "|--force|", NEEDS_STORE, keys_rewrap_run},
    {"keys", "start-over", "", 0, 0, "|--lose-sealed|--why|", NEEDS_DATABASE, keys_start_over_run},
    {"keys", NULL, "", 0, 0, "", NEEDS_DATABASE, keys_run},
};

static const struct option_spec specs[] = {
    {"--json", NULL, "answer in JSON", NULL},
    {"--dry-run", NULL, "catalog, import, transfer: show what would change, change nothing", NULL},
    {"--max-revoke", "PERCENT",
     "catalog: share of the entitled buyers that may lose a key (5 unless told)", NULL},
    {"--state", "STATE", "deliveries list: pending, leased, done or set_aside", NULL},
    {"--limit", "N", "deliveries list: how many, the latest first (50 unless told)", NULL},
    {"--wait", "SECONDS", "order refresh: how long for the worker (30 unless told; 0: not at all)",
     NULL},
    {"--until", "TIME", "grant: when it ends, 2026-12-31 or 2026-12-31T18:00:00Z", NULL},
    {"--why", "REASON",
     "grant, revoke, link, unlink, order assign, unassign, transfer, keys start-over: kept in the"
     " records",
     NULL},
    {"--take", NULL, "link: even if somebody else holds the address", NULL},
    {"--check", NULL, "rebuild: change nothing, fail on any drift", NULL},
    {"--force", NULL, "keys: even if a program that is alive does not hold the key yet", NULL},
    {"--lose-sealed", NULL, "keys start-over: give up what no key of the keyring opens", NULL},
    {"--email", "ADDRESS", "trigger: the buyer's; - reads it from standard input", NULL},
    {"--product", "ID", "trigger: what is bought; the catalogue's first for the source unless told",
     NULL},
    {"--order", "ID", "trigger: the order; a new one unless told", NULL},
    {NULL, NULL, NULL, NULL},
};

/* The usage text: a line for each verb. */
static void usage_write(struct buf *out)
{
    buf_puts(out, "usage: purchasectl [--config FILE] VERB [ARGUMENTS] [OPTIONS]\n\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        const struct verb *verb = &verbs[i];

        buf_printf(out, "  %s%s%s %s\n", verb->noun, verb->word == NULL ? "" : " ",
                   verb->word == NULL ? "" : verb->word, verb->arguments);
    }
    buf_puts(out, "\nA lone - reads an address (import: the file) from standard input, so that no "
                  "list of processes shows it.\n"
                  "Exit: 0 done, 1 failed, 2 bad usage, 78 bad configuration.\n");
}

/* The verb that the first words name, or NULL; *words tells how many they were. */
static const struct verb *verb_find(const struct options *options, size_t *words)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        const struct verb *verb = &verbs[i];

        if (options->argument_count == 0 || strcmp(options->arguments[0], verb->noun) != 0)
            continue;
        *words = verb->word == NULL ? 1 : 2;
        if (verb->word == NULL ||
            (options->argument_count > 1 && strcmp(options->arguments[1], verb->word) == 0))
            return verb;
    }
    return NULL;
}

/* Whether a verb takes the option. */
static bool verb_takes(const struct verb *verb, const char *option)
{
    char wanted[32];

    snprintf(wanted, sizeof(wanted), "|%s|", option);
    return strcmp(option, "--json") == 0 || strstr(verb->options, wanted) != NULL;
}

/* Refuses options of other verbs, and a wrong number of arguments. */
static enum exit_code verb_check(const struct verb *verb, const struct options *options,
                                 size_t words)
{
    size_t count = options->argument_count - words;

    for (const struct option_spec *spec = specs; spec->name != NULL; spec++) {
        bool given = spec->value == NULL ? options_flag(options, spec->name)
                                         : options_value(options, spec->name) != NULL;

        if (given && !verb_takes(verb, spec->name))
            return ctl_fail(EXIT_USAGE, "%s%s%s does not take %s", verb->noun,
                            verb->word == NULL ? "" : " ", verb->word == NULL ? "" : verb->word,
                            spec->name);
    }
    if (count < verb->least || count > verb->most)
        return ctl_fail(EXIT_USAGE, "usage: purchasectl %s%s%s %s", verb->noun,
                        verb->word == NULL ? "" : " ", verb->word == NULL ? "" : verb->word,
                        verb->arguments);
    return EXIT_DONE;
}

/* Opens what the verb needs, runs it, closes. */
static enum exit_code verb_call(const struct verb *verb, const struct options *options,
                                size_t words)
{
    struct ctl ctl = {
        .options = options,
        .arguments = options->arguments + words,
        .argument_count = options->argument_count - words,
        .json = options_flag(options, "--json"),
        .now = clock_now(),
    };
    enum exit_code code = verb_check(verb, options, words);

    if (code == EXIT_DONE)
        code = ctl_open(&ctl, verb->needs);
    if (code == EXIT_DONE)
        code = verb->run(&ctl);
    ctl_close(&ctl);
    return code;
}

/* A verb that says success must have been heard: a full disk behind stdout is a failure. */
static enum exit_code output_end(enum exit_code code)
{
    if ((ferror(stdout) || fflush(stdout) != 0) && code == EXIT_DONE)
        return ctl_fail(EXIT_FAILED, "standard output cannot be written");
    return code;
}

int main(int argc, char **argv)
{
    struct options options;
    struct buf usage = {0};
    const struct verb *verb;
    enum exit_code code;
    size_t words = 0;

    log_set_level(LOG_WARN);
    harden_memory("purchasectl");
    usage_write(&usage);
    options_parse(argc, argv, usage.data, specs, &options);
    buf_free(&usage);
    db_library_begin();
    verb = verb_find(&options, &words);
    if (verb == NULL)
        code = ctl_fail(EXIT_USAGE, "%s: see purchasectl --help",
                        options.argument_count == 0 ? "which verb?" : "there is no such verb");
    else
        code = verb_call(verb, &options, words);
    db_library_end();
    options_free(&options);
    return (int)output_end(code);
}
