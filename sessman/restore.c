#include "sessman/restore.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "sessman/account.h"
#include "sessman/dispatch.h"
#include "sessman/edges.h"
#include "sessman/fast.h"
#include "sessman/journal.h"
#include "sessman/numbers.h"
#include "sessman/resume.h"
#include "sessman/sessrow.h"
#include "sessman/smqueue.h"

enum {
    RECENT_MS = 5000,
    PAGE_ROWS = 500, /* sessions whose accounts are loaded at a time */
    WAIT_MS = 5000,
    KEEP_MAX = 8 << 20, /* bytes of stanzas by name while the barrier is down */
};
enum { DIRTY_STATE = 1, DIRTY_PLACE = 2, DIRTY_COUNT = 4 };

struct kept {
    struct link link;
    struct frame f; /* its slices point behind it */
};
struct asleep {
    struct session *s;
    int64_t detached_ms;
};
/* A session that has ended; its row goes once what was told of that has left. */
struct ending {
    struct link link;
    uint64_t row, ticket;
    char jid[];
};
struct restore {
    struct sessman *sm;
    struct link endings; /* in order of their tickets */
    uint64_t node;
    struct numbers rows;
    struct session **dirty; /* written at the end of the turn; NULL: has ended */
    size_t n_dirty, cap_dirty;
    uint64_t dirty_ticket; /* of the last time that one became so */
    struct turn turn;
    /* while loading */
    void (*done)(struct sessman *sm);
    struct idmap *edges; /* struct edge by node; theirs is restore_expect */
    size_t loading;      /* accounts of this page */
    int64_t last_row;
    size_t sessions;
    struct asleep *asleep; /* hibernating ones */
    size_t n_asleep, cap_asleep;
    uint64_t began_ms, lifted_ms;
    struct idmap *had; /* origins of messages that edges had (fast.h), as keys; NULL: none */
    bool over;
    /* the barrier */
    bool waits;
    size_t left; /* edges with sessions that have not told all */
    struct timer timer;
    struct link kept;
    size_t kept_bytes;
};

static struct log_ctx log_of(const struct sessman *sm)
{
    return sessman_log(sm, LOG_STORE);
}

/* --- writing --- */

static void on_turn(struct turn *t)
{
    restore_batch(CONTAINER(t, struct restore, turn)->sm);
}

static uint64_t dirty(struct sessman *sm, struct session *s, unsigned what)
{
    struct restore *r = sm->restore;
    if (!r || !s->row)
        return 0;
    if (!s->dirty) {
        if (r->n_dirty == r->cap_dirty) {
            r->cap_dirty = r->cap_dirty ? r->cap_dirty * 2 : 64;
            r->dirty = mem_resize(r->dirty, r->cap_dirty * sizeof(struct session *));
        }
        r->dirty[r->n_dirty++] = s;
        loop_at_turn_end(sm->loop, &r->turn);
    }
    s->dirty = (uint8_t)(s->dirty | what);
    r->dirty_ticket = store_next(sm->store);
    return r->dirty_ticket;
}

uint64_t session_dirty(struct sessman *sm, struct session *s)
{
    return dirty(sm, s, DIRTY_STATE);
}

uint64_t session_dirty_place(struct sessman *sm, struct session *s)
{
    return dirty(sm, s, DIRTY_PLACE);
}

uint64_t session_dirty_count(struct sessman *sm, struct session *s)
{
    return dirty(sm, s, DIRTY_COUNT);
}

uint64_t restore_ticket(const struct sessman *sm, uint64_t next, uint64_t least)
{
    uint64_t last = store_next(sm->store) - 1;
    if (last >= next && last > least)
        least = last;
    if (sm->restore && sm->restore->dirty_ticket >= next && sm->restore->dirty_ticket > least)
        least = sm->restore->dirty_ticket;
    return least;
}

static void ending_over(struct sessman *sm, struct ending *e)
{
    store_run(sm->store, STMT_SESSION_DEL, STORE_VALUES(STORE_I(e->row)), NULL, NULL);
    list_unlink(&e->link);
    mem_free(e);
}

void restore_bound(struct sessman *sm, struct session *s)
{
    if (!sm->restore)
        return;
    LIST_EACH(&sm->restore->endings,
              it) { /* the one that had this resource, or it would end the new one's presence */
        struct ending *e = CONTAINER(it, struct ending, link);
        if (strcmp(e->jid, s->jid) == 0)
            ending_over(sm, e);
    }
    s->row = numbers_next(&sm->restore->rows);
    uint64_t ticket =
        store_run(sm->store, STMT_SESSION_ADD,
                  STORE_VALUES(STORE_I(s->row), STORE_I(s->account->id), STORE_T(session_resource(s)),
                               STORE_I(s->edge->node->id), STORE_I(s->id)),
                  NULL, NULL);
    if (s->trusted_plain)
        session_dirty(sm, s);
    s->held_ticket = ticket;
    if (ticket > s->ticket)
        s->ticket = ticket;
    s->edge->wrote = true;
}

