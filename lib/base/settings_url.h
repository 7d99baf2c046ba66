/*
 * URLs and hosts as the configuration may hold them: checked for what the program does with them,
 * and put into one form, so that comparing them is comparing bytes.
 */
#ifndef BASE_SETTINGS_URL_H
#define BASE_SETTINGS_URL_H

#include <stdbool.h>

enum url_form {
    URL_ORIGIN, /* http(s)://host[:port]; one slash at the end and the scheme's own port are cut */
    URL_PREFIX, /* http(s)://host[:port][/path], to which paths are added; one last slash is cut */
    URL_PAGE,   /* http(s)://host[:port][/path][?query], kept whole */
    URL_SMTP,   /* smtp(s)://host[:port] */
};

/* A new string, scheme and host in lower case; or NULL with what is wrong in `fault` (static). */
char *url_normalise(const char *text, enum url_form form, const char **fault);

/* A name, an IPv4 address, or an IPv6 address without brackets. */
bool host_is_valid(const char *host);
/* "host:port", the port 0 to 65535, an IPv6 host in brackets. NULL or what is wrong (static). */
const char *listen_fault(const char *text);

#endif
