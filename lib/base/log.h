/*
 * Logs are data: one line `time level subsystem event key=value ...` on stderr. Values are escaped
 * and quoted where needed, so nothing a stranger sends can forge a line. Never a secret, a token, a
 * body or an address: callers log ids and digests. The first field of a line that belongs to a
 * request is its id.
 *
 *     log_info("inbox", "stored", LOG_S("source", source->name), LOG_I("bytes", len));
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key; /* NULL ends the list */
    const char *text;
    size_t len;
    int64_t number;
};

#define LOG_S(key, value) log_field_text(key, value)
#define LOG_N(key, value, len) ((struct log_field){key, value, len, 0})
#define LOG_I(key, value) ((struct log_field){key, NULL, 0, (int64_t)(value)})

/* The first field is not told: cppcheck knows no __VA_OPT__, and a comma needs something before it.
 */
#define log_write(level, subsystem, event, ...) \
    log_line(level, subsystem, event,           \
             (const struct log_field[]){{.key = NULL}, ##__VA_ARGS__, {.key = NULL}} + 1)
#define log_debug(subsystem, event, ...) log_write(LOG_DEBUG, subsystem, event, ##__VA_ARGS__)
#define log_info(subsystem, event, ...) log_write(LOG_INFO, subsystem, event, ##__VA_ARGS__)
#define log_warn(subsystem, event, ...) log_write(LOG_WARN, subsystem, event, ##__VA_ARGS__)
#define log_error(subsystem, event, ...) log_write(LOG_ERROR, subsystem, event, ##__VA_ARGS__)

struct log_field log_field_text(const char *key, const char *value);
void log_line(enum log_level level, const char *subsystem, const char *event,
              const struct log_field *fields);
/* Lines below `least` are not written; the default is LOG_INFO. */
void log_set_level(enum log_level least);
/* Another place for whole lines (tests, fuzzers); NULL is stderr again. */
void log_set_sink(void (*sink)(const char *line, size_t len));

#endif
