#include "sessman/tail.h"

#include "common/base/map.h"
#include "common/base/mem.h"

#include <stdlib.h>

#define PASSING (1ull << 63) /* in row.pos */

struct row {
    uint64_t pos; /* and PASSING */
    int64_t peer;
};
struct part { /* of one account */
    int64_t account;
    uint32_t head, n, cap; /* rows[head .. head + n) */
    struct row rows[];
};
struct tail {
    struct idmap *parts; /* by account; owns them; none is empty */
    size_t count;        /* rows that are not passing */
    int64_t *order;      /* accounts of the pass that goes on, ascending; NULL: none does */
    size_t at, n;
};

enum { FIRST_CAP = 4 };

struct tail *tail_new(void)
{
    struct tail *t = mem_new(sizeof *t);
    t->parts = idmap_new();
    return t;
}

void tail_free(struct tail **tp)
{
    struct tail *t = *tp;
    size_t at = 0;
    if (!t)
        return;
    for (struct part *p; (p = idmap_next(t->parts, &at)) != NULL;)
        mem_free(p);
    idmap_free(&t->parts);
    mem_free(t->order);
    MEM_FREE(tp);
}

static struct part *grown(struct tail *t, int64_t account, struct part *old)
{
    if (old && old->head >= old->cap / 2) {
        memmove(old->rows, old->rows + old->head, old->n * sizeof *old->rows);
        old->head = 0;
        return old;
    }
    uint32_t cap = old ? old->cap * 2 : FIRST_CAP;
    struct part *p = mem_resize(old, sizeof *p + cap * sizeof *p->rows);
    if (!old)
        *p = (struct part){ .account = account };
    p->cap = cap;
    idmap_put(t->parts, (uint64_t)account, p);
    return p;
}

static void drop_part(struct tail *t, struct part *p)
{
    idmap_remove(t->parts, (uint64_t)p->account);
    mem_free(p);
}

void tail_add(struct tail *t, int64_t account, uint64_t pos, int64_t peer, bool passing)
{
    struct part *p = idmap_get(t->parts, (uint64_t)account);
    if (!p || p->head + p->n == p->cap)
        p = grown(t, account, p);
    uint32_t i = p->head + p->n++;
    for (; i > p->head && (p->rows[i - 1].pos & ~PASSING) > pos; i--)
        p->rows[i] = p->rows[i - 1];
    p->rows[i] = (struct row){ pos | (passing ? PASSING : 0), peer };
    t->count += !passing;
}

bool tail_drop(struct tail *t, int64_t account, uint64_t pos)
{
    struct part *p = idmap_get(t->parts, (uint64_t)account);
    if (!p)
        return false;
    uint32_t i = 0;
    while (i < p->n && (p->rows[p->head + i].pos & ~PASSING) != pos)
        i++;
    if (i == p->n)
        return false;
    t->count -= !(p->rows[p->head + i].pos & PASSING);
    if (p->n == 1) {
        drop_part(t, p);
        return true;
    }
    if (i == 0)
        p->head++;
    else
        memmove(p->rows + p->head + i, p->rows + p->head + i + 1, (p->n - i - 1) * sizeof *p->rows);
    p->n--;
    return true;
}

/* Gives at most max rows, and keeps passing ones from position `old` on. How many were given. */
static size_t give(struct tail *t, struct part *p, size_t max, uint64_t old, tail_fn fn, void *ctx)
{
    uint32_t kept = 0, i = 0;
    size_t given = 0;
    for (; i < p->n && given < max; i++) {
        struct row row = p->rows[p->head + i];
        bool passing = row.pos & PASSING;
        if (passing && (row.pos & ~PASSING) >= old) {
            p->rows[p->head + kept++] = row;
            continue;
        }
        t->count -= !passing;
        given++;
        fn(ctx, p->account, row.pos & ~PASSING, row.peer);
    }
    if (kept + p->n == i) {
        drop_part(t, p);
        return given;
    }
    memmove(p->rows + p->head + kept, p->rows + p->head + i, (p->n - i) * sizeof *p->rows);
    p->n -= i - kept;
    return given;
}

void tail_flush(struct tail *t, int64_t account, tail_fn fn, void *ctx)
{
    struct part *p = idmap_get(t->parts, (uint64_t)account);
    if (p)
        give(t, p, SIZE_MAX, UINT64_MAX, fn, ctx);
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void begin(struct tail *t)
{
    size_t at = 0;
    t->at = t->n = 0;
    t->order = mem_array(idmap_count(t->parts) + 1, sizeof *t->order);
    for (const struct part *p; (p = idmap_next(t->parts, &at)) != NULL;)
        t->order[t->n++] = p->account;
    qsort(t->order, t->n, sizeof *t->order, ascending);
}

bool tail_fold(struct tail *t, size_t max, uint64_t old, tail_fn fn, void *ctx)
{
    if (!t->order)
        begin(t);
    for (; t->at < t->n; t->at++) {
        struct part *p = idmap_get(t->parts, (uint64_t)t->order[t->at]);
        if (!p)
            continue;
        if (!max)
            return true;
        size_t given = give(t, p, max, old, fn, ctx);
        max -= given;
        if (!max)
            return true; /* of this account there may be more */
    }
    MEM_FREE(&t->order);
    return false;
}

bool tail_folding(const struct tail *t)
{
    return t->order != NULL;
}

bool tail_empty(const struct tail *t)
{
    return idmap_count(t->parts) == 0;
}

size_t tail_count(const struct tail *t)
{
    return t->count;
}

uint64_t tail_low(const struct tail *t)
{
    uint64_t low = 0;
    size_t at = 0;
    for (const struct part *p; (p = idmap_next(t->parts, &at)) != NULL;) {
        uint64_t pos = p->rows[p->head].pos & ~PASSING;
        if (!low || pos < low)
            low = pos;
    }
    return low;
}
