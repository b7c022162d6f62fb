/* sessman/edgeacks.c */
#include "sessman/edgeacks.h"

#include "common/base/clock.h"
#include "common/base/mem.h"

/* Frames that were taken but are not done with. Numbers are consecutive from `first`, so the index is the
 * number. */
struct acks {
    uint64_t first;
    size_t head, n, cap; /* ring */
    uint64_t *tickets;   /* UINT64_MAX: being worked on; with AGAIN: of an iq */
};
#define AGAIN (UINT64_C(1) << 63)

/* Frames that are done with, but whose answers (or other output) the edge may not have had yet: were this
 * process to die now they would be worked on again. In order of both numbers. */
struct answer {
    uint64_t seq;  /* of the frame */
    uint64_t upto; /* of the last frame that had been sent to the edge then */
};
struct answers {
    size_t head, n, cap; /* ring */
    struct answer *ring;
};

/* What the row of an edge says: numbers of its frames that were dealt with before this process was. */
struct range {
    uint64_t first, last;
};
struct known {
    uint64_t node, done;
    uint32_t incarnation;
    char *instance;
    size_t n;
    struct range beyond[];
};
static uint64_t *ack_slot(struct acks *k, size_t i)
{
    return &k->tickets[(k->head + i) % k->cap];
}

static void acks_grow(struct acks *k)
{
    size_t cap = k->cap ? k->cap * 2 : 16;
    uint64_t *grown = mem_array(cap, sizeof *grown);
    for (size_t i = 0; i < k->n; i++)
        grown[i] = *ack_slot(k, i);
    mem_free(k->tickets);
    k->tickets = grown;
    k->cap = cap;
    k->head = 0;
}

static void acks_free(struct acks **kp)
{
    if (!*kp)
        return;
    mem_free((*kp)->tickets);
    MEM_FREE(kp);
}

static struct answer *answer_slot(const struct answers *w, size_t i)
{
    return &w->ring[(w->head + i) % w->cap];
}

static void answers_free(struct answers **wp)
{
    if (!*wp)
        return;
    mem_free((*wp)->ring);
    MEM_FREE(wp);
}

static void answers_grow(struct answers *w)
{
    size_t cap = w->cap ? w->cap * 2 : 16;
    struct answer *grown = mem_array(cap, sizeof *grown);
    for (size_t i = 0; i < w->n; i++)
        grown[i] = *answer_slot(w, i);
    mem_free(w->ring);
    w->ring = grown;
    w->cap = cap;
    w->head = 0;
}

static void answers_add(struct edge *e, uint64_t seq)
{
    uint64_t sent = rlink_sent(e->sm->rlink, e->node);
    if (sent <= rlink_acked(e->sm->rlink, e->node))
        return; /* it has had all */
    if (!e->answers)
        e->answers = mem_new(sizeof *e->answers);
    struct answers *w = e->answers;
    if (w->n == w->cap)
        answers_grow(w);
    *answer_slot(w, w->n++) = (struct answer){ seq, sent };
}

void edgeacks_heard(struct edge *e)
{
    struct answers *w = e->answers;
    uint64_t acked = rlink_acked(e->sm->rlink, e->node);
    while (w && w->n && answer_slot(w, 0)->upto <= acked) {
        w->head = (w->head + 1) % w->cap;
        w->n--;
    }
    if (w && !w->n)
        answers_free(&e->answers);
}

/* Acknowledges the longest run from the front that is done and committed. */
void edgeacks_advance(struct edge *e)
{
    struct acks *k = e->acks;
    uint64_t committed = store_committed(e->sm->store);
    uint64_t done = 0;
#ifdef MUTATE_ACK_BEFORE_COMMIT /* test/survive must notice it */
    committed = UINT64_MAX - 1;
#endif
    while (k->n && (*ack_slot(k, 0) & ~AGAIN) <= committed) {
        done = k->first++;
        if (*ack_slot(k, 0) & AGAIN)
            answers_add(e, done);
        k->head = (k->head + 1) % k->cap;
        k->n--;
    }
    if (done)
        rlink_done(e->sm->rlink, e->node, done);
    if (!k->n)
        acks_free(&e->acks);
}

static void ack_put(struct edge *e, uint64_t seq, uint64_t ticket)
{
    if (!e->acks) {
        e->acks = mem_new(sizeof *e->acks);
        e->acks->first = seq;
    }
    struct acks *k = e->acks;
    if (seq < k->first)
        return;
    while (seq - k->first >= k->n) {
        if (k->n == k->cap)
            acks_grow(k);
        *ack_slot(k, k->n++) = UINT64_MAX;
    }
    *ack_slot(k, (size_t)(seq - k->first)) = ticket;
}

static void done_with(struct edge *e, uint64_t seq, uint64_t ticket, uint64_t flag)
{
    if (!seq)
        return;
    bool waits = ticket > store_committed(e->sm->store);
    e->wrote = e->wrote || waits;
    if (!e->acks && !waits) {
        if (flag)
            answers_add(e, seq);
        rlink_done(e->sm->rlink, e->node, seq);
        return;
    }
    ack_put(e, seq, ticket | flag);
    edgeacks_advance(e);
}

