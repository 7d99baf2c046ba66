/*
 * Any bytes as a file that is imported, CSV or JSON: rows whose fields are text, and complaints
 * that never show what stands in the file, for it may be an address. Read twice, it says the same.
 * Input: one byte for the kind, then the file.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "import_file.h"

static const struct import_column order_columns[] =
    {
        {"source", true},
        {"id", true},
        {"status", true},
        {"email", false},
        {"paid_at", false},
        {"line", true},
        {"product", false},
        {"variant", false},
        {"sku", false},
        {"quantity", true},
        {"reference", false},
        {"updated_at", false},
        {"refunded_quantity", false},
        {NULL, false},
},
                                  link_columns[] = {
                                      {"user", true},
                                      {"team", false},
                                      {"email", true},
                                      {NULL, false},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept)
{
    if (!kept)
        abort();
}

/* In the place of the program's own, which writes to stderr: what is said can be read as well. */
enum exit_code ctl_fail(enum exit_code code, const char *format, ...)
{
    va_list args;
    char *said = NULL;

    va_start(args, format);
    promise(vasprintf(&said, format, args) >= 0);
    va_end(args);
    promise(text_is_utf8(said, strlen(said)) && strchr(said, '@') == NULL);
    promise(strpbrk(said, "\r\n\033") == NULL);
    free(said);
    return code;
}

/* A walk over the file: how many rows; 0 behind a fault that ends it. */
static size_t walk(struct import_file *file, const struct import_column *columns)
{
    struct import_row row;
    size_t rows = 0;
    uint64_t line = 0;
    enum import_read read;

    while ((read = import_file_next(file, &row)) == IMPORT_ROW || read == IMPORT_BAD) {
        if (read == IMPORT_BAD)
            continue;
        promise(row.line >= line && row.line > 0);
        line = row.line;
        for (size_t i = 0; columns[i].name != NULL; i++)
            promise(row.fields[i] == NULL || (row.fields[i][0] != '\0' &&
                                              text_is_utf8(row.fields[i], strlen(row.fields[i]))));
        rows++;
    }
    promise(read == IMPORT_END || import_file_faults(file) > 0);
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool orders = size > 0 && data[0] % 2 == 0;
    const struct import_column *columns = orders ? order_columns : link_columns;
    int fd = memfd_create("import", MFD_CLOEXEC);
    struct import_file *file;
    char path[40];

    if (size == 0 || fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1) {
        close(fd);
        return 0;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    file = import_file_open(path, columns, orders);
    if (file != NULL) {
        size_t rows = walk(file, columns);
        if (import_file_rewind(file) == 0)
            promise(walk(file, columns) == rows);
        import_file_free(file);
    }
    close(fd);
    return 0;
}
