/* sessman/replay.c - what an account has that nobody was given: a page at a time, to one resource, in order
 * (XEP-0160 3) */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/link/control.h"
#include "common/xmpp/delay.h"
#include "common/xmpp/xmlout.h"
#include "sessman/journalin.h"
#include "sessman/offline.h"
#include "sessman/out.h"
#include "sessman/session.h"

/* A page ends at either, far below what an edge lets a client leave waiting; the next one waits until the
 * client's socket has taken most of it, at most so long: who takes nothing then fills its buffer, and loses
 * its connection (DESIGN 2). */
enum { PAGE_ROWS = 100, PAGE_BYTES = 64 * 1024, TAKE_MS = 10000 };

/* The account is referenced while it goes on. */
struct replay {
    struct sessman *sm;
    struct account *a;
    struct session *s; /* NULL: ended; another takes over or it stops */
    uint32_t pending;  /* rows of the page that are outstanding */
    uint16_t page;     /* its number, never 0 */
    uint32_t rows;     /* how many to read: about what one page can hold */
    bool fetching;
    bool asked; /* the client's edge, for its flow: of pending, too */
    struct timer take;
    uint64_t appended; /* the lowest that is unsent since the page was asked for: it may lack it; 0: none */
    uint64_t *settled; /* since the page was asked for: it may have them */
    uint32_t n_settled, cap_settled;
};

static void fetch(struct replay *r);

/* Whoever its page went to is not there any more. */
static void forget_page(struct replay *r)
{
    r->page = 0;
    r->asked = false;
    timer_stop(&r->take);
}

static void replay_end(struct replay *r)
{
    struct account *a = r->a;
    struct sessman *sm = r->sm;
    forget_page(r);
    a->replay = NULL;
    mem_free(r->settled);
    mem_free(r);
    cursor_tidy(sm, a);
    account_release(sm, a);
}

/* Something older may come back first. */
static bool is_adrift(const struct account *a)
{
    return a->cursor && a->cursor->adrift;
}

bool journal_replaying(const struct account *a)
{
    return a && !a->flexible && (a->unsent || is_adrift(a));
}

/* The available resource of the highest non-negative priority. */
static struct session *somebody(const struct account *a, const struct session *but)
{
    struct session *best = NULL;
    LIST_EACH(&a->sessions, it) {
        struct session *s = CONTAINER(it, struct session, in_account);
        if (s != but && s->edge && s->available && s->priority >= 0 &&
            (!best || s->priority > best->priority))
            best = s;
    }
    return best;
}

struct session *journal_receiver(const struct account *a)
{
    return a->replay && a->replay->s ? a->replay->s : somebody(a, NULL);
}

static bool was_settled(const struct replay *r, uint64_t pos)
{
    for (uint32_t i = 0; i < r->n_settled; i++)
        if (r->settled[i] == pos)
            return true;
    return false;
}

/* pos, at_ms, flags, peer, stanza */
static void send_row(struct replay *r, struct arena *a, const struct store_value *row)
{
    struct sessman *sm = r->sm;
    uint64_t pos = (uint64_t)row[0].i;
    unsigned flags = (unsigned)row[2].i;
    struct node *n;
    struct why why;
    cursor_unsent_less(r->a, row[3].i);
    cursor_sent_row(sm->journal, r->a, pos, flags, r->page);
    r->pending++;
    bool sent = false;
    if (xmlin_parse(sm->xml, a, row[4].s, &sm->xml_limits, &n, &why) == RC_OK) {
        if (offline_expired(sm, a, n)) {
            journal_settled(sm, r->a->id, pos);
            return;
        }
        if (flags & JOURNAL_KEEP_OWNER)
            journal_id_add(sm, a, n, account_bare(r->a), pos);
        delay_add(a, n, account_domain(r->a), row[1].i, "Offline storage");
        buf_reset(&sm->scratch);
        xmlout_node(&sm->scratch, n, NS_CLIENT);
        sent = out_message(sm, 0, r->s, pos, 0, buf_get(&sm->scratch));
    } else {
        struct log_ctx log = sessman_log(sm, LOG_STORE);
        LOG_ERROR(&log, "journal_row_bad", F_STR("account", r->a->bare), F_UINT("pos", pos), F_WHY(&why));
    }
    if (sent)
        metric_add(sm->metrics, M_OFFLINE_DELIVERED, 1);
    else
        journal_settled(sm, r->a->id, pos); /* it never will be: the log has it */
}