void restore_ended(struct sessman *sm, struct session *s)
{
    struct restore *r = sm->restore;
    if (!r || !s->row)
        return;
    for (size_t i = r->n_dirty; s->dirty && i-- > 0;) {
        if (r->dirty[i] == s) {
            r->dirty[i] = NULL;
            s->dirty = 0;
        }
    }
    if (s->edge)
        s->edge->wrote = true;
    uint64_t ticket = store_next(sm->store) - 1;
    if (r->dirty_ticket > ticket)
        ticket = r->dirty_ticket;
    if (ticket <= store_committed(sm->store)) {
        store_run(sm->store, STMT_SESSION_DEL, STORE_VALUES(STORE_I(s->row)), NULL, NULL);
        return;
    }
    struct ending *e = mem_new(sizeof *e + s->jid_len + 1);
    e->row = s->row;
    e->ticket = ticket;
    memcpy(e->jid, s->jid, s->jid_len);
    list_append(&r->endings, &e->link);
    store_run(sm->store, STMT_SESSION_OVER, STORE_VALUES(STORE_I(s->row)), NULL, NULL);
}

void restore_committed(struct sessman *sm)
{
    struct restore *r = sm->restore;
    uint64_t committed = store_committed(sm->store);
    while (r && !list_empty(&r->endings)) {
        struct ending *e = CONTAINER(r->endings.next, struct ending, link);
        if (e->ticket > committed)
            break;
        ending_over(sm, e);
    }
}

static void write_place(struct sessman *sm, const struct session *s)
{
    struct smqueue_row q = { 0 };
    int64_t detached_ms = resume_detached_ms(s);
    if (s->sm)
        smqueue_row(s, &q);
    store_run(sm->store, STMT_SESSION_PLACE,
              STORE_VALUES(STORE_I(s->row), s->edge ? STORE_I(s->edge->node->id) : STORE_N,
                           s->edge ? STORE_I(s->id) : STORE_N, s->sm ? STORE_T(q.id) : STORE_N,
                           STORE_I(q.hibernate_s), detached_ms ? STORE_I(detached_ms) : STORE_N),
              NULL, NULL);
}

static void write_count(struct sessman *sm, const struct session *s)
{
    struct smqueue_row q = { 0 };
    if (s->sm)
        smqueue_row(s, &q);
    store_run(sm->store, STMT_SESSION_COUNT, STORE_VALUES(STORE_I(s->row), STORE_I(q.in)), NULL, NULL);
}

static void write_row(struct sessman *sm, struct session *s)
{
    if (s->dirty & DIRTY_PLACE)
        write_place(sm, s);
    if (s->dirty & DIRTY_COUNT)
        write_count(sm, s);
    if (s->dirty & DIRTY_STATE) {
        buf_reset(&sm->scratch);
        sessrow_state_write(&sm->scratch, s);
        store_run(sm->store, STMT_SESSION_STATE,
                  STORE_VALUES(STORE_I(s->row), STORE_T(buf_get(&sm->scratch))), NULL, NULL);
    }
    s->dirty = 0;
}

void restore_batch(struct sessman *sm)
{
    struct restore *r = sm->restore;
    if (!r)
        return;
    for (size_t i = 0; i < r->n_dirty; i++)
        if (r->dirty[i])
            write_row(sm, r->dirty[i]);
    r->n_dirty = 0;
    if (sm->rlink)
        edges_mark(sm);
}

/* --- reading --- */

static void page(struct sessman *sm);

static void on_node(void *ctx, const struct store_result *res)
{
    struct sessman *sm = ctx;
    struct restore *r = sm->restore;
    if (numbers_row_read(res, &r->node))
        return;
    while (!r->node)
        r->node = secret_random_u64();
    numbers_row_write(sm, "node", r->node);
}

static void on_edges(void *ctx, const struct store_result *res)
{
    struct sessman *sm = ctx;
    for (size_t i = 0; i < res->rows; i++) {
        const struct store_value *v = store_row(res, i);
        struct edge *e =
            edge_restored(sm, (uint64_t)v[0].i, v[1].s, (uint32_t)v[2].i, (uint64_t)v[3].i, v[4].s);
        e->is_s2s = v[5].i != 0;
        idmap_put(sm->restore->edges, (uint64_t)v[0].i, e);
    }
}

