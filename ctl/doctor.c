/*
 * doctor: is this installation well, and if not, what is to be done? It changes nothing but a file
 * of its own in state_dir, which it removes at once.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "spool/spool_count.h"
#include "verbs.h"

#define DISK_LEAST (INT64_C(256) << 20) /* bytes that the spool should find free */

static const struct table_column finding_columns[] = {
    {"finding", ""}, {"about", ""}, {"what", ""}, {"remedy", ""}, {NULL, NULL}};

static const struct table_column line_columns[] = {
    {"finding", ""}, {"about", "about"}, {"what", "what"}, {NULL, NULL}};

/* A line for people. */
static void line_add(struct table *lines, const char *finding, const char *about, const char *what)
{
    table_text(lines, finding);
    table_text(lines, about);
    table_text(lines, what);
}

void doctor_note(struct doctor *doctor, enum finding finding, const char *about, const char *remedy,
                 const char *format, ...)
{
    static const char *const names[] = {"ok", "warn", "error"};
    struct buf what = {0};
    va_list args;

    va_start(args, format);
    buf_vprintf(&what, format, args);
    va_end(args);
    doctor->counts[finding]++;
    table_text(doctor->findings, names[finding]);
    table_text(doctor->findings, about);
    table_text(doctor->findings, what.data);
    table_text(doctor->findings, remedy);
    line_add(doctor->lines, names[finding], about, what.data);
    if (remedy != NULL) {
        buf_reset(&what);
        buf_printf(&what, "-> %s", remedy);
        line_add(doctor->lines, "", "", what.data);
    }
    buf_free(&what);
}

/* A finding for each line of the loader's complaint. */
static void faults_note(struct doctor *doctor, char *errors)
{
    for (char *line = strtok(errors, "\n"); line != NULL; line = strtok(NULL, "\n"))
        doctor_note(doctor, FINDING_ERROR, "configuration",
                    "mend the line; docs/configuration.md says what each key takes", "%s", line);
}

/* The loader reads every secret file and refuses those that others can read: what is left is well.
 */
static void settings_note(struct doctor *doctor)
{
    const struct settings *settings = doctor->ctl->settings;
    struct stat status;

    doctor_note(doctor, FINDING_OK, "configuration", NULL, "%s: %zu Miro app%s, %zu source%s",
                settings->path, settings->miro_count, settings->miro_count == 1 ? "" : "s",
                settings->source_count, settings->source_count == 1 ? "" : "s");
    doctor_note(doctor, FINDING_OK, "secret files", NULL,
                "each is there, holds a secret, and is closed to others");
    if (stat(settings->keyring_path, &status) == 0 && (status.st_mode & 0022) != 0)
        doctor_note(doctor, FINDING_WARN, "keyring",
                    "chmod g-w it: who writes it can lock everybody out",
                    "%s is writable by its group", settings->keyring_path);
    if (settings->source_count == 0)
        doctor_note(doctor, FINDING_WARN, "sources", "add a [source NAME] section for each shop",
                    "no shop is configured");
}

/* How many keys there are, and which one seals. */
static void keyring_note(struct doctor *doctor)
{
    const struct settings *settings = doctor->ctl->settings;
    struct buf error = {0};

    doctor->ctl->vault = vault_new(&settings->keyring_lines, &error);
    if (doctor->ctl->vault == NULL)
        doctor_note(doctor, FINDING_ERROR, "keyring",
                    "each line is kid:base64(32 bytes), the first one seals", "%s: %s",
                    settings->keyring_path, error.data);
    else
        doctor_note(doctor, FINDING_OK, "keyring", NULL, "%zu key%s; \"%s\" seals",
                    settings->keyring_lines.count, settings->keyring_lines.count == 1 ? "" : "s",
                    vault_active_kid(doctor->ctl->vault));
    buf_free(&error);
}

/* The spool's folder takes a file, and there is room for more. */
static void state_dir_note(struct doctor *doctor)
{
    const char *folder = doctor->ctl->settings->server.state_dir;
    char *path = xasprintf("%s/.doctor-XXXXXX", folder);
    struct statvfs disk;
    int fd = mkostemp(path, O_CLOEXEC);
    int64_t free_bytes;

    if (fd < 0) {
        doctor_note(doctor, FINDING_ERROR, "state_dir",
                    "create it, owned by the user that the programs run as, mode 0700",
                    "%s: no file can be made in it: %s", folder, strerror(errno));
        free(path);
        return;
    }
    unlink(path);
    close(fd);
    free(path);
    free_bytes = statvfs(folder, &disk) == 0 ? (int64_t)(disk.f_bavail * disk.f_frsize) : 0;
    if (free_bytes < DISK_LEAST)
        doctor_note(doctor, FINDING_WARN, "state_dir",
                    "free some space: deliveries are spooled here while the database is away",
                    "%s has %lld MiB left", folder, (long long)(free_bytes >> 20));
    else
        doctor_note(doctor, FINDING_OK, "state_dir", NULL, "%s is writable, %lld MiB free", folder,
                    (long long)(free_bytes >> 20));
}

