#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/options.h"

static const struct option_spec specs[] = {
    {"--json", NULL, "write JSON", NULL},
    {"--why", "TEXT", "the reason", NULL},
    {"--limit", "COUNT", "how many", "5"},
    {NULL, NULL, NULL, NULL},
};

#define WORDS_MOST 16

/* A command line as a program gets it: words that it may write to. */
struct command_line {
    char *argv[WORDS_MOST + 1];
    int argc;
};

static struct command_line command_line(const char *const *words)
{
    struct command_line line = {0};
    while (words[line.argc] != NULL) {
        line.argv[line.argc] = xstrdup(words[line.argc]);
        line.argc++;
    }
    return line;
}

static void free_command_line(struct command_line *line)
{
    for (int i = 0; i < line->argc; i++)
        free(line->argv[i]);
}

static void test_defaults(void **state)
{
    (void)state;
    struct command_line line = command_line((const char *const[]){"/usr/bin/purchasectl", NULL});
    struct options options;
    options_parse(line.argc, line.argv, "usage", specs, &options);
    assert_string_equal(options.config, "/etc/purchase-sync/purchase-sync.conf");
    assert_int_equal(options.argument_count, 0);
    assert_null(options.arguments[0]);
    assert_false(options_flag(&options, "--json"));
    assert_null(options_value(&options, "--why"));
    assert_string_equal(options_value(&options, "--limit"), "5");
    options_free(&options);
    free_command_line(&line);
}

static void test_options_and_arguments(void **state)
{
    (void)state;
    struct command_line line = command_line(
        (const char *const[]){"purchasectl", "grant", "--json", "-", "--why=a=b", "--config",
                              "/x.conf", "--limit", "7", "--", "--json", NULL});
    struct options options;
    options_parse(line.argc, line.argv, "usage", specs, &options);
    assert_string_equal(options.config, "/x.conf");
    assert_int_equal(options.argument_count, 3);
    assert_string_equal(options.arguments[0], "grant");
    assert_string_equal(options.arguments[1], "-");
    assert_string_equal(options.arguments[2], "--json");
    assert_null(options.arguments[3]);
    assert_true(options_flag(&options, "--json"));
    assert_string_equal(options_value(&options, "--why"), "a=b");
    assert_string_equal(options_value(&options, "--limit"), "7");
    options_free(&options);
    free_command_line(&line);
}

static void test_no_specs(void **state)
{
    (void)state;
    struct command_line line =
        command_line((const char *const[]){"purchase-webhook", "--config=y", NULL});
    struct options options;
    options_parse(line.argc, line.argv, "usage", NULL, &options);
    assert_string_equal(options.config, "y");
    options_free(&options);
    free_command_line(&line);
}

/* Parses in a process of its own; the code it exits with, and all that it prints. */
static int exit_code_of(const char *const *words, struct buf *output)
{
    struct command_line line = command_line(words);
    int ends[2], status = 0;
    buf_puts(output, "");
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct options options;
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        options_parse(line.argc, line.argv, "usage: purchasectl VERB", specs, &options);
        _exit(99);
    }
    close(ends[1]);
    char piece[512];
    ssize_t got;
    while ((got = read(ends[0], piece, sizeof(piece))) > 0)
        buf_append(output, piece, (size_t)got);
    close(ends[0]);
    free_command_line(&line);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_exits(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[2];
        int code;
        const char *part;
    } rows[] = {
        {{"--help"}, EXIT_DONE, "usage: purchasectl VERB"},
        {{"verb", "--help"}, EXIT_DONE, "--limit COUNT"},
        {{"--version"}, EXIT_DONE, "purchasectl "},
        {{"--nonsense"}, EXIT_USAGE, "--nonsense is no option"},
        {{"-x"}, EXIT_USAGE, "-x is no option"},
        {{"--jsonx"}, EXIT_USAGE, "--jsonx is no option"},
        {{"--json=1"}, EXIT_USAGE, "--json takes no value"},
        {{"--why"}, EXIT_USAGE, "--why needs a value"},
        {{"--why", "--json"}, EXIT_USAGE, "--why needs a value"},
        {{"--config"}, EXIT_USAGE, "--config needs a value"},
        {{"--help=1"}, EXIT_USAGE, "--help takes no value"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const *more = rows[i].arguments;
        const char *words[] = {"/usr/bin/purchasectl", more[0], more[1], NULL};
        struct buf output = {0};
        assert_int_equal(exit_code_of(words, &output), rows[i].code);
        assert_non_null(strstr(output.data, rows[i].part));
        buf_free(&output);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_options_and_arguments),
        cmocka_unit_test(test_no_specs),
        cmocka_unit_test(test_exits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
