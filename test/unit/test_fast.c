/* test/unit/test_fast.c - which messages are delivered at once, and what becomes of them: settled without a
 * row, or with one after all */
#include "sessman/fast.h"

#include "common/base/mem.h"
#include "common/net/inside.h" /* the loop is run event by event */
#include "sessman/account.h"
#include "sessman/archive.h"
#include "sessman/dispatch.h"
#include "sessman/edges.h"
#include "sessman/journalin.h"
#include "sessman/out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

/* --- what it wants of the rest --- */

static struct {
    char text[4096]; /* what was asked for, in order */
    uint64_t committed, position;
    bool archived, gone;
} rest;

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    va_list args;
    size_t len = strlen(rest.text);
    va_start(args, fmt);
    vsnprintf(rest.text + len, sizeof rest.text - len, fmt, args);
    va_end(args);
}

static void saw(const char *want)
{
    assert_string_equal(rest.text, want);
    rest.text[0] = '\0';
}

uint64_t store_committed(const struct store *s)
{
    (void)s;
    return rest.committed;
}

bool archive_wanted(const struct sessman *sm, const struct account *a, struct slice peer,
                    const struct stanza *st)
{
    (void)sm, (void)a, (void)peer, (void)st;
    return rest.archived;
}

uint64_t journal_position(struct sessman *sm)
{
    (void)sm;
    return ++rest.position;
}

int64_t journal_peer(const struct sessman *sm, struct slice bare)
{
    (void)sm, (void)bare;
    return 5;
}

void journal_outstanding(struct sessman *sm, struct account *a, uint64_t pos, unsigned flags)
{
    (void)sm, (void)a;
    assert_int_equal(flags, JOURNAL_DELIVER | JOURNAL_UNWRITTEN);
    note("out %llu;", (unsigned long long)pos);
}

uint64_t journal_append(struct sessman *sm, struct journal_row *row)
{
    (void)sm;
    assert_true(row->owner == 1 && row->owner_peer == 5 && row->flags == JOURNAL_DELIVER && row->age_ms >= 0);
    note("row %llu " SLICE_FMT ";", (unsigned long long)row->pos, SLICE_ARG(row->stanza));
    return 100 + row->pos;
}

bool cursor_written(struct sessman *sm, int64_t account, uint64_t pos)
{
    (void)sm, (void)account, (void)pos;
    return !rest.gone;
}

void journal_tick_on(struct journal *j)
{
    (void)j;
}

void edge_frame_wait(struct edge *e, uint64_t seq)
{
    (void)e;
    note("wait %llu;", (unsigned long long)seq);
}

void edge_frame_done(struct edge *e, uint64_t seq, uint64_t ticket)
{
    (void)e;
    note("done %llu at %llu;", (unsigned long long)seq, (unsigned long long)ticket);
}

void out_at_once(struct sessman *sm, struct session *s, uint64_t pos, uint64_t origin, struct slice stanza)
{
    (void)sm, (void)stanza;
    assert_true(origin != 0);
    note("to %llu as %llu;", (unsigned long long)s->id, (unsigned long long)pos);
}

uint32_t rlink_incarnation(const struct rnode *node)
{
    (void)node;
    return 3;
}

/* --- the world --- */

struct world {
    struct sessman sm;
    struct arena *a;
    struct rnode node;
    struct edge edge;
    struct account romeo, juliet;
    struct session his, hers, other; /* other: juliet's second */
    struct incoming in;
};

static void session(struct world *w, struct session *s, struct account *a, uint64_t id)
{
    s->edge = &w->edge;
    s->account = a;
    s->id = id;
    s->available = true;
    list_init(&s->fast);
    list_append(&a->sessions, &s->in_account);
}

