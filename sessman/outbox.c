#include "sessman/outbox.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/link/pick.h"
#include "sessman/dispatch.h"
#include "sessman/numbers.h"

enum {
    PAGE_ROWS = 100,
    LOOK_MS = 5000, /* whether what waits for an s2s has become too old */
};

/* One whose row is not committed; the bytes follow. */
struct fresh {
    struct link link;
    uint64_t id, ticket;
    uint32_t domain_len, len;
    char bytes[]; /* domain, stanza */
};
struct outbox {
    struct sessman *sm;
    struct numbers ids;
    struct link fresh; /* in order of ids */
    uint64_t waiting;  /* rows there are */
    uint64_t put;      /* rows that were ever put, by this process */
    uint64_t last;     /* id of the last one */
    uint64_t ticket;   /* of its row */
    uint64_t s2s_ms;   /* when an s2s was there last; 0: never */
    bool behind;       /* rows past `next` that no s2s has are in the store alone */
    uint64_t next;
    bool stopped;
    bool reading;       /* a page of them is on its way … */
    uint64_t page_from; /* … of rows past this … */
    uint64_t page_last; /* … and not of those past this */
    struct timer timer; /* runs while nobody takes them */
};

static void on_look(struct timer *t);

static void gauge(const struct outbox *o)
{
    metric_set(o->sm->metrics, M_OUTBOX, (int64_t)o->waiting);
}

/* --- who takes it --- */

/* One that cannot be reached for the moment counts until it is lost: what it has not reported goes first.
 * NULL: there is none. */
static struct rnode *s2s_for(const struct sessman *sm, struct slice domain)
{
    struct rnode *best = NULL, *n;
    uint64_t best_weight = 0;
    for (size_t at = 0; (n = rlink_next_node(sm->rlink, &at));) {
        if (n->role != ROLE_S2S || !n->user)
            continue;
        uint64_t weight = pick_weight(slice_cstr(n->instance), domain);
        if (!best || weight > best_weight || (weight == best_weight && n->id > best->id)) {
            best = n;
            best_weight = weight;
        }
    }
    return best;
}

static bool any_s2s(const struct sessman *sm)
{
    size_t at = 0;
    for (const struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;)
        if (n->role == ROLE_S2S)
            return true;
    return false;
}

bool outbox_takes(const struct sessman *sm, struct slice name)
{
    const struct outbox *o = sm->outbox;
    if (!o || !sm->rlink || rlink_component(sm->rlink, jid_domain_in(name)))
        return false;
    return any_s2s(sm) || (o->s2s_ms && loop_now_ms(sm->loop) - o->s2s_ms < sm->conf->remote_wait_ms);
}

static bool is_given(const struct sessman *sm, uint64_t id)
{
    size_t at = 0;
    for (const struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;) {
        const struct edge *e = n->user;
        if (e && e->given && idmap_get(e->given, id))
            return true;
    }
    return false;
}

static bool give(struct sessman *sm, uint64_t id, struct slice domain, struct slice stanza)
{
    struct rnode *n = s2s_for(sm, domain);
    if (!n || rlink_full(sm->rlink, n))
        return false;
    struct edge *e = n->user;
    if (!e->given)
        e->given = idmap_new();
    idmap_put(e->given, id, e);
    rlink_send_marked(sm->rlink, n, FRAME_STANZA, 0, id, &stanza, 1);
    return true;
}

/* --- from the store --- */

static void stay_behind(struct outbox *o, uint64_t after)
{
    if (!o->behind || after < o->next)
        o->next = after;
    o->behind = true;
}

static void remove_rows(struct outbox *o, uint64_t first, uint64_t last)
{
    uint64_t n = last - first + 1;
    store_run(o->sm->store, STMT_OUTBOX_DEL, STORE_VALUES(STORE_I(first), STORE_I(last)), NULL, NULL);
    o->waiting -= o->waiting < n ? o->waiting : n;
    gauge(o);
}

static void expired(struct outbox *o, uint64_t id, struct slice stanza)
{
    struct log_ctx log = sessman_log(o->sm, LOG_XMPP);
    LOG_INFO(&log, "outbox_expired", F_UINT("id", id));
    metric_add(o->sm->metrics, M_OUTBOX_EXPIRED, 1);
    remove_rows(o, id, id);
    dispatch_refuse(o->sm, stanza, COND_REMOTE_SERVER_TIMEOUT, "no connection to other servers");
}

static void on_page(void *ctx, const struct store_result *res)
{
    struct outbox *o = ctx;
    struct sessman *sm = o->sm;
    int64_t oldest_ms = clock_wall_ms() - (int64_t)sm->conf->remote_wait_ms;
    bool stuck = false;
    o->reading = false;
    if (res->rc != RC_OK || o->stopped)
        return;
    if (o->next != o->page_from) { /* an s2s was lost meanwhile: earlier ones come first */
        outbox_go_on(sm);
        return;
    }
    for (size_t i = 0; i < res->rows; i++) {
        const struct store_value *v = store_row(res, i);
        uint64_t id = (uint64_t)v[0].i;
        bool old = v[1].i < oldest_ms && !any_s2s(sm);
        if (!old && !is_given(sm, id) && !give(sm, id, v[2].s, v[3].s)) {
            stuck = true;
            break;
        }
        o->next = id;
        if (old)
            expired(o, id, v[3].s);
    }
    if (stuck) { /* until a node is up, or has room; or they are too old */
        if (!timer_running(&o->timer))
            loop_timer(sm->loop, &o->timer, LOOK_MS, on_look);
        return;
    }
    if (res->rows == PAGE_ROWS || res->cut || o->last != o->page_last) {
        outbox_go_on(sm);
        return;
    }
    o->behind = false;
    timer_stop(&o->timer);
}

