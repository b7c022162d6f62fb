#include "sessman/journal.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/xmlout.h"
#include "sessman/archive.h"
#include "sessman/edges.h"
#include "sessman/fast.h"
#include "sessman/journalin.h"
#include "sessman/offline.h"
#include "sessman/out.h"
#include "sessman/restore.h"
#include "sessman/retention.h"
#include "sessman/session.h"

#define BLOCK (1ull << 20) /* positions that are reserved at once */

enum {
    FOLD_ROWS = 16384, /* so many entries wait: they are written */
    FOLD_S = 5,        /* or so old they are */
    FOLD_SLICE = 256,  /* entries a turn */
    MARK_ROWS = 1000,
    MARK_MS = 60000,
    BACK_MS = 2000, /* a clock that is set back by less is taken to stand still */
};

/* --- positions --- */

static void meta_set(struct journal *j, struct slice name, uint64_t n)
{
    store_run(j->sm->store, STMT_META_SET, STORE_VALUES(STORE_T(name), STORE_I(n)), NULL, NULL);
}

static void reserve(struct journal *j)
{
    j->top = j->next + BLOCK;
    meta_set(j, SLICE("journal_top"), j->top);
}

/* What a crash left: rows that had been settled, rows without entries. */
static void repair(struct journal *j, int64_t from)
{
    static const enum stmt steps[] = { STMT_REPAIR_ENTRIES, STMT_REPAIR_DROP, STMT_REPAIR_OWNER,
                                       STMT_REPAIR_SENDER };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        store_run(j->sm->store, steps[i], STORE_VALUES(STORE_I(from)), NULL, NULL);
    meta_set(j, SLICE("entry_low"), j->next);
}

static void on_low(void *ctx, const struct store_result *r)
{
    struct journal *j = ctx;
    repair(j, r->rows ? store_row(r, 0)[0].i : 0);
}

/* The block is used from its end on: what a crash left of it is lost. */
static void on_top(void *ctx, const struct store_result *r)
{
    struct journal *j = ctx;
    const struct store_value *v =
        store_row(r, 0); /* highest position, "journal_top", time of the last landmark */
    uint64_t last = r->rows && v[0].i > 0 ? (uint64_t)v[0].i : 0,
             top = r->rows && v[1].i > 0 ? (uint64_t)v[1].i : 0;
    j->next = top > last ? top : last + 1;
    j->max_ms = r->rows ? v[2].i : 0;
    j->mark_pos = j->next;
    for (size_t i = 0; i < sizeof j->old / sizeof *j->old; i++)
        j->old[i] = j->next;
    journal_make_keys(j);
    reserve(j);
}

uint64_t journal_end(const struct sessman *sm)
{
    return sm->journal->next;
}

uint64_t journal_undone(const struct sessman *sm)
{
    return sm->journal->undone;
}

/* --- appending --- */

/* XEP-0160 3. Hints in errors mean nothing, and errors are of no type that is kept (XEP-0334 5). */
bool journal_qualifies(const struct stanza *st)
{
    if (st->kind != STANZA_MESSAGE || (st->type != MESSAGE_NORMAL && st->type != MESSAGE_CHAT))
        return false;
    if (node_find(st->node, "no-store", NS_HINTS))
        return false;
    if (node_find(st->node, "store", NS_HINTS) || node_find(st->node, "body", NULL))
        return true;
    /* Without a body: what is only a chat state is worth nothing later (XEP-0160 3, XEP-0085). */
    for (const struct node *c = node_child(st->node); c; c = node_sibling(c))
        if (!slice_is(c->ns, NS_CHATSTATES) && !node_is(c, "thread", NULL) &&
            !node_is(c, "no-permanent-store", NS_HINTS))
            return true;
    return false;
}

/* Time to position, for who asks for the messages of a time. */
static void landmark(struct journal *j, int64_t now)
{
    if (now < j->mark_ms)
        store_run(j->sm->store, STMT_LANDMARK_LATER, STORE_VALUES(STORE_I(now)), NULL, NULL);
    store_run(j->sm->store, STMT_LANDMARK_ADD,
              STORE_VALUES(STORE_I(j->next), STORE_I(now), STORE_I(j->max_ms)), NULL, NULL);
    j->mark_ms = now;
    j->mark_pos = j->next;
}

static int64_t stamp(struct journal *j)
{
    int64_t now = clock_wall_ms();
    if (now < j->last_ms && now > j->last_ms - BACK_MS)
        now = j->last_ms;
    j->last_ms = now;
    if (now < j->mark_ms || now - j->mark_ms >= MARK_MS || j->next - j->mark_pos >= MARK_ROWS)
        landmark(j, now);
    if (now > j->max_ms)
        j->max_ms = now;
    return now;
}

