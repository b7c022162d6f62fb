/* test/unit/test_uploads.c - what accounts may upload: limits of a day, the quota, when to try again, rows
 * that go */
#include "sessman/uploads.h"
#include "common/base/clock.h"
#include "sessman/users.h"
#include "test/unit/sessman_world.h"

#define DAY_MS INT64_C(86400000)

struct answer {
    enum rc rc;
    int64_t retry_ms;
};
struct rows {
    struct world *w;
    unsigned n;
    uint64_t bytes;
};

static int setup(void **state)
{
    int rc = world_setup(state);
    struct world *w = *state;
    struct jid romeo = world_jid(w, "romeo@" WORLD_DOMAIN), juliet = world_jid(w, "juliet@" WORLD_DOMAIN);
    store_run(w->sm.store, STMT_ACCOUNT_ADD,
              STORE_VALUES(STORE_T(romeo.domain), STORE_T(romeo.local), STORE_I(0), STORE_I(0)), world_ignore,
              NULL);
    store_run(w->sm.store, STMT_ACCOUNT_ADD,
              STORE_VALUES(STORE_T(juliet.domain), STORE_T(juliet.local), STORE_I(0), STORE_I(0)),
              world_ignore, NULL);
    w->conf.upload_max = 1000;
    return rc;
}

static void on_answer(void *ctx, enum rc rc, int64_t retry_ms)
{
    struct world *w = ctx;
    *(struct answer *)w->user = (struct answer){ rc, retry_ms };
    w->answers++;
}

static struct answer ask(struct world *w, int64_t account, uint64_t bytes, int64_t keep_ms)
{
    struct answer got = { RC_IO, -1 };
    const struct upload u = { account, keep_ms, bytes, SLICE("token/name") };
    w->user = &got;
    uploads_grant(&w->sm, &u, on_answer, w);
    world_wait(w, 1);
    return got;
}

static void on_row(void *ctx, struct slice path, uint64_t bytes, int64_t at_ms, int64_t keep_ms)
{
    struct rows *r = ctx;
    assert_true(slice_is(path, "token/name") && at_ms && keep_ms);
    r->n++;
    r->bytes += bytes;
}

static void on_rows(void *ctx)
{
    ((struct rows *)ctx)->w->answers++;
}

static struct rows rows_of(struct world *w, const char *user)
{
    struct rows r = { .w = w };
    struct jid jid = world_jid(w, user);
    uploads_list(&w->sm, &jid, 100, on_row, on_rows, &r);
    world_wait(w, 1);
    return r;
}

static void without_limits_all_is_granted(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask(w, 1, 1000, clock_wall_ms() + DAY_MS).rc, RC_OK);
    struct rows r = rows_of(w, "romeo@" WORLD_DOMAIN);
    assert_true(r.n == 20 && r.bytes == 20000);
    assert_int_equal(rows_of(w, "juliet@" WORLD_DOMAIN).n, 0);
    assert_int_equal(ask(w, 77, 1, clock_wall_ms() + DAY_MS).rc, RC_NOTFOUND); /* no such account */
}

static void files_of_a_day_are_limited(void **state)
{
    struct world *w = *state;
    int64_t first_ms = clock_wall_ms();
    w->conf.upload_day_files = 2;
    assert_int_equal(ask(w, 1, 0, first_ms + 1000).rc, RC_OK);
    int64_t second_ms = clock_wall_ms();
    assert_int_equal(ask(w, 1, 0, first_ms + 1000).rc, RC_OK);
    struct answer a = ask(w, 1, 0, first_ms + 1000);
    assert_int_equal(a.rc, RC_LIMIT);
    assert_in_range(a.retry_ms, first_ms + DAY_MS, second_ms + DAY_MS); /* when the first has left */
    assert_int_equal(ask(w, 2, 0, first_ms + 1000).rc, RC_OK);          /* another's own */
    assert_int_equal(rows_of(w, "juliet@" WORLD_DOMAIN).n, 1);
}

static void bytes_of_a_day_are_limited(void **state)
{
    struct world *w = *state;
    w->conf.upload_day_bytes = 100;
    int64_t t[3], keep_ms = clock_wall_ms() + 30 * DAY_MS;
    for (int i = 0; i < 3; i++) {
        static const uint64_t bytes[] = { 50, 30, 20 };
        t[i] = clock_wall_ms();
        assert_int_equal(ask(w, 1, bytes[i], keep_ms).rc, RC_OK);
        for (int64_t now_ms = clock_wall_ms(); clock_wall_ms() == now_ms;)
            ; /* rows of different times */
    }
    assert_int_equal(ask(w, 1, 0, keep_ms).rc, RC_OK); /* nothing fits still */
    struct answer a = ask(w, 1, 50, keep_ms);
    assert_int_equal(a.rc, RC_LIMIT);
    assert_in_range(a.retry_ms, t[0] + DAY_MS, t[1] + DAY_MS - 1); /* the first is enough */
    a = ask(w, 1, 51, keep_ms);
    assert_in_range(a.retry_ms, t[1] + DAY_MS, t[2] + DAY_MS - 1); /* two must have left */
    a = ask(w, 1, 100, keep_ms);
    assert_true(a.rc == RC_LIMIT && a.retry_ms >= t[2] + DAY_MS);
}