void outbox_go_on(struct sessman *sm)
{
    struct outbox *o = sm->outbox;
    if (!o || !o->behind || o->reading || o->stopped || !sm->rlink)
        return;
    o->reading = true;
    o->page_from = o->next;
    o->page_last = o->last;
    store_run(sm->store, STMT_OUTBOX_AFTER, STORE_VALUES(STORE_I(o->next), STORE_I(PAGE_ROWS)), on_page, o);
}

static void on_look(struct timer *t)
{
    outbox_go_on(CONTAINER(t, struct outbox, timer)->sm);
}

/* --- what comes --- */

void outbox_put(struct sessman *sm, struct slice name, struct slice stanza)
{
    struct outbox *o = sm->outbox;
    struct slice domain = jid_domain_in(name);
    if (o->waiting >= sm->conf->remote_queue || store_full(sm->store)) {
        metric_add(sm->metrics, M_LIMIT_OUTBOX, 1);
        dispatch_refuse(sm, stanza, COND_RESOURCE_CONSTRAINT, "too much waits for other servers");
        return;
    }
    o->last = numbers_next(&o->ids);
    o->ticket =
        store_run(sm->store, STMT_OUTBOX_ADD,
                  STORE_VALUES(STORE_I(o->last), STORE_I(clock_wall_ms()), STORE_T(domain), STORE_B(stanza)),
                  NULL, NULL);
    o->put++;
    o->waiting++;
    gauge(o);
    if (o->behind)
        return; /* it is read when those before it have been */
    struct fresh *f = mem_new(sizeof *f + domain.len + stanza.len);
    f->id = o->last;
    f->ticket = o->ticket;
    f->domain_len = (uint32_t)domain.len;
    f->len = (uint32_t)stanza.len;
    memcpy(f->bytes, domain.p, domain.len);
    memcpy(f->bytes + domain.len, stanza.p, stanza.len);
    list_append(&o->fresh, &f->link);
}

uint64_t outbox_rows(const struct sessman *sm)
{
    return sm->outbox ? sm->outbox->put : 0;
}

uint64_t outbox_ticket(const struct sessman *sm)
{
    return sm->outbox ? sm->outbox->ticket : 0;
}

void outbox_committed(struct sessman *sm)
{
    struct outbox *o = sm->outbox;
    while (o && !o->stopped && !list_empty(&o->fresh)) {
        struct fresh *f = CONTAINER(o->fresh.next, struct fresh, link);
        if (f->ticket > store_committed(sm->store))
            return;
        if (!o->behind &&
            !give(sm, f->id, slice_of(f->bytes, f->domain_len), slice_of(f->bytes + f->domain_len, f->len))) {
            stay_behind(o, f->id - 1);
            loop_timer(sm->loop, &o->timer, LOOK_MS, on_look);
        }
        list_unlink(&f->link);
        mem_free(f);
    }
}

/* --- s2s daemons --- */

void outbox_node_up(struct sessman *sm)
{
    sm->outbox->s2s_ms = loop_now_ms(sm->loop);
    outbox_go_on(sm);
}

void outbox_node_lost(struct edge *e)
{
    struct outbox *o = e->sm->outbox;
    if (!e->is_s2s || !o)
        return;
    bool had = e->given && idmap_count(e->given);
    o->s2s_ms = loop_now_ms(e->sm->loop);
    idmap_free(&e->given);
    if (had) { /* all rows are looked at again: those that others have are passed over */
        stay_behind(o, 0);
        outbox_go_on(e->sm);
    }
}

/* Those that the s2s was not given are none of its business. */
static void run_sent(struct edge *e, uint64_t first, uint64_t n)
{
    uint64_t last = first + n - 1;
    for (uint64_t id = first; id <= last; id++) {
        if (idmap_remove(e->given, id))
            continue;
        if (first < id)
            remove_rows(e->sm->outbox, first, id - 1);
        first = id + 1;
    }
    if (first <= last)
        remove_rows(e->sm->outbox, first, last);
}

void outbox_sent(struct edge *e, const struct control_run *runs, size_t n)
{
    for (size_t i = 0; i < n && e->given; i++)
        run_sent(e, runs[i].first, runs[i].n);
}

/* --- life --- */

static void on_count(void *ctx, const struct store_result *res)
{
    struct outbox *o = ctx;
    o->waiting = res->rows ? (uint64_t)store_row(res, 0)[0].i : 0;
    gauge(o);
    if (!o->waiting)
        return;
    o->s2s_ms = loop_now_ms(o->sm->loop); /* somebody was to take them */
    stay_behind(o, 0);
    loop_timer(o->sm->loop, &o->timer, LOOK_MS, on_look);
}

void outbox_open(struct sessman *sm)
{
    struct outbox *o = mem_new(sizeof *o);
    sm->outbox = o;
    o->sm = sm;
    list_init(&o->fresh);
    numbers_load(&o->ids, sm, "outbox_top");
    store_run(sm->store, STMT_OUTBOX_COUNT, NULL, 0, on_count, o);
}

void outbox_stop(struct sessman *sm)
{
    sm->outbox->stopped = true;
    timer_stop(&sm->outbox->timer);
}

void outbox_free(struct outbox **op)
{
    if (!*op)
        return;
    while (!list_empty(&(*op)->fresh)) {
        struct fresh *f = CONTAINER((*op)->fresh.next, struct fresh, link);
        list_unlink(&f->link);
        mem_free(f);
    }
    MEM_FREE(op);
}
