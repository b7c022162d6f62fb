/* common/link/rask.c */
#include "common/link/rask.h"

#include "common/base/mem.h"

enum { HEARD_MAX = 10000 }; /* daemons of one ask */

struct heard {
    uint64_t node;
    bool answered;
    char *role, *instance, *why; /* not answered; NULL else */
};
struct rask {
    struct link all;
    uint64_t id;
    uint32_t routers; /* bit i: of router i more is to come */
    struct timer timer;
    rlink_on_told on_told; /* NULL: dropped */
    void *ctx;
    struct heard *heard;
    size_t n, cap;
};

void rasks_init(struct rasks *all, struct loop *loop)
{
    all->loop = loop;
    list_init(&all->all);
}

static void heard_clear(struct heard *h)
{
    MEM_FREE(&h->role);
    MEM_FREE(&h->instance);
    MEM_FREE(&h->why);
}

static void rask_free(struct rask *k)
{
    list_unlink(&k->all);
    timer_stop(&k->timer);
    for (size_t i = 0; i < k->n; i++)
        heard_clear(&k->heard[i]);
    mem_free(k->heard);
    mem_free(k);
}

void rasks_fini(struct rasks *all)
{
    LIST_EACH(&all->all, at)
        rask_free(CONTAINER(at, struct rask, all));
}

static void tell(const struct rask *k, const struct rlink_told *told)
{
    if (k->on_told)
        k->on_told(k->ctx, told);
}

static void over(struct rask *k)
{
    list_unlink(&k->all); /* who is called finds it no more */
    for (size_t i = 0; i < k->n; i++) {
        const struct heard *h = &k->heard[i];
        if (!h->answered)
            tell(k, &(struct rlink_told){ .node = h->node,
                                          .role = slice_cstr(h->role),
                                          .instance = slice_cstr(h->instance),
                                          .failed = true,
                                          .text = slice_cstr(h->why) });
    }
    tell(k, NULL);
    rask_free(k);
}

void rasks_end(struct rasks *all)
{
    LIST_EACH(&all->all, at)
        over(CONTAINER(at, struct rask, all));
}

static void on_late(struct timer *t)
{
    over(CONTAINER(t, struct rask, timer));
}

struct rask *rask_new(struct rasks *all, rlink_on_told on_told, void *ctx)
{
    struct rask *k = mem_new(sizeof *k);
    k->id = ++all->last_id;
    k->on_told = on_told;
    k->ctx = ctx;
    list_append(&all->all, &k->all);
    loop_timer(all->loop, &k->timer, RASK_MS, on_late);
    return k;
}

uint64_t rask_id(const struct rask *k)
{
    return k->id;
}

void rask_sent(struct rask *k, unsigned router)
{
    k->routers |= 1u << router;
}

static struct heard *heard_of(struct rask *k, uint64_t node)
{
    for (size_t i = 0; i < k->n; i++) {
        if (k->heard[i].node == node)
            return &k->heard[i];
    }
    if (k->n == HEARD_MAX)
        return NULL;
    if (k->n == k->cap) {
        k->cap = k->cap ? 2 * k->cap : 8;
        k->heard = mem_resize(k->heard, k->cap * sizeof *k->heard);
    }
    k->heard[k->n] = (struct heard){ .node = node };
    return &k->heard[k->n++];
}

void rask_say(struct rask *k, const struct rlink_told *told)
{
    struct heard *h = heard_of(k, told->node);
    if (!h || h->answered)
        return;
    heard_clear(h);
    h->answered = !told->failed;
    if (h->answered) {
        tell(k, told);
        return;
    }
    h->role = mem_copy(told->role);
    h->instance = mem_copy(told->instance);
    h->why = mem_copy(told->text);
}

void rask_begun(struct rask *k)
{
    if (!k->routers)
        over(k);
}

static void router_over(struct rask *k, unsigned router)
{
    k->routers &= ~(1u << router);
    if (!k->routers)
        over(k);
}

void rasks_told(struct rasks *all, unsigned router, const struct control_told *c)
{
    LIST_EACH(&all->all, at) {
        struct rask *k = CONTAINER(at, struct rask, all);
        if (k->id != c->id || !(k->routers & 1u << router) || !c->node)
            continue;
        rask_say(k, &(struct rlink_told){ .node = c->node,
                                          .role = c->role,
                                          .instance = c->instance,
                                          .failed = c->failed,
                                          .text = c->text });
        if (!c->more)
            router_over(k, router);
        return;
    }
}

void rasks_down(struct rasks *all, unsigned router)
{
    LIST_EACH(&all->all, at) {
        struct rask *k = CONTAINER(at, struct rask, all);
        if (k->routers & 1u << router)
            router_over(k, router);
    }
}

void rasks_drop(struct rasks *all, const void *ctx)
{
    LIST_EACH(&all->all, at) {
        struct rask *k = CONTAINER(at, struct rask, all);
        if (k->ctx == ctx)
            k->on_told = NULL;
    }
}
