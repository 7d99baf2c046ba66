/*
 * One object a line. Its members are the columns; or it is an order in the shape of the `standard`
 * shops, bare or as an event carries it, with its source beside it, and each of its lines is a row.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "import_read.h"
#include "json_names.h"
#include "shops/json.h"

/* Where a member of an order belongs. */
static const struct member {
    const char *name, *column;
} order_members[] = {{"source", "source"}, {"id", "id"},           {"status", "status"},
                     {"email", "email"},   {"paid_at", "paid_at"}, {"updated_at", "updated_at"},
                     {"lines", NULL},      {"metadata", NULL},     {NULL, NULL}},
  event_members[] = {{"source", "source"},
                     {"type", NULL},
                     {"timestamp", NULL},
                     {"data", NULL},
                     {NULL, NULL}},
  line_members[] = {
      {"id", "line"}, {"product", "product"},   {"variant", "variant"},
      {"sku", "sku"}, {"quantity", "quantity"}, {"refunded_quantity", "refunded_quantity"},
      {NULL, NULL}};

/* Reads one line; IMPORT_BROKEN, noted, if it is too long to be one. */
static enum import_read line_read(struct import_file *file)
{
    int c = getc_unlocked(file->stream);

    if (c == EOF)
        return IMPORT_END;
    buf_reset(&file->record);
    file->object_line = file->line;
    for (; c != EOF && c != '\n'; c = getc_unlocked(file->stream)) {
        if (file->record.len == LIMIT_IMPORT_RECORD) {
            import_note(file, file->line, NULL, "a line of more than 2 MiB");
            return IMPORT_BROKEN;
        }
        buf_putc(&file->record, (char)(unsigned char)c);
    }
    file->line++;
    return IMPORT_ROW;
}

/* The line's object into file->root. */
static enum import_read object_read(struct import_file *file)
{
    struct buf doubled = {0};
    const char *why = "it is not an object";
    enum import_read read;

    do
        read = line_read(file);
    while (read == IMPORT_ROW &&
           strspn(file->record.data == NULL ? "" : file->record.data, " \t\r") == file->record.len);
    if (read != IMPORT_ROW)
        return read;
    file->root = shop_json_read(file->record.data, file->record.len, &why);
    if (file->root != NULL &&
        json_names_check(file->name, file->record.data, file->record.len, &doubled) > 0)
        why = "a member stands twice, or is not in double quotes";
    else if (file->root != NULL && json_object_is_type(file->root, json_type_object))
        why = NULL;
    buf_wipe(&doubled);
    file->objects++;
    file->element = 0;
    if (why == NULL)
        return IMPORT_ROW;
    import_note(file, file->object_line, NULL, why);
    json_object_put(file->root);
    file->root = NULL;
    return IMPORT_BAD;
}

/* A member's text, "" being as good as none; -1 with the fault noted if it has none. */
static int text_take(struct import_file *file, struct json_object *member, const char *path,
                     const char **field)
{
    const char *text = NULL;

    if (json_object_is_type(member, json_type_int) || json_object_is_type(member, json_type_string))
        text = json_object_get_string(member);
    if (member != NULL &&
        (text == NULL || (json_object_is_type(member, json_type_string) &&
                          strlen(text) != (size_t)json_object_get_string_len(member)))) {
        import_note(file, file->object_line, path, "expected a text, a whole number, or null");
        return -1;
    }
    *field = text == NULL || *text == '\0' ? NULL : text;
    return 0;
}

/* A member's name may be shown unless it is a stranger's; how it is told apart is csv's matter too.
 */
static void unknown_note(struct import_file *file, const char *where, const struct member *members)
{
    struct buf what = {0};

    buf_puts(&what, "a member that is not known, expected ");
    for (size_t i = 0; members[i].name != NULL; i++)
        buf_printf(&what, "%s%s", i == 0 ? "" : ", ", members[i].name);
    import_note(file, file->object_line, where, what.data);
    buf_free(&what);
}

