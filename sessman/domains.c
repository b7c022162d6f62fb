/* sessman/domains.c - the hosted domains: rows of the store, names at the routers, news for the edges (DESIGN
 * 8) */
#include "common/base/mem.h"
#include "sessman/auth.h"
#include "sessman/discoinfo.h"
#include "sessman/edges.h"
#include "sessman/retention.h"
#include "sessman/sessman.h"

#define DOMAINS_MAX CONTROL_NAMES_MAX

struct domain *sessman_domain(const struct sessman *sm, struct slice name)
{
    return map_get(sm->domains, name);
}

static struct domain *domain_put(struct sessman *sm, struct slice name, bool registration)
{
    struct domain *d = mem_new(sizeof *d);
    d->name = mem_copy(name);
    d->registration = registration;
    d->offline = true;
    d->archive = true;
    map_put(sm->domains, d);
    return d;
}

static void domain_free(struct domain *d)
{
    mem_free(d->name);
    mem_free(d);
}

static bool drop(void *value, void *ctx)
{
    (void)ctx;
    domain_free(value);
    return false;
}

void sessman_domains_free(struct sessman *sm)
{
    if (!sm->domains)
        return;
    map_each(sm->domains, drop, NULL);
    map_free(&sm->domains);
}

/* --- telling routers and edges --- */

static void tell_edges(struct sessman *sm, struct slice element)
{
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;)
        if (n->user && n->role == ROLE_EDGE)
            rlink_send(sm->rlink, n, FRAME_CONTROL, 0, &element, 1);
}

void sessman_domains_announce(struct sessman *sm)
{
    if (!sm->names_known)
        return;
    struct arena *a = arena_take(sm->arenas);
    size_t n = map_count(sm->domains), at = 0, i = 0;
    struct slice *names = ARENA_ARRAY(a, n + 1, struct slice);
    struct control_domain *domains = ARENA_ARRAY(a, n + 1, struct control_domain);
    struct slice binds = disco_binds(a);
    for (struct domain *d; (d = map_next(sm->domains, &at)) != NULL; i++) {
        names[i] = slice_cstr(d->name);
        domains[i] = (struct control_domain){ names[i], d->registration, auth_mechanisms(sm, d), binds,
                                              disco_stream_features(sm, d, a) };
    }
    struct buf b = BUF_INIT(0);
    control_write_domains(&b, domains, n);
    rlink_names(sm->rlink, names, n);
    tell_edges(sm, buf_get(&b));
    buf_fini(&b);
    arena_give(sm->arenas, &a);
}

/* --- rows --- */

struct loading {
    struct sessman *sm;
    void (*done)(struct sessman *sm);
};

static void on_domains(void *ctx, const struct store_result *r)
{
    struct loading *l = ctx;
    for (size_t i = 0; i < r->rows && i < DOMAINS_MAX; i++) {
        const struct store_value *v = store_row(r, i);
        struct domain *d = domain_put(l->sm, v[0].s, v[1].i != 0);
        d->offline = v[2].i != 0;
        d->archive = v[3].i != 0;
        d->archive_days = v[4].i > 0 ? (uint32_t)v[4].i : 0;
        d->archive_bytes = v[5].i > 0 ? (uint64_t)v[5].i : 0;
        d->expired = v[6].i;
        d->anonymous = v[7].i > 0;
        d->anonymous_remote = v[7].i > 1;
    }
    l->sm->names_known = true;
    l->done(l->sm);
    mem_free(l);
}

void sessman_domains_load(struct sessman *sm, void (*done)(struct sessman *sm))
{
    struct loading *l = mem_new(sizeof *l);
    l->sm = sm;
    l->done = done;
    store_run(sm->store, STMT_DOMAIN_ALL, NULL, 0, on_domains, l);
}

struct changing {
    struct sessman *sm;
    char *name;
    bool registration;
    void (*done)(void *ctx, enum rc rc);
    void *ctx;
};

static struct changing *changing_new(struct sessman *sm, struct slice name,
                                     void (*done)(void *ctx, enum rc rc), void *ctx)
{
    struct changing *c = mem_new(sizeof *c);
    c->sm = sm;
    c->name = mem_copy(name);
    c->done = done;
    c->ctx = ctx;
    return c;
}

