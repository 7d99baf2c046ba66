/*
 * The command line that all programs share: --config FILE, --help, --version, then verbs and the
 * options each verb declares. Exit codes are part of the contract.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

struct option_spec {
    const char *name;  /* "--json"; NULL ends the table */
    const char *value; /* NULL: a switch; else what to call its value in --help */
    const char *help;
    const char *fallback; /* NULL: none */
};

struct options {
    const char *config;     /* default /etc/purchase-sync/purchase-sync.conf */
    const char **arguments; /* what is no option, in order; NULL-terminated */
    size_t argument_count;
    const struct option_spec *specs;
    const char **values; /* of the specs, by index */
};

/*
 * Parses argv. Prints help (usage text, then the specs) or version and exits 0 if asked; prints
 * what is wrong and exits 2 on an unknown option, a missing value, or a switch given a value. `--`
 * ends options; a lone `-` is an argument.
 */
void options_parse(int argc, char **argv, const char *usage, const struct option_spec *specs,
                   struct options *out);
bool options_flag(const struct options *options, const char *name);
const char *options_value(const struct options *options, const char *name); /* NULL or fallback */
void options_free(struct options *options);

#endif