/* One row whose account is being loaded. */
struct arrival {
    struct sessman *sm;
    int64_t row;
    uint64_t edge, session; /* 0: it hibernates */
    bool sm_on;
    uint64_t sm_in;
    uint32_t hibernate_s;
    int64_t detached_ms;
    struct session *s;
    uint32_t resource_len, sm_len, state_len;
    char bytes[]; /* these three */
};

static void arrived(struct arrival *v)
{
    struct sessman *sm = v->sm;
    mem_free(v);
    if (!--sm->restore->loading)
        page(sm);
}

static void on_held(void *ctx, const struct journal_row *rows, size_t n)
{
    struct arrival *v = ctx;
    for (size_t i = 0; i < n; i++)
        smqueue_restored_stanza(v->sm, v->s, rows[i].pos, rows[i].n, rows[i].stanza);
    arrived(v);
}

static void sleeps(struct restore *r, struct session *s, int64_t detached_ms)
{
    if (r->n_asleep == r->cap_asleep) {
        r->cap_asleep = r->cap_asleep ? r->cap_asleep * 2 : 64;
        r->asleep = mem_resize(r->asleep, r->cap_asleep * sizeof *r->asleep);
    }
    r->asleep[r->n_asleep++] = (struct asleep){ s, detached_ms };
}

static void come_back(struct arrival *v, struct edge *e, struct account *a)
{
    struct sessman *sm = v->sm;
    struct log_ctx log = log_of(sm);
    struct arena *arena = arena_take(sm->arenas);
    struct session *s = session_restored(sm, e, v->session, a, slice_of(v->bytes, v->resource_len));
    struct slice id = slice_of(v->bytes + v->resource_len, v->sm_len);
    struct slice state = slice_of(id.p + id.len, v->state_len);
    v->s = s;
    s->row = (uint64_t)v->row;
    s->over = v->detached_ms < 0;
    if (v->sm_on)
        smqueue_restored(sm, s, &(struct smqueue_row){ id, v->sm_in, v->hibernate_s });
    if (state.len && !sessrow_state_read(sm, arena, state, s))
        LOG_ERROR(&log, "session_row_bad", F_STR("jid", s->jid), F_INT("row", v->row));
    sm->restore->sessions++;
    if (!e)
        sleeps(sm->restore, s, v->detached_ms);
    arena_give(sm->arenas, &arena);
    if (!v->sm_on) {
        arrived(v);
        return;
    }
    journal_held(sm, a, s->row, sm->conf->sm_queue_stanzas, on_held, v);
}

static void on_account(void *ctx, struct account *a)
{
    struct arrival *v = ctx;
    struct sessman *sm = v->sm;
    struct log_ctx log = log_of(sm);
    struct edge *e = v->edge ? idmap_get(sm->restore->edges, v->edge) : NULL;
    bool placed = v->edge ? e && !idmap_get(e->sessions, v->session) : v->sm_len > 0;
    if (a && a->disabled)
        v->detached_ms = -1; /* it should have ended with the account's disabling: it does now */
    if (a && placed) {
        come_back(v, e, a);
    } else { /* what no edge of ours has */
        LOG_WARN(&log, "session_row_dropped", F_INT("row", v->row));
        store_run(sm->store, STMT_SESSION_DEL, STORE_VALUES(STORE_I(v->row)), NULL, NULL);
        arrived(v);
    }
    if (a)
        account_release(sm, a);
}

static void load_one(struct sessman *sm, const struct store_value *c)
{
    struct slice resource = c[3].s, id = c[6].s, state = c[10].s;
    struct arrival *v = mem_new(sizeof *v + resource.len + id.len + state.len);
    char *p = v->bytes;
    v->sm = sm;
    v->row = c[0].i;
    v->edge = c[4].type == STORE_INT ? (uint64_t)c[4].i : 0;
    v->session = c[5].type == STORE_INT ? (uint64_t)c[5].i : 0;
    v->sm_on = c[6].type != STORE_NULL;
    v->sm_in = (uint64_t)c[7].i;
    v->hibernate_s = (uint32_t)c[8].i;
    v->detached_ms = c[9].i;
    const struct slice parts[] = { resource, id, state };
    uint32_t *lens[] = { &v->resource_len, &v->sm_len, &v->state_len };
    for (size_t i = 0; i < 3; i++) {
        *lens[i] = (uint32_t)parts[i].len;
        if (parts[i].len)
            memcpy(p, parts[i].p, parts[i].len);
        p += parts[i].len;
    }
    struct arena *a = arena_take(sm->arenas);
    struct jid bare = { .local = c[2].s, .domain = c[1].s };
    bare.full = arena_fmt(a, SLICE_FMT "@" SLICE_FMT, SLICE_ARG(bare.local), SLICE_ARG(bare.domain));
    bare.bare_len = bare.full.len;
    account_load(sm, &bare, on_account, v);
    arena_give(sm->arenas, &a);
}

