/*
 * Where a test program finds the MariaDB that the harness started for it: see
 * tests/harness/with_mariadb.py.
 */
#ifndef INTEGRATION_TEST_SERVER_H
#define INTEGRATION_TEST_SERVER_H

#include <stdio.h>
#include <stdlib.h>

#include "db/db.h"

#define EXIT_SKIPPED 77 /* ctest's SKIP_RETURN_CODE */

/* Ends the program, saying so, where there is no server. */
static inline struct db_target test_server(void)
{
    const char *socket = getenv("PURCHASE_SYNC_TEST_SOCKET");
    const char *name = getenv("PURCHASE_SYNC_TEST_DATABASE");
    if (!socket || !name) {
        fprintf(stderr, "skipped: PURCHASE_SYNC_TEST_SOCKET and _DATABASE name no server\n");
        exit(EXIT_SKIPPED);
    }
    return (struct db_target){.socket = socket, .user = "root", .name = name};
}

#endif
