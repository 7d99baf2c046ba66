/*
 * deliveries list | show | replay: the inbox.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cell.h"
#include "evidence.h"
#include "page.h"
#include "verbs.h"

#define LIST_DEFAULT 50
#define LIST_MOST 100000

static const struct table_column delivery_columns[] = {{"id", "id"},
                                                       {"source", "source"},
                                                       {"state", "state"},
                                                       {"reason", "reason"},
                                                       {"topic", "topic"},
                                                       {"received_at", "received"},
                                                       {"times_received", "n"},
                                                       {"attempts", "attempts"},
                                                       {"detail", "detail"},
                                                       {NULL, NULL}};

struct listing {
    const struct ctl *ctl;
    struct table *table;
};

/* Empty texts of a row mean "not told". */
static const char *or_null(const char *text)
{
    return *text == '\0' ? NULL : text;
}

/* One line of the list. */
static void listing_add(const struct inbox_row *row, void *arg)
{
    struct listing *listing = arg;
    struct table *table = listing->table;

    table_int(table, (int64_t)row->id);
    table_text(table, source_map_name(listing->ctl->sources, row->source_id));
    table_text(table, row->state);
    table_text(table, or_null(row->reason));
    table_text(table, or_null(row->topic));
    table_time(table, row->received_at);
    table_int(table, row->times_received);
    table_int(table, row->attempts);
    table_text(table, or_null(row->detail));
}

/* The --limit, or -1 after having said what it must be. */
static int64_t list_limit(const struct ctl *ctl)
{
    const char *text = options_value(ctl->options, "--limit");
    int64_t limit;

    if (text == NULL)
        return LIST_DEFAULT;
    if (text_to_int(text, strlen(text), &limit) == 0 && limit >= 1 && limit <= LIST_MOST)
        return limit;
    ctl_fail(EXIT_USAGE, "--limit %s: expected 1 to %d", text, LIST_MOST);
    return -1;
}

enum exit_code deliveries_list_run(struct ctl *ctl)
{
    static const char *const states[] = {"pending", "leased", "done", "set_aside"};
    const char *state = options_value(ctl->options, "--state");
    struct listing listing = {.ctl = ctl};
    int64_t limit = list_limit(ctl);
    bool known = state == NULL;
    enum exit_code code = EXIT_DONE;

    for (size_t i = 0; !known && i < sizeof(states) / sizeof(states[0]); i++)
        known = strcmp(state, states[i]) == 0;
    if (!known)
        return ctl_fail(EXIT_USAGE, "--state %s: expected pending, leased, done or set_aside",
                        state);
    if (limit < 0)
        return EXIT_USAGE;
    listing.table = table_new(delivery_columns);
    if (inbox_list(ctl->db, state, (size_t)limit, listing_add, &listing) != DB_OK)
        code = ctl_database_failed(ctl, "reading the inbox");
    else
        table_answer(listing.table, ctl->json, "no deliveries");
    table_free(listing.table);
    return code;
}

/* A delivery's number, or 0 after having said that it is none. */
static uint64_t delivery_id(const char *text)
{
    int64_t id;

    if (text_to_int(text, strlen(text), &id) == 0 && id > 0)
        return (uint64_t)id;
    ctl_fail(EXIT_USAGE, "\"%s\" is no delivery's number", text);
    return 0;
}

/* What is known of the delivery beside its body. */
static void row_write(const struct ctl *ctl, const struct inbox_row *row, struct page *page)
{
    page_int(page, "id", "delivery", (int64_t)row->id);
    page_text(page, "source", "source", source_map_name(ctl->sources, row->source_id));
    page_text(page, "state", "state", row->state);
    page_text(page, "reason", "reason", or_null(row->reason));
    page_text(page, "detail", "detail", or_null(row->detail));
    page_text(page, "topic", "topic (unsigned)", or_null(row->topic));
    page_time(page, "received_at", "received", row->received_at);
    page_time(page, "last_received_at", "received last", row->last_received_at);
    page_int(page, "times_received", "times received", row->times_received);
    page_int(page, "attempts", "attempts", row->attempts);
    page_time(page, "processed_at", "processed", row->processed_at);
    page_time(page, "due_at", "due", row->due_at);
}

