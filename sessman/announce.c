/* sessman/announce.c */
#include "sessman/announce.h"

#include "common/base/mem.h"
#include "sessman/account.h"
#include "sessman/deliver.h"

enum { PART_ACCOUNTS = 200, PACE_MS = 20 };

struct announce {
    struct sessman *sm;
    struct timer timer;
    struct arena *a;
    struct node *message;
    struct slice *accounts; /* bare JIDs; some may have gone since */
    size_t n, at;
};

void announce_fini(struct sessman *sm)
{
    struct announce *o = sm->announce;
    if (!o)
        return;
    timer_stop(&o->timer);
    arena_free(&o->a);
    MEM_FREE(&sm->announce);
}

static void on_part(struct timer *t)
{
    struct announce *o = CONTAINER(t, struct announce, timer);
    for (unsigned i = 0; i < PART_ACCOUNTS && o->at < o->n; i++, o->at++) {
        struct account *account = account_find(o->sm, o->accounts[o->at]);
        if (account)
            deliver_to_all(o->sm, 0, account, o->message, NULL);
    }
    if (o->at < o->n)
        loop_timer(o->sm->loop, t, PACE_MS, on_part);
    else
        announce_fini(o->sm);
}

static bool is_online(const struct account *a, struct slice domain)
{
    return a->loaded && !a->gone && a->n_sessions > a->n_api && slice_eq(account_domain(a), domain);
}

static void collect(struct announce *o, struct slice domain)
{
    size_t at = 0, most = 0;
    for (struct account *a; (a = map_next(o->sm->accounts, &at)) != NULL;)
        most += is_online(a, domain);
    o->accounts = ARENA_ARRAY(o->a, most + 1, struct slice);
    at = 0;
    for (struct account *a; (a = map_next(o->sm->accounts, &at)) != NULL;)
        if (is_online(a, domain))
            o->accounts[o->n++] = arena_copy(o->a, account_bare(a));
}

enum rc announce_start(struct sessman *sm, const struct announcement *n, size_t *accounts)
{
    if (sm->announce)
        return RC_LIMIT;
    struct announce *o = sm->announce = mem_new(sizeof *o);
    o->sm = sm;
    o->a = arena_new(4096, 0);
    o->message = node_new(o->a, "message", NS_CLIENT);
    node_set(o->a, o->message, "from", arena_copy(o->a, n->domain));
    node_set(o->a, o->message, "type", SLICE("headline"));
    if (n->subject.len)
        node_add_text(o->a, node_add(o->a, o->message, "subject", NULL), arena_copy(o->a, n->subject));
    node_add_text(o->a, node_add(o->a, o->message, "body", NULL), arena_copy(o->a, n->text));
    collect(o, n->domain);
    *accounts = o->n;
    loop_timer(sm->loop, &o->timer, 0, on_part);
    return RC_OK;
}