static void go_on(struct replay *r)
{
    if (r->fetching || r->pending)
        return;
    if (r->a->unsent && r->s && !r->a->flexible && !is_adrift(r->a))
        fetch(r);
    else
        replay_end(r);
}

static void page_taken(struct replay *r)
{
    r->asked = false;
    timer_stop(&r->take);
    r->pending--;
    go_on(r);
}

static void on_take(struct timer *t)
{
    page_taken(CONTAINER(t, struct replay, take));
}

void journal_flow(struct session *s, uint16_t n)
{
    struct replay *r = s->account->replay;
    if (r && r->asked && r->s == s && r->page == n)
        page_taken(r);
}

/* What the edge has acknowledged stands in the client's output there, which is bounded. A client with stream
 * management says by itself what it has. */
static void ask_flow(struct replay *r)
{
    struct buf b = BUF_INIT(0);
    if (!r->s->edge || r->s->sm)
        return;
    control_write_flow(&b, r->page);
    out_control(r->sm, 0, r->s, buf_get(&b));
    buf_fini(&b);
    r->asked = true;
    r->pending++;
    loop_timer(r->sm->loop, &r->take, TAKE_MS, on_take);
}

static bool is_due(const struct replay *r, uint64_t pos)
{
    return !cursor_has(r->a, pos) && !was_settled(r, pos);
}

/* How many of these a page holds; so many are read for the next one. */
static size_t page_rows(struct replay *r, const struct store_result *res)
{
    size_t bytes = 0, n = 0;
    for (; n < res->rows && bytes < PAGE_BYTES; n++) {
        const struct store_value *row = store_row(res, n);
        bytes += is_due(r, (uint64_t)row[0].i) ? row[4].s.len : 0;
    }
    if (n < res->rows)
        r->rows = (uint32_t)n;
    else if (bytes < PAGE_BYTES / 2)
        r->rows = r->rows < PAGE_ROWS / 2 ? r->rows * 2 : PAGE_ROWS;
    return n;
}

static void on_page(void *ctx, const struct store_result *res)
{
    struct replay *r = ctx;
    struct account *a = r->a;
    r->fetching = false;
    if (!r->s || a->gone ||
        r->sm->journal->closed) { /* nothing was delivered; at the end its session is freed */
        replay_end(r);
        return;
    }
    bool more = res->rows == r->rows || res->cut;
    uint64_t after = more ? (uint64_t)store_row(res, res->rows - 1)[0].i + 1 : 0;
    size_t n = page_rows(r, res);
    if (n < res->rows)
        after = (uint64_t)store_row(res, n)[0].i;
    a->unsent = after && r->appended ? (after < r->appended ? after : r->appended) : after + r->appended;
    r->pending++; /* until all have been sent */
    for (size_t i = 0; i < n && r->s; i++) {
        const struct store_value *row = store_row(res, i);
        if (!is_due(r, (uint64_t)row[0].i))
            continue;
        struct arena *arena = arena_take(r->sm->arenas);
        send_row(r, arena, row);
        arena_give(r->sm->arenas, &arena);
    }
    if (r->s && r->pending > 1 && a->unsent)
        ask_flow(r);
    if (!a->unsent)
        cursor_unsent_none(a);
    r->n_settled = 0;
    r->pending--;
    go_on(r);
}

static void fetch(struct replay *r)
{
    r->fetching = true;
    r->appended = 0;
    r->n_settled = 0;
    if (!++r->sm->journal->pages)
        r->sm->journal->pages = 1;
    r->page = r->sm->journal->pages;
    cursor_flush(r->sm->journal, r->a);
    journal_flush(r->sm, r->a->id);
    store_run(r->sm->store, STMT_JOURNAL_AFTER,
              STORE_VALUES(STORE_I(r->a->id), STORE_I(r->a->unsent - 1), STORE_I(r->rows)), on_page, r);
}

void replay_page_less(struct account *a, uint16_t page)
{
    struct replay *r = a->replay;
    if (!page || !r || page != r->page || !r->pending)
        return; /* of a page that it waits for no longer */
    r->pending--;
    go_on(r);
}

