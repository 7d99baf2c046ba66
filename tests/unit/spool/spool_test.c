/* The spool against a real disk: commits, bounds, faults, and a process that is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "spool/spool.h"
#include "spool/spool_count.h"

#define ROOMY (INT64_C(64) << 20)
#define PATIENCE_MS 30000

struct place {
    char folder[64];
};

static int setup(void **state)
{
    struct place *place = xcalloc(1, sizeof(*place));
    snprintf(place->folder, sizeof(place->folder), "/tmp/purchase-spool-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    DIR *dir = opendir(place->folder);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    rmdir(place->folder);
    free(place);
    return 0;
}

/* Results come back through one counter: a test runs one kind of operation at a time. */
static size_t called;
static enum spool_result last;

static void note(void *operation, enum spool_result result)
{
    (void)operation;
    called++;
    last = result;
}

static void await_calls(struct spool *spool, size_t count)
{
    while (called < count) {
        struct pollfd fd = {spool_fd(spool), POLLIN, 0};
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
        spool_complete(spool);
    }
}

static void put_fill(struct spool_put *put, int number, size_t len)
{
    memset(put, 0, sizeof(*put));
    snprintf(put->row.source, sizeof(put->row.source), "shop");
    snprintf(put->row.topic, sizeof(put->row.topic), "order.%d", number);
    memcpy(put->row.key, &number, sizeof(number));
    put->row.received_at = 1000 + number;
    for (size_t i = 0; i < len; i++)
        buf_putc(&put->row.sealed, (char)('a' + number % 26));
}

static enum spool_result put_one(struct spool *spool, int number, size_t len)
{
    struct spool_put put;
    enum spool_result result;

    put_fill(&put, number, len);
    called = 0;
    result = spool_put(spool, &put, note);
    if (result == SPOOL_OK) {
        await_calls(spool, 1);
        result = last;
    }
    buf_free(&put.row.sealed);
    return result;
}

static void take_all(struct spool *spool, int64_t after, size_t most, struct spool_take *take)
{
    *take = (struct spool_take){.after = after, .most = most, .most_bytes = 64 << 20};
    called = 0;
    spool_take(spool, take, note);
    await_calls(spool, 1);
}

static enum spool_result settle_one(struct spool *spool, int64_t id, const char *apart)
{
    struct spool_verdict verdict = {id, apart};
    struct spool_settle settle = {&verdict, 1};

    called = 0;
    spool_settle(spool, &settle, note);
    await_calls(spool, 1);
    return last;
}

static void test_what_goes_in_comes_out_in_order(void **state)
{
    const struct place *place = *state;
    struct spool *spool = spool_new(place->folder, ROOMY);
    struct spool_count count;
    struct spool_take take;

    for (int i = 0; i < 5; i++)
        assert_int_equal(put_one(spool, i, 10 + (size_t)i), SPOOL_OK);
    take_all(spool, 0, 3, &take);
    assert_int_equal(take.count, 3);
    for (int i = 0; i < 3; i++) {
        const struct spool_row *row = &take.rows[i];
        assert_string_equal(row->source, "shop");
        assert_memory_equal(row->key, &i, sizeof(i));
        assert_int_equal(row->received_at, 1000 + i);
        assert_int_equal(row->sealed.len, 10 + i);
        assert_int_equal(row->sealed.data[0], 'a' + i);
    }
    assert_string_equal(take.rows[1].topic, "order.1");
    assert_int_equal(settle_one(spool, take.rows[0].id, NULL), SPOOL_OK);
    assert_int_equal(settle_one(spool, take.rows[1].id, "does not open"), SPOOL_OK);
    spool_take_free(&take);
    assert_int_equal(spool_state(spool).pending, 3);
    assert_int_equal(spool_state(spool).apart, 1);
    assert_int_equal(spool_count_read(place->folder, &count), 0);
    assert_int_equal(count.files, 1);
    assert_int_equal(count.pending, 3);
    assert_int_equal(count.apart, 1);
    assert_int_equal(count.damaged, 0);
    take_all(spool, 0, 100, &take);
    assert_int_equal(take.count, 3);
    assert_int_equal(take.rows[0].received_at, 1002);
    spool_take_free(&take);
    spool_retry_apart(spool);
    take_all(spool, 0, 100, &take);
    assert_int_equal(take.count, 4);
    spool_take_free(&take);
    assert_int_equal(spool_state(spool).apart, 0);
    spool_free(spool);
}