static uint64_t position(struct journal *j)
{
    uint64_t pos = j->next++;
    if (j->next == j->top)
        reserve(j);
    return pos;
}

uint64_t journal_position(struct sessman *sm)
{
    sm->journal->mark_pos++; /* landmarks are for rows */
    return position(sm->journal);
}

uint64_t journal_append(struct sessman *sm, struct journal_row *row)
{
    struct journal *j = sm->journal;
    row->at_ms = stamp(j) - row->age_ms;
    if (!row->pos)
        row->pos = position(j);
    if (row->owner)
        tail_add(j->tail, row->owner, row->pos, row->owner_peer, !(row->flags & JOURNAL_KEEP_OWNER));
    if (row->sender)
        tail_add(j->tail, row->sender, row->pos, row->sender_peer, false);
    journal_tick_on(j);
    return store_run(sm->store, STMT_JOURNAL_ADD,
                     STORE_VALUES(STORE_I(row->pos), STORE_I(row->at_ms), STORE_I(row->flags),
                                  row->owner ? STORE_I(row->owner) : STORE_N, STORE_I(row->owner_peer),
                                  row->sender ? STORE_I(row->sender) : STORE_N, STORE_I(row->sender_peer),
                                  row->holder ? STORE_I(row->holder) : STORE_N, STORE_I(row->n),
                                  STORE_B(row->stanza)),
                     NULL, NULL);
}

/* The local account that it comes from; NULL: it comes from elsewhere. */
static struct account *sender_of(const struct incoming *in)
{
    if (in->session)
        return in->session->account;
    return in->from_session && in->st.has_from ? account_find(in->sm, jid_bare(&in->st.from)) : NULL;
}

static void add_sender(const struct incoming *in, struct journal_row *row)
{
    struct account *from = sender_of(in);
    if (!from || from->gone || from->id == row->owner ||
        !archive_wanted(in->sm, from, jid_bare(&in->st.to), &in->st))
        return;
    row->flags |= JOURNAL_KEEP_SENDER;
    row->sender = from->id;
    row->sender_peer = journal_peer(in->sm, jid_bare(&in->st.to));
}

/* What the cursor of somebody who only sends would leave for the next load to look through. */
enum { BEHIND_ROWS = 4096 };

static void sender_goes_on(struct incoming *in, const struct journal_row *row)
{
    struct account *from = row->sender ? sender_of(in) : NULL;
    if (from && row->pos - from->delivered > BEHIND_ROWS && !from->unsent)
        cursor_dirty(in->sm->journal, from);
}

/* An edge is held back by its window; others have this. */
static bool store_behind(struct incoming *in)
{
    if (in->from_session || !store_full(in->sm->store))
        return false;
    in_error(in, COND_RESOURCE_CONSTRAINT, "the store is behind");
    return true;
}

static struct slice write_stanza(struct incoming *in)
{
    buf_reset(&in->sm->scratch);
    xmlout_node(&in->sm->scratch, in->st.node, NS_CLIENT);
    return buf_get(&in->sm->scratch);
}

/* Of what was just written: <stanza-id/> (XEP-0359 3) goes in front of the end tag. */
static void splice_id(struct sessman *sm, const struct account *owner, uint64_t pos)
{
    static const char end[] = "</message>";
    struct buf *b = &sm->scratch;
    char id[JOURNAL_ID_LEN];
    if (b->len < sizeof end - 1 || memcmp(b->p + b->len - (sizeof end - 1), end, sizeof end - 1) != 0)
        return;
    b->len -= sizeof end - 1;
    journal_id_write(sm, pos, id);
    BUF_LIT(b, "<stanza-id xmlns='" NS_STANZA_ID "' by='");
    xmlout_value(b, account_bare(owner));
    BUF_LIT(b, "' id='");
    buf_put(b, id, sizeof id);
    BUF_LIT(b, "'/>");
    buf_put(b, end, sizeof end - 1);
}

static void count_bytes(const struct incoming *in, const struct journal_row *row)
{
    struct sessman *sm = in->sm;
    const struct account *sender = row->sender ? sender_of(in) : NULL;
    struct slice to = row->flags & JOURNAL_KEEP_OWNER ? account_domain(in->target) : SLICE_NONE;
    struct slice from = sender ? account_domain(sender) : SLICE_NONE;
    if (to.len)
        retention_added(sm, to, row->stanza.len);
    if (from.len && !slice_eq(from, to))
        retention_added(sm, from, row->stanza.len);
}

