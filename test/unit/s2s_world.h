/* test/unit/s2s_world.h - an s2s without routers, DNS and files: its streams are real, on a pair of sockets; for tests and fuzzing
 *
 * No stanza may be sent to the session manager before a domain was proven (rlink.open). Included by one file of a program. */
#ifndef TEST_S2S_WORLD_H
#define TEST_S2S_WORLD_H

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "s2s/in.h"
#include "s2s/link.h"
#include "s2s/out.h"
#include "s2s/reach.h"
#include "s2s/ssm.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- played: the link --- */

struct rlink {
    struct rnode node;
    bool open; /* a domain is proven: stanzas may come */
    uint64_t sent;
    struct buf told; /* all that was sent to the session manager */
};

struct rlink *rlink_new(struct loop *loop, struct log *log, const struct rlink_conf *conf, const struct rlink_ops *ops,
                        void *owner)
{
    (void)loop, (void)log, (void)conf, (void)ops, (void)owner;
    abort();
}

struct rnode *rlink_owner(const struct rlink *rl, struct slice domain, struct slice key)
{
    (void)key;
    return slice_is(domain, "im.example") ? &((struct rlink *)(uintptr_t)rl)->node : NULL;
}

void rlink_send(struct rlink *rl, struct rnode *to, enum frame_kind kind, uint64_t session, const struct slice *pieces,
                size_t n)
{
    (void)to, (void)kind, (void)session;
    if (!rl->open)
        abort();
    for (size_t i = 0; i < n; i++)
        buf_slice(&rl->told, pieces[i]);
    rl->sent++;
}

bool rlink_full(const struct rlink *rl, const struct rnode *to)
{
    (void)to;
    return rl->sent % 8 == 7;
}

uint64_t rlink_sent(const struct rlink *rl, const struct rnode *node)
{
    (void)node;
    return rl->sent;
}

uint64_t rlink_acked(const struct rlink *rl, const struct rnode *node)
{
    (void)node;
    return rl->sent / 2;
}

struct rnode *rlink_next_node(const struct rlink *rl, size_t *at)
{
    return (*at)++ ? NULL : &((struct rlink *)(uintptr_t)rl)->node;
}

bool rlink_component(const struct rlink *rl, struct slice domain)
{
    (void)rl, (void)domain;
    return false;
}

enum rc rlink_send_name(struct rlink *rl, struct slice name, const struct slice *pieces, size_t n)
{
    (void)rl, (void)name, (void)pieces, (void)n;
    return RC_CLOSED;
}

void rlink_done(struct rlink *rl, struct rnode *from, uint64_t seq)
{
    (void)rl, (void)from, (void)seq;
}

void rlink_tell(struct rlink *rl, struct rnode *to, struct slice element)
{
    (void)rl, (void)to, (void)element;
}

void rlink_close(struct rlink *rl)
{
    (void)rl;
}

void rlink_free(struct rlink **rl)
{
    *rl = NULL;
}

struct rlink_queues rlink_queues(const struct rlink *rl)
{
    (void)rl;
    return (struct rlink_queues){ 0, 0 };
}

void rlink_status(const struct rlink *rl, struct buf *json)
{
    (void)rl, (void)json;
}

/* --- played: DNS, which never answers --- */

struct resolve *resolve_domain(struct resolver *r, const struct resolve_conf *conf, struct slice domain,
                               void (*done)(void *ctx, struct resolve *resolve), void *ctx)
{
    (void)r, (void)conf, (void)domain, (void)done;
    return ctx;
}

void resolve_free(struct resolve **r)
{
    *r = NULL;
}

const struct resolve_answer *resolve_answer(const struct resolve *r)
{
    static const struct resolve_answer none = { .rc = RC_NOTFOUND };
    (void)r;
    return &none;
}

/* --- the world --- */

struct hosted_name { /* as link.c's */
    char *name;
};

static struct slice name_of(const void *value)
{
    return slice_cstr(((const struct hosted_name *)value)->name);
}

struct world {
    struct daemon_run run;
    struct s2s_conf conf;
    struct s2s d;
    struct rlink link;
    struct hosted_name ours;
};

static const struct metric_def defs[M_COUNT] = {
#define X(id, name, kind, help) [M_##id] = { name, METRIC_##kind, help },
    S2S_METRICS(X)
#undef X
#define X(id, name) [M_STREAM_ERRORS + STREAM_##id] = { name, METRIC_COUNTER, "" },
        STREAM_CONDITIONS(X)
#undef X
};

static inline void make(struct world *w, const char *conf)
{
    static char name[] = "im.example";
    struct s2s *d = &w->d;
    if (conf_read_text(&s2s_conf_table, slice_cstr(conf), &w->conf, NULL) != RC_OK)
        abort();
    w->run.loop = loop_new();
    w->run.conf = &w->conf;
    w->link.node = (struct rnode){ .id = 7, .role = ROLE_SESSMAN, .reachable = true };
    w->ours.name = name;
    d->run = &w->run;
    d->conf = &w->conf;
    d->loop = w->run.loop;
    d->metrics = metrics_new(defs, M_COUNT);
    d->arenas = arena_pool_new(4096, 0, 4);
    d->own = arena_new(1024, 0);
    d->xml = xmlin_pool_new(NS_SERVER, d->arenas);
    d->addresses = addr_table_new();
    d->addresses_pending = addr_table_new();
    d->remotes = remotes_new();
    d->conn_conf.ops = &wire_conn_ops;
    d->flush_turn.fn = wire_flush_turn;
    d->link = &w->link;
    d->hosted = map_new(name_of);
    map_put(d->hosted, &w->ours);
    list_init(&d->unsettled);
    list_init(&d->rooms);
    list_init(&d->wires);
    list_init(&d->probes);
    list_init(&d->dirty);
    s2s_take_conf(d, &w->conf);
}

static inline void drop(struct world *w)
{
    struct s2s *d = &w->d;
    d->stopping = d->closed = true;
    LIST_EACH(&d->wires, it) {
        struct wire *wire = CONTAINER(it, struct wire, link);
        if (wire->conn) {
            conn_close(wire->conn, CONN_BY_OWNER);
        } else {
            struct out *o = out_of(wire);
            if (o->pair && o->pair->out == o)
                o->pair->out = NULL;
            out_drop(&o);
        }
    }
    loop_stop(w->run.loop);
    loop_run(w->run.loop);
    ssm_kept_free_all(d);
    pair_free_all(d);
    remotes_free(&d->remotes);
    addr_table_free(&d->addresses);
    addr_table_free(&d->addresses_pending);
    map_free(&d->hosted);
    mem_free(d->routes);
    arena_free(&d->own);
    xmlin_pool_free(&d->xml);
    arena_pool_free(&d->arenas);
    buf_fini(&d->scratch);
    buf_fini(&w->link.told);
    metrics_free(&d->metrics);
    conf_clear(&s2s_conf_table, &w->conf);
    loop_free(&w->run.loop);
}

#endif