static int setup(void **state)
{
    static const struct metric_def defs[SESSMAN_METRICS];
    struct world *w = mem_new(sizeof *w);
    rest.text[0] = '\0';
    rest.committed = 50;
    rest.position = 0;
    rest.archived = rest.gone = false;
    w->a = arena_new(4096, 0);
    w->sm.loop = loop_new();
    w->sm.metrics = metrics_new(defs, SESSMAN_METRICS);
    w->node.id = 77;
    w->edge.node = &w->node;
    w->romeo.id = 2;
    w->juliet.id = 1;
    list_init(&w->romeo.sessions);
    list_init(&w->juliet.sessions);
    session(w, &w->his, &w->romeo, 10);
    session(w, &w->hers, &w->juliet, 20);
    session(w, &w->other, &w->juliet, 21);
    w->other.priority = -1;
    fast_new(&w->sm);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    fast_free(&w->sm);
    fast_free(&w->sm);
    metrics_free(&w->sm.metrics);
    loop_free(&w->sm.loop);
    buf_fini(&w->sm.scratch);
    arena_free(&w->a);
    mem_free(w);
    return 0;
}

/* His next message, of this frame. */
static void comes(struct world *w, uint64_t seq)
{
    struct node *n = node_new(w->a, "message", NS_CLIENT);
    w->in = (struct incoming){ .sm = &w->sm, .a = w->a, .session = &w->his, .target = &w->juliet };
    w->in.edge = &w->edge;
    w->in.seq = seq;
    w->in.from_session = true;
    w->in.ticket = w->his.ticket;
    w->in.st = (struct stanza){ .kind = STANZA_MESSAGE, .node = n };
}

static bool deliver_it(struct world *w, uint64_t seq)
{
    comes(w, seq);
    return fast_deliver(&w->in, NULL, 0);
}

static void without_a_row_when_it_is_settled(void **state)
{
    struct world *w = *state;
    assert_true(deliver_it(w, 7));
    assert_null(w->in.edge); /* its frame is not dealt with yet */
    assert_true(deliver_it(w, 8));
    assert_int_equal(fast_low(&w->sm), 1);
    saw("wait 7;out 1;to 20 as 1;wait 8;out 2;to 20 as 2;");
    assert_false(fast_moved(&w->sm));
    fast_settled(&w->sm, 1);
    assert_true(w->edge.wrote && fast_moved(&w->sm) && !fast_moved(&w->sm));
    assert_true(!fast_has(&w->sm, 1) && fast_has(&w->sm, 2));
    assert_int_equal(fast_low(&w->sm), 2);
    fast_settled(&w->sm, 1); /* another copy */
    fast_write(&w->sm, 1);
    fast_settled(&w->sm, 2);
    saw("done 7 at 0;done 8 at 0;");
    assert_int_equal(fast_low(&w->sm), 0);
}

static void to_each_of_the_same_priority(void **state)
{
    struct world *w = *state;
    w->other.priority = 0;
    assert_true(deliver_it(w, 1));
    saw("wait 1;out 1;to 20 as 1;out 1;to 21 as 1;");
    comes(w, 2);
    assert_true(fast_deliver(&w->in, &w->other, 0));
    saw("wait 2;out 2;to 21 as 2;");
}

static void a_row_when_the_sender_is_to_be_answered(void **state)
{
    struct world *w = *state;
    assert_int_equal(fast_write_of(&w->sm, &w->his), 0);
    assert_true(deliver_it(w, 1) && deliver_it(w, 2));
    rest.text[0] = '\0';
    assert_int_equal(fast_write_of(&w->sm, &w->hers), 0);
    assert_int_equal(fast_write_of(&w->sm, &w->his), 102);
    saw("row 1 <message/>;done 1 at 101;row 2 <message/>;done 2 at 102;");
    assert_int_equal(w->his.ticket, 102);
    assert_int_equal(fast_low(&w->sm), 0);
    assert_false(deliver_it(w, 3)); /* not in front of what waits for its commit */
    w->his.ticket = 0;
}

static void a_row_when_its_edge_does_not_answer(void **state)
{
    struct world *w = *state;
    assert_true(deliver_it(w, 1));
    rest.text[0] = '\0';
    alarm(60);
    while (!rest.text[0])
        uv_run(&w->sm.loop->uv, UV_RUN_ONCE);
    alarm(0);
    saw("row 1 <message/>;done 1 at 101;");
}

static void a_row_of_an_account_that_is_gone_is_nobodys(void **state)
{
    struct world *w = *state;
    assert_true(deliver_it(w, 1));
    rest.text[0] = '\0';
    rest.gone = true;
    fast_write(&w->sm, 1);
    saw("done 1 at 0;");
}

