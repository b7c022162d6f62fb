/* test/unit/test_journal.c - positions, ids, what is outstanding, settled, unsettled, and what the store
 * knows of it */
#include "test/unit/sessman_world.h"

#include <sqlite3.h>
#include "common/base/map.h"
#include "common/xmpp/xmlin.h"
#include "sessman/archive.h"
#include "sessman/edges.h"
#include "sessman/fast.h"
#include "sessman/journalin.h"
#include "sessman/offline.h"
#include "sessman/out.h"
#include "sessman/restore.h"
#include "sessman/retention.h"
#include "sessman/session.h"
#include "sessman/transit.h"
#include "sessman/waiting.h"

/* --- what the journal wants of the rest --- */

static struct {
    uint64_t pos[1000];
    size_t n;
    uint16_t flow; /* asked for last; 0: nothing was */
    bool too_large;
} sent;

void out_control(struct sessman *sm, uint64_t ticket, const struct session *s, struct slice element)
{
    const char *n;
    (void)sm, (void)ticket, (void)s;
    for (n = element.p; memcmp(n, " n='", 4) != 0; n++)
        assert_true(n + 4 < element.p + element.len);
    sent.flow = (uint16_t)atoi(n + 4);
}

bool out_message(struct sessman *sm, uint64_t ticket, struct session *s, uint64_t pos, uint64_t n,
                 struct slice stanza)
{
    (void)sm, (void)ticket, (void)s, (void)n, (void)stanza;
    if (sent.too_large)
        return false;
    sent.pos[sent.n++] = pos;
    return true;
}

bool transit_adrift(struct edge *e, uint64_t session, uint64_t pos)
{
    (void)e;
    return session == 7 && pos;
}

void account_hold(struct sessman *sm, struct account *a)
{
    (void)sm;
    a->refs++;
}

void account_release(struct sessman *sm, struct account *a)
{
    (void)sm;
    assert_true(a->refs > 0);
    a->refs--;
}

struct account *account_find(const struct sessman *sm, struct slice bare)
{
    (void)sm, (void)bare;
    return NULL;
}

bool archive_wanted(const struct sessman *sm, const struct account *a, struct slice peer,
                    const struct stanza *st)
{
    (void)sm, (void)a, (void)peer, (void)st;
    return true;
}

bool offline_admit(struct incoming *in, uint64_t kept, uint64_t kept_of_sender)
{
    (void)in, (void)kept, (void)kept_of_sender;
    return true;
}

bool offline_wanted(const struct sessman *sm, const struct stanza *st)
{
    (void)sm, (void)st;
    return true;
}

bool offline_expired(struct sessman *sm, struct arena *a, struct node *message)
{
    (void)sm, (void)a, (void)message;
    return false;
}

void retention_added(struct sessman *sm, struct slice domain, size_t bytes)
{
    (void)sm, (void)domain, (void)bytes;
}

void retention_kick(struct sessman *sm)
{
    (void)sm;
}

uint64_t session_dirty(struct sessman *sm, struct session *s)
{
    (void)sm, (void)s;
    return 0;
}

void in_error(struct incoming *in, enum stanza_cond cond, const char *text)
{
    (void)in, (void)cond, (void)text;
}

void edges_mark(struct sessman *sm)
{
    (void)sm;
}

bool restore_over(struct sessman *sm)
{
    (void)sm;
    return true;
}

uint64_t fast_low(const struct sessman *sm)
{
    (void)sm;
    return 0;
}

bool fast_moved(struct sessman *sm)
{
    (void)sm;
    return false;
}

void fast_settled(struct sessman *sm, uint64_t pos)
{
    (void)sm;
    fail_msg("%llu has a row", (unsigned long long)pos);
}

void fast_write(struct sessman *sm, uint64_t pos)
{
    fast_settled(sm, pos);
}

/* --- the world --- */

struct jworld {
    struct account *a;
    struct session s;
};

