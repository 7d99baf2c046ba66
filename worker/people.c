/*
 * Miro's users in a resync: the rounds of `run`, until nothing is left of what was due at its
 * start.
 */
#include "people.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/people.h"

void people_tell(const struct people_pass *pass, const struct token_key *key, const char *what)
{
    char text[256];

    if (pass->report.line == NULL)
        return;
    snprintf(text, sizeof(text), "user %s team %s: %s", key->user, key->team, what);
    pass->report.line(pass->report.arg, text);
}

/* What is due, of the apps that are configured. */
static enum db_result count_due(struct worker *worker, int64_t due_before, size_t *tokens,
                                size_t *profiles)
{
    enum db_result result = people_count_due(worker->db, due_before, profiles);

    *tokens = 0;
    for (size_t i = 0; result == DB_OK && i < worker->settings->miro_count; i++) {
        const char *client = worker->settings->miro[i].client_id;
        size_t count = 0;

        result = tokens_count_due(worker->db, client, due_before, &count);
        *tokens += count;
    }
    return result;
}

/* Nothing comes twice: what is put off is due after the start. */
enum db_result people_resync(struct worker *worker, bool dry_run, struct people_report *report)
{
    struct people_pass pass = {.due_before = clock_now(),
                               .report = {.line = report->line, .arg = report->arg}};
    size_t tokens_left = 0, profiles_left = 0;
    bool more = !dry_run;
    enum db_result result =
        count_due(worker, pass.due_before, &pass.report.tokens_due, &pass.report.profiles_due);

    while (result == DB_OK && more && !worker->stopping) {
        struct round round = {0};

        result = tokens_pass(worker, &pass, &round);
        if (result == DB_OK && !worker->stopping)
            result = profiles_pass(worker, &pass, &round);
        more = round.more;
    }
    /* An app that Miro does not serve now keeps what it has. */
    if (result == DB_OK && !dry_run)
        result = count_due(worker, pass.due_before, &tokens_left, &profiles_left);
    pass.report.tokens_put_off += tokens_left;
    pass.report.profiles_put_off += profiles_left;
    *report = pass.report;
    return result;
}
