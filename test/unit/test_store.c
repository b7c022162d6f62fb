/* test/unit/test_store.c */
#include "sessman/store/store.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>

struct world {
    char dir[64], path[80];
    struct loop *loop;
    struct store *store;
    struct store_conf conf;
};

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/bulkhead-store-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof w->path, "%s/store.db", w->dir);
    w->conf = (struct store_conf){ .path = w->path, .create = true, .queue_max = 1000 };
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char name[128];
    static const char *const tails[] = { "", "-wal", "-shm", ".lock" };
    store_close(&w->store);
    loop_free(&w->loop);
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", w->path, tails[i]);
        unlink(name);
    }
    rmdir(w->dir);
    mem_free(w);
    return 0;
}

static void open_ok(struct world *w, struct loop *loop, void (*on_commit)(void *), void *ctx)
{
    struct why why = { "" };
    if (store_open(loop, NULL, &w->conf, on_commit, ctx, &w->store, &why) != RC_OK)
        fail_msg("%s", why.text);
}

static enum rc reopen(struct world *w, struct why *why)
{
    return store_open(NULL, NULL, &w->conf, NULL, NULL, &w->store, why);
}

struct got {
    unsigned calls;
    enum rc rc;
    uint64_t changes, ticket;
    size_t rows, cols;
    bool cut;
    struct store_value first[8];
    char text[256];
};

static void keep(void *ctx, const struct store_result *r)
{
    struct got *g = ctx;
    g->calls++;
    g->rc = r->rc;
    g->changes = r->changes;
    g->ticket = r->ticket;
    g->rows = r->rows;
    g->cols = r->cols;
    g->cut = r->cut;
    for (size_t i = 0; r->rows && i < r->cols && i < 8; i++)
        g->first[i] = store_row(r, 0)[i];
    if (r->rows && r->cols && r->values[0].s.len)
        snprintf(g->text, sizeof g->text, SLICE_FMT, SLICE_ARG(r->values[0].s));
}

static struct got run(struct world *w, enum stmt id, const struct store_value *values, size_t n)
{
    struct got g = { 0 };
    store_run(w->store, id, values, n, keep, &g);
    assert_int_equal(g.calls, 1);
    return g;
}
#define RUN(w, id, ...) run((w), (id), STORE_VALUES(__VA_ARGS__))

static void add_account(struct world *w, const char *local)
{
    RUN(w, STMT_DOMAIN_ADD, STORE_T(SLICE("example.net")), STORE_I(0));
    struct got g = RUN(w, STMT_ACCOUNT_ADD, STORE_T(SLICE("example.net")), STORE_T(slice_cstr(local)),
                       STORE_I(0), STORE_I(7));
    assert_int_equal(g.rc, RC_OK);
}

static struct got account(struct world *w, const char *local)
{
    return RUN(w, STMT_ACCOUNT_GET, STORE_T(SLICE("example.net")), STORE_T(slice_cstr(local)));
}

/* --- statements --- */

