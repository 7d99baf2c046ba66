/*
 * What the rounds over Miro's users share with a resync: each takes a piece of what is due until
 * `due_before`, and tells what came of it.
 */
#ifndef WORKER_PEOPLE_H
#define WORKER_PEOPLE_H

#include "store/tokens.h"
#include "worker.h"

struct people_pass {
    int64_t due_before;
    struct people_report report;
};

enum db_result tokens_pass(struct worker *worker, struct people_pass *pass, struct round *round)
    __attribute__((warn_unused_result));
enum db_result profiles_pass(struct worker *worker, struct people_pass *pass, struct round *round)
    __attribute__((warn_unused_result));

/* One sentence of the report: "user 42 team 7: token refreshed". */
void people_tell(const struct people_pass *pass, const struct token_key *key, const char *what);

#endif
