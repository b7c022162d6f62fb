#include "sessman/transit.h"

#include "common/base/mem.h"
#include "sessman/journal.h"

struct passing {
    uint64_t seq, pos, session;
    int64_t account; /* below 0: adrift, its session has ended; 0: dealt with */
};
/* A ring: first what was acknowledged lately, then what was not. */
struct transit {
    struct edge *e;
    struct passing *ring;
    size_t head, n, cap; /* cap is a power of two */
    size_t acked;        /* of n */
    size_t disorder;     /* of n: those with a lower position than the one before */
    size_t aged[2];      /* of acked: those that were there one and two looks ago */
    uint64_t looked;     /* what had been sent at the last look */
    size_t adrift;
    struct timer look;
};

enum { FIRST_CAP = 64, LOOK_MS = TRANSIT_KEEP_MS };

static struct passing *slot(const struct transit *t, size_t i)
{
    return &t->ring[(t->head + i) & (t->cap - 1)];
}

static void resize(struct transit *t, size_t cap)
{
    struct passing *ring = mem_array(cap, sizeof *ring);
    for (size_t i = 0; i < t->n; i++)
        ring[i] = *slot(t, i);
    mem_free(t->ring);
    t->ring = ring;
    t->cap = cap;
    t->head = 0;
}

static bool out_of_order(const struct transit *t, size_t i)
{
    return i && slot(t, i)->pos < slot(t, i - 1)->pos;
}

void transit_free(struct edge *e)
{
    struct transit *t = e->transit;
    if (!t)
        return;
    timer_stop(&t->look);
    mem_free(t->ring);
    MEM_FREE(&e->transit);
}

static void drop_first(struct transit *t)
{
    if (t->n > 1)
        t->disorder -= out_of_order(t, 1);
    t->head = (t->head + 1) & (t->cap - 1);
    t->n--;
    t->acked--;
}

/* What has become of it is known, or will not be asked any more. */
static void over(struct transit *t, struct passing *p, bool settled)
{
    bool adrift = p->account < 0;
    int64_t account = adrift ? -p->account : p->account;
    if (!account)
        return;
    if (adrift || !settled)
        p->account = 0; /* it comes back once; an account's id is never 0 */
    if (settled)
        journal_settled(t->e->sm, account, p->pos);
    else
        journal_unsettled(t->e->sm, account, p->pos);
    if (adrift) {
        t->adrift--;
        journal_landed(t->e->sm, account);
    }
}

/* An edge that is out of reach, or has not acknowledged in all the time since the last look, is not waited
 * for: what its former sessions have not had goes to those that are there. */
static void give_up(struct transit *t)
{
    for (size_t i = t->acked; t->adrift && i < t->n; i++)
        if (slot(t, i)->account < 0 && (!t->e->node->reachable || slot(t, i)->seq <= t->looked))
            over(t, slot(t, i), false);
    t->looked = rlink_sent(t->e->sm->rlink, t->e->node);
}

/* What was acknowledged two looks ago is forgotten. */
static void on_look(struct timer *timer)
{
    struct transit *t = CONTAINER(timer, struct transit, look);
    size_t forget = t->aged[0];
    give_up(t);
    for (size_t i = 0; i < forget; i++)
        drop_first(t);
    t->aged[0] = t->aged[1] - forget;
    t->aged[1] = t->acked;
    if (!t->n) {
        transit_free(t->e);
        return;
    }
    if (t->cap > FIRST_CAP && t->n < t->cap / 8)
        resize(t, t->cap / 4);
    loop_timer(t->e->sm->loop, timer, LOOK_MS, on_look);
}

void transit_sent(struct edge *e, int64_t account, uint64_t pos, uint64_t session)
{
    struct transit *t = e->transit;
    if (!t) {
        t = e->transit = mem_new(sizeof *t);
        t->e = e;
        resize(t, FIRST_CAP);
        loop_timer(e->sm->loop, &t->look, LOOK_MS, on_look);
    }
    if (t->n == t->cap)
        resize(t, t->cap * 2);
    *slot(t, t->n++) = (struct passing){ rlink_sent(e->sm->rlink, e->node), pos, session, account };
    t->disorder += out_of_order(t, t->n - 1);
}

void transit_acked(struct edge *e)
{
    struct transit *t = e->transit;
    uint64_t acked = rlink_acked(e->sm->rlink, e->node);
    while (t && t->acked < t->n && slot(t, t->acked)->seq <= acked)
        over(t, slot(t, t->acked++), true);
}

void transit_lost(struct edge *e)
{
    struct transit *t = e->transit;
    if (!t)
        return;
    for (size_t i = t->acked; i < t->n; i++)
        over(t, slot(t, i), false);
    transit_free(e);
}

/* By position where they are in order; else the newest first, for an edge speaks of what it has just got. */
static struct passing *find(const struct transit *t, uint64_t session, uint64_t pos)
{
    size_t lo = 0, hi = t->n;
    while (!t->disorder && lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (slot(t, mid)->pos <= pos)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (size_t i = t->disorder ? t->n : lo; i-- > 0 && (t->disorder || slot(t, i)->pos == pos);)
        if (slot(t, i)->pos == pos && slot(t, i)->session == session)
            return slot(t, i);
    return NULL;
}

bool transit_has(const struct edge *e, uint64_t session, uint64_t pos)
{
    return e->transit && find(e->transit, session, pos) != NULL;
}

bool transit_returned(struct edge *e, uint64_t session, uint64_t pos)
{
    struct passing *p = e->transit && pos ? find(e->transit, session, pos) : NULL;
    if (!p || !p->account)
        return false;
    over(e->transit, p, false);
    return true;
}

bool transit_adrift(struct edge *e, uint64_t session, uint64_t pos)
{
    struct transit *t = e->transit;
    struct passing *p = t ? find(t, session, pos) : NULL;
    if (!p || p->account <= 0 || p->seq <= rlink_acked(e->sm->rlink, e->node))
        return false;
    if (!e->node->reachable) {
        over(t, p, false);
        return false;
    }
    p->account = -p->account;
    t->adrift++;
    return true;
}