static void who_sent_it_may_be_gone(void **state)
{
    struct world *w = *state;
    assert_true(deliver_it(w, 1) && deliver_it(w, 2));
    rest.text[0] = '\0';
    fast_sender_gone(&w->sm, &w->his);
    fast_write(&w->sm, 1);
    assert_int_equal(w->his.ticket, 0);
    fast_edge_gone(&w->sm, &w->edge);
    fast_settled(&w->sm, 2);
    saw("row 1 <message/>;done 1 at 101;");
}

static void not_where_it_would_overtake_or_be_doubled(void **state)
{
    struct world *w = *state;
    struct csi *csi = (struct csi *)w;
    struct smqueue *sm = (struct smqueue *)w;
    struct push *push = (struct push *)w;
    struct replay *replay = (struct replay *)w;
#define REFUSED_WITH(set, unset)                                                                             \
    do {                                                                                                     \
        comes(w, 1);                                                                                         \
        set;                                                                                                 \
        assert_false(fast_deliver(&w->in, NULL, 0));                                                         \
        assert_non_null(w->in.sm);                                                                           \
        unset;                                                                                               \
    } while (0)
    REFUSED_WITH(rest.archived = true, rest.archived = false);
    REFUSED_WITH(w->in.edge = NULL, );
    REFUSED_WITH(w->in.session = NULL, );
    REFUSED_WITH(w->in.ticket = 51, );
    REFUSED_WITH(w->his.sm = sm, w->his.sm = NULL);
    REFUSED_WITH(w->hers.sm = sm, w->hers.sm = NULL);
    REFUSED_WITH(w->hers.csi = csi, w->hers.csi = NULL);
    REFUSED_WITH(w->hers.held_ticket = 51, w->hers.held_ticket = 0);
    REFUSED_WITH(w->edge.rejoining = true, w->edge.rejoining = false);
    REFUSED_WITH(w->other.carbons = true, w->other.carbons = false);
    REFUSED_WITH(w->juliet.unsent = 1, w->juliet.unsent = 0);
    REFUSED_WITH(w->juliet.flexible = 1, w->juliet.flexible = 0);
    REFUSED_WITH(w->juliet.push = push, w->juliet.push = NULL);
    REFUSED_WITH(w->juliet.replay = replay, w->juliet.replay = NULL);
    REFUSED_WITH(w->juliet.gone = true, w->juliet.gone = false);
    REFUSED_WITH(node_add(w->a, w->in.st.node, "amp", NS_AMP), );
    saw("");
    w->other.sm = sm; /* she does not get it */
    w->hers.carbons = true;
    assert_true(deliver_it(w, 1));
}

static void not_more_than_there_is_room_for(void **state)
{
    struct world *w = *state;
    for (uint64_t n = 1; n <= FAST_MAX; n++) {
        assert_true(deliver_it(w, n));
        rest.text[0] = '\0';
        arena_reset(w->a);
    }
    assert_false(deliver_it(w, FAST_MAX + 1));
    fast_settled(&w->sm, 5);
    assert_true(deliver_it(w, FAST_MAX + 1));
}

static void origins_are_of_frames(void **state)
{
    struct world *w = *state;
    struct rnode node = { .id = 78 };
    struct edge other = { .node = &node };
    uint64_t origin = fast_origin(&w->sm, &w->edge, 1);
    assert_true(origin && origin == fast_origin(&w->sm, &w->edge, 1));
    assert_true(origin != fast_origin(&w->sm, &w->edge, 2) && origin != fast_origin(&w->sm, &other, 1));
    w->sm.secret[0] ^= 1; /* nobody outside can make one */
    assert_true(origin != fast_origin(&w->sm, &w->edge, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_row_when_it_is_settled),
        TEST(to_each_of_the_same_priority),
        TEST(a_row_when_the_sender_is_to_be_answered),
        TEST(a_row_when_its_edge_does_not_answer),
        TEST(a_row_of_an_account_that_is_gone_is_nobodys),
        TEST(who_sent_it_may_be_gone),
        TEST(not_where_it_would_overtake_or_be_doubled),
        TEST(not_more_than_there_is_room_for),
        TEST(origins_are_of_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