static void every_statement_is_accepted_by_the_schema(void **state)
{
    struct world *w = *state;
    open_ok(w, NULL, NULL, NULL);
    sqlite3 *sql = NULL;
    assert_int_equal(sqlite3_open(w->path, &sql), SQLITE_OK);
#define X(id, text)                                                                                          \
    {                                                                                                        \
        sqlite3_stmt *stmt = NULL;                                                                           \
        if (sqlite3_prepare_v2(sql, text, -1, &stmt, NULL) != SQLITE_OK)                                     \
            fail_msg("%s: %s", #id, sqlite3_errmsg(sql));                                                    \
        sqlite3_finalize(stmt);                                                                              \
    }
    STATEMENTS(X)
#undef X
    sqlite3_close(sql);
}

static void values_come_back_with_their_types(void **state)
{
    struct world *w = *state;
    open_ok(w, NULL, NULL, NULL);
    RUN(w, STMT_META_SET, STORE_T(SLICE("b")), STORE_B(SLICE("a\0b")));
    RUN(w, STMT_META_SET, STORE_T(SLICE("i")), STORE_I(-5));
    RUN(w, STMT_META_SET, STORE_T(SLICE("n")), STORE_N);
    RUN(w, STMT_META_SET, STORE_T(SLICE("e")), STORE_T(SLICE_NONE));
    struct got g = RUN(w, STMT_META_GET, STORE_T(SLICE("b")));
    assert_int_equal(g.first[0].type, STORE_BLOB);
    assert_int_equal(g.first[0].s.len, 3);
    g = RUN(w, STMT_META_GET, STORE_T(SLICE("i")));
    assert_int_equal(g.first[0].type, STORE_INT);
    assert_int_equal(g.first[0].i, -5);
    assert_int_equal(RUN(w, STMT_META_GET, STORE_T(SLICE("n"))).first[0].type, STORE_NULL);
    assert_int_equal(RUN(w, STMT_META_GET, STORE_T(SLICE("e"))).first[0].type, STORE_TEXT);
    assert_int_equal(RUN(w, STMT_META_GET, STORE_T(SLICE("none"))).rows, 0);
}

static void a_second_account_of_the_same_name_exists(void **state)
{
    struct world *w = *state;
    open_ok(w, NULL, NULL, NULL);
    add_account(w, "romeo");
    assert_int_equal(RUN(w, STMT_ACCOUNT_ADD, STORE_T(SLICE("example.net")), STORE_T(SLICE("romeo")),
                         STORE_I(0), STORE_I(7))
                         .rc,
                     RC_EXISTS);
    assert_int_equal(RUN(w, STMT_ACCOUNT_ADD, STORE_T(SLICE("other.example")), STORE_T(SLICE("romeo")),
                         STORE_I(0), STORE_I(7))
                         .rc,
                     RC_CONFLICT);
    assert_int_equal(RUN(w, STMT_DOMAIN_DEL, STORE_T(SLICE("example.net"))).rc, RC_CONFLICT);
}

/* A row of the journal and its entry; owner and sender may be 0. */
static void add_row(struct world *w, int64_t pos, int64_t flags, int64_t owner, int64_t sender)
{
    struct got g = RUN(w, STMT_JOURNAL_ADD, STORE_I(pos), STORE_I(1), STORE_I(flags),
                       owner ? STORE_I(owner) : STORE_N, STORE_I(0), sender ? STORE_I(sender) : STORE_N,
                       STORE_I(0), STORE_N, STORE_N, STORE_B(SLICE("<message/>")));
    assert_int_equal(g.rc, RC_OK);
    if (owner)
        RUN(w, STMT_ENTRY_ADD, STORE_I(owner), STORE_I(pos), STORE_I(0));
    if (sender)
        RUN(w, STMT_ENTRY_ADD, STORE_I(sender), STORE_I(pos), STORE_I(0));
}

static int64_t undelivered(struct world *w, int64_t account)
{
    struct got g = RUN(w, STMT_JOURNAL_COUNT, STORE_I(account), STORE_I(0));
    return g.rows ? g.first[1].i : 0;
}

/* --- archives --- */

static struct got page(struct world *w, enum stmt id, int64_t rows)
{
    return RUN(w, id, STORE_I(1), STORE_I(0), STORE_I(INT64_MAX), STORE_I(0), STORE_I(INT64_MAX),
               STORE_I(rows));
}

static void a_page_is_of_one_archive_and_in_its_order(void **state)
{
    struct world *w = *state;
    open_ok(w, NULL, NULL, NULL);
    add_row(w, 1, 1, 1, 0); /* undelivered, archived for nobody */
    add_row(w, 2, 2, 1, 2);
    add_row(w, 3, 6, 1, 1); /* to itself: once */
    add_row(w, 4, 2, 2, 1);
    add_row(w, 5, 4, 2, 1);
    struct got up = page(w, STMT_ARCHIVE_UP, 10), down = page(w, STMT_ARCHIVE_DOWN, 10);
    assert_int_equal(up.rows, 3);
    assert_int_equal(up.first[0].i, 2);
    assert_int_equal(down.rows, 3);
    assert_int_equal(down.first[0].i, 5);
    assert_int_equal(page(w, STMT_ARCHIVE_UP, 2).rows, 2);
    assert_int_equal(page(w, STMT_ARCHIVE_COUNT, 10).first[0].i, 3);
    assert_int_equal(page(w, STMT_ARCHIVE_COUNT, 2).first[0].i, 2);
    assert_int_equal(RUN(w, STMT_ARCHIVE_HAS, STORE_I(1), STORE_I(5)).rows, 1);
    assert_int_equal(RUN(w, STMT_ARCHIVE_HAS, STORE_I(1), STORE_I(4)).rows, 0);
    assert_int_equal(RUN(w, STMT_ARCHIVE_HAS, STORE_I(1), STORE_I(1)).rows, 0);
}

static void a_page_ends_at_its_bytes(void **state)
{
    struct world *w = *state;
    size_t size = STORE_PAGE_BYTES / 4;
    char *large = mem_new(2 * STORE_PAGE_BYTES);
    open_ok(w, NULL, NULL, NULL);
    for (int64_t pos = 1; pos <= 9; pos++) {
        RUN(w, STMT_JOURNAL_ADD, STORE_I(pos), STORE_I(1), STORE_I(2), STORE_I(1), STORE_I(0), STORE_N,
            STORE_N, STORE_N, STORE_N, STORE_B(slice_of(large, pos == 9 ? 2 * STORE_PAGE_BYTES : size)));
        RUN(w, STMT_ENTRY_ADD, STORE_I(1), STORE_I(pos), STORE_I(0));
    }
    struct got g = page(w, STMT_ARCHIVE_UP, 10);
    assert_true(g.cut);
    assert_int_equal(g.rows, 4);
    g = page(w, STMT_ARCHIVE_DOWN, 10); /* one that is larger than a page is a page */
    assert_true(g.cut);
    assert_int_equal(g.rows, 1);
    assert_int_equal(g.first[0].i, 9);
    g = page(w, STMT_ARCHIVE_UP, 3);
    assert_false(g.cut);
    assert_int_equal(g.rows, 3);
    mem_free(large);
}

/* What SQLite says that it will do: found by index, in order, nothing sorted, nothing walked through. */
static void check_plan(sqlite3 *sql, const char *name, const char *text)
{
    sqlite3_stmt *stmt = NULL;
    char explain[2048];
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", text);
    assert_int_equal(sqlite3_prepare_v2(sql, explain, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(stmt, 3);
        if (strstr(step, "TEMP B-TREE") ||
            (strstr(step, "SCAN") && !strstr(step, "subquery") && !strstr(step, "some")))
            fail_msg("%s: %s", name, step);
    }
    sqlite3_finalize(stmt);
}

static void pages_are_found_by_index(void **state)
{
    struct world *w = *state;
    sqlite3 *sql = NULL;
    open_ok(w, NULL, NULL, NULL);
    assert_int_equal(sqlite3_open(w->path, &sql), SQLITE_OK);
#define X(id, text)                                                                                          \
    if (!strncmp(#id, "ARCHIVE_", 8) || !strcmp(#id, "LANDMARK_BEFORE") || !strcmp(#id, "LANDMARK_AFTER"))   \
        check_plan(sql, #id, text);
    STATEMENTS(X)
#undef X
    sqlite3_close(sql);
}

/* What an account owned in the journal, as retention.c takes it away. */
static void reclaim(struct world *w, int64_t account)
{
    static const enum stmt steps[] = { STMT_RECLAIM_OWNED, STMT_RECLAIM_SENT, STMT_RECLAIM_ROWS,
                                       STMT_RECLAIM_ENTRIES };
    struct got g = RUN(w, STMT_RECLAIM_NEXT, STORE_I(account), STORE_I(100));
    for (size_t i = 0; g.first[0].type == STORE_INT && i < 4; i++)
        assert_int_equal(RUN(w, steps[i], STORE_I(account), STORE_I(g.first[0].i)).rc, RC_OK);
    RUN(w, STMT_GONE_DONE, STORE_I(account));
}

static void all_that_an_account_owns_goes_with_it_and_its_id_never_comes_back(void **state)
{
    struct world *w = *state;
    open_ok(w, NULL, NULL, NULL);
    add_account(w, "romeo");
    add_account(w, "juliet");
    int64_t id = account(w, "romeo").first[0].i, other = account(w, "juliet").first[0].i;
    add_row(w, 1, 1, id, 0);
    add_row(w, 2, 3, other, id);
    add_row(w, 3, 4, 0, id);
    RUN(w, STMT_ROSTER_SET, STORE_I(id), STORE_T(SLICE("j@e")), STORE_N, STORE_I(3), STORE_N, STORE_N);
    RUN(w, STMT_CREDENTIAL_SET, STORE_T(SLICE("example.net")), STORE_T(SLICE("romeo")), STORE_I(1),
        STORE_B(SLICE("s")), STORE_I(4096), STORE_B(SLICE("k")), STORE_B(SLICE("k")));
    assert_int_equal(undelivered(w, id), 1);
    assert_int_equal(RUN(w, STMT_ACCOUNT_DEL, STORE_T(SLICE("example.net")), STORE_T(SLICE("romeo"))).changes,
                     1);
    assert_int_equal(RUN(w, STMT_ROSTER_ALL, STORE_I(id)).rows, 0);
    assert_int_equal(RUN(w, STMT_CREDENTIAL_GET, STORE_T(SLICE("example.net")), STORE_T(SLICE("romeo"))).rows,
                     0);
    assert_int_equal(run(w, STMT_GONE_ALL, NULL, 0).first[0].i, id);
    reclaim(w, id);
    assert_int_equal(undelivered(w, id), 0);
    assert_int_equal(RUN(w, STMT_RECLAIM_NEXT, STORE_I(id), STORE_I(100)).first[0].type, STORE_NULL);
    assert_int_equal(run(w, STMT_GONE_ALL, NULL, 0).rows, 0);
    assert_int_equal(undelivered(w, other), 1); /* what it sent is the other's still */
    add_account(w, "romeo");
    assert_true(account(w, "romeo").first[0].i > id);
}

static void nothing_is_written_for_an_account_that_is_gone(void **state)
{
    struct world *w = *state;
    open_ok(w, NULL, NULL, NULL);
    add_account(w, "romeo");
    int64_t id = account(w, "romeo").first[0].i;
    RUN(w, STMT_ACCOUNT_DEL, STORE_T(SLICE("example.net")), STORE_T(SLICE("romeo")));
    assert_int_equal(
        RUN(w, STMT_ROSTER_SET, STORE_I(id), STORE_T(SLICE("j@e")), STORE_N, STORE_I(3), STORE_N, STORE_N).rc,
        RC_CONFLICT);
    add_row(w, 1, 1, id, 0); /* given before the removal was known: it goes with the rest */
    reclaim(w, id);
    assert_int_equal(undelivered(w, id), 0);
    assert_int_equal(run(w, STMT_JOURNAL_TOP, NULL, 0).first[0].type, STORE_NULL);
}

static void a_position_is_not_taken_twice(void **state)
{
    struct world *w = *state;
    open_ok(w, NULL, NULL, NULL);
    add_account(w, "romeo");
    add_row(w, 7, 1, 1, 0);
    assert_int_equal(RUN(w, STMT_JOURNAL_ADD, STORE_I(7), STORE_I(1), STORE_I(1), STORE_I(1), STORE_I(0),
                         STORE_N, STORE_I(0), STORE_N, STORE_N, STORE_B(SLICE("<message/>")))
                         .rc,
                     RC_EXISTS);
    RUN(w, STMT_META_SET, STORE_T(SLICE("journal_top")), STORE_I(1 << 20));
    store_close(&w->store);
    open_ok(w, NULL, NULL, NULL);
    struct got g = run(w, STMT_JOURNAL_TOP, NULL, 0); /* where the process goes on */
    assert_int_equal(g.first[0].i, 7);
    assert_int_equal(g.first[1].i, 1 << 20);
}

/* --- opening --- */

static void is_made_for_its_owner_only(void **state)
{
    struct world *w = *state;
    struct stat st;
    open_ok(w, NULL, NULL, NULL);
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void missing_store_is_not_made_without_create(void **state)
{
    struct world *w = *state;
    w->conf.create = false;
    assert_int_equal(reopen(w, NULL), RC_NOTFOUND);
    assert_int_not_equal(access(w->path, F_OK), 0);
}

static void two_at_once_are_refused(void **state)
{
    struct world *w = *state;
    struct store *second = NULL;
    struct why why;
    open_ok(w, NULL, NULL, NULL);
    assert_int_equal(store_open(NULL, NULL, &w->conf, NULL, NULL, &second, &why), RC_CONFLICT);
    assert_non_null(strstr(why.text, "in use"));
    store_close(&w->store);
    open_ok(w, NULL, NULL, NULL);
}

static void write_file(const char *path, const char *bytes, size_t n, off_t at)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void a_file_of_another_kind_is_refused_and_left_alone(void **state)
{
    struct world *w = *state;
    char back[16] = "";
    write_file(w->path, "dear diary, ...\n", 16, 0);
    assert_int_equal(reopen(w, NULL), RC_SYNTAX);
    int fd = open(w->path, O_RDONLY);
    assert_int_equal(read(fd, back, sizeof back), 16);
    close(fd);
    assert_memory_equal(back, "dear diary, ...\n", 16);
}

static void a_database_of_another_program_is_refused(void **state)
{
    struct world *w = *state;
    sqlite3 *sql = NULL;
    sqlite3_open(w->path, &sql);
    sqlite3_exec(sql, "CREATE TABLE t(x)", NULL, NULL, NULL);
    sqlite3_close(sql);
    assert_int_equal(reopen(w, NULL), RC_SYNTAX);
}

static void a_newer_store_is_refused(void **state)
{
    struct world *w = *state;
    sqlite3 *sql = NULL;
    open_ok(w, NULL, NULL, NULL);
    store_close(&w->store);
    sqlite3_open(w->path, &sql);
    sqlite3_exec(sql, "PRAGMA user_version = 999", NULL, NULL, NULL);
    sqlite3_close(sql);
    assert_int_equal(reopen(w, NULL), RC_UNSUPPORTED);
}

static void a_damaged_store_is_refused(void **state)
{
    struct world *w = *state;
    char junk[3996];
    struct why why;
    memset(junk, 0x5a, sizeof junk);
    open_ok(w, NULL, NULL, NULL);
    add_account(w, "romeo");
    store_close(&w->store);
    write_file(w->path, junk, sizeof junk, 100); /* behind the header: the schema */
    assert_int_equal(reopen(w, &why), RC_IO);
}

/* --- group commit --- */

struct turns {
    struct world *w;
    unsigned commits, dones;
    uint64_t committed_at_done, last_ticket;
    bool in_order;
};

static void on_commit(void *ctx)
{
    ((struct turns *)ctx)->commits++;
}

static void on_done(void *ctx, const struct store_result *r)
{
    struct turns *t = ctx;
    t->dones++;
    t->in_order = t->in_order && r->ticket > t->last_ticket;
    t->last_ticket = r->ticket;
    t->committed_at_done = store_committed(t->w->store);
}

static void on_last(void *ctx, const struct store_result *r)
{
    struct turns *t = ctx;
    on_done(ctx, r);
    loop_stop(t->w->loop);
}

static void a_turn_is_one_transaction_and_results_come_after_it(void **state)
{
    struct world *w = *state;
    struct turns t = { .w = w, .in_order = true };
    open_ok(w, NULL, NULL, NULL);
    add_account(w, "romeo");
    store_close(&w->store);
    w->loop = loop_new();
    open_ok(w, w->loop, on_commit, &t);
    uint64_t last = 0;
    for (int i = 0; i < 100; i++)
        last = store_run(w->store, STMT_ENTRY_ADD, STORE_VALUES(STORE_I(1), STORE_I(i), STORE_I(0)),
                         i == 99 ? on_last : on_done, &t);
    assert_int_equal(t.dones, 0); /* never inside store_run */
    loop_run(w->loop);
    assert_int_equal(t.dones, 100);
    assert_int_equal(t.commits, 1);
    assert_true(t.in_order);
    assert_int_equal(t.committed_at_done, last);
    struct store_stats st = store_stats(w->store);
    assert_int_equal(st.commits, 1);
    assert_int_equal(st.batch_max, 100);
    assert_int_equal(st.waiting, 0);
}

static void a_refused_statement_does_not_undo_its_neighbours(void **state)
{
    struct world *w = *state;
    struct got first = { 0 }, second = { 0 };
    struct turns t = { .w = w };
    w->loop = loop_new();
    open_ok(w, w->loop, NULL, NULL);
    store_run(w->store, STMT_DOMAIN_ADD, STORE_VALUES(STORE_T(SLICE("a")), STORE_I(0)), keep, &first);
    store_run(w->store, STMT_DOMAIN_ADD, STORE_VALUES(STORE_T(SLICE("a")), STORE_I(0)), keep, &second);
    store_run(w->store, STMT_DOMAIN_ALL, NULL, 0, on_last, &t);
    loop_run(w->loop);
    assert_int_equal(first.rc, RC_OK);
    assert_int_equal(second.rc, RC_EXISTS);
    store_close(&w->store);
    open_ok(w, NULL, NULL, NULL);
    assert_int_equal(run(w, STMT_DOMAIN_ALL, NULL, 0).rows, 1);
}

static void what_is_queued_is_committed_by_closing(void **state)
{
    struct world *w = *state;
    struct got g = { 0 };
    w->loop = loop_new();
    open_ok(w, w->loop, NULL, NULL);
    store_run(w->store, STMT_META_SET, STORE_VALUES(STORE_T(SLICE("k")), STORE_T(SLICE("v"))), keep, &g);
    store_close(&w->store);
    assert_int_equal(g.calls, 1);
    assert_int_equal(g.rc, RC_OK);
    open_ok(w, NULL, NULL, NULL);
    assert_string_equal(RUN(w, STMT_META_GET, STORE_T(SLICE("k"))).text, "v");
}

static void the_queue_says_when_it_is_full(void **state)
{
    struct world *w = *state;
    struct turns t = { .w = w };
    w->conf.queue_max = 3;
    w->loop = loop_new();
    open_ok(w, w->loop, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        assert_false(store_full(w->store));
        store_run(w->store, STMT_DOMAIN_ALL, NULL, 0, i == 2 ? on_last : on_done, &t);
    }
    assert_true(store_full(w->store));
    loop_run(w->loop);
    assert_false(store_full(w->store));
}

/* --- the write-ahead log --- */

struct writer {
    struct world *w;
    unsigned left;
    uint64_t most; /* bytes of the log */
    char bytes[50000];
};

static void write_on(void *ctx, const struct store_result *r)
{
    struct writer *x = ctx;
    struct stat st;
    char wal[128];
    assert_int_equal(r->rc, RC_OK);
    snprintf(wal, sizeof wal, "%s-wal", x->w->path);
    if (stat(wal, &st) == 0 && (uint64_t)st.st_size > x->most)
        x->most = (uint64_t)st.st_size;
    if (!x->left--) {
        loop_stop(x->w->loop);
        return;
    }
    store_run(x->w->store, STMT_META_SET,
              STORE_VALUES(STORE_T(slice_of((const char *)&x->left, sizeof x->left)),
                           STORE_B(slice_of(x->bytes, sizeof x->bytes))),
              write_on, x);
}

static void the_log_does_not_grow_with_what_is_written(void **state)
{
    struct world *w = *state;
    struct writer x = { .w = w, .left = 2500 };
    struct stat st;
    w->loop = loop_new();
    open_ok(w, w->loop, NULL, NULL);
    memset(x.bytes, 'x', sizeof x.bytes);
    store_run(w->store, STMT_DOMAIN_ALL, NULL, 0, write_on, &x);
    loop_run(w->loop);
    assert_true(x.most <= 80u << 20); /* of 125 MB: at 64 MiB at the latest a commit stops it */
    store_close(&w->store);
    assert_int_equal(stat(w->path, &st), 0);
    assert_true(st.st_size > 120 << 20);
    open_ok(w, NULL, NULL, NULL);
    unsigned first = 0;
    assert_int_equal(
        RUN(w, STMT_META_GET, STORE_T(slice_of((const char *)&first, sizeof first))).first[0].s.len, 50000);
}

/* --- a disk that says no --- */

struct full_disk {
    struct world *w;
    struct timer poll;
    struct rlimit old;
    struct got got;
};

static void on_poll(struct timer *timer)
{
    struct full_disk *d = CONTAINER(timer, struct full_disk, poll);
    if (store_stats(d->w->store).failing) {
        assert_int_equal(d->got.calls, 0);
        assert_int_equal(store_committed(d->w->store), 0);
        setrlimit(RLIMIT_FSIZE, &d->old);
        return;
    }
    loop_timer(d->w->loop, timer, 10, on_poll);
}

static void on_stored_at_last(void *ctx, const struct store_result *r)
{
    struct full_disk *d = ctx;
    keep(&d->got, r);
    loop_stop(d->w->loop);
}

static void a_full_disk_delays_the_commit_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct full_disk d = { .w = w };
    static char big[20000];
    w->loop = loop_new();
    open_ok(w, w->loop, NULL, NULL);
    memset(big, 'x', sizeof big);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &d.old);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 8192, d.old.rlim_max });
    store_run(w->store, STMT_META_SET, STORE_VALUES(STORE_T(SLICE("k")), STORE_T(slice_of(big, sizeof big))),
              on_stored_at_last, &d);
    loop_timer(w->loop, &d.poll, 10, on_poll);
    loop_run(w->loop);
    assert_int_equal(d.got.calls, 1);
    assert_int_equal(d.got.rc, RC_OK);
    assert_true(store_stats(w->store).retries >= 1);
    assert_false(store_stats(w->store).failing);
    store_close(&w->store);
    open_ok(w, NULL, NULL, NULL);
    assert_int_equal(RUN(w, STMT_META_GET, STORE_T(SLICE("k"))).first[0].s.len, sizeof big);
}

static void closing_on_a_full_disk_says_what_was_not_stored(void **state)
{
    struct world *w = *state;
    struct got g = { 0 };
    struct rlimit old;
    static char big[20000];
    w->loop = loop_new();
    open_ok(w, w->loop, NULL, NULL);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 8192, old.rlim_max });
    store_run(w->store, STMT_META_SET, STORE_VALUES(STORE_T(SLICE("k")), STORE_B(slice_of(big, sizeof big))),
              keep, &g);
    store_close(&w->store);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(g.calls, 1);
    assert_int_equal(g.rc, RC_IO);
}