void edge_frame_done(struct edge *e, uint64_t seq, uint64_t ticket)
{
    done_with(e, seq, ticket, 0);
}

void edge_answer_done(struct edge *e, uint64_t seq, uint64_t ticket)
{
    done_with(e, seq, ticket, AGAIN);
}

void edge_frame_wait(struct edge *e, uint64_t seq)
{
    if (seq)
        ack_put(e, seq, UINT64_MAX);
}

/* --- its row --- */

static void put_range(struct buf *out, struct range r)
{
    uint8_t bytes[16];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(r.first >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(r.last >> (56 - 8 * i));
    }
    buf_put(out, bytes, sizeof bytes);
}

/* What is dealt with, as it is found: a first run, and more past that. */
struct runs {
    struct buf *beyond;
    uint64_t done; /* end of the first run */
    struct range last;
};

static void dealt(struct runs *r, uint64_t first, uint64_t last)
{
    if (first > last)
        return;
    if (first == r->done + 1) {
        r->done = last;
    } else if (r->last.last && first == r->last.last + 1) {
        r->last.last = last;
    } else {
        if (r->last.last)
            put_range(r->beyond, r->last);
        r->last = (struct range){ first, last };
    }
}

/* Up to which number all is dealt with; runs of more past that go to beyond. */
static uint64_t dealt_upto(const struct edge *e, struct buf *beyond)
{
    uint64_t taken = rlink_taken(e->node), at = 1;
    const struct answers *w = e->answers;
    struct acks *k = e->acks;
    struct runs r = { .beyond = beyond };
    for (size_t i = 0; w && i < w->n; i++) {
        dealt(&r, at, answer_slot(w, i)->seq - 1);
        at = answer_slot(w, i)->seq + 1;
    }
    dealt(&r, at, k ? k->first - 1 : taken);
    for (size_t i = 0; k && i < k->n; i++)
        if (!(*ack_slot(k, i) & AGAIN)) /* nor those that are being worked on */
            dealt(&r, k->first + i, k->first + i);
    for (size_t i = 0; e->known && i < e->known->n; i++) /* what is known of those to come */
        if (e->known->beyond[i].first > taken)
            dealt(&r, e->known->beyond[i].first, e->known->beyond[i].last);
    if (r.last.last)
        put_range(beyond, r.last);
    return r.done;
}

static void mark(struct edge *e)
{
    struct store *store = e->sm->store;
    struct buf beyond = BUF_INIT(0);
    uint64_t done = dealt_upto(e, &beyond);
    struct store_value runs = beyond.len ? STORE_B(buf_get(&beyond)) : STORE_N;
    e->wrote = false;
    if (e->has_row)
        store_run(store, STMT_EDGE_MARK, STORE_VALUES(STORE_I(e->node->id), STORE_I(done), runs), NULL, NULL);
    else
        store_run(store, STMT_EDGE_PUT,
                  STORE_VALUES(STORE_I(e->node->id), STORE_T(slice_cstr(e->node->instance)),
                               STORE_I(rlink_incarnation(e->node)), STORE_I(done), runs,
                               STORE_I(clock_wall_ms()), STORE_I(e->is_s2s)),
                  NULL, NULL);
    e->has_row = true;
    buf_fini(&beyond);
}

void edges_mark(struct sessman *sm)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;) {
        struct edge *e = n->user;
        if (e && e->wrote)
            mark(e);
    }
}

bool edgeacks_knows(const struct edge *e, uint64_t seq)
{
    for (size_t i = 0; e->known && i < e->known->n; i++)
        if (seq >= e->known->beyond[i].first && seq <= e->known->beyond[i].last)
            return true;
    return false;
}

static void known_free(struct known **kp)
{
    if (*kp)
        mem_free((*kp)->instance);
    MEM_FREE(kp);
}

void edgeacks_free(struct edge *e)
{
    acks_free(&e->acks);
    answers_free(&e->answers);
    known_free(&e->known);
}

/* --- after a restart --- */

static uint64_t u64_at(const char *p)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | (uint8_t)p[i];
    return n;
}

void edgeacks_restore(struct edge *e, uint64_t node, struct slice instance, uint32_t incarnation,
                      uint64_t done, struct slice beyond)
{
    size_t n = beyond.len / 16;
    struct known *k = mem_new(sizeof *k + n * sizeof *k->beyond);
    k->node = node;
    k->done = done;
    k->incarnation = incarnation;
    k->instance = mem_copy(instance);
    k->n = n;
    for (size_t i = 0; i < n; i++)
        k->beyond[i] = (struct range){ u64_at(beyond.p + 16 * i), u64_at(beyond.p + 16 * i + 8) };
    e->known = k;
    e->has_row = true;
}

struct rnode *edgeacks_expect(const struct edge *e)
{
    const struct known *k = e->known;
    return rlink_expect(e->sm->rlink, k->node, k->instance, e->is_s2s ? ROLE_S2S : ROLE_EDGE, k->incarnation,
                        k->done);
}

bool edgeacks_upto(const struct edge *e, uint64_t seq)
{
    return !e->acks || e->acks->first > seq;
}