/* What lies in the spool, of all fronts of this host. */
static void spool_note(struct doctor *doctor)
{
    const char *folder = doctor->ctl->settings->server.state_dir;
    struct spool_count count;

    if (spool_count_read(folder, &count) != 0)
        return; /* state_dir has its own finding */
    if (count.damaged > 0)
        doctor_note(doctor, FINDING_ERROR, "spool",
                    "`sqlite3 FILE .recover` shows what can be read: see docs/operations.md",
                    "%zu damaged file%s in %s", count.damaged, count.damaged == 1 ? "" : "s",
                    folder);
    if (count.apart > 0)
        doctor_note(doctor, FINDING_WARN, "spool",
                    "the fronts' logs say why; they are tried again at a reload or a start",
                    "%zu deliver%s set apart", count.apart,
                    count.apart == 1 ? "y was" : "ies were");
    if (count.pending > 0)
        doctor_note(doctor, FINDING_WARN, "spool",
                    doctor->connected ? "a running front drains it: is one running?"
                                      : "it is drained when the database is back",
                    "%zu deliver%s for the database", count.pending,
                    count.pending == 1 ? "y waits" : "ies wait");
    if (count.damaged + count.apart + count.pending == 0)
        doctor_note(doctor, FINDING_OK, "spool", NULL, "empty");
}

/* The limit of this very shell: a service manager sets its own. */
static void descriptors_note(struct doctor *doctor)
{
    rlim_t wanted = LIMIT_HTTP_CONNECTIONS + LIMIT_HTTP_OVERFLOW + LIMIT_HTTP_SPARE_FILES;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_max < wanted)
        doctor_note(doctor, FINDING_WARN, "file descriptors",
                    "raise the hard limit (LimitNOFILE= in a systemd unit)",
                    "at most %llu here, %llu are wanted for %d connections",
                    (unsigned long long)limit.rlim_max, (unsigned long long)wanted,
                    LIMIT_HTTP_CONNECTIONS);
    else
        doctor_note(doctor, FINDING_OK, "file descriptors", NULL, "up to %llu, %llu are wanted",
                    (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
}

void doctor_host(struct doctor *doctor)
{
    state_dir_note(doctor);
    spool_note(doctor);
    descriptors_note(doctor);
}

/* Everything, from what all depends on to what depends on all. */
static void doctor_look(struct doctor *doctor)
{
    settings_note(doctor);
    keyring_note(doctor);
    doctor_database(doctor);
    doctor_sources(doctor);
    if (doctor->stored) {
        doctor_catalogue(doctor);
        doctor_people(doctor);
    }
    doctor_host(doctor);
    doctor_network(doctor);
}

/* The findings, and how they sum up. */
static enum exit_code doctor_report(const struct doctor *doctor, bool configured)
{
    table_answer(doctor->ctl->json ? doctor->findings : doctor->lines, doctor->ctl->json, "");
    if (!doctor->ctl->json)
        printf("\n%zu ok, %zu to look at, %zu wrong\n", doctor->counts[FINDING_OK],
               doctor->counts[FINDING_WARN], doctor->counts[FINDING_ERROR]);
    if (!configured)
        return EXIT_CONFIG;
    return doctor->counts[FINDING_ERROR] > 0 ? EXIT_FAILED : EXIT_DONE;
}

enum exit_code doctor_run(struct ctl *ctl)
{
    struct doctor doctor = {
        .ctl = ctl, .findings = table_new(finding_columns), .lines = table_new(line_columns)};
    struct buf errors = {0};
    enum exit_code code;

    ctl->settings = settings_load(ctl->options->config, &errors);
    if (ctl->settings != NULL) {
        doctor_look(&doctor);
    } else {
        fputs(errors.data, stderr);
        faults_note(&doctor, errors.data);
    }
    code = doctor_report(&doctor, ctl->settings != NULL);
    buf_free(&errors);
    table_free(doctor.findings);
    table_free(doctor.lines);
    return code;
}