void replay_settled(struct account *a, uint64_t pos)
{
    struct replay *r = a->replay;
    if (!r || !r->fetching)
        return;
    if (r->n_settled == r->cap_settled) {
        r->cap_settled = r->cap_settled ? r->cap_settled * 2 : 16;
        r->settled = mem_resize(r->settled, r->cap_settled * sizeof *r->settled);
    }
    r->settled[r->n_settled++] = pos;
}

void replay_appended(struct account *a, uint64_t pos)
{
    struct replay *r = a->replay;
    if (r && (!r->appended || pos < r->appended))
        r->appended = pos;
}

void replay_kick(struct sessman *sm, struct account *a)
{
    struct session *s = somebody(a, NULL);
    if (!a->unsent || !s || a->gone || a->flexible || is_adrift(a))
        return;
    if (a->replay) {
        if (!a->replay->s)
            a->replay->s = s; /* whose page is on its way has ended */
        go_on(a->replay);
        return;
    }
    struct replay *r = mem_new(sizeof *r);
    r->sm = sm;
    r->a = a;
    r->s = s;
    r->rows = PAGE_ROWS;
    a->replay = r;
    account_hold(sm, a);
    fetch(r);
}

void journal_replay(struct sessman *sm, struct session *s)
{
    replay_kick(sm, s->account);
}

void journal_session_end(struct sessman *sm, struct session *s)
{
    struct replay *r = s->account->replay;
    (void)sm;
    if (!r || r->s != s)
        return;
    r->s = somebody(s->account, s);
    r->pending = r->fetching ? r->pending : 0; /* what it was sent it has, or it comes back */
    forget_page(r);
    go_on(r);
}

void replay_drop(struct sessman *sm, struct account *a)
{
    (void)sm;
    struct replay *r = a->replay;
    if (!r)
        return;
    r->s = NULL;
    r->pending = 0;
    forget_page(r);
    go_on(r);
}

void replay_free(struct account *a)
{
    if (a->replay) {
        timer_stop(&a->replay->take);
        mem_free(a->replay->settled);
    }
    MEM_FREE(&a->replay);
}

/* --- after a restart --- */

struct held {
    struct sessman *sm;
    struct account *a;
    journal_held_fn done;
    void *ctx;
};

/* As it was sent: with its id in the archive of its owner. */
static struct slice held_stanza(struct held *h, struct arena *arena, const struct journal_row *row)
{
    struct sessman *sm = h->sm;
    struct node *n;
    if (!(row->flags & JOURNAL_KEEP_OWNER) ||
        xmlin_parse(sm->xml, arena, row->stanza, &sm->xml_limits, &n, NULL) != RC_OK)
        return row->stanza;
    journal_id_add(sm, arena, n, account_bare(h->a), row->pos);
    buf_reset(&sm->scratch);
    xmlout_node(&sm->scratch, n, NS_CLIENT);
    return arena_copy(arena, buf_get(&sm->scratch));
}

static void on_held(void *ctx, const struct store_result *r)
{
    struct held *h = ctx;
    struct arena *arena = arena_take(h->sm->arenas);
    struct journal_row *rows = ARENA_ARRAY(arena, r->rows + 1, struct journal_row);
    size_t n = 0;
    for (size_t i = 0; i < r->rows; i++) {
        const struct store_value *v = store_row(r, i);
        struct journal_row row = { .pos = (uint64_t)v[0].i, .at_ms = v[1].i, .flags = (unsigned)v[2].i };
        if (cursor_has(h->a, row.pos))
            continue;
        row.n = (uint64_t)v[3].i;
        row.stanza = v[4].s;
        row.stanza = held_stanza(h, arena, &row);
        rows[n++] = row;
        cursor_unsent_less(h->a, v[5].i);
        cursor_sent_row(h->sm->journal, h->a, row.pos, row.flags, 0);
    }
    h->done(h->ctx, rows, n);
    arena_give(h->sm->arenas, &arena);
    account_release(h->sm, h->a);
    mem_free(h);
}

void journal_held(struct sessman *sm, struct account *a, uint64_t holder, size_t max, journal_held_fn done,
                  void *ctx)
{
    struct held *h = mem_new(sizeof *h);
    *h = (struct held){ sm, a, done, ctx };
    account_hold(sm, a);
    journal_flush(sm, a->id);
    store_run(sm->store, STMT_JOURNAL_HELD,
              STORE_VALUES(STORE_I(a->id), STORE_I(a->delivered), STORE_I(holder), STORE_I(max)), on_held, h);
}
