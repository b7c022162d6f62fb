/* sessman/cursor.c - what of an account's rows is outstanding, settled or with nobody, and how the store
 * hears of it */
#include "common/base/mem.h"
#include "sessman/fast.h"
#include "sessman/journalin.h"
#include "sessman/retention.h"
#include "sessman/session.h"
#include "sessman/transit.h"

struct cursor *cursor_of(struct account *a)
{
    if (!a->cursor) {
        a->cursor = mem_new(sizeof *a->cursor);
        a->cursor->a = a;
    }
    return a->cursor;
}

static void hold(struct sessman *sm, struct cursor *c)
{
    if (c->held)
        return;
    c->held = true;
    account_hold(sm, c->a);
}

static void cursor_free(struct cursor **cp)
{
    struct cursor *c = *cp;
    if (!c)
        return;
    list_unlink(&c->dirty);
    list_unlink(&c->kick);
    mem_free(c->rows);
    mem_free(c->holes);
    mem_free(c->peers);
    MEM_FREE(cp);
}

void cursor_tidy(struct sessman *sm, struct account *a)
{
    struct cursor *c = a->cursor;
    if (!c || c->n || c->adrift || c->n_holes || link_in_list(&c->dirty) || link_in_list(&c->kick))
        return;
    bool held = c->held;
    c->held = false;
    if (!c->n_peers)
        cursor_free(&a->cursor);
    if (held)
        account_release(sm, a);
}

static void look_later(struct journal *j, struct account *a)
{
    struct cursor *c = cursor_of(a);
    if (link_in_list(&c->dirty) || a->gone)
        return;
    hold(j->sm, c);
    list_append(&j->dirty, &c->dirty);
    journal_tick_on(j);
}

void cursor_dirty(struct journal *j, struct account *a)
{
    look_later(j, a);
    a->cursor->stale = true;
}

void cursor_kick(struct journal *j, struct account *a)
{
    struct cursor *c = cursor_of(a);
    if (link_in_list(&c->kick) || a->gone || j->closed)
        return;
    hold(j->sm, c);
    list_append(&j->kicks, &c->kick);
    loop_at_turn_end(j->sm->loop, &j->kick);
}

/* --- what is with nobody --- */

static struct peer_count *peer_find(const struct cursor *c, int64_t peer)
{
    for (uint32_t i = 0; c && i < c->n_peers; i++)
        if (c->peers[i].peer == peer)
            return &c->peers[i];
    return NULL;
}

static void peer_add(struct account *a, int64_t peer, uint64_t n)
{
    struct cursor *c = cursor_of(a);
    struct peer_count *p = peer_find(c, peer);
    if (!p) {
        if (c->n_peers == c->cap_peers) {
            c->cap_peers = c->cap_peers ? c->cap_peers * 2 : 2;
            c->peers = mem_resize(c->peers, c->cap_peers * sizeof *c->peers);
        }
        p = &c->peers[c->n_peers++];
        *p = (struct peer_count){ peer, 0 };
    }
    p->n += n;
    a->offline_n += n;
}

void cursor_unsent(struct account *a, uint64_t pos, int64_t peer)
{
    if (!a->unsent || pos < a->unsent)
        a->unsent = pos;
    replay_appended(a, pos);
    peer_add(a, peer, 1);
}

void cursor_unsent_less(struct account *a, int64_t peer)
{
    struct cursor *c = a->cursor;
    struct peer_count *p = peer_find(c, peer);
    if (!p)
        p = peer_find(c, 0); /* it was given back: whose it is was not known then */
    if (!p)
        return;
    a->offline_n--;
    if (--p->n == 0)
        *p = c->peers[--c->n_peers];
}

void cursor_unsent_none(struct account *a)
{
    struct cursor *c = a->cursor;
    a->unsent = a->offline_n = 0;
    if (c) {
        c->n_peers = c->cap_peers = 0;
        MEM_FREE(&c->peers);
    }
}