static void what_is_kept_is_limited(void **state)
{
    struct world *w = *state;
    int64_t now_ms = clock_wall_ms();
    w->conf.upload_quota = 100;
    assert_int_equal(ask(w, 1, 60, now_ms + 5 * DAY_MS).rc, RC_OK);
    assert_int_equal(ask(w, 1, 40, now_ms + 3 * DAY_MS).rc, RC_OK);
    struct answer a = ask(w, 1, 40, now_ms + 9 * DAY_MS);
    assert_true(a.rc == RC_LIMIT && a.retry_ms == now_ms + 3 * DAY_MS);
    a = ask(w, 1, 41, now_ms + 9 * DAY_MS);
    assert_true(a.rc == RC_LIMIT && a.retry_ms == now_ms + 5 * DAY_MS);
}

static void what_is_not_kept_any_more_does_not_count(void **state)
{
    struct world *w = *state;
    int64_t past_ms = clock_wall_ms() - 1;
    w->conf.upload_quota = 100;
    assert_int_equal(ask(w, 1, 100, past_ms).rc, RC_OK);
    assert_int_equal(ask(w, 1, 100, past_ms).rc, RC_OK);
    assert_int_equal(rows_of(w, "romeo@" WORLD_DOMAIN).n, 0); /* nor is it listed */
    w->conf.upload_day_files = 2;
    assert_int_equal(ask(w, 1, 1, past_ms).rc, RC_LIMIT); /* but of the day it was */
}

static void on_changes(void *ctx, const struct store_result *r)
{
    struct world *w = ctx;
    *(uint64_t *)w->user = r->changes;
    w->answers++;
}

static uint64_t expire(struct world *w, int64_t kept_ms, int64_t day_ms)
{
    uint64_t n = 99;
    w->user = &n;
    store_run(w->sm.store, STMT_UPLOAD_EXPIRE, STORE_VALUES(STORE_I(kept_ms), STORE_I(day_ms), STORE_I(100)),
              on_changes, w);
    world_wait(w, 1);
    return n;
}

static void rows_go_when_they_count_for_nothing(void **state)
{
    struct world *w = *state;
    int64_t now_ms = clock_wall_ms(), later_ms = now_ms + 10 * DAY_MS;
    assert_int_equal(ask(w, 1, 1, now_ms + DAY_MS / 2).rc, RC_OK);
    assert_int_equal(ask(w, 1, 1, now_ms + 5 * DAY_MS).rc, RC_OK);
    assert_int_equal(expire(w, now_ms + DAY_MS, now_ms - DAY_MS), 0); /* of the day still */
    assert_int_equal(expire(w, now_ms + DAY_MS, later_ms), 1);        /* the other is kept */
    assert_int_equal(expire(w, later_ms, later_ms), 1);
}

static void rows_go_with_their_account(void **state)
{
    struct world *w = *state;
    struct jid romeo = world_jid(w, "romeo@" WORLD_DOMAIN);
    assert_int_equal(ask(w, 1, 1, clock_wall_ms() + DAY_MS).rc, RC_OK);
    store_run(w->sm.store, STMT_ACCOUNT_DEL, STORE_VALUES(STORE_T(romeo.domain), STORE_T(romeo.local)),
              world_ignore, NULL);
    assert_int_equal(expire(w, INT64_MAX, INT64_MAX), 0);
}

static void the_largest_file_is_what_all_limits_allow(void **state)
{
    struct world *w = *state;
    assert_true(uploads_size_max(&w->sm) == 1000);
    w->conf.upload_day_bytes = 900;
    assert_true(uploads_size_max(&w->sm) == 900);
    w->conf.upload_quota = 800;
    assert_true(uploads_size_max(&w->sm) == 800);
}

static void urls_have_the_domain_in_them(void **state)
{
    struct world *w = *state;
    static char with[] = "https://{domain}:5281/upload", without[] = "https://files.example.org/u//";
    struct why why;
    w->conf.upload_url = with;
    assert_true(slice_is(uploads_base(&w->sm, SLICE("a.example"), w->a), "https://a.example:5281/upload"));
    w->conf.upload_url = without;
    assert_true(slice_is(uploads_base(&w->sm, SLICE("a.example"), w->a), "https://files.example.org/u"));
    assert_int_equal(uploads_url_check(with, &why), RC_OK);
    assert_int_equal(uploads_url_check("ftp://x", &why), RC_SYNTAX);
    assert_int_equal(uploads_url_check("https://x/?a", &why), RC_SYNTAX);
    assert_int_equal(uploads_url_check("https://x y", &why), RC_SYNTAX);
    assert_int_equal(uploads_url_check(NULL, &why), RC_SYNTAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_limits_all_is_granted),
        TEST(files_of_a_day_are_limited),
        TEST(bytes_of_a_day_are_limited),
        TEST(what_is_kept_is_limited),
        TEST(what_is_not_kept_any_more_does_not_count),
        TEST(rows_go_when_they_count_for_nothing),
        TEST(rows_go_with_their_account),
        TEST(the_largest_file_is_what_all_limits_allow),
        TEST(urls_have_the_domain_in_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
