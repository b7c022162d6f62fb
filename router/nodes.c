/* router/nodes.c */
#include "router/nodes.h"

#include "common/base/mem.h"
#include "common/link/control.h"
#include "router/asks.h"
#include "router/switch.h"

static const struct xmlin_limits limits = {
    .stanza_bytes = FRAME_MAX, .depth = 4, .elements = CONTROL_NAMES_MAX + 8, .attrs = 16
};

static void describe(const struct peer *p, struct buf *out)
{
    struct slice *names = mem_array(p->n_names + 1, sizeof *names);
    for (size_t i = 0; i < p->n_names; i++)
        names[i] = slice_cstr(p->names[i]);
    struct control_node_up up = { p->id, p->role, slice_cstr(p->instance), names, p->n_names };
    control_write_node_up(out, &up);
    mem_free(names);
}

/* Who may not talk to each other (switch.c) need not know of each other, nor would they keep silent: two
 * edges, say. */
static bool concerns(const struct peer *p, const struct peer *other)
{
    return p != other && (p->role == ROLE_SESSMAN || other->role == ROLE_SESSMAN);
}

static void tell_all(const struct peer *of, struct slice element)
{
    struct peer *other;
    for (size_t at = 0; (other = idmap_next(of->r->nodes, &at));) {
        if (concerns(of, other))
            switch_control(other, element);
    }
}

static void announce(struct peer *p)
{
    struct buf out = BUF_INIT(0);
    describe(p, &out);
    tell_all(p, buf_get(&out));
    buf_fini(&out);
}

/* --- names of components --- */

/* The control tool counts as one: it speaks from its section's name. */
static size_t names_of(const struct peer *p, struct slice *names, size_t max)
{
    size_t n = 0;
    if (p->level == PEER_FRAMES || p->state != PEER_OPEN || p->going)
        return 0;
    if (p->role == ROLE_ADMIN && max)
        names[n++] = slice_cstr(p->name);
    for (size_t i = 0; p->role == ROLE_COMPONENT && i < p->n_names && n < max; i++)
        names[n++] = slice_cstr(p->names[i]);
    return n;
}

/* Whoever else has to know which domains are not another server's. */
static bool wants_components(const struct peer *p)
{
    return p->role == ROLE_SESSMAN || p->role == ROLE_S2S;
}

static void components(const struct router *r, struct buf *out)
{
    struct slice names[CONTROL_NAMES_MAX];
    size_t n = 0;
    LIST_EACH(&r->peers, at)
        n += names_of(CONTAINER(at, struct peer, all), names + n, CONTROL_NAMES_MAX - n);
    control_write_components(out, names, n);
}

static void on_components(struct turn *t)
{
    struct router *r = CONTAINER(t, struct router, components);
    struct buf out = BUF_INIT(0);
    struct peer *p;
    components(r, &out);
    for (size_t at = 0; (p = idmap_next(r->nodes, &at));) {
        if (wants_components(p))
            switch_control(p, buf_get(&out));
    }
    buf_fini(&out);
}

void nodes_components_changed(struct router *r)
{
    if (r->stopping)
        return;
    r->components.fn = on_components;
    loop_at_turn_end(r->run->loop, &r->components);
}

void nodes_enter(struct peer *p)
{
    struct buf out = BUF_INIT(0);
    struct peer *other;
    for (size_t at = 0; (other = idmap_next(p->r->nodes, &at));) {
        if (!concerns(p, other))
            continue;
        buf_reset(&out);
        describe(other, &out);
        switch_control(p, buf_get(&out));
    }
    if (wants_components(p)) { /* before it hears of the others: it knows whose a name is when it is asked */
        buf_reset(&out);
        components(p->r, &out);
        switch_control(p, buf_get(&out));
    }
    buf_fini(&out);
    idmap_put(p->r->nodes, p->id, p);
    announce(p);
    if (p->role == ROLE_S2S)
        names_bind(p->r->names, SLICE("*"), p, slice_cstr(p->instance), true);
}

void nodes_leave(struct peer *p)
{
    struct buf out = BUF_INIT(0);
    if (idmap_get(p->r->nodes, p->id) != p)
        return;
    idmap_remove(p->r->nodes, p->id);
    asks_forget(p);
    names_unbind(p->r->names, SLICE("*"), p);
    control_write_node_down(&out, p->id);
    tell_all(p, buf_get(&out));
    buf_fini(&out);
}

/* The names it has from now on: all of them. A sessman that hosts a domain which is also a component's goes
 * without that one; whoever may bind nothing at all is not who it says it is. */
static enum rc rebind(struct peer *p, const struct slice *names, size_t n, struct why *why)
{
    while (p->n_names)
        peer_unbind(p, p->n_names - 1);
    for (size_t i = 0; i < n; i++) {
        enum rc rc = peer_bind(p, names[i]);
        if (rc != RC_DENIED)
            continue;
        struct log_ctx log = peer_log(p, "frames");
        METRIC_INC(p->r->run->metrics, METRIC_AUTH_FAILED);
        LOG_WARN(&log, "name_denied", F_STR("instance", p->instance), F_SLICE("name", names[i]));
        if (p->role != ROLE_SESSMAN) {
            why_set(why, "it may not bind " SLICE_FMT, SLICE_ARG(names[i]));
            return rc;
        }
    }
    announce(p);
    return RC_OK;
}

static enum rc element(struct peer *p, struct arena *a, const struct node *n, struct why *why)
{
    struct control_ask ask;
    struct control_told told;
    struct slice *names;
    size_t count;
    enum rc rc;
    switch (control_kind_of(n)) {
    case CONTROL_NAMES:
        rc = control_read_names(a, n, &names, &count, why);
        return rc == RC_OK ? rebind(p, names, count, why) : rc;
    case CONTROL_ASK:
        rc = control_read_ask(n, &ask, why);
        return rc == RC_OK ? asks_take(p, &ask, why) : rc;
    case CONTROL_TOLD:
        rc = control_read_told(a, n, &told, why);
        return rc == RC_OK ? asks_told(p, &told, why) : rc;
    default:
        why_set(why, "a control element that is not for routers");
        return RC_SYNTAX;
    }
}

enum rc nodes_control(struct peer *p, struct slice payload, struct why *why)
{
    struct arena *a = arena_take(p->r->arenas);
    struct node *n = NULL;
    enum rc rc = xmlin_parse(p->r->xml, a, payload, &limits, &n, why);
    if (rc == RC_OK)
        rc = element(p, a, n, why);
    arena_give(p->r->arenas, &a);
    return rc;
}