uint64_t cursor_unsent_of(const struct account *a, int64_t peer)
{
    const struct peer_count *p = peer_find(a->cursor, peer);
    return p ? p->n : 0;
}

uint64_t journal_unsent_of(const struct sessman *sm, const struct account *a, struct slice bare)
{
    return cursor_unsent_of(a, journal_peer(sm, bare));
}

void journal_account_loaded(struct sessman *sm, struct account *a, const struct store_result *counts)
{
    for (size_t i = 0; i < counts->rows; i++) {
        const struct store_value *v = store_row(counts, i);
        peer_add(a, v[0].i, (uint64_t)v[1].i);
    }
    if (a->offline_n)
        a->unsent = a->delivered + 1;
    (void)sm;
}

void journal_account_known(struct sessman *sm, struct account *a)
{
    idmap_put(sm->journal->accounts, (uint64_t)a->id, a);
}

void journal_account_freed(struct sessman *sm, struct account *a)
{
    replay_free(a);
    cursor_free(&a->cursor);
    if (idmap_get(sm->journal->accounts, (uint64_t)a->id) == a)
        idmap_remove(sm->journal->accounts, (uint64_t)a->id);
    retention_kick(sm);
}

/* --- outstanding --- */

/* Index of pos, or where it would be. */
static uint32_t row_at(const struct cursor *c, uint64_t pos)
{
    uint32_t lo = 0, hi = c->n;
    const struct sent_row *rows = c->rows + c->head;
    if (!hi || pos <= rows[0].pos)
        return 0;
    if (pos > rows[hi - 1].pos)
        return hi;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (rows[mid].pos < pos)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct sent_row *row_find(const struct cursor *c, uint64_t pos)
{
    if (!c || !c->n)
        return NULL;
    uint32_t i = row_at(c, pos);
    return i < c->n && c->rows[c->head + i].pos == pos ? &c->rows[c->head + i] : NULL;
}

bool cursor_has(const struct account *a, uint64_t pos)
{
    return row_find(a->cursor, pos) != NULL;
}

bool cursor_written(struct sessman *sm, int64_t account, uint64_t pos)
{
    const struct account *a = idmap_get(sm->journal->accounts, (uint64_t)account);
    struct sent_row *row = a && !a->gone ? row_find(a->cursor, pos) : NULL;
    if (row)
        row->flags &= (uint8_t)~JOURNAL_UNWRITTEN;
    return row != NULL;
}

static void rows_room(struct cursor *c)
{
    if (c->head + c->n < c->cap)
        return;
    if (c->head >= c->cap / 2 && c->head) {
        memmove(c->rows, c->rows + c->head, c->n * sizeof *c->rows);
        c->head = 0;
        return;
    }
    c->cap = c->cap ? c->cap * 2 : 4;
    c->rows = mem_resize(c->rows, c->cap * sizeof *c->rows);
}

void cursor_sent_row(struct journal *j, struct account *a, uint64_t pos, unsigned flags, uint16_t page)
{
    struct cursor *c = cursor_of(a);
    struct sent_row *row = row_find(c, pos);
    if (row) {
        row->copies++;
        return;
    }
    hold(j->sm, c);
    rows_room(c);
    uint32_t i = row_at(c, pos);
    row = &c->rows[c->head + i];
    memmove(row + 1, row, (c->n - i) * sizeof *row);
    *row = (struct sent_row){ pos, 1, (uint8_t)flags, page };
    c->n++;
}

void journal_outstanding(struct sessman *sm, struct account *a, uint64_t pos, unsigned flags)
{
    cursor_sent_row(sm->journal, a, pos, flags, 0);
}

static void row_remove(struct cursor *c, struct sent_row *row)
{
    uint32_t i = (uint32_t)(row - (c->rows + c->head));
    if (i == 0)
        c->head++;
    else
        memmove(row, row + 1, (c->n - i - 1) * sizeof *row);
    if (--c->n == 0) {
        c->head = 0;
        if (c->cap > 64) { /* a burst was there */
            MEM_FREE(&c->rows);
            c->cap = 0;
        }
    }
}

/* The lowest position that the cursor must not pass; 0: it may go to the end. */
static uint64_t lowest(const struct account *a)
{
    const struct cursor *c = a->cursor;
    uint64_t low = c && c->n ? c->rows[c->head].pos : 0;
    return a->unsent && (!low || a->unsent < low) ? a->unsent : low;
}

static struct account *account_by_id(const struct sessman *sm, int64_t id)
{
    return idmap_get(sm->journal->accounts, (uint64_t)id);
}

static void hole_add(struct cursor *c, uint64_t pos)
{
    if (c->n_holes == c->cap_holes) {
        c->cap_holes = c->cap_holes ? c->cap_holes * 2 : 4;
        c->holes = mem_resize(c->holes, c->cap_holes * sizeof *c->holes);
    }
    c->holes[c->n_holes++] = pos;
}

void journal_settled(struct sessman *sm, int64_t account, uint64_t pos)
{
    struct journal *j = sm->journal;
    struct account *a = account_by_id(sm, account);
    struct sent_row *row = a ? row_find(a->cursor, pos) : NULL;
    if (!row)
        return; /* another copy was first, or the account is gone */
    struct sent_row was = *row;
    row_remove(a->cursor, row);
    if (was.flags & JOURNAL_UNWRITTEN) {
        fast_settled(sm, pos);
        look_later(j, a);
        return;
    }
    uint64_t low = lowest(a);
    if (low && low <= pos) /* unsent is where it may begin: after a restart it may be this very one */
        hole_add(a->cursor, pos);
    if (!(was.flags & JOURNAL_KEEP_OWNER) && !tail_drop(j->tail, account, pos))
        store_run(sm->store, STMT_ENTRY_DEL, STORE_VALUES(STORE_I(account), STORE_I(pos)), NULL, NULL);
    if (journal_transient(was.flags))
        transient_gone(j, pos);
    cursor_dirty(j, a);
    replay_settled(a, pos);
    replay_page_less(a, was.page);
}

/* It was settled, perhaps long enough ago for the cursor to have passed it: the cursor goes back, over
 * nothing else. */
static void settle_undo(struct sessman *sm, int64_t account, uint64_t pos)
{
    const struct store_value values[] = { STORE_I(account), STORE_I(pos) };
    store_run(sm->store, STMT_JOURNAL_CLEAR_BEHIND, values, 2, NULL, NULL);
    store_run(sm->store, STMT_ACCOUNT_CURSOR_BACK, values, 2, NULL, NULL);
    store_run(sm->store, STMT_JOURNAL_MARK, values, 2, NULL, NULL);
    store_run(sm->store, STMT_ENTRY_AGAIN, values, 2, NULL, NULL);
    transient_back(sm->journal, pos);
    sm->journal->undone++;
}

void journal_unsettled(struct sessman *sm, int64_t account, uint64_t pos)
{
    struct journal *j = sm->journal;
    struct account *a = account_by_id(sm, account);
    struct sent_row *row = a ? row_find(a->cursor, pos) : NULL;
    uint16_t page = row ? row->page : 0;
    if (j->closed || (a && a->gone) || !pos)
        return;
    if (row && --row->copies)
        return;
    if (row) {
        if (row->flags & JOURNAL_UNWRITTEN)
            fast_write(sm, pos);
        row_remove(a->cursor, row);
    } else {
        if (a)
            cursor_flush(j, a);
        settle_undo(sm, account, pos);
        if (!a)
            return; /* whoever loads it sees it */
        if (a->delivered >= pos)
            a->delivered = pos - 1;
    }
    cursor_unsent(a, pos, 0);
    cursor_dirty(j, a);
    cursor_kick(j, a);
    replay_page_less(a, page);
}

void journal_unread(struct sessman *sm, int64_t account, uint64_t pos)
{
    struct account *a = account_by_id(sm, account);
    struct sent_row *row = a ? row_find(a->cursor, pos) : NULL;
    uint16_t page = row ? row->page : 0;
    if (!page)
        return;
    row->page = 0;
    replay_page_less(a, page);
}

void journal_returned(struct sessman *sm, int64_t account, uint64_t pos)
{
    const struct account *a = account_by_id(sm, account);
    if (a && row_find(a->cursor, pos))
        journal_unsettled(sm, account, pos);
}

/* Which of them may yet come back. */
static void set_adrift(struct cursor *c, const struct session *s)
{
    uint32_t n = c->n; /* what is unsettled leaves the rows: they are looked at in a copy */
    struct sent_row *rows = mem_array(n, sizeof *rows);
    memcpy(rows, c->rows + c->head, n * sizeof *rows);
    for (uint32_t i = 0; i < n; i++)
        if (transit_adrift(s->edge, s->id, rows[i].pos))
            c->adrift++;
    mem_free(rows);
}

void journal_session_gone(struct sessman *sm, const struct session *s)
{
    struct cursor *c = s->account ? s->account->cursor : NULL;
    if (!c || sm->journal->closed)
        return;
    if (c->n && s->edge)
        set_adrift(c, s);
    if (link_in_list(&c->dirty))
        cursor_flush(sm->journal, s->account); /* after a restart its edge does not speak for it any more */
}

void journal_landed(struct sessman *sm, int64_t account)
{
    struct account *a = account_by_id(sm, account);
    struct cursor *c = a ? a->cursor : NULL;
    if (!c || !c->adrift || --c->adrift)
        return;
    if (a->unsent)
        cursor_kick(sm->journal, a);
    cursor_flush(sm->journal, a);
    cursor_dirty(sm->journal, a);
}

void journal_receipt(struct sessman *sm, struct session *s, uint64_t pos)
{
    struct account *a = s->account;
    if (!a)
        return;
    if (cursor_has(a, pos)) {
        journal_settled(sm, a->id, pos);
        return;
    }
    journal_flush(sm, a->id);
    static const enum stmt steps[] = { STMT_JOURNAL_CLEAR, STMT_JOURNAL_DROP_EMPTY, STMT_ENTRY_DROP_EMPTY };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        store_run(sm->store, steps[i], STORE_VALUES(STORE_I(pos), STORE_I(a->id)), NULL, NULL);
}

/* --- writing it --- */

void cursor_flush(struct journal *j, struct account *a)
{
    struct store *store = j->sm->store;
    struct cursor *c = a->cursor;
    uint64_t low = lowest(a), to = low ? low - 1 : j->next - 1;
    if (to > a->delivered) {
        a->delivered = to;
        j->cursor_ticket =
            store_run(store, STMT_ACCOUNT_DELIVERED, STORE_VALUES(STORE_I(a->id), STORE_I(to)), NULL, NULL);
    }
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n_holes; i++)
        if (c->holes[i] > to)
            j->cursor_ticket = store_run(store, STMT_JOURNAL_CLEAR,
                                         STORE_VALUES(STORE_I(c->holes[i]), STORE_I(a->id)), NULL, NULL);
    c->n_holes = c->cap_holes = 0;
    MEM_FREE(&c->holes);
}

void cursors_flush(struct journal *j)
{
    LIST_EACH(&j->dirty, it) {
        struct cursor *c = CONTAINER(it, struct cursor, dirty);
        if (c->stale)
            cursor_flush(j, c->a);
        c->stale = false;
        list_unlink(it);
        cursor_tidy(j->sm, c->a);
    }
}

void journal_account_gone(struct sessman *sm, struct account *a)
{
    struct cursor *c = a->cursor;
    replay_drop(sm, a);
    journal_flush(sm, a->id);
    cursor_unsent_none(a);
    if (c) {
        c->n = c->adrift = 0;
        c->n_holes = 0;
        list_unlink(&c->dirty);
        list_unlink(&c->kick);
        cursor_tidy(sm, a);
    }
    idmap_remove(sm->journal->accounts, (uint64_t)a->id);
}