static void on_row(void *ctx, const struct store_result *r)
{
    struct world *w = ctx;
    assert_int_equal(r->rc, RC_OK);
    w->answers++;
}

/* Everything that was given to the store is committed. */
static void settle(struct world *w)
{
    store_run(w->sm.store, STMT_META_GET, STORE_VALUES(STORE_T(SLICE("none"))), on_row, w);
    world_wait(w, 1);
}

/* Looks at the file beside the store. */
static int64_t sql(struct world *w, const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int64_t n = -1;
    settle(w);
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static struct account *new_account(struct world *w, const char *local, int64_t id)
{
    char bare[64];
    struct account *a = mem_new(sizeof *a);
    snprintf(bare, sizeof bare, "%s@" WORLD_DOMAIN, local);
    a->bare = mem_copy(slice_cstr(bare));
    a->bare_len = (uint16_t)strlen(bare);
    a->local_len = (uint16_t)strlen(local);
    a->id = id;
    a->loaded = true;
    list_init(&a->sessions);
    journal_account_known(&w->sm, a);
    return a;
}

static void drop_account(struct world *w, struct account *a)
{
    if (w->sm.journal)
        journal_account_freed(&w->sm, a);
    mem_free(a->bare);
    mem_free(a);
}

static int jsetup(void **state)
{
    world_setup(state);
    struct world *w = *state;
    static struct edge *const somewhere = (struct edge *)(uintptr_t)16; /* never looked at */
    struct jworld *j = arena_alloc(w->a, sizeof *j);
    memset(j, 0, sizeof *j);
    memset(&sent, 0, sizeof sent);
    static const struct metric_def defs[SESSMAN_METRICS] = { { "none", METRIC_COUNTER, "none" } };
    w->sm.metrics = metrics_new(defs, SESSMAN_METRICS);
    w->sm.arenas = arena_pool_new(4096, 0, 4);
    w->sm.xml = xmlin_pool_new(NS_CLIENT, w->sm.arenas);
    w->sm.xml_limits = (struct xmlin_limits){ 100000, 96, 1000, 512 };
    store_run(w->sm.store, STMT_ACCOUNT_ADD,
              STORE_VALUES(STORE_T(SLICE(WORLD_DOMAIN)), STORE_T(SLICE("juliet")), STORE_I(0), STORE_I(1)),
              NULL, NULL);
    journal_open(&w->sm);
    settle(w);
    j->a = new_account(w, "juliet", 1);
    j->s.edge = somewhere;
    j->s.account = j->a;
    j->s.available = true;
    list_append(&j->a->sessions, &j->s.in_account);
    w->user = j;
    return 0;
}

static int jteardown(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    journal_close(&w->sm);
    settle(w);
    drop_account(w, j->a);
    journal_free(&w->sm);
    xmlin_pool_free(&w->sm.xml);
    arena_pool_free(&w->sm.arenas);
    metrics_free(&w->sm.metrics);
    buf_fini(&w->sm.scratch);
    return world_teardown(state);
}

static uint64_t append_stanza(struct world *w, unsigned flags, int64_t owner, int64_t sender,
                              struct slice stanza)
{
    struct journal_row row = {
        .flags = flags, .owner = owner, .owner_peer = 5, .sender = sender, .stanza = stanza
    };
    journal_append(&w->sm, &row);
    return row.pos;
}

static uint64_t append_for(struct world *w, unsigned flags, int64_t owner, int64_t sender)
{
    return append_stanza(w, flags, owner, sender, SLICE("<message><body>x</body></message>"));
}

/* Appended and sent. */
static uint64_t send_row(struct world *w, unsigned flags)
{
    struct jworld *j = w->user;
    uint64_t pos = append_for(w, flags, 1, 0);
    journal_outstanding(&w->sm, j->a, pos, flags);
    return pos;
}

static int64_t undelivered(struct world *w)
{
    journal_flush(&w->sm, 1);
    cursors_flush(w->sm.journal);
    return sql(
        w, "SELECT count(*) FROM entry e JOIN journal j ON j.pos = e.pos JOIN account a ON a.id = e.account"
           " WHERE e.account = 1 AND e.pos > a.delivered AND j.owner = 1 AND j.flags & 1");
}

static int64_t delivered(struct world *w)
{
    return sql(w, "SELECT delivered FROM account WHERE id = 1");
}

/* The process dies: what was in memory only is lost. */
static void crash(struct world *w)
{
    struct jworld *j = w->user;
    settle(w);
    timer_stop(&w->sm.journal->tick);
    journal_account_freed(&w->sm, j->a);
    j->a->refs = 0;
    j->a->unsent = j->a->offline_n = 0;
    journal_free(&w->sm);
    journal_open(&w->sm);
    settle(w);
    journal_account_known(&w->sm, j->a);
    j->a->delivered = (uint64_t)delivered(w);
}

/* --- ids --- */

static void an_id_leads_back_to_its_position_and_to_no_other(void **state)
{
    struct world *w = *state;
    char id[JOURNAL_ID_LEN], other[JOURNAL_ID_LEN];
    uint64_t pos;
    for (uint64_t p = 1; p < 1u << 20; p = p * 3 + 1) {
        journal_id_write(&w->sm, p, id);
        journal_id_write(&w->sm, p + 1, other);
        assert_memory_not_equal(id, other, sizeof id);
        assert_true(journal_id_read(&w->sm, slice_of(id, sizeof id), &pos));
        assert_int_equal(pos, p);
    }
    assert_false(journal_id_read(&w->sm, slice_of(id, sizeof id - 1), &pos));
    assert_false(journal_id_read(&w->sm, SLICE("0123456789abcdeg"), &pos));
    assert_false(journal_id_read(&w->sm, SLICE("0123456789ABCDEF"), &pos));
    assert_false(journal_id_read(&w->sm, SLICE_NONE, &pos));
}

static void ids_of_another_installation_are_others(void **state)
{
    struct world *w = *state;
    char id[JOURNAL_ID_LEN], other[JOURNAL_ID_LEN];
    journal_id_write(&w->sm, 1, id);
    int64_t peer = journal_peer(&w->sm, SLICE("romeo@example.net"));
    assert_true(peer >= 0);
    memset(w->sm.secret, 8, sizeof w->sm.secret);
    crash(w);
    journal_id_write(&w->sm, 1, other);
    assert_memory_not_equal(id, other, sizeof id);
    assert_int_not_equal(journal_peer(&w->sm, SLICE("romeo@example.net")), peer);
}

/* --- positions --- */

static void positions_grow_and_are_never_used_twice(void **state)
{
    struct world *w = *state;
    uint64_t last = 0;
    for (int life = 0; life < 3; life++) {
        for (int i = 0; i < 10; i++) {
            uint64_t pos = append_for(w, JOURNAL_DELIVER, 1, 0);
            assert_true(pos > last);
            last = pos;
        }
        settle(w);
        store_run(w->sm.store, STMT_JOURNAL_DROP, STORE_VALUES(STORE_I(0), STORE_I(INT64_MAX)), NULL, NULL);
        crash(w);
    }
    assert_int_equal(sql(w, "SELECT count(*) FROM journal"), 0);
    assert_true(sql(w, "SELECT value FROM meta WHERE name = 'journal_top'") > (int64_t)last);
}

static void a_row_that_the_store_has_is_below_what_is_used(void **state)
{
    struct world *w = *state;
    store_run(w->sm.store, STMT_JOURNAL_ADD,
              STORE_VALUES(STORE_I(1ll << 40), STORE_I(1), STORE_I(1), STORE_I(1), STORE_I(0), STORE_N,
                           STORE_I(0), STORE_N, STORE_I(0), STORE_B(SLICE("<message/>"))),
              NULL, NULL);
    crash(w); /* a store of schema 1 has rows and says nothing of a top */
    assert_int_equal(journal_end(&w->sm), (1ll << 40) + 1);
}

/* --- the cursor --- */

static void the_cursor_goes_up_to_the_lowest_that_is_outstanding(void **state)
{
    struct world *w = *state;
    uint64_t pos[5];
    for (int i = 0; i < 5; i++)
        pos[i] = send_row(w, JOURNAL_DELIVER | JOURNAL_KEEP_OWNER);
    assert_int_equal(undelivered(w), 5);
    journal_settled(&w->sm, 1, pos[0]);
    assert_int_equal(undelivered(w), 4);
    assert_int_equal(delivered(w), pos[0]);
    journal_settled(&w->sm, 1, pos[2]); /* behind a hole: its flag goes */
    journal_settled(&w->sm, 1, pos[4]);
    assert_int_equal(undelivered(w), 2);
    assert_int_equal(delivered(w), pos[0]);
    assert_int_equal(sql(w, "SELECT group_concat(flags, '') FROM (SELECT flags FROM journal ORDER BY pos)"),
                     33232);
    journal_settled(&w->sm, 1, pos[1]);
    assert_int_equal(undelivered(w), 1);
    assert_int_equal(delivered(w), pos[2]);
    journal_settled(&w->sm, 1, pos[3]);
    assert_int_equal(undelivered(w), 0);
    assert_true(delivered(w) >= (int64_t)pos[4]);
    struct jworld *j = w->user;
    assert_null(j->a->cursor);
    assert_int_equal(j->a->refs, 0);
}

static void one_copy_is_enough_and_only_the_last_one_lost_counts(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    uint64_t pos = send_row(w, JOURNAL_DELIVER | JOURNAL_KEEP_OWNER);
    journal_outstanding(&w->sm, j->a, pos, JOURNAL_DELIVER | JOURNAL_KEEP_OWNER);
    journal_unsettled(&w->sm, 1, pos);
    assert_int_equal(j->a->unsent, 0);
    journal_settled(&w->sm, 1, pos);
    assert_int_equal(undelivered(w), 0);
    pos = send_row(w, JOURNAL_DELIVER | JOURNAL_KEEP_OWNER);
    journal_outstanding(&w->sm, j->a, pos, JOURNAL_DELIVER | JOURNAL_KEEP_OWNER);
    journal_unsettled(&w->sm, 1, pos);
    journal_unsettled(&w->sm, 1, pos);
    assert_int_equal(j->a->unsent, pos);
    assert_int_equal(undelivered(w), 1);
}

static void what_comes_back_after_the_cursor_went_over_it_is_undelivered_alone(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    uint64_t pos[4];
    list_unlink(&j->s.in_account); /* nobody is there */
    for (int i = 0; i < 4; i++)
        pos[i] = send_row(w, i % 2 ? JOURNAL_DELIVER : JOURNAL_DELIVER | JOURNAL_KEEP_OWNER);
    for (int i = 0; i < 4; i++)
        journal_settled(&w->sm, 1, pos[i]);
    assert_int_equal(undelivered(w), 0);
    journal_unsettled(&w->sm, 1, pos[1]);
    assert_int_equal(undelivered(w), 1);
    assert_int_equal(delivered(w), pos[1] - 1);
    crash(w);
    assert_int_equal(undelivered(w), 1);
    assert_int_equal(sql(w, "SELECT count(*) FROM journal"),
                     3); /* two of the archive, and this; the other had been settled */
}

static void nothing_comes_back_that_is_not_the_accounts(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    list_unlink(&j->s.in_account);
    uint64_t pos = append_for(w, JOURNAL_KEEP_OWNER, 2, 0);
    journal_unsettled(&w->sm, 1, pos);
    journal_unsettled(&w->sm, 1, 0);
    journal_unsettled(&w->sm, 77, pos);
    assert_int_equal(undelivered(w), 0);
    assert_int_equal(sql(w, "SELECT flags FROM journal"), JOURNAL_KEEP_OWNER);
}

/* --- rows that go away --- */

static void transient_rows_go_and_never_have_an_entry(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    uint64_t first = send_row(w, JOURNAL_DELIVER), second = send_row(w, JOURNAL_DELIVER);
    uint64_t kept = send_row(w, JOURNAL_DELIVER | JOURNAL_KEEP_SENDER);
    journal_settled(&w->sm, 1, first);
    journal_settled(&w->sm, 1, kept);
    transients_sweep(w->sm.journal, false); /* not yet: it may come back */
    assert_int_equal(sql(w, "SELECT count(*) FROM journal"), 3);
    transients_sweep(w->sm.journal, true);
    assert_int_equal(sql(w, "SELECT count(*) FROM journal"), 2);
    assert_int_equal(undelivered(w), 1);
    assert_int_equal(sql(w, "SELECT count(*) FROM entry"), 1);
    journal_settled(&w->sm, 1, second); /* its entry has been written meanwhile */
    transients_sweep(w->sm.journal, true);
    assert_int_equal(sql(w, "SELECT count(*) FROM journal"), 1);
    assert_int_equal(sql(w, "SELECT count(*) FROM entry"), 0);
    assert_int_equal(undelivered(w), 0);
    assert_null(j->a->cursor);
}

static void a_transient_row_that_comes_back_is_not_deleted(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    list_unlink(&j->s.in_account);
    uint64_t pos = send_row(w, JOURNAL_DELIVER);
    journal_settled(&w->sm, 1, pos);
    assert_int_equal(undelivered(w), 0);
    journal_unsettled(&w->sm, 1, pos);
    transients_sweep(w->sm.journal, true);
    assert_int_equal(undelivered(w), 1);
}

/* --- a crash --- */

static void what_a_crash_left_without_entries_gets_them(void **state)
{
    struct world *w = *state;
    send_row(w, JOURNAL_DELIVER);
    append_for(w, JOURNAL_KEEP_OWNER | JOURNAL_KEEP_SENDER, 1, 2);
    append_for(w, JOURNAL_KEEP_SENDER, 0, 2);
    uint64_t settled = send_row(w, JOURNAL_DELIVER);
    assert_int_equal(sql(w, "SELECT count(*) FROM entry"), 0);
    journal_settled(&w->sm, 1, settled);
    cursors_flush(w->sm.journal);
    crash(w);
    assert_int_equal(sql(w, "SELECT count(*) FROM journal"), 3);
    assert_int_equal(sql(w, "SELECT count(*) FROM entry WHERE account = 1 AND peer = 5"), 2);
    assert_int_equal(sql(w, "SELECT count(*) FROM entry WHERE account = 2"), 2);
    assert_int_equal(undelivered(w), 1);
    crash(w); /* once more: nothing is doubled */
    assert_int_equal(sql(w, "SELECT count(*) FROM entry"), 4);
}

static void what_an_edge_says_it_had_is_not_delivered_again(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    uint64_t kept = send_row(w, JOURNAL_DELIVER | JOURNAL_KEEP_OWNER), gone = send_row(w, JOURNAL_DELIVER);
    send_row(w, JOURNAL_DELIVER);
    uint64_t others = append_for(w, JOURNAL_DELIVER, 2, 0);
    crash(w);
    journal_receipt(&w->sm, &j->s, kept);
    journal_receipt(&w->sm, &j->s, gone);
    journal_receipt(&w->sm, &j->s, others);
    assert_int_equal(undelivered(w), 1);
    assert_int_equal(sql(w, "SELECT count(*) FROM journal WHERE owner = 2 AND flags = 1"), 1);
    assert_int_equal(sql(w, "SELECT count(*) FROM entry WHERE account = 1"),
                     2); /* of the row that is gone: none */
}

/* --- delivering what waits --- */

/* As if the account had been loaded now. */
static void load(struct world *w)
{
    struct jworld *j = w->user;
    int64_t n = undelivered(w);
    struct store_value v[] = { STORE_I(5), STORE_I(n) };
    struct store_result counts = { .rows = n > 0, .cols = 2, .values = v };
    journal_account_loaded(&w->sm, j->a, &counts);
}

/* The client has had the page. */
static void taken(struct world *w)
{
    struct jworld *j = w->user;
    assert_int_not_equal(sent.flow, 0);
    journal_flow(&j->s, (uint16_t)(sent.flow - 1)); /* an earlier one: nothing comes of it */
    settle(w);
    uint16_t n = sent.flow;
    sent.flow = 0;
    journal_flow(&j->s, n);
    settle(w);
}

static void pages_follow_one_another_as_they_are_settled(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    for (int i = 0; i < 250; i++)
        append_for(w, i % 3 ? JOURNAL_DELIVER : JOURNAL_DELIVER | JOURNAL_KEEP_OWNER, 1, 0);
    load(w);
    assert_int_equal(j->a->offline_n, 250);
    journal_replay(&w->sm, &j->s);
    settle(w);
    assert_int_equal(sent.n, 100);
    settle(w);
    assert_int_equal(sent.n, 100); /* one page at a time */
    for (size_t i = 0; i < sent.n; i++)
        journal_settled(&w->sm, 1, sent.pos[i]);
    settle(w);
    assert_int_equal(sent.n, 100); /* the edge has it all, its client does not */
    taken(w);
    assert_int_equal(sent.n, 200);
    assert_true(journal_replaying(j->a));
    taken(w);
    assert_int_equal(sent.n, 200);
    for (size_t i = 100; i < 200; i++)
        journal_settled(&w->sm, 1, sent.pos[i]);
    settle(w);
    assert_int_equal(sent.n, 250);
    assert_int_equal(sent.flow, 0); /* nothing more is to come */
    assert_false(journal_replaying(j->a));
    for (size_t i = 1; i < sent.n; i++)
        assert_true(sent.pos[i] > sent.pos[i - 1]);
    for (size_t i = 200; i < 250; i++)
        journal_settled(&w->sm, 1, sent.pos[i]);
    assert_int_equal(undelivered(w), 0);
    assert_int_equal(j->a->offline_n, 0);
    assert_null(j->a->replay);
    assert_int_equal(j->a->refs, 0);
}

static void a_page_of_large_stanzas_has_few_rows(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    struct buf large = BUF_INIT(0);
    buf_fmt(&large, "<message><body>%020000d</body></message>", 0);
    for (int i = 0; i < 10; i++)
        append_stanza(w, JOURNAL_DELIVER, 1, 0, buf_get(&large));
    buf_fini(&large);
    load(w);
    journal_replay(&w->sm, &j->s);
    settle(w);
    assert_int_equal(sent.n, 4); /* the first to pass 64 KiB is the last */
    for (size_t i = 0; i < 10; i++) {
        if (i == 4 || i == 8)
            taken(w);
        assert_true(sent.n > i);
        journal_settled(&w->sm, 1, sent.pos[i]);
    }
    settle(w);
    assert_int_equal(sent.n, 10);
    assert_int_equal(undelivered(w), 0);
    assert_null(j->a->replay);
}

static void a_page_that_nobody_takes_is_not_waited_for_for_ever(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    for (int i = 0; i < 150; i++)
        append_for(w, JOURNAL_DELIVER, 1, 0);
    load(w);
    journal_replay(&w->sm, &j->s);
    settle(w);
    for (size_t i = 0; i < 100; i++)
        journal_settled(&w->sm, 1, sent.pos[i]);
    wheel_advance(w->sm.loop->wheel, loop_now_ms(w->sm.loop) + 60000);
    settle(w);
    assert_int_equal(sent.n, 150);
}

static void what_is_outstanding_or_settled_meanwhile_is_not_in_a_page(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    uint64_t lost = send_row(w, JOURNAL_DELIVER | JOURNAL_KEEP_OWNER);
    uint64_t there = send_row(w, JOURNAL_DELIVER | JOURNAL_KEEP_OWNER);
    uint64_t meanwhile = send_row(w, JOURNAL_DELIVER | JOURNAL_KEEP_OWNER);
    journal_unsettled(&w->sm, 1, lost);
    journal_replay(&w->sm, &j->s);
    journal_settled(&w->sm, 1, meanwhile); /* the page that is being read has it */
    settle(w);
    assert_int_equal(sent.n, 1);
    assert_int_equal(sent.pos[0], lost);
    journal_settled(&w->sm, 1, lost);
    journal_settled(&w->sm, 1, there);
    assert_int_equal(undelivered(w), 0);
    settle(w);
    assert_int_equal(sent.n, 1);
}

static void a_session_that_ends_leaves_the_rest_to_the_next(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    for (int i = 0; i < 10; i++)
        append_for(w, JOURNAL_DELIVER, 1, 0);
    load(w);
    journal_replay(&w->sm, &j->s);
    settle(w);
    assert_int_equal(sent.n, 10);
    for (int i = 0; i < 4; i++)
        journal_settled(&w->sm, 1, sent.pos[i]);
    list_unlink(&j->s.in_account);
    journal_session_end(&w->sm, &j->s);
    for (int i = 4; i < 10; i++)
        journal_unsettled(&w->sm, 1, sent.pos[i]);
    settle(w);
    assert_int_equal(sent.n, 10);
    assert_int_equal(undelivered(w), 6);
    assert_int_equal(j->a->offline_n, 6);
    list_append(&j->a->sessions, &j->s.in_account);
    journal_replay(&w->sm, &j->s);
    settle(w);
    assert_int_equal(sent.n, 16);
    assert_int_equal(sent.pos[10], sent.pos[4]);
}

static void what_is_new_waits_for_what_may_come_back(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    uint64_t old = send_row(w, JOURNAL_DELIVER);
    j->s.id = 7; /* its edge has not said yet whether the client had it */
    journal_session_gone(&w->sm, &j->s);
    j->s.id = 8; /* the client is back */
    journal_replay(&w->sm, &j->s);
    assert_true(journal_replaying(j->a));
    uint64_t new = append_for(w, JOURNAL_DELIVER, 1, 0);
    cursor_unsent(j->a, new, 5);
    journal_replay(&w->sm, &j->s);
    settle(w);
    assert_int_equal(sent.n, 0);
    journal_unsettled(&w->sm, 1, old);
    journal_landed(&w->sm, 1);
    settle(w);
    settle(w);
    assert_int_equal(sent.n, 2);
    assert_int_equal(sent.pos[0], old);
    assert_int_equal(sent.pos[1], new);
}

static void a_message_that_no_frame_carries_is_not_tried_for_ever(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    append_for(w, JOURNAL_DELIVER, 1, 0);
    load(w);
    sent.too_large = true;
    journal_replay(&w->sm, &j->s);
    settle(w);
    assert_false(journal_replaying(j->a));
    assert_int_equal(undelivered(w), 0);
}

/* --- who retrieves by himself --- */

static struct {
    struct journal_row rows[300];
    size_t n, calls;
    uint64_t next;
} seen;

static void on_waiting(void *ctx, const struct journal_row *rows, size_t n, uint64_t next)
{
    (void)ctx;
    memcpy(seen.rows, rows, n * sizeof *rows);
    seen.n = n;
    seen.next = next;
    seen.calls++;
}

static void look(struct world *w, uint64_t from, size_t max)
{
    struct jworld *j = w->user;
    waiting_rows(&w->sm, j->a, from, max, on_waiting, NULL);
    settle(w);
}

static void what_waits_is_read_and_dropped_and_the_rest_sent(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    for (int i = 0; i < 10; i++)
        append_for(w, i % 2 ? JOURNAL_DELIVER : JOURNAL_DELIVER | JOURNAL_KEEP_OWNER, 1, 0);
    load(w);
    waiting_park(&w->sm, &j->s);
    journal_replay(&w->sm, &j->s);
    settle(w);
    assert_int_equal(sent.n, 0);
    assert_false(journal_replaying(j->a)); /* what is new is not held up */
    look(w, 1, 4);
    assert_int_equal(seen.n, 4);
    assert_true(seen.next > seen.rows[3].pos);
    assert_true(seen.rows[0].flags & JOURNAL_KEEP_OWNER && !(seen.rows[1].flags & JOURNAL_KEEP_OWNER));
    struct journal_row first = seen.rows[0], second = seen.rows[1];
    assert_true(waiting_drop(&w->sm, j->a, &first) > 0);
    assert_true(waiting_drop(&w->sm, j->a, &second) > 0);
    assert_int_equal(j->a->offline_n, 8);
    waiting_row(&w->sm, j->a, first.pos, on_waiting, NULL);
    settle(w);
    assert_int_equal(seen.n, 0);
    look(w, 1, 100);
    assert_int_equal(seen.n, 8);
    assert_int_equal(seen.next, 0);
    crash(w); /* right away: it is committed that they wait no longer */
    j->a->flexible = 0;
    j->s.flexible = false;
    load(w);
    assert_int_equal(j->a->offline_n, 8);
    journal_replay(&w->sm, &j->s);
    settle(w);
    assert_int_equal(sent.n, 8);
    transients_sweep(w->sm.journal, true);
    assert_int_equal(sql(w, "SELECT count(*) FROM journal WHERE flags & 2"), 5); /* in the archive it stays */
}

static void what_somebody_has_does_not_wait(void **state)
{
    struct world *w = *state;
    struct jworld *j = w->user;
    uint64_t there = send_row(w, JOURNAL_DELIVER), meanwhile = send_row(w, JOURNAL_DELIVER),
             lost = send_row(w, JOURNAL_DELIVER);
    waiting_park(&w->sm, &j->s);
    journal_unsettled(&w->sm, 1, lost);
    settle(w);
    assert_int_equal(sent.n, 0);
    waiting_rows(&w->sm, j->a, 1, 100, on_waiting, NULL);
    journal_settled(&w->sm, 1, meanwhile); /* the page that is being read has it */
    settle(w);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.rows[0].pos, lost);
    const struct journal_row row = { .pos = there, .flags = JOURNAL_DELIVER };
    assert_int_equal(waiting_drop(&w->sm, j->a, &row), 0);
    waiting_unpark(&w->sm, &j->s);
    settle(w); /* the end of a turn */
    settle(w);
    assert_int_equal(sent.n, 1);
    assert_int_equal(sent.pos[0], lost);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, jsetup, jteardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_leads_back_to_its_position_and_to_no_other),
        TEST(ids_of_another_installation_are_others),
        TEST(positions_grow_and_are_never_used_twice),
        TEST(a_row_that_the_store_has_is_below_what_is_used),
        TEST(the_cursor_goes_up_to_the_lowest_that_is_outstanding),
        TEST(one_copy_is_enough_and_only_the_last_one_lost_counts),
        TEST(what_comes_back_after_the_cursor_went_over_it_is_undelivered_alone),
        TEST(nothing_comes_back_that_is_not_the_accounts),
        TEST(transient_rows_go_and_never_have_an_entry),
        TEST(a_transient_row_that_comes_back_is_not_deleted),
        TEST(what_a_crash_left_without_entries_gets_them),
        TEST(what_an_edge_says_it_had_is_not_delivered_again),
        TEST(pages_follow_one_another_as_they_are_settled),
        TEST(a_page_of_large_stanzas_has_few_rows),
        TEST(a_page_that_nobody_takes_is_not_waited_for_for_ever),
        TEST(what_is_outstanding_or_settled_meanwhile_is_not_in_a_page),
        TEST(a_session_that_ends_leaves_the_rest_to_the_next),
        TEST(what_is_new_waits_for_what_may_come_back),
        TEST(a_message_that_no_frame_carries_is_not_tried_for_ever),
        TEST(what_waits_is_read_and_dropped_and_the_rest_sent),
        TEST(what_somebody_has_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