static void append(struct incoming *in, struct journal_row *row)
{
    row->stanza = write_stanza(in);
    if (in->sm->archive_counted)
        count_bytes(in, row);
    in_wrote(in, journal_append(in->sm, row));
    sender_goes_on(in, row);
    if (row->flags & JOURNAL_KEEP_SENDER)
        in->kept_pos = row->pos;
    if (!(row->flags & JOURNAL_KEEP_OWNER))
        return;
    splice_id(in->sm, in->target, row->pos);
    journal_id_add(in->sm, in->a, in->st.node, account_bare(in->target), row->pos); /* for copies of it */
}

static void add_owner(const struct incoming *in, struct journal_row *row)
{
    struct account *to = in->target;
    struct slice peer = in->st.has_from ? jid_bare(&in->st.from) : SLICE_NONE;
    row->owner = to->id;
    row->owner_peer = journal_peer(in->sm, peer);
    if (archive_wanted(in->sm, to, peer, &in->st))
        row->flags |= JOURNAL_KEEP_OWNER;
}

static bool can_add(struct incoming *in)
{
    if (store_behind(in))
        return false;
    if (in->target->gone)
        in_error(in, COND_SERVICE_UNAVAILABLE, NULL);
    return !in->target->gone;
}

/* Of a kind that is not kept for who is away. */
static void store_archive_only(struct incoming *in)
{
    struct journal_row row = { 0 };
    if (!journal_qualifies(&in->st) || !can_add(in))
        return;
    add_owner(in, &row);
    if (!row.flags)
        row.owner = 0;
    add_sender(in, &row);
    if (row.flags)
        append(in, &row);
}

bool journal_add(struct incoming *in, struct journal_row *row)
{
    if (!can_add(in))
        return false;
    row->flags |= JOURNAL_DELIVER;
    add_owner(in, row);
    add_sender(in, row);
    append(in, row);
    return true;
}

void journal_store(struct incoming *in, bool behind)
{
    struct account *a = in->target;
    struct journal_row row = { 0 };
    if (behind && a->offline_n >= in->sm->conf->offline_max) {
        metric_add(in->sm->metrics, M_OFFLINE_REFUSED, 1);
        in_error(in, COND_SERVICE_UNAVAILABLE, "this account's offline storage is full");
        return;
    }
    if (!behind && !offline_wanted(in->sm, &in->st)) {
        store_archive_only(in);
        return;
    }
    if (!behind) {
        int64_t peer = journal_peer(in->sm, in->st.has_from ? jid_bare(&in->st.from) : SLICE_NONE);
        if (!offline_admit(in, a->offline_n, cursor_unsent_of(a, peer))) {
            if (!in->refused) /* dropped: nobody was told that it did not arrive */
                store_archive_only(in);
            return;
        }
    }
    if (!journal_add(in, &row))
        return;
    metric_add(in->sm->metrics, M_OFFLINE_STORED, 1);
    cursor_unsent(a, row.pos, row.owner_peer);
    if (behind)
        cursor_kick(in->sm->journal, a);
}

void journal_sent(struct incoming *in)
{
    struct journal_row row = { 0 };
    if (!journal_qualifies(&in->st))
        return;
    add_sender(in, &row);
    if (row.flags)
        append(in, &row);
}

/* --- entries --- */

static void write_entry(void *ctx, int64_t account, uint64_t pos, int64_t peer)
{
    struct journal *j = ctx;
    j->fold_ticket = store_run(j->sm->store, STMT_ENTRY_ADD,
                               STORE_VALUES(STORE_I(account), STORE_I(pos), STORE_I(peer)), NULL, NULL);
}

void journal_flush(struct sessman *sm, int64_t account)
{
    tail_flush(sm->journal->tail, account, write_entry, sm->journal);
}

/* Where a repair would begin: what is in memory only is behind it. */
static void write_low(struct journal *j)
{
    const uint64_t lows[] = { tail_low(j->tail), transient_low(j), fast_low(j->sm) };
    uint64_t low = 0;
    for (size_t i = 0; i < sizeof lows / sizeof *lows; i++)
        if (lows[i] && (!low || lows[i] < low))
            low = lows[i];
    meta_set(j, SLICE("entry_low"), low ? low : j->next);
}

/* One part, and when it is committed the next: messages are committed in between. */
static void fold(struct journal *j)
{
    if (!tail_fold(j->tail, FOLD_SLICE, j->old[0], write_entry, j))
        write_low(j);
}