static void changed(struct changing *c, enum rc rc)
{
    if (rc == RC_OK)
        sessman_domains_announce(c->sm);
    c->done(c->ctx, rc);
    mem_free(c->name);
    mem_free(c);
}

static void on_added(void *ctx, const struct store_result *r)
{
    struct changing *c = ctx;
    if (r->rc == RC_OK)
        domain_put(c->sm, slice_cstr(c->name), c->registration);
    changed(c, r->rc);
}

void sessman_domain_add(struct sessman *sm, struct slice name, bool registration,
                        void (*done)(void *ctx, enum rc rc), void *ctx)
{
    if (sessman_domain(sm, name) || map_count(sm->domains) >= DOMAINS_MAX) {
        done(ctx, sessman_domain(sm, name) ? RC_EXISTS : RC_LIMIT);
        return;
    }
    struct changing *c = changing_new(sm, name, done, ctx);
    c->registration = registration;
    store_run(sm->store, STMT_DOMAIN_ADD, STORE_VALUES(STORE_T(name), STORE_I(registration)), on_added, c);
}

static void on_removed(void *ctx, const struct store_result *r)
{
    struct changing *c = ctx;
    struct domain *d = r->rc == RC_OK ? map_remove(c->sm->domains, slice_cstr(c->name)) : NULL;
    if (d)
        domain_free(d);
    changed(c, r->rc);
}

static void on_count(void *ctx, const struct store_result *r)
{
    struct changing *c = ctx;
    if (r->rc == RC_OK && r->rows == 1 && store_row(r, 0)[0].i == 0)
        store_run(c->sm->store, STMT_DOMAIN_DEL, STORE_VALUES(STORE_T(slice_cstr(c->name))), on_removed, c);
    else
        changed(c, r->rc == RC_OK ? RC_CONFLICT : r->rc);
}

void sessman_domain_remove(struct sessman *sm, struct slice name, void (*done)(void *ctx, enum rc rc),
                           void *ctx)
{
    if (!sessman_domain(sm, name)) {
        done(ctx, RC_NOTFOUND);
        return;
    }
    store_run(sm->store, STMT_ACCOUNT_COUNT, STORE_VALUES(STORE_T(name)), on_count,
              changing_new(sm, name, done, ctx));
}

void sessman_domain_registration(struct sessman *sm, struct slice name, bool open)
{
    struct domain *d = sessman_domain(sm, name);
    if (!d || d->registration == open)
        return;
    d->registration = open;
    store_run(sm->store, STMT_DOMAIN_SET, STORE_VALUES(STORE_T(name), STORE_I(open)), NULL, NULL);
    sessman_domains_announce(sm);
}

void sessman_domain_anonymous(struct sessman *sm, struct slice name, bool on, bool remote)
{
    struct domain *d = sessman_domain(sm, name);
    if (!d)
        return;
    d->anonymous = on;
    d->anonymous_remote = on && remote;
    store_run(sm->store, STMT_DOMAIN_ANONYMOUS,
              STORE_VALUES(STORE_T(name), STORE_I(on + d->anonymous_remote)), NULL, NULL);
    sessman_domains_announce(sm); /* the mechanism */
}

void sessman_domain_offline(struct sessman *sm, struct slice name, bool kept)
{
    struct domain *d = sessman_domain(sm, name);
    if (!d || d->offline == kept)
        return;
    d->offline = kept;
    store_run(sm->store, STMT_DOMAIN_OFFLINE, STORE_VALUES(STORE_T(name), STORE_I(kept)), NULL, NULL);
    sessman_domains_announce(sm); /* what it offers is part of the caps */
}

void sessman_domain_archive(struct sessman *sm, struct slice name, bool on, uint32_t days, uint64_t bytes)
{
    struct domain *d = sessman_domain(sm, name);
    if (!d)
        return;
    d->archive = on;
    d->archive_days = days;
    d->archive_bytes = bytes;
    store_run(sm->store, STMT_DOMAIN_ARCHIVE,
              STORE_VALUES(STORE_T(name), STORE_I(on), STORE_I(days), STORE_I(bytes)), NULL, NULL);
    retention_kick(sm);
}
