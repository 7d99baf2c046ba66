#include "base/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CONFIG_DEFAULT "/etc/purchase-sync/purchase-sync.conf"
#define HELP_COLUMN 28

/* What every program takes. */
static const struct option_spec common_specs[] = {
    {"--config", "FILE", "the configuration file", CONFIG_DEFAULT},
    {"--help", NULL, "print this and exit", NULL},
    {"--version", NULL, "print the version and exit", NULL},
    {NULL, NULL, NULL, NULL},
};

static const char *program_name(const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    return slash != NULL ? slash + 1 : path != NULL ? path : "purchase-sync";
}

static void print_specs(const struct option_spec *specs)
{
    for (; specs->name != NULL; specs++) {
        int width = printf("  %s%s%s", specs->name, specs->value != NULL ? " " : "",
                           specs->value != NULL ? specs->value : "");
        printf("%*s%s", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "", specs->help);
        if (specs->fallback != NULL)
            printf(" (default: %s)", specs->fallback);
        putchar('\n');
    }
}

static void __attribute__((noreturn)) print_help(const char *usage, const struct option_spec *specs)
{
    printf("%s\n\nOptions:\n", usage);
    print_specs(common_specs);
    if (specs != NULL)
        print_specs(specs);
    exit(EXIT_DONE);
}

/* Says what is wrong and where help is; the exit code is the contract's. */
static void __attribute__((noreturn))
refuse(const char *program, const char *option, const char *fault)
{
    (void)fprintf(stderr, "%s: %s %s; try %s --help\n", program, option, fault, program);
    exit(EXIT_USAGE);
}

/* True if `argument` is the option `name`, alone or with "=value". */
static bool names_option(const char *argument, const char *name)
{
    size_t len = strlen(name);
    return strncmp(argument, name, len) == 0 && (argument[len] == '\0' || argument[len] == '=');
}

/* The place of the spec that `argument` names, or -1. */
static int find_spec(const struct option_spec *specs, const char *argument)
{
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++) {
        if (names_option(argument, specs[i].name))
            return i;
    }
    return -1;
}

/*
 * The value of the option at argv[*at], moving past it. A word that begins with two dashes is not
 * taken for a value: it is far more often a forgotten one (`--why=--x` still says it).
 */
static const char *option_value(char **argv, int *at, const char *program,
                                const struct option_spec *spec)
{
    const char *equals = strchr(argv[*at], '=');
    if (spec->value == NULL) {
        if (equals != NULL)
            refuse(program, spec->name, "takes no value");
        return "";
    }
    if (equals != NULL)
        return equals + 1;
    const char *next = argv[*at + 1];
    if (next == NULL || strncmp(next, "--", 2) == 0)
        refuse(program, spec->name, "needs a value");
    (*at)++;
    return next;
}

/* Takes the option at argv[*at] into `out`; help and version end the program here. */
static void take_option(char **argv, int *at, const char *program, const char *usage,
                        struct options *out)
{
    int index = find_spec(out->specs, argv[*at]);
    if (index >= 0) {
        out->values[index] = option_value(argv, at, program, &out->specs[index]);
        return;
    }
    index = find_spec(common_specs, argv[*at]);
    if (index < 0)
        refuse(program, argv[*at], "is no option of this program");
    const char *value = option_value(argv, at, program, &common_specs[index]);
    if (strcmp(common_specs[index].name, "--help") == 0)
        print_help(usage, out->specs);
    if (strcmp(common_specs[index].name, "--version") == 0) {
        printf("%s %s\n", program, PURCHASE_SYNC_VERSION);
        exit(EXIT_DONE);
    }
    out->config = value;
}

void options_parse(int argc, char **argv, const char *usage, const struct option_spec *specs,
                   struct options *out)
{
    const char *program = program_name(argc > 0 ? argv[0] : NULL);
    size_t spec_count = 0;
    while (specs != NULL && specs[spec_count].name != NULL)
        spec_count++;
    *out = (struct options){
        .config = CONFIG_DEFAULT,
        .arguments = xcalloc((size_t)argc + 1, sizeof(*out->arguments)),
        .specs = specs,
        .values = xcalloc(spec_count, sizeof(*out->values)),
    };
    for (size_t i = 0; i < spec_count; i++)
        out->values[i] = specs[i].fallback;
    bool options_ended = false;
    for (int at = 1; at < argc; at++) {
        if (!options_ended && strcmp(argv[at], "--") == 0)
            options_ended = true;
        else if (!options_ended && argv[at][0] == '-' && argv[at][1] != '\0')
            take_option(argv, &at, program, usage, out);
        else
            out->arguments[out->argument_count++] = argv[at];
    }
}

/* Asking for an option that was never declared is a mistake in the program. */
const char *options_value(const struct options *options, const char *name)
{
    for (size_t i = 0; options->specs != NULL && options->specs[i].name != NULL; i++) {
        if (strcmp(options->specs[i].name, name) == 0)
            return options->values[i];
    }
    die("the option %s is not declared", name);
}

bool options_flag(const struct options *options, const char *name)
{
    return options_value(options, name) != NULL;
}

void options_free(struct options *options)
{
    free(options->arguments);
    free(options->values);
    *options = (struct options){0};
}