static void test_the_same_again_is_no_second_row(void **state)
{
    const struct place *place = *state;
    struct spool *spool = spool_new(place->folder, ROOMY);
    int64_t bytes;

    assert_int_equal(put_one(spool, 7, 100), SPOOL_OK);
    bytes = spool_state(spool).bytes;
    for (int i = 0; i < 20; i++)
        assert_int_equal(put_one(spool, 7, 100), SPOOL_DUPLICATE);
    assert_int_equal(spool_state(spool).pending, 1);
    assert_int_equal(spool_state(spool).bytes, bytes);
    spool_free(spool);
}

static void test_many_share_a_commit_and_survive_the_end(void **state)
{
    enum { MANY = 500 };
    const struct place *place = *state;
    struct spool *spool = spool_new(place->folder, ROOMY);
    struct spool_put *puts = xcalloc(MANY, sizeof(*puts));
    struct spool_take take;
    struct stat status;
    char path[128];

    called = 0;
    for (int i = 0; i < MANY; i++) {
        put_fill(&puts[i], i, 1000);
        assert_int_equal(spool_put(spool, &puts[i], note), SPOOL_OK);
    }
    spool_free(spool); /* runs what is queued */
    assert_int_equal(called, MANY);
    snprintf(path, sizeof(path), "%s/spool-00.db", place->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    spool = spool_new(place->folder, ROOMY);
    take_all(spool, 0, 1000, &take);
    assert_int_equal(take.count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(take.rows[i].received_at, 1000 + i);
        buf_free(&puts[i].row.sealed);
    }
    spool_take_free(&take);
    spool_free(spool);
    free(puts);
}

static void test_full_is_refused_and_room_is_found_again(void **state)
{
    const struct place *place = *state;
    struct spool *spool = spool_new(place->folder, 100000);
    struct spool_take take;
    int stored = 0;

    while (put_one(spool, stored, 10000) == SPOOL_OK)
        stored++;
    assert_in_range(stored, 8, 9);
    assert_int_equal(put_one(spool, stored, 10000), SPOOL_FULL);
    assert_int_equal(put_one(spool, 1000, 10), SPOOL_OK); /* a small one still fits */
    take_all(spool, 0, 1, &take);
    assert_int_equal(settle_one(spool, take.rows[0].id, NULL), SPOOL_OK);
    spool_take_free(&take);
    assert_int_equal(put_one(spool, stored, 10000), SPOOL_OK);
    spool_free(spool);
    /* What lies there counts from the start on. */
    spool = spool_new(place->folder, 100000);
    take_all(spool, 0, 1, &take);
    spool_take_free(&take);
    assert_int_equal(put_one(spool, 2000, 10000), SPOOL_FULL);
    spool_free(spool);
}

static void test_an_empty_file_is_small_again(void **state)
{
    const struct place *place = *state;
    struct spool *spool = spool_new(place->folder, ROOMY);
    struct spool_take take;
    struct stat status;
    char path[128];

    for (int i = 0; i < 20; i++)
        assert_int_equal(put_one(spool, i, 200000), SPOOL_OK);
    take_all(spool, 0, 100, &take);
    assert_int_equal(take.count, 20);
    for (size_t i = 0; i < take.count; i++)
        assert_int_equal(settle_one(spool, take.rows[i].id, NULL), SPOOL_OK);
    spool_take_free(&take);
    assert_int_equal(spool_state(spool).bytes, 0);
    spool_free(spool);
    snprintf(path, sizeof(path), "%s/spool-00.db", place->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size < 200000);
}

/* The file may grow to so many bytes, in all that this process writes. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_disk_that_takes_no_more(void **state)
{
    const struct place *place = *state;
    struct spool *spool = spool_new(place->folder, ROOMY);
    struct spool_take take;
    int stored = 0;

    assert_int_equal(put_one(spool, stored++, 1000), SPOOL_OK);
    limit_files(300000);
    while (put_one(spool, stored, 20000) == SPOOL_OK)
        stored++;
    assert_in_range(stored, 2, 20);
    assert_false(spool_state(spool).usable);
    assert_int_equal(spool_state(spool).pending, stored);
    limit_files(RLIM_INFINITY);
    assert_int_equal(put_one(spool, stored++, 20000), SPOOL_OK);
    assert_true(spool_state(spool).usable);
    take_all(spool, 0, 100, &take);
    assert_int_equal(take.count, stored);
    spool_take_free(&take);
    spool_free(spool);
}

static void test_a_folder_that_cannot_be_used(void **state)
{
    const struct place *place = *state;
    char folder[128];
    struct spool *spool;

    snprintf(folder, sizeof(folder), "%s/none", place->folder);
    spool = spool_new(folder, ROOMY);
    assert_int_equal(put_one(spool, 1, 10), SPOOL_FAILED);
    assert_false(spool_state(spool).usable);
    /* It is found once it is there: tries are a second apart. */
    assert_int_equal(mkdir(folder, 0700), 0);
    int64_t until = clock_monotonic() + PATIENCE_MS * INT64_C(1000);
    while (put_one(spool, 1, 10) != SPOOL_OK)
        assert_true(clock_monotonic() < until);
    spool_free(spool);
    char command[160];
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void test_a_file_that_is_deleted_takes_nothing_with_it(void **state)
{
    const struct place *place = *state;
    struct spool *spool = spool_new(place->folder, ROOMY);
    struct spool_take take;
    char path[128];

    assert_int_equal(put_one(spool, 1, 10), SPOOL_OK);
    snprintf(path, sizeof(path), "%s/spool-00.db", place->folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(put_one(spool, 2, 10), SPOOL_OK);
    spool_free(spool);
    spool = spool_new(place->folder, ROOMY);
    take_all(spool, 0, 10, &take);
    assert_int_equal(take.count, 1);
    assert_int_equal(take.rows[0].received_at, 1002);
    spool_take_free(&take);
    spool_free(spool);
}

static void test_a_damaged_file_is_kept_and_stops_nobody(void **state)
{
    const struct place *place = *state;
    char path[128], noise[8192];
    struct spool *spool;
    struct dirent *entry;
    struct spool_count count;
    size_t damaged = 0;
    DIR *dir;

    memset(noise, 'x', sizeof(noise));
    snprintf(path, sizeof(path), "%s/spool-00.db", place->folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, noise, sizeof(noise)), sizeof(noise));
    close(fd);
    spool = spool_new(place->folder, ROOMY);
    assert_int_equal(put_one(spool, 1, 10), SPOOL_OK);
    spool_free(spool);
    dir = opendir(place->folder);
    while ((entry = readdir(dir)))
        damaged += strncmp(entry->d_name, "spool-00.db.damaged-", 20) == 0;
    closedir(dir);
    assert_int_equal(damaged, 1);
    assert_int_equal(spool_count_read(place->folder, &count), 0);
    assert_int_equal(count.damaged, 1);
    assert_int_equal(count.pending, 1);
}

/* What a process of its own does, for its locks: puts rows, and writes the number of each that was
 * told stored to the pipe, until it is killed. */
static int writer_run(const char *folder, int first, int out)
{
    struct spool *spool = spool_new(folder, ROOMY);

    for (int number = first;; number++) {
        if (put_one(spool, number, 3000) != SPOOL_OK ||
            write(out, &number, sizeof(number)) != (ssize_t)sizeof(number))
            return 1;
    }
}

static pid_t writer_start(const char *folder, int first, int *told)
{
    int ends[2];
    char number[16], out[16];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    snprintf(number, sizeof(number), "%d", first);
    snprintf(out, sizeof(out), "%d", ends[1]);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "writer", folder, number, out, (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    *told = ends[0];
    return pid;
}

/* The greatest number that was told once `least` were, and after the kill. */
static int writer_kill(pid_t pid, int told, int least)
{
    int number = -1, count = 0, status;

    while (count < least && read(told, &number, sizeof(number)) == (ssize_t)sizeof(number))
        count++;
    assert_int_equal(count, least);
    kill(pid, SIGKILL);
    while (read(told, &number, sizeof(number)) == (ssize_t)sizeof(number))
        ;
    close(told);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return number;
}

static void test_what_was_told_survives_a_kill(void **state)
{
    const struct place *place = *state;
    int first = 0;

    for (int round = 0; round < 8; round++) {
        int told, last_told;
        pid_t pid = writer_start(place->folder, first, &told);
        last_told = writer_kill(pid, told, 3 + round);
        struct spool *spool = spool_new(place->folder, ROOMY);
        struct spool_take take;
        take_all(spool, 0, 100000, &take);
        /* Each that was told, once and in order, and at most one that was on its way. */
        assert_in_range(take.count, (size_t)last_told + 1, (size_t)last_told + 2);
        for (size_t i = 0; i < take.count; i++) {
            assert_int_equal(take.rows[i].received_at, 1000 + i);
            assert_int_equal(take.rows[i].sealed.len, 3000);
        }
        first = (int)take.count;
        spool_take_free(&take);
        spool_free(spool);
    }
}

static size_t adopt_once(struct spool *spool)
{
    struct spool_adopt adopt;
    called = 0;
    spool_adopt(spool, &adopt, note);
    await_calls(spool, 1);
    assert_int_equal(last, SPOOL_OK);
    return adopt.moved;
}

static void test_an_orphan_is_adopted_and_a_held_file_is_not(void **state)
{
    const struct place *place = *state;
    int told, ready, number, last_told;
    pid_t first = writer_start(place->folder, 0, &told);

    assert_int_equal(read(told, &number, sizeof(number)), sizeof(number));
    pid_t second = writer_start(place->folder, 50000, &ready);
    assert_int_equal(read(ready, &number, sizeof(number)), sizeof(number));

    struct spool *spool = spool_new(place->folder, ROOMY);
    assert_int_equal(put_one(spool, 100000, 10), SPOOL_OK);
    assert_int_equal(adopt_once(spool), 0); /* both are held */
    last_told = writer_kill(first, told, 3);
    size_t moved = 0, step;
    while ((step = adopt_once(spool)) > 0)
        moved += step;
    assert_in_range(moved, (size_t)last_told + 1, (size_t)last_told + 2);
    assert_int_equal(spool_state(spool).pending, moved + 1);
    writer_kill(second, ready, 1);
    while ((step = adopt_once(spool)) > 0)
        moved += step;
    assert_int_equal(spool_state(spool).pending, moved + 1);
    assert_true(moved > (size_t)last_told + 2);
    spool_free(spool);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_goes_in_comes_out_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_same_again_is_no_second_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_share_a_commit_and_survive_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_full_is_refused_and_room_is_found_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_file_is_small_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_disk_that_takes_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_that_cannot_be_used, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_deleted_takes_nothing_with_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_file_is_kept_and_stops_nobody, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_was_told_survives_a_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_orphan_is_adopted_and_a_held_file_is_not, setup,
                                        teardown),
    };
    if (argc == 4)
        return writer_run(argv[1], atoi(argv[2]), atoi(argv[3]));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