/* Moves the members of one object into the row; -1 with the fault noted. */
static int members_take(struct import_file *file, struct json_object *holder, const char *where,
                        const struct member *members, struct import_row *row)
{
    json_object_object_foreach(holder, name, value)
    {
        const struct member *member = members;

        while (member->name != NULL && strcmp(member->name, name) != 0)
            member++;
        if (member->name == NULL) {
            unknown_note(file, where, members);
            return -1;
        }
        if (member->column != NULL &&
            text_take(file, value, member->name, &row->fields[import_place(file, member->column)]))
            return -1;
    }
    return 0;
}

/* The order itself, in the object or in the event that carries it; NULL with the fault noted. */
static struct json_object *order_take(struct import_file *file, struct import_row *row)
{
    struct json_object *order = file->root, *metadata;
    const char **updated = &row->fields[import_place(file, "updated_at")];

    if (shop_json_has(file->root, "data")) {
        order = shop_json_object(file->root, "data");
        if (order == NULL)
            import_note(file, file->object_line, "data", "expected an object");
        if (order == NULL || members_take(file, file->root, NULL, event_members, row))
            return NULL;
    }
    if (members_take(file, order, NULL, order_members, row))
        return NULL;
    if (order != file->root && *updated == NULL &&
        text_take(file, shop_json_member(file->root, "timestamp"), "timestamp", updated))
        return NULL;
    metadata = shop_json_object(order, "metadata");
    if (metadata != NULL &&
        text_take(file, shop_json_member(metadata, "miro_reference"), "metadata.miro_reference",
                  &row->fields[import_place(file, "reference")]))
        return NULL;
    if (shop_json_array(order, "lines") != NULL)
        return order;
    import_note(file, file->object_line, "lines", "expected a list");
    return NULL;
}

/* The next row of the order that is told; an order without lines is a row too. */
static enum import_read order_next(struct import_file *file, struct import_row *row)
{
    struct json_object *order = order_take(file, row), *lines, *line;
    size_t count;
    bool last;
    int result = order == NULL ? -1 : 0;

    if (order != NULL) {
        lines = shop_json_array(order, "lines");
        count = json_object_array_length(lines);
        line = count == 0 ? NULL : json_object_array_get_idx(lines, file->element);
        row->element = count == 0 ? -1 : (long)file->element;
        if (count > 0 && !json_object_is_type(line, json_type_object)) {
            import_note(file, file->object_line, "lines", "expected a list of objects");
            result = -1;
        } else if (count > 0) {
            result = members_take(file, line, "lines", line_members, row);
        }
        last = ++file->element >= count;
    } else {
        last = true;
    }
    if (result == 0 && !last)
        return IMPORT_ROW;
    file->element = SIZE_MAX; /* the object goes with the next call: the row borrows from it */
    return result == 0 ? IMPORT_ROW : IMPORT_BAD;
}

/* An object whose members are the columns. */
static enum import_read flat_next(struct import_file *file, struct import_row *row)
{
    struct member members[IMPORT_COLUMNS_MOST + 1] = {{NULL, NULL}};

    for (size_t i = 0; i < file->column_count; i++)
        members[i] = (struct member){file->columns[i].name, file->columns[i].name};
    file->element = SIZE_MAX;
    return members_take(file, file->root, NULL, members, row) == 0 ? IMPORT_ROW : IMPORT_BAD;
}

enum import_read import_json_next(struct import_file *file, struct import_row *row)
{
    if (file->root != NULL && file->element == SIZE_MAX) {
        json_object_put(file->root);
        file->root = NULL;
    }
    if (file->root == NULL) {
        enum import_read read = object_read(file);

        if (read != IMPORT_ROW) {
            row->line = file->object_line;
            return read;
        }
    }
    row->line = file->object_line;
    row->object = file->objects;
    return file->order_lines ? order_next(file, row) : flat_next(file, row);
}
