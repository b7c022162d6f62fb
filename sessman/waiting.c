#include "sessman/waiting.h"

#include "common/base/mem.h"
#include "sessman/journalin.h"
#include "sessman/session.h"
#include "sessman/restore.h"

void waiting_park(struct sessman *sm, struct session *s)
{
    if (s->flexible)
        return;
    s->flexible = true;
    s->account->flexible++;
    session_dirty(sm, s);
}

void waiting_unpark(struct sessman *sm, struct session *s)
{
    struct account *a = s->account;
    if (!s->flexible)
        return;
    s->flexible = false;
    if (--a->flexible == 0 && a->unsent)
        cursor_kick(sm->journal, a);
}

/* A page that is being read. What is outstanding when it is asked for may be settled when it comes. */
struct reading {
    struct sessman *sm;
    struct account *a;
    size_t max;
    waiting_fn fn;
    void *ctx;
    uint32_t n_sent;
    uint64_t sent[];
};

static bool is_waiting(const struct reading *r, uint64_t pos)
{
    for (uint32_t i = 0; i < r->n_sent; i++)
        if (r->sent[i] == pos)
            return false;
    return !cursor_has(r->a, pos);
}

/* pos, at_ms, flags, peer, stanza */
static void on_rows(void *ctx, const struct store_result *res)
{
    struct reading *r = ctx;
    struct arena *arena = arena_take(r->sm->arenas);
    struct journal_row *rows = ARENA_ARRAY(arena, res->rows + 1, struct journal_row);
    size_t n = 0;
    for (size_t i = 0; i < res->rows; i++) {
        const struct store_value *v = store_row(res, i);
        if (is_waiting(r, (uint64_t)v[0].i))
            rows[n++] = (struct journal_row){ .pos = (uint64_t)v[0].i,
                                              .at_ms = v[1].i,
                                              .flags = (unsigned)v[2].i,
                                              .owner_peer = v[3].i,
                                              .stanza = v[4].s };
    }
    bool more = r->max && (res->rows == r->max || res->cut);
    uint64_t next = more ? (uint64_t)store_row(res, res->rows - 1)[0].i + 1 : 0;
    r->fn(r->ctx, rows, n, next);
    arena_give(r->sm->arenas, &arena);
    mem_free(r);
}

static struct reading *reading_new(struct sessman *sm, struct account *a, size_t max, waiting_fn fn,
                                   void *ctx)
{
    const struct cursor *c = a->cursor;
    uint32_t n = c ? c->n : 0;
    struct reading *r = mem_new(sizeof *r + n * sizeof r->sent[0]);
    *r = (struct reading){ .sm = sm, .a = a, .max = max, .fn = fn, .ctx = ctx, .n_sent = n };
    for (uint32_t i = 0; i < n; i++)
        r->sent[i] = c->rows[c->head + i].pos;
    cursor_flush(sm->journal, a); /* the store knows what was settled */
    journal_flush(sm, a->id);
    return r;
}

void waiting_rows(struct sessman *sm, struct account *a, uint64_t from, size_t max, waiting_fn fn, void *ctx)
{
    struct reading *r = reading_new(sm, a, max, fn, ctx);
    uint64_t first = from > a->delivered ? from : a->delivered + 1;
    store_run(sm->store, STMT_JOURNAL_AFTER, STORE_VALUES(STORE_I(a->id), STORE_I(first - 1), STORE_I(max)),
              on_rows, r);
}

void waiting_row(struct sessman *sm, struct account *a, uint64_t pos, waiting_fn fn, void *ctx)
{
    struct reading *r = reading_new(sm, a, 0, fn, ctx);
    store_run(sm->store, STMT_JOURNAL_WAITING,
              STORE_VALUES(STORE_I(a->id), STORE_I(a->delivered), STORE_I(pos)), on_rows, r);
}

uint64_t waiting_drop(struct sessman *sm, struct account *a, const struct journal_row *row)
{
    if (a->gone || cursor_has(a, row->pos))
        return 0; /* somebody has it */
    cursor_unsent_less(a, row->owner_peer);
    cursor_sent_row(sm->journal, a, row->pos, row->flags, 0);
    journal_settled(sm, a->id, row->pos);
    return store_run(sm->store, STMT_JOURNAL_CLEAR, STORE_VALUES(STORE_I(row->pos), STORE_I(a->id)), NULL,
                     NULL);
}
