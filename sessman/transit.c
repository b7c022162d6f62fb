#include "sessman/transit.h"

#include "common/base/mem.h"
#include "sessman/journal.h"

struct passing {
    uint64_t seq, pos, session;
    int64_t account; /* below 0: adrift, its session has ended; 0: dealt with */
    bool unread;
};
/* One that the edge has acknowledged, and says is not taken. */
struct kept {
    struct link link;  /* the oldest first */
    struct kept *next; /* of the same position */
    uint64_t pos, session;
    int64_t account;  /* below 0: as above */
    uint64_t gone_ms; /* when its session ended */
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
    struct idmap *unread; /* struct kept by position; NULL: none */
    struct link kept;     /* the same */
    struct timer look;
};

/* GONE_MS: an edge that closes a connection knows what it has taken before that */
enum { FIRST_CAP = 64, LOOK_MS = TRANSIT_KEEP_MS, GONE_MS = 30000 };

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
    LIST_EACH(&t->kept, it)
        mem_free(CONTAINER(it, struct kept, link));
    idmap_free(&t->unread);
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

/* --- unread --- */

static struct kept *kept_find(const struct transit *t, uint64_t session, uint64_t pos)
{
    struct kept *k = t && t->unread ? idmap_get(t->unread, pos) : NULL;
    while (k && k->session != session)
        k = k->next;
    return k;
}

static void kept_remove(struct transit *t, struct kept *k)
{
    struct kept *first = idmap_get(t->unread, k->pos);
    if (first == k && k->next)
        idmap_put(t->unread, k->pos, k->next);
    else if (first == k)
        idmap_remove(t->unread, k->pos);
    while (first != k && first->next != k)
        first = first->next;
    if (first != k)
        first->next = k->next;
    list_unlink(&k->link);
    mem_free(k);
    if (!idmap_count(t->unread))
        idmap_free(&t->unread);
}

static void kept_over(struct transit *t, struct kept *k, bool settled)
{
    struct sessman *sm = t->e->sm;
    bool adrift = k->account < 0;
    int64_t account = adrift ? -k->account : k->account;
    uint64_t pos = k->pos;
    kept_remove(t, k);
    if (settled)
        journal_settled(sm, account, pos);
    else
        journal_returned(sm, account, pos);
    if (adrift) {
        t->adrift--;
        journal_landed(sm, account);
    }
}

/* It is acknowledged, and that says nothing. */
static void keep(struct transit *t, struct passing *p)
{
    struct kept *k = mem_new(sizeof *k);
    if (!t->unread)
        t->unread = idmap_new();
    if (idmap_count(t->unread) >= TRANSIT_UNREAD_MAX)
        kept_over(t, CONTAINER(t->kept.next, struct kept, link), true);
    *k = (struct kept){ .next = idmap_get(t->unread, p->pos),
                        .pos = p->pos,
                        .session = p->session,
                        .account = p->account,
                        .gone_ms = loop_now_ms(t->e->sm->loop) };
    idmap_put(t->unread, k->pos, k);
    list_append(&t->kept, &k->link);
    p->account = 0;
    journal_unread(t->e->sm, k->account < 0 ? -k->account : k->account, k->pos);
}

/* --- what becomes of them --- */

/* An edge that is out of reach, or has not acknowledged in all the time since the last look, is not waited
 * for: what its former sessions have not had goes to those that are there. */
static void give_up(struct transit *t)
{
    for (size_t i = t->acked; t->adrift && i < t->n; i++)
        if (slot(t, i)->account < 0 && (!t->e->node->reachable || slot(t, i)->seq <= t->looked))
            over(t, slot(t, i), false);
    uint64_t now = loop_now_ms(t->e->sm->loop);
    struct link *next;
    for (struct link *it = t->kept.next; t->adrift && it != &t->kept; it = next) {
        struct kept *k = CONTAINER(it, struct kept, link);
        next = it->next;
        if (k->account < 0 && (!t->e->node->reachable || now >= k->gone_ms + GONE_MS))
            kept_over(t, k, false);
    }
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
    if (!t->n && list_empty(&t->kept)) {
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
        list_init(&t->kept);
        resize(t, FIRST_CAP);
        loop_timer(e->sm->loop, &t->look, LOOK_MS, on_look);
    }
    if (t->n == t->cap)
        resize(t, t->cap * 2);
    *slot(t, t->n++) = (struct passing){ rlink_sent(e->sm->rlink, e->node), pos, session, account, false };
    t->disorder += out_of_order(t, t->n - 1);
}

void transit_acked(struct edge *e)
{
    struct transit *t = e->transit;
    uint64_t acked = rlink_acked(e->sm->rlink, e->node);
    while (t && t->acked < t->n && slot(t, t->acked)->seq <= acked) {
        struct passing *p = slot(t, t->acked++);
        if (p->unread && p->account)
            keep(t, p);
        else
            over(t, p, true);
    }
}

void transit_lost(struct edge *e)
{
    struct transit *t = e->transit;
    if (!t)
        return;
    for (size_t i = t->acked; i < t->n; i++)
        over(t, slot(t, i), false);
    while (!list_empty(&t->kept))
        kept_over(t, CONTAINER(t->kept.next, struct kept, link), false);
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

bool transit_unread(struct edge *e, uint64_t session, uint64_t pos)
{
    struct passing *p = e->transit && pos ? find(e->transit, session, pos) : NULL;
    if (p && p->account)
        p->unread = true;
    return p != NULL;
}

void transit_read(struct edge *e, uint64_t session, uint64_t pos)
{
    struct transit *t = e->transit;
    struct kept *k = kept_find(t, session, pos);
    struct passing *p = !k && t && pos ? find(t, session, pos) : NULL;
    if (k)
        kept_over(t, k, true);
    else if (p)
        p->unread = false;
}

bool transit_returned(struct edge *e, uint64_t session, uint64_t pos)
{
    struct kept *k = kept_find(e->transit, session, pos);
    if (k) {
        kept_over(e->transit, k, false);
        return true;
    }
    struct passing *p = e->transit && pos ? find(e->transit, session, pos) : NULL;
    if (!p || !p->account)
        return false;
    over(e->transit, p, false);
    return true;
}

static bool kept_adrift(struct transit *t, struct kept *k)
{
    if (k->account < 0)
        return false;
    if (!t->e->node->reachable) {
        kept_over(t, k, false);
        return false;
    }
    k->account = -k->account;
    k->gone_ms = loop_now_ms(t->e->sm->loop);
    t->adrift++;
    return true;
}

bool transit_adrift(struct edge *e, uint64_t session, uint64_t pos)
{
    struct transit *t = e->transit;
    struct kept *k = kept_find(t, session, pos);
    if (k)
        return kept_adrift(t, k);
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