/* The key, and the digest of the very bytes that were signed. */
static void digests_write(const struct inbox_row *row, const struct buf *body, struct page *page)
{
    unsigned char digest[DIGEST_LEN];
    struct buf hex = {0};

    digest_hex(row->key, DIGEST_LEN, &hex);
    page_text(page, "delivery_key", "delivery key", hex.data);
    buf_reset(&hex);
    digest_sha256(body->data == NULL ? "" : body->data, body->len, digest);
    digest_hex(digest, DIGEST_LEN, &hex);
    page_text(page, "body_sha256", "body SHA-256", hex.data);
    page_int(page, "body_bytes", "body bytes", (int64_t)body->len);
    buf_free(&hex);
}

/* Lines of a layout of our own, each with its controls escaped: JSON lets C1 and DEL stand as they
 * are. */
static void lines_print(const char *text)
{
    struct buf line = {0};

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        buf_reset(&line);
        text_escape(text, len, &line);
        puts(line.data == NULL ? "" : line.data);
        text += len + (text[len] == '\n');
    }
    buf_wipe(&line);
}

/* The body for people: indented where it is JSON, else as it came, with its controls escaped. */
static void body_print(const struct buf *body)
{
    struct json_tokener *tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH);
    struct json_object *json =
        body->len == 0 ? NULL : json_tokener_parse_ex(tokener, body->data, (int)body->len);
    struct buf text = {0};

    putchar('\n');
    if (json != NULL && json_tokener_get_error(tokener) == json_tokener_success) {
        const char *pretty =
            json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                     JSON_C_TO_STRING_NOSLASHESCAPE);

        lines_print(pretty);
    } else {
        text_escape(body->data == NULL ? "" : body->data, body->len, &text);
        puts(text.len == 0 ? "(empty)" : text.data);
    }
    buf_wipe(&text);
    json_object_put(json);
    json_tokener_free(tokener);
}

/* For programs: the text, and the very bytes, which may be no text. */
static void body_write(const struct buf *body, struct page *page)
{
    struct buf bytes = {0};

    page_bytes(page, "body", NULL, body->data == NULL ? "" : body->data, body->len);
    digest_base64(body->data == NULL ? "" : body->data, body->len, &bytes);
    page_text(page, "body_base64", NULL, bytes.data == NULL ? "" : bytes.data);
    buf_wipe(&bytes);
}

/* Shows a delivery that was found; its body may not open. */
static enum exit_code delivery_print(const struct ctl *ctl, const struct inbox_row *row,
                                     bool opened, const struct buf *body)
{
    struct page *page = page_new();

    row_write(ctl, row, page);
    page_bool(page, "body_opened", NULL, opened);
    if (opened) {
        digests_write(row, body, page);
        body_write(body, page);
    }
    page_print(page, ctl->json);
    if (!ctl->json && opened)
        body_print(body);
    page_free(page);
    return opened
               ? EXIT_DONE
               : ctl_fail(EXIT_FAILED, "the body does not open: no key of the keyring sealed it");
}

enum exit_code deliveries_show_run(struct ctl *ctl)
{
    uint64_t id = delivery_id(ctl->arguments[0]);
    struct inbox_row row;
    struct buf body = {0};
    bool found = false;
    enum exit_code code = EXIT_DONE;

    if (id == 0)
        return EXIT_USAGE;
    if (inbox_show(ctl->db, ctl->vault, id, &row, &body, &found) != DB_OK)
        code = ctl_database_failed(ctl, "reading the delivery");
    else if (!found)
        code = ctl_fail(EXIT_FAILED, "there is no delivery %" PRIu64, id);
    else
        code = delivery_print(ctl, &row, body_is_open(ctl, &row, &body), &body);
    buf_wipe(&body);
    return code;
}

static const struct table_column replay_columns[] = {
    {"id", "delivery"}, {"replayed", "due now"}, {NULL, NULL}};

enum exit_code deliveries_replay_run(struct ctl *ctl)
{
    struct table *table = table_new(replay_columns);
    enum exit_code code = EXIT_DONE;

    for (size_t i = 0; i < ctl->argument_count && code != EXIT_USAGE; i++)
        code = delivery_id(ctl->arguments[i]) == 0 ? EXIT_USAGE : code;
    for (size_t i = 0; i < ctl->argument_count && code != EXIT_USAGE; i++) {
        uint64_t id = delivery_id(ctl->arguments[i]);
        bool found = false;

        if (inbox_replay(ctl->db, id, ctl->now, &found) != DB_OK) {
            code = ctl_database_failed(ctl, "replaying");
            break;
        }
        if (!found)
            code = ctl_fail(EXIT_FAILED, "there is no delivery %" PRIu64, id);
        table_int(table, (int64_t)id);
        table_bool(table, found);
    }
    if (table_rows(table) > 0)
        table_answer(table, ctl->json, "");
    table_free(table);
    return code;
}