static void loaded(struct sessman *sm)
{
    struct restore *r = sm->restore;
    struct log_ctx log = log_of(sm);
    if (r->sessions)
        LOG_INFO(&log, "sessions_read", F_UINT("sessions", r->sessions),
                 F_UINT("edges", idmap_count(r->edges)), F_UINT("ms", clock_mono_ms() - r->began_ms));
    r->done(sm);
}

static void on_page(void *ctx, const struct store_result *res)
{
    struct sessman *sm = ctx;
    struct restore *r = sm->restore;
    if (!res->rows) {
        loaded(sm);
        return;
    }
    r->last_row = store_row(res, res->rows - 1)[0].i;
    r->loading = res->rows + 1; /* one for the loop itself: some may be there at once */
    for (size_t i = 0; i < res->rows; i++)
        load_one(sm, store_row(res, i));
    if (!--r->loading)
        page(sm);
}

static void page(struct sessman *sm)
{
    store_run(sm->store, STMT_SESSION_AFTER, STORE_VALUES(STORE_I(sm->restore->last_row), STORE_I(PAGE_ROWS)),
              on_page, sm);
}

void restore_load(struct sessman *sm, void (*done)(struct sessman *sm))
{
    struct restore *r = mem_new(sizeof *r);
    sm->restore = r;
    r->sm = sm;
    r->turn.fn = on_turn;
    r->done = done;
    r->edges = idmap_new();
    r->began_ms = clock_mono_ms();
    list_init(&r->kept);
    list_init(&r->endings);
    store_run(sm->store, STMT_META_GET, STORE_VALUES(STORE_T(SLICE("node"))), on_node, sm);
    numbers_load(&r->rows, sm, "session_top");
    store_run(sm->store, STMT_EDGE_ALL, NULL, 0, on_edges, sm);
    page(sm);
}

uint64_t restore_node(const struct sessman *sm)
{
    return sm->restore->node;
}

/* --- the barrier --- */

void restore_expect(struct sessman *sm)
{
    struct restore *r = sm->restore;
    size_t at = 0;
    for (struct edge *e; (e = idmap_next(r->edges, &at)) != NULL;) {
        edge_expect(e);
        r->left += e->awaited;
    }
    idmap_free(&r->edges);
    r->waits = r->left > 0;
    for (size_t i = 0; i < r->n_asleep; i++)
        resume_hibernate(sm, r->asleep[i].s, r->asleep[i].detached_ms > 0 ? r->asleep[i].detached_ms : 1);
    MEM_FREE(&r->asleep);
    r->n_asleep = r->cap_asleep = 0;
}

bool restore_recent(const struct sessman *sm)
{
    const struct restore *r = sm->restore;
    return r && r->sessions && (r->waits || clock_mono_ms() - r->lifted_ms < RECENT_MS);
}

bool restore_waits(const struct sessman *sm)
{
    return sm->restore && sm->restore->waits;
}

void restore_keep(struct sessman *sm, const struct frame *f)
{
    struct restore *r = sm->restore;
    size_t bytes = f->payload.len + f->name.len;
    if (r->kept_bytes + bytes > KEEP_MAX) {
        struct frame bounce = *f;
        bounce.flags = FRAME_F_FULL;
        dispatch_bounce(sm, &bounce);
        return;
    }
    struct kept *k = mem_new(sizeof *k + bytes);
    char *p = (char *)(k + 1);
    k->f = *f;
    memcpy(p, f->payload.p, f->payload.len);
    k->f.payload = slice_of(p, f->payload.len);
    k->f.name = SLICE_NONE;
    r->kept_bytes += bytes;
    list_append(&r->kept, &k->link);
}

/* Each account gets what of its journal is on its way to nobody. */
static void deliver_rest(struct sessman *sm, const struct edge *e)
{
    size_t at = 0;
    for (struct session *s; (s = idmap_next(e->sessions, &at)) != NULL;)
        if (s->account && s->available && s->priority >= 0)
            journal_replay(sm, s);
}

