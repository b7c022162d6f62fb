/* test/unit/test_uploaddisk.c - files of uploads on a real disk: there as a whole or not at all, once, and
 * removed by their day */
#include "httpgw/uploaddisk.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define DAY_S  86400
#define KEEP_S (INT64_C(20785) * DAY_S + 5)

struct world {
    char dir[64], path[96];
    int folder;
    struct arena *a;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct why why = { "" };
    snprintf(w->dir, sizeof w->dir, "/tmp/bulkhead-upload-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof w->path, "%s/upload", w->dir);
    if (uploaddisk_open_folder(w->path, &w->folder, &why) != RC_OK)
        fail_msg("%s", why.text);
    w->a = arena_new(4096, 0);
    *state = w;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *w = *state;
    close(w->folder);
    arena_free(&w->a);
    nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

static struct slot a_slot(struct world *w, uint8_t which, uint64_t size)
{
    uint8_t random[SLOT_RANDOM_BYTES] = { which };
    return (struct slot){ slot_token(w->a, (uint32_t)KEEP_S, random), SLICE("a name.txt"), size,
                          SLICE("text/plain"), 0 };
}

static unsigned entries(struct world *w, const char *name)
{
    char path[160];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/%s", w->path, name);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void put(struct world *w, const struct slot *s, const char *text)
{
    struct uploaddisk_part p;
    assert_int_equal(uploaddisk_begin(w->folder, s, 1, &p), RC_OK);
    assert_int_equal(uploaddisk_write(&p, slice_cstr(text)), RC_OK);
    assert_int_equal(uploaddisk_finish(&p), RC_OK);
    assert_true(p.fd < 0);
}

static void a_file_is_found_when_it_is_whole(void **state)
{
    struct world *w = *state;
    struct slot s = a_slot(w, 1, 10);
    struct uploaddisk_part p;
    struct uploaddisk_file f;
    char got[32] = { 0 };
    assert_int_equal(uploaddisk_begin(w->folder, &s, 1, &p), RC_OK);
    assert_int_equal(uploaddisk_write(&p, SLICE("01234")), RC_OK);
    assert_int_equal(uploaddisk_open(w->folder, s.token, s.name, &f), RC_NOTFOUND);
    assert_int_equal(uploaddisk_write(&p, SLICE("56789")), RC_OK);
    assert_int_equal(uploaddisk_finish(&p), RC_OK);
    assert_int_equal(entries(w, "tmp"), 0);
    assert_int_equal(uploaddisk_open(w->folder, s.token, s.name, &f), RC_OK);
    assert_true(f.size == 10 && slice_is(f.type, "text/plain"));
    assert_int_equal(pread(f.fd, got, sizeof got, UPLOADFILE_HEAD), 10);
    assert_string_equal(got, "0123456789");
    close(f.fd);
    assert_int_equal(uploaddisk_open(w->folder, s.token, SLICE("another name.txt"), &f), RC_NOTFOUND);
}

static void what_is_dropped_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct slot s = a_slot(w, 1, 10);
    struct uploaddisk_part p;
    struct uploaddisk_file f;
    assert_int_equal(uploaddisk_begin(w->folder, &s, 1, &p), RC_OK);
    assert_int_equal(uploaddisk_write(&p, SLICE("0123456789")), RC_OK);
    uploaddisk_drop(&p);
    uploaddisk_drop(&p);
    assert_int_equal(entries(w, "tmp"), 0);
    assert_int_equal(uploaddisk_open(w->folder, s.token, s.name, &f), RC_NOTFOUND);
}

static void a_file_is_never_replaced(void **state)
{
    struct world *w = *state;
    struct slot s = a_slot(w, 1, 3);
    struct uploaddisk_part one, two;
    struct uploaddisk_file f;
    char got[4] = { 0 };
    assert_int_equal(uploaddisk_begin(w->folder, &s, 1, &one), RC_OK);
    assert_int_equal(uploaddisk_begin(w->folder, &s, 2, &two), RC_OK); /* both at a time */
    assert_int_equal(uploaddisk_write(&one, SLICE("one")), RC_OK);
    assert_int_equal(uploaddisk_write(&two, SLICE("two")), RC_OK);
    assert_int_equal(uploaddisk_finish(&two), RC_OK);
    assert_int_equal(uploaddisk_finish(&one), RC_EXISTS);
    assert_int_equal(uploaddisk_begin(w->folder, &s, 3, &one), RC_EXISTS);
    assert_int_equal(entries(w, "tmp"), 0);
    assert_int_equal(uploaddisk_open(w->folder, s.token, s.name, &f), RC_OK);
    assert_int_equal(pread(f.fd, got, 3, UPLOADFILE_HEAD), 3);
    assert_string_equal(got, "two");
    close(f.fd);
}

static void links_are_not_followed(void **state)
{
    struct world *w = *state;
    struct slot s = a_slot(w, 1, 3);
    struct uploadfile_path path;
    struct uploaddisk_file f;
    char at[256];
    put(w, &s, "abc");
    uploadfile_path(s.token, &path);
    snprintf(at, sizeof at, "%s/%s", w->path, path.file);
    char aside[256];
    snprintf(aside, sizeof aside, "%s/aside", w->dir);
    assert_int_equal(rename(at, aside), 0);
    assert_int_equal(symlink(aside, at), 0);
    assert_int_equal(uploaddisk_open(w->folder, s.token, s.name, &f), RC_IO);
}

static void what_is_no_file_of_ours_is_not_given_out(void **state)
{
    struct world *w = *state;
    struct slot s = a_slot(w, 1, 3);
    struct uploadfile_path path;
    struct uploaddisk_file f;
    char at[256];
    put(w, &s, "abc");
    uploadfile_path(s.token, &path);
    snprintf(at, sizeof at, "%s/%s", w->path, path.file);
    assert_int_equal(truncate(at, 100), 0);
    assert_int_equal(uploaddisk_open(w->folder, s.token, s.name, &f), RC_IO);
    assert_int_equal(truncate(at, 1000), 0);
    int fd = open(at, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(uploaddisk_open(w->folder, s.token, s.name, &f), RC_IO);
}

static void a_full_disk_is_said_to_be_one(void **state)
{
    struct world *w = *state;
    struct slot s = a_slot(w, 1, 8192);
    struct uploaddisk_part p;
    struct rlimit before, limit;
    static char bytes[8192];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ); /* as in a thread of the pool */
    sigprocmask(SIG_BLOCK, &set, NULL);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(uploaddisk_begin(w->folder, &s, 1, &p), RC_OK);
    assert_int_equal(uploaddisk_write(&p, slice_of(bytes, sizeof bytes)), RC_LIMIT);
    uploaddisk_drop(&p);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(entries(w, "tmp"), 0);
}

static void a_day_goes_when_it_is_over(void **state)
{
    struct world *w = *state;
    unsigned removed;
    for (uint8_t i = 0; i < 10; i++) {
        struct slot s = a_slot(w, i, 3);
        put(w, &s, "abc");
    }
    assert_false(uploaddisk_clean(w->folder, KEEP_S + 1, 100, &removed)); /* the day is not over */
    assert_int_equal(removed, 0);
    assert_true(uploaddisk_clean(w->folder, KEEP_S + DAY_S, 4, &removed)); /* a part at a time */
    assert_int_equal(removed, 4);
    assert_true(uploaddisk_clean(w->folder, KEEP_S + DAY_S, 4, &removed));
    assert_false(uploaddisk_clean(w->folder, KEEP_S + DAY_S, 4, &removed));
    assert_int_equal(removed, 2);
    assert_int_equal(entries(w, "."), 1); /* tmp */
}

static void what_was_left_half_written_goes_after_a_day(void **state)
{
    struct world *w = *state;
    struct slot s = a_slot(w, 1, 3);
    struct uploaddisk_part p;
    unsigned removed;
    struct stat st;
    assert_int_equal(uploaddisk_begin(w->folder, &s, 1, &p), RC_OK);
    assert_int_equal(fstat(p.fd, &st), 0);
    assert_false(uploaddisk_clean(w->folder, st.st_mtime + DAY_S - 1, 10, &removed));
    assert_int_equal(entries(w, "tmp"), 1);
    assert_false(uploaddisk_clean(w->folder, st.st_mtime + DAY_S, 10, &removed));
    assert_int_equal(entries(w, "tmp"), 0);
    close(p.fd);
}

static void folders_of_others_are_left_alone(void **state)
{
    struct world *w = *state;
    unsigned removed;
    assert_int_equal(mkdirat(w->folder, "notes", 0700), 0);
    assert_int_equal(mkdirat(w->folder, "notes/10", 0700), 0);
    assert_int_equal(symlinkat(w->dir, w->folder, "10"), 0); /* a day that is a way out */
    assert_false(uploaddisk_clean(w->folder, KEEP_S, 10, &removed));
    assert_int_equal(removed, 0);
    assert_int_equal(entries(w, "notes"), 1);
    assert_int_equal(entries(w, ".."), 1);
}

static void a_folder_that_cannot_be_is_refused(void **state)
{
    struct world *w = *state;
    struct why why;
    char path[160];
    int fd;
    snprintf(path, sizeof path, "%s/not/there", w->dir);
    assert_int_equal(uploaddisk_open_folder(path, &fd, &why), RC_IO);
    assert_true(fd < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_found_when_it_is_whole),
        TEST(what_is_dropped_leaves_nothing),
        TEST(a_file_is_never_replaced),
        TEST(links_are_not_followed),
        TEST(what_is_no_file_of_ours_is_not_given_out),
        TEST(a_full_disk_is_said_to_be_one),
        TEST(a_day_goes_when_it_is_over),
        TEST(what_was_left_half_written_goes_after_a_day),
        TEST(folders_of_others_are_left_alone),
        TEST(a_folder_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
