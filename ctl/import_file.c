#include "import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "import_read.h"

#define SPOOL_STEP (64 << 10)

const struct table_column import_fault_columns[] = {
    {"line", "line"}, {"column", "column"}, {"what", "what"}, {NULL, NULL}};

void import_note(struct import_file *file, uint64_t line, const char *column, const char *what)
{
    struct fault *fault;

    if (line != file->fault_line || file->fault_count == 0)
        file->fault_count++;
    file->fault_line = line;
    if (file->fault_count > LIMIT_IMPORT_FAULTS)
        return;
    ctl_fail(EXIT_FAILED, "%s:%llu: %s%s%s", file->name, (unsigned long long)line,
             column == NULL ? "" : column, column == NULL ? "" : ": ", what);
    if (file->faults == NULL)
        file->faults = xcalloc(LIMIT_IMPORT_FAULTS, sizeof(*file->faults));
    fault = &file->faults[file->fault_count - 1];
    if (fault->what != NULL)
        return; /* the first fault of a line stands for it */
    *fault = (struct fault){line, column == NULL ? NULL : xstrdup(column), xstrdup(what)};
}

void import_fault(struct import_file *file, const struct import_row *row, size_t column,
                  const char *expected)
{
    const char *name = file->columns[column].name;
    char *what = xasprintf("expected %s", expected);
    char *path =
        row->element < 0 ? xstrdup(name) : xasprintf("%s, element %ld", name, row->element);

    import_note(file, row->line, path, what);
    free(what);
    free(path);
}

void import_fault_line(struct import_file *file, uint64_t line, const char *what)
{
    import_note(file, line, NULL, what);
}

uint64_t import_file_faults(const struct import_file *file)
{
    return file->fault_count;
}

void import_file_tell_faults(const struct import_file *file, struct table *table)
{
    for (size_t i = 0; file->faults != NULL && i < LIMIT_IMPORT_FAULTS; i++) {
        const struct fault *fault = &file->faults[i];

        if (fault->what == NULL)
            break;
        table_int(table, (int64_t)fault->line);
        table_text(table, fault->column);
        table_text(table, fault->what);
    }
}

bool import_record_is_text(struct import_file *file, uint64_t line)
{
    if (text_is_utf8(file->record.data, file->record.len))
        return true;
    import_note(file, line, NULL, "expected UTF-8");
    return false;
}

size_t import_place(const struct import_file *file, const char *name)
{
    size_t place = 0;

    while (place < file->column_count && strcmp(file->columns[place].name, name) != 0)
        place++;
    return place;
}

/* --- opening ------------------------------------------------------------------------------- */

/* A file without a name, that only this process can reach, and that ends with it. */
static int spool_open(void)
{
    const char *folder = getenv("TMPDIR");
    char *path;
    int fd;

    if (folder == NULL || *folder == '\0')
        folder = "/var/tmp";
    fd = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    path = xasprintf("%s/purchasectl-XXXXXX", folder); /* a file system that cannot */
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0 && unlink(path) != 0) {
        close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, bytes, len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return -1;
        bytes += wrote;
        len -= (size_t)wrote;
    }
    return 0;
}

/* Copies what can be read only once. The descriptor of the copy, or -1 with the reason in errno. */
static int spool(int from)
{
    char *step = xmalloc(SPOOL_STEP);
    int64_t kept = 0;
    int to = spool_open();
    ssize_t got = to < 0 ? -1 : 1;

    while (got > 0) {
        got = read(from, step, SPOOL_STEP);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0 && (kept += got) > LIMIT_IMPORT_SPOOL)
            errno = EFBIG, got = -1;
        else if (got > 0 && write_all(to, step, (size_t)got) != 0)
            got = -1;
    }
    if (got < 0 && to >= 0) {
        int reason = errno;

        close(to);
        errno = reason;
        to = -1;
    }
    explicit_bzero(step, SPOOL_STEP);
    free(step);
    return to;
}

/* The file itself, or a copy of what is no regular file; -1 with the reason in errno. */
static int source_open(const char *path)
{
    bool piped = strcmp(path, "-") == 0;
    int fd = piped ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    int copy, reason;

    if (fd < 0 || fstat(fd, &about) != 0 || (!piped && S_ISREG(about.st_mode)))
        return fd;
    if (S_ISDIR(about.st_mode)) {
        errno = EISDIR;
        copy = -1;
    } else {
        copy = spool(fd);
    }
    reason = errno;
    if (!piped)
        close(fd);
    errno = reason;
    return copy;
}

/* Past a byte order mark, and to know which of the two it is. */
static int beginning_read(struct import_file *file)
{
    static const int mark[] = {0xef, 0xbb, 0xbf};
    int c = getc(file->stream);

    for (size_t i = 0; c == mark[0] && i < 2; i++) {
        if (getc(file->stream) != mark[i + 1])
            return ctl_fail(EXIT_FAILED, "%s:1: expected UTF-8", file->name), -1;
        if (i == 1)
            c = getc(file->stream);
    }
    if (c == EOF && !ferror(file->stream))
        return ctl_fail(EXIT_FAILED, "%s: it is empty, expected a header line, or lines of JSON",
                        file->name),
               -1;
    file->json = c == '{';
    file->line = 1;
    ungetc(c, file->stream);
    return file->json ? 0 : import_csv_begin(file);
}

struct import_file *import_file_open(const char *path, const struct import_column *columns,
                                     bool order_lines)
{
    struct import_file *file = xcalloc(1, sizeof(*file));
    int fd = source_open(path);

    file->name = xstrdup(strcmp(path, "-") == 0 ? "standard input" : path);
    file->columns = columns;
    file->order_lines = order_lines;
    while (columns[file->column_count].name != NULL)
        file->column_count++;
    file->stream = fd < 0 ? NULL : fdopen(fd, "r");
    if (file->stream == NULL)
        ctl_fail(EXIT_FAILED, "%s: %s", file->name, strerror(errno));
    else if (import_file_rewind(file) == 0)
        return file;
    import_file_free(file);
    return NULL;
}

void import_file_free(struct import_file *file)
{
    if (file == NULL)
        return;
    if (file->stream != NULL)
        fclose(file->stream);
    for (size_t i = 0; file->faults != NULL && i < LIMIT_IMPORT_FAULTS; i++) {
        free(file->faults[i].column);
        free(file->faults[i].what);
    }
    json_object_put(file->root);
    buf_wipe(&file->record);
    free(file->faults);
    free(file->places);
    free(file->starts);
    free(file->name);
    free(file);
}

int import_file_rewind(struct import_file *file)
{
    json_object_put(file->root);
    file->root = NULL;
    file->objects = file->element = 0;
    file->place_count = 0;
    if (fseeko(file->stream, 0, SEEK_SET) != 0) {
        ctl_fail(EXIT_FAILED, "%s: %s", file->name, strerror(errno));
        return -1;
    }
    return beginning_read(file);
}

bool import_file_is_json(const struct import_file *file)
{
    return file->json;
}

enum import_read import_file_next(struct import_file *file, struct import_row *row)
{
    enum import_read read;

    memset(row, 0, sizeof(*row));
    row->element = -1;
    read = file->json ? import_json_next(file, row) : import_csv_next(file, row);
    if (read == IMPORT_END && ferror(file->stream)) {
        ctl_fail(EXIT_FAILED, "%s: %s", file->name, strerror(errno));
        return IMPORT_BROKEN;
    }
    return read;
}