/* --- a process that dies --- */

static void say(void *ctx, const struct store_result *r)
{
    unsigned char ok = r->rc == RC_OK;
    assert_int_equal(write(*(int *)ctx, &ok, 1), 1);
}

static void what_was_said_to_be_committed_outlives_a_kill(void **state)
{
    struct world *w = *state;
    int pipes[2];
    unsigned char ok = 0;
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        w->loop = loop_new();
        if (store_open(w->loop, NULL, &w->conf, NULL, NULL, &w->store, NULL) != RC_OK)
            _exit(1);
        store_run(w->store, STMT_META_SET, STORE_VALUES(STORE_T(SLICE("k")), STORE_T(SLICE("v"))), say,
                  &pipes[1]);
        loop_run(w->loop);
        _exit(1);
    }
    assert_int_equal(read(pipes[0], &ok, 1), 1);
    assert_int_equal(ok, 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(pipes[0]);
    close(pipes[1]);
    open_ok(w, NULL, NULL, NULL); /* the lock went with the process */
    assert_string_equal(RUN(w, STMT_META_GET, STORE_T(SLICE("k"))).text, "v");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_statement_is_accepted_by_the_schema),
        TEST(values_come_back_with_their_types),
        TEST(a_second_account_of_the_same_name_exists),
        TEST(a_page_is_of_one_archive_and_in_its_order),
        TEST(a_page_ends_at_its_bytes),
        TEST(pages_are_found_by_index),
        TEST(all_that_an_account_owns_goes_with_it_and_its_id_never_comes_back),
        TEST(nothing_is_written_for_an_account_that_is_gone),
        TEST(a_position_is_not_taken_twice),
        TEST(is_made_for_its_owner_only),
        TEST(missing_store_is_not_made_without_create),
        TEST(two_at_once_are_refused),
        TEST(a_file_of_another_kind_is_refused_and_left_alone),
        TEST(a_database_of_another_program_is_refused),
        TEST(a_newer_store_is_refused),
        TEST(a_damaged_store_is_refused),
        TEST(a_turn_is_one_transaction_and_results_come_after_it),
        TEST(a_refused_statement_does_not_undo_its_neighbours),
        TEST(what_is_queued_is_committed_by_closing),
        TEST(the_queue_says_when_it_is_full),
        TEST(the_log_does_not_grow_with_what_is_written),
        TEST(a_full_disk_delays_the_commit_and_loses_nothing),
        TEST(closing_on_a_full_disk_says_what_was_not_stored),
        TEST(what_was_said_to_be_committed_outlives_a_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