/* What each edge has acknowledged is settled by now, and the store hears of it with the statements that
 * follow. */
static void note_settled(struct journal *j)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(j->sm->rlink, &at)) != NULL;)
        if (n->user)
            ((struct edge *)n->user)->settled = rlink_acked(j->sm->rlink, n);
    j->telling = true;
}

/* Of what has no row the store knows by the rows of the edges that sent it. */
static void frames_dealt_with(struct journal *j)
{
    edges_mark(j->sm);
    j->cursor_ticket = store_next(j->sm->store) - 1;
}

static void tell_settled(struct journal *j)
{
    struct buf b = BUF_INIT(0);
    size_t at = 0;
    j->telling = false;
    for (struct rnode *n; (n = rlink_next_node(j->sm->rlink, &at)) != NULL;) {
        struct edge *e = n->user;
        if (!e || e->settled <= e->settled_told)
            continue;
        buf_reset(&b);
        control_write_settled(&b, e->settled);
        struct slice element = buf_get(&b);
        rlink_send(j->sm->rlink, n, FRAME_CONTROL, 0, &element, 1);
        e->settled_told = e->settled;
    }
    buf_fini(&b);
}

void journal_committed(struct sessman *sm)
{
    struct journal *j = sm->journal;
    if (j && j->telling && store_committed(sm->store) >= j->cursor_ticket && sm->rlink && !j->closed)
        tell_settled(j);
    if (j && tail_folding(j->tail) && store_committed(sm->store) >= j->fold_ticket && !j->closed)
        fold(j);
}

/* --- what is done now and then --- */

static void on_tick(struct timer *timer)
{
    struct journal *j = CONTAINER(timer, struct journal, tick);
    bool second = ++j->ticks % TICKS_A_SECOND == 0;
    if (second) {
        memmove(j->old, j->old + 1, sizeof j->old - sizeof *j->old);
        j->old[FOLD_S] = j->next;
    }
    bool moved = false;
    if (!j->telling && j->sm->rlink && restore_over(j->sm) &&
        ((moved = fast_moved(j->sm)) || !list_empty(&j->dirty)))
        note_settled(j);
    if (moved)
        frames_dealt_with(j);
    cursors_flush(j);
    if (j->telling && store_committed(j->sm->store) >= j->cursor_ticket)
        tell_settled(j);
    transients_sweep(j, false);
    if (!tail_folding(j->tail) &&
        ((second && j->ticks / TICKS_A_SECOND % FOLD_S == 0) || tail_count(j->tail) >= FOLD_ROWS))
        fold(j);
    if (!tail_empty(j->tail) || j->gone_n || !list_empty(&j->dirty) || fast_low(j->sm) || j->telling)
        journal_tick_on(j);
}

void journal_tick_on(struct journal *j)
{
    if (!timer_running(&j->tick) && !j->closed)
        loop_timer(j->sm->loop, &j->tick, TICK_MS, on_tick);
}

static void on_kicks(struct turn *t)
{
    struct journal *j = CONTAINER(t, struct journal, kick);
    LIST_EACH(&j->kicks, it) {
        struct account *a = CONTAINER(it, struct cursor, kick)->a;
        list_unlink(it);
        replay_kick(j->sm, a);
        cursor_tidy(j->sm, a);
    }
}

/* --- life --- */

void journal_open(struct sessman *sm)
{
    struct journal *j = mem_new(sizeof *j);
    j->sm = sm;
    j->tail = tail_new();
    j->accounts = idmap_new();
    list_init(&j->dirty);
    list_init(&j->kicks);
    j->kick.fn = on_kicks;
    sm->journal = j;
    store_run(sm->store, STMT_JOURNAL_TOP, NULL, 0, on_top, j);
    store_run(sm->store, STMT_META_GET, STORE_VALUES(STORE_T(SLICE("entry_low"))), on_low, j);
}

void journal_close(struct sessman *sm)
{
    struct journal *j = sm->journal;
    if (!j || j->closed)
        return;
    j->closed = true;
    timer_stop(&j->tick);
    loop_turn_drop(sm->loop, &j->kick);
    if (!j->next)
        return; /* the store never answered */
    cursors_flush(j);
    transients_sweep(j, true);
    while (tail_fold(j->tail, SIZE_MAX, UINT64_MAX, write_entry, j))
        ;
    write_low(j);
}

void journal_free(struct sessman *sm)
{
    struct journal *j = sm->journal;
    if (!j)
        return;
    tail_free(&j->tail);
    idmap_free(&j->accounts);
    mem_free(j->gone);
    mem_free(j);
    sm->journal = NULL;
}
