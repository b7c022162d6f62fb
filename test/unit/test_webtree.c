/* test/unit/test_webtree.c - the folder of our own pages: what of it is given out, and its limits */
#include "httpgw/webtree.h"

#include "common/base/secret.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char folder[64];
};

static char *path_of(const struct place *p, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    return path;
}

static void put(const struct place *p, const char *name, const char *text)
{
    FILE *f = fopen(path_of(p, name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void folder(const struct place *p, const char *name)
{
    assert_int_equal(mkdir(path_of(p, name), 0700), 0);
}

static int setup(void **state)
{
    static struct place place;
    snprintf(place.folder, sizeof place.folder, "/tmp/test_webtree.XXXXXX");
    *state = &place;
    return secret_init(NULL) == RC_OK && mkdtemp(place.folder) ? 0 : -1;
}

static int teardown(void **state)
{
    const struct place *p = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", p->folder);
    return system(command);
}

static void files_by_their_paths(void **state)
{
    const struct place *p = *state;
    struct webtree *t = NULL;
    folder(p, "admin");
    put(p, "index.html", "top");
    put(p, "admin/app.js", "script");
    put(p, "admin/app.js.gz", "packed");
    put(p, "admin/same.txt", "script");
    put(p, "admin/.hidden", "no");
    put(p, "admin/a b.txt", "no");
    put(p, "admin/alone.css.gz", "no");
    assert_int_equal(symlink("app.js", path_of(p, "admin/link.js")), 0);
    assert_int_equal(webtree_read(p->folder, &t, NULL), RC_OK);
    assert_int_equal(webtree_files(t), 3);
    const struct webtree_file *app = webtree_get(t, SLICE("admin/app.js"));
    const struct webtree_file *same = webtree_get(t, SLICE("admin/same.txt"));
    assert_string_equal(app->type, "text/javascript; charset=utf-8");
    assert_int_equal(app->plain.size, 6);
    assert_int_equal(app->gzip.size, 6);
    assert_true(app->gzip.fd >= 0 && same->gzip.fd < 0);
    assert_string_equal(app->plain.etag, same->plain.etag); /* of what is in it */
    assert_string_not_equal(app->plain.etag, app->gzip.etag);
    static const char *const none[] = { "admin",
                                        "admin/",
                                        "admin/link.js",
                                        "admin/.hidden",
                                        "admin/app.js.gz",
                                        "admin/alone.css",
                                        "admin/alone.css.gz",
                                        "../etc/passwd",
                                        "",
                                        "/index.html",
                                        "admin/../index.html",
                                        "index.htm" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(webtree_get(t, slice_cstr(none[i])));
    webtree_free(&t);
}

static void what_is_replaced_later_is_not_seen(void **state)
{
    const struct place *p = *state;
    struct webtree *t = NULL;
    char byte = 0;
    put(p, "page.html", "old");
    assert_int_equal(webtree_read(p->folder, &t, NULL), RC_OK);
    unlink(path_of(p, "page.html"));
    assert_int_equal(symlink("/etc/passwd", path_of(p, "page.html")), 0);
    assert_int_equal(pread(webtree_get(t, SLICE("page.html"))->plain.fd, &byte, 1, 0), 1);
    assert_int_equal(byte, 'o');
    webtree_free(&t);
}

static void no_folder(void **state)
{
    const struct place *p = *state;
    struct webtree *t = NULL;
    struct why why;
    char path[128];
    snprintf(path, sizeof path, "%s/nowhere", p->folder);
    assert_int_equal(webtree_read(path, &t, &why), RC_NOTFOUND);
    assert_null(t);
    assert_non_null(strstr(why.text, "nowhere"));
    put(p, "nowhere", "a file");
    assert_int_equal(webtree_read(path, &t, NULL), RC_NOTFOUND);
}

static void limits(void **state)
{
    const struct place *p = *state;
    struct webtree *t = NULL;
    char name[64] = "d";
    folder(p, name);
    for (unsigned depth = 1; depth <= WEBTREE_DEPTH_MAX; depth++) {
        snprintf(name + strlen(name), sizeof name - strlen(name), "/d");
        if (depth == WEBTREE_DEPTH_MAX) {
            assert_int_equal(webtree_read(p->folder, &t, NULL), RC_OK);
            webtree_free(&t);
        }
        folder(p, name);
    }
    assert_int_equal(webtree_read(p->folder, &t, NULL), RC_LIMIT);
    rmdir(path_of(p, name));
    put(p, "large", "");
    assert_int_equal(truncate(path_of(p, "large"), (off_t)WEBTREE_BYTES_MAX + 1), 0);
    assert_int_equal(webtree_read(p->folder, &t, NULL), RC_LIMIT);
    unlink(path_of(p, "large"));
    for (unsigned i = 0; i <= WEBTREE_FILES_MAX; i++) {
        snprintf(name, sizeof name, "f%u", i);
        put(p, name, "");
    }
    assert_int_equal(webtree_read(p->folder, &t, NULL), RC_LIMIT);
    unlink(path_of(p, name));
    assert_int_equal(webtree_read(p->folder, &t, NULL), RC_OK);
    assert_int_equal(webtree_files(t), WEBTREE_FILES_MAX);
    webtree_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_by_their_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_replaced_later_is_not_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(no_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