static void lift(struct sessman *sm)
{
    struct restore *r = sm->restore;
    struct log_ctx log = log_of(sm);
    LOG_INFO(&log, "restored", F_UINT("sessions", sm->sessions_bound), F_UINT("edges_missing", r->left),
             F_UINT("ms", clock_mono_ms() - r->began_ms));
    r->waits = false;
    r->lifted_ms = clock_mono_ms();
    timer_stop(&r->timer);
    size_t at = 0;
    for (struct rnode *n; (n = rlink_next_node(sm->rlink, &at)) != NULL;)
        if (n->user && !((struct edge *)n->user)->awaited)
            deliver_rest(sm, n->user);
    edges_go_on(sm);
    LIST_EACH(&r->kept, it) {
        struct kept *k = CONTAINER(it, struct kept, link);
        list_unlink(it);
        dispatch_routed_frame(sm, &k->f);
        mem_free(k);
    }
    r->kept_bytes = 0;
}

static void on_wait_over(struct timer *t)
{
    lift(CONTAINER(t, struct restore, timer)->sm);
}

void restore_link_up(struct sessman *sm)
{
    struct restore *r = sm->restore;
    if (r->waits && !timer_running(&r->timer))
        loop_timer(sm->loop, &r->timer, WAIT_MS, on_wait_over);
}

void restore_edge_gone(struct sessman *sm)
{
    struct restore *r = sm->restore;
    r->left--;
    if (r->waits && !r->left)
        lift(sm);
}

static void told_all(struct sessman *sm, struct edge *e, uint64_t upto)
{
    e->rejoining = false;
    e->sweep = true;
    e->sweep_at = upto;
    rlink_rejoined(sm->rlink, e->node);
    if (!restore_waits(sm)) { /* it is late */
        deliver_rest(sm, e);
        edge_sweep(e);
    }
    if (e->awaited) {
        e->awaited = false;
        restore_edge_gone(sm);
    }
}

/* XEP-0198: what the edge has counted. Where it has never heard that the session is managed it is not. */
static void recount(struct sessman *sm, struct session *s, const struct control_alive_session *c)
{
    if (c->sm && s->sm) {
        smqueue_alive(sm, s, c->out, c->acked);
    } else if (s->sm) {
        smqueue_reroute(sm, s);
        smqueue_free(s);
        session_dirty_place(sm, s);
    }
}

static void note_had(struct restore *r, uint64_t origin)
{
    if (!r->had)
        r->had = idmap_new();
    idmap_put(r->had, origin, r);
}

bool restore_had(const struct sessman *sm, const struct edge *e, uint64_t seq)
{
    const struct restore *r = sm->restore;
    return r && r->had && e && seq && idmap_get(r->had, fast_origin(sm, e, seq));
}

bool restore_over(struct sessman *sm)
{
    struct restore *r = sm->restore;
    if (r && !r->over && edges_rejoined(sm)) {
        r->over = true;
        idmap_free(&r->had);
    }
    return !r || r->over;
}

void restore_alive(struct sessman *sm, struct edge *e, const struct control_alive *c)
{
    if (!e->rejoining)
        return; /* nobody has asked */
    for (size_t i = 0; i < c->n_sessions; i++) {
        struct session *s = idmap_get(e->sessions, c->sessions[i].id);
        if (!s || s->over) {
            edge_stray(e, c->sessions[i].id);
        } else if (s->unseen) {
            s->unseen = false;
            recount(sm, s, &c->sessions[i]);
        }
    }
    for (size_t i = 0; i < c->n_marks; i++) {
        struct session *s = idmap_get(e->sessions, c->marks[i].session);
        if (c->marks[i].origin)
            note_had(sm->restore, c->marks[i].origin);
        if (s && s->account)
            journal_receipt(sm, s, c->marks[i].pos);
    }
    if (c->end)
        told_all(sm, e, c->upto);
}

/* --- the end --- */

void restore_stop(struct sessman *sm)
{
    struct restore *r = sm->restore;
    if (!r)
        return;
    while (!list_empty(&r->endings))
        ending_over(sm, CONTAINER(r->endings.next, struct ending, link));
    restore_batch(sm); /* with what this turn has written */
    timer_stop(&r->timer);
    loop_turn_drop(sm->loop, &r->turn);
}

void restore_free(struct restore **rp)
{
    struct restore *r = *rp;
    if (!r)
        return;
    LIST_EACH(&r->kept, it)
        mem_free(CONTAINER(it, struct kept, link));
    LIST_EACH(&r->endings, it)
        mem_free(CONTAINER(it, struct ending, link));
    idmap_free(&r->edges);
    idmap_free(&r->had);
    mem_free(r->asleep);
    mem_free(r->dirty);
    MEM_FREE(rp);
}
