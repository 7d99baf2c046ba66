#include "db/fault.h"

#include <stdio.h>
#include <string.h>

#define STATEMENT_PREFIX 60 /* enough for the verb and the table */

enum { FIRST_CLIENT_ERROR = 2000, LAST_CLIENT_ERROR = 2999 };

struct meaning {
    unsigned number;
    enum db_result result;
};

static const struct meaning meanings[] = {
    {1213, DB_RETRY},     /* deadlock, or certification failed on another Galera node */
    {1205, DB_RETRY},     /* lock wait timed out */
    {1180, DB_RETRY},     /* error during COMMIT */
    {1047, DB_RETRY},     /* a Galera node without a majority */
    {1020, DB_RETRY},     /* the record changed since it was read */
    {2002, DB_GONE},      /* no server at the socket */
    {2003, DB_GONE},      /* no server at the port */
    {2006, DB_GONE},      /* gone away */
    {2013, DB_GONE},      /* lost during the query */
    {2055, DB_GONE},      /* lost, with the system's error */
    {2008, DB_GONE},      /* no memory for an answer, the rest of which is still on its way */
    {2014, DB_GONE},      /* an earlier answer was not read to its end: nothing works any more */
    {2027, DB_GONE},      /* a packet that is none: what follows is none either */
    {1927, DB_GONE},      /* the connection was killed */
    {1053, DB_GONE},      /* the server is shutting down */
    {1062, DB_DUPLICATE}, /* a unique key */
};

/* Faults of a connection attempt that will not pass by themselves. */
static const unsigned wrong_configuration[] = {
    1044, /* no rights on the database */
    1045, /* wrong user or password */
    1049, /* no such database */
    1251, /* authentication that this client does not speak */
    1698, /* user known by other means than a password */
    2059, /* authentication plugin missing */
};

/* Server errors whose messages name columns, tables and users, never a row's value. */
static const unsigned speak_of_schema[] = {
    1044, 1045, 1047, 1048, 1049, 1050, 1054, 1061, 1064, 1072, 1091, 1136, 1142,
    1146, 1205, 1213, 1264, 1265, 1290, 1364, 1406, 1451, 1461, 1698, 1927,
};

/* Copies what the library says now. */
void fault_set(struct fault *fault, unsigned number, const char *state, const char *text)
{
    fault->number = number;
    (void)snprintf(fault->state, sizeof(fault->state), "%s", state);
    (void)snprintf(fault->text, sizeof(fault->text), "%s", text);
}

/* An unknown number is a fault of ours or of the schema. */
enum db_result fault_result(unsigned number)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].number == number) {
            return meanings[i].result;
        }
    }
    return DB_FAILED;
}

static bool listed(const unsigned *numbers, size_t count, unsigned number)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

/* While connecting nothing was changed yet, so all but a wrong configuration is "away". */
enum db_result fault_connect_result(unsigned number)
{
    bool wrong = listed(wrong_configuration,
                        sizeof(wrong_configuration) / sizeof(wrong_configuration[0]), number);
    return wrong ? DB_FAILED : DB_GONE;
}

/* Values never stand in our statements, so their beginning may be shown. */
size_t fault_prefix(const char *sql)
{
    size_t len = strnlen(sql, STATEMENT_PREFIX);
    const char *line_end = memchr(sql, '\n', len);
    return line_end ? (size_t)(line_end - sql) : len;
}

/* Errors of the client library itself (2000 to 2999) speak of hosts and sockets only. */
static bool may_show_text(unsigned number)
{
    return (number >= FIRST_CLIENT_ERROR && number <= LAST_CLIENT_ERROR) ||
           listed(speak_of_schema, sizeof(speak_of_schema) / sizeof(speak_of_schema[0]), number);
}

void fault_describe(const struct fault *fault, const char *sql, char *out, size_t size)
{
    bool show = may_show_text(fault->number);
    (void)snprintf(out, size, "%u (%s) in %.*s%s%s", fault->number, fault->state,
                   (int)fault_prefix(sql), sql, show ? ": " : "", show ? fault->text : "");
}
