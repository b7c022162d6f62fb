#include "sessman/journal.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/xmpp/delay.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/deliver.h"
#include "sessman/edges.h"
#include "sessman/offline.h"
#include "sessman/out.h"
#include "sessman/session.h"

#define PAGE_ROWS 100 /* offline messages fetched and delivered at a time */

/* One account's offline messages on their way to one session. The account is referenced while it goes on. */
struct replay {
    struct link link; /* in edge->replays while an acknowledgement is awaited */
    struct sessman *sm;
    struct account *a;
    struct session *s; /* NULL: ended; another takes over or it stops */
    int64_t last_pos;  /* of the page that is on its way */
    uint64_t last_seq; /* number of its last frame in the edge's channel */
    size_t n;          /* rows of it */
    size_t appended;   /* since the page was asked for: it may lack them */
    bool fetching;
};

bool journal_qualifies(const struct stanza *st)
{
    if (st->kind != STANZA_MESSAGE || (st->type != MESSAGE_NORMAL && st->type != MESSAGE_CHAT))
        return false;
    if (node_find(st->node, "no-store", NS_HINTS) || node_find(st->node, "no-permanent-store", NS_HINTS))
        return false;
    if (node_find(st->node, "store", NS_HINTS) || node_find(st->node, "body", NULL))
        return true;
    /* Without a body: what is only a chat state is worth nothing later (XEP-0160 3, XEP-0085). */
    for (const struct node *c = node_child(st->node); c; c = node_sibling(c))
        if (!slice_is(c->ns, NS_CHATSTATES) && !node_is(c, "thread", NULL))
            return true;
    return false;
}

bool journal_replaying(const struct account *a)
{
    return a && a->replay;
}

void journal_store(struct incoming *in)
{
    struct sessman *sm = in->sm;
    struct account *a = in->target;
    if (!offline_wanted(sm, &in->st)) {
        if (!journal_replaying(a) || !a->replay->s)
            return; /* a chat state, or what asked not to be stored: nobody misses it */
        deliver_to_session(sm, in->ticket, a->replay->s, in->st.node);
        return;
    }
    if (!offline_admit(in, a->offline_n, 0))
        return;
    if (!in->from_session && store_full(sm->store)) { /* an edge is held back by its window */
        in_error(in, COND_RESOURCE_CONSTRAINT, "the store is behind");
        return;
    }
    a->offline_n++;
    if (a->replay)
        a->replay->appended++;
    metric_add(sm->metrics, M_OFFLINE_STORED, 1);
    buf_reset(&sm->scratch);
    xmlout_node(&sm->scratch, in->st.node, NS_CLIENT);
    in_wrote(in, store_run(sm->store, STMT_JOURNAL_ADD,
                           STORE_VALUES(STORE_I(a->id), STORE_I(clock_wall_ms()),
                                        STORE_B(buf_get(&sm->scratch))),
                           NULL, NULL));
}

/* --- delivering what lies past the cursor --- */

static void replay_end(struct replay *r)
{
    struct account *a = r->a;
    list_unlink(&r->link);
    a->replay = NULL;
    account_release(r->sm, a);
    mem_free(r);
}

static void replay_row(struct replay *r, struct arena *a, const struct store_value *row)
{
    struct node *n;
    struct why why;
    if (xmlin_parse(r->sm->xml, a, row[2].s, &r->sm->xml_limits, &n, &why) != RC_OK) {
        struct log_ctx log = sessman_log(r->sm, LOG_STORE);
        LOG_ERROR(&log, "journal_row_bad", F_STR("account", r->a->bare), F_INT("pos", row[0].i), F_WHY(&why));
        return;
    }
    if (offline_expired(r->sm, a, n))
        return;
    delay_add(a, n, account_domain(r->a), row[1].i, "Offline storage");
    deliver_to_session(r->sm, 0, r->s, n);
    metric_add(r->sm->metrics, M_OFFLINE_DELIVERED, 1);
}

static void fetch(struct replay *r);

static void on_page(void *ctx, const struct store_result *res)
{
    struct replay *r = ctx;
    r->fetching = false;
    if (!r->s) { /* ended while the page was read: nothing was delivered */
        replay_end(r);
        return;
    }
    if (!res->rows && r->appended) {
        fetch(r);
        return;
    }
    if (!res->rows) {
        r->a->offline_n = 0;
        replay_end(r);
        return;
    }
    for (size_t i = 0; i < res->rows; i++) {
        struct arena *a = arena_take(r->sm->arenas);
        replay_row(r, a, store_row(res, i));
        arena_give(r->sm->arenas, &a);
    }
    r->n = res->rows;
    r->last_pos = store_row(res, res->rows - 1)[0].i;
    r->last_seq = rlink_sent(r->sm->rlink, r->s->edge->node);
    list_append(&r->s->edge->replays, &r->link);
}

static void fetch(struct replay *r)
{
    r->fetching = true;
    r->appended = 0;
    store_run(r->sm->store, STMT_JOURNAL_AFTER,
              STORE_VALUES(STORE_I(r->a->id), STORE_I(r->a->delivered), STORE_I(PAGE_ROWS)), on_page, r);
}

/* The page has arrived: the cursor moves over it, its rows are dropped, the next one is fetched. */
static void page_done(struct replay *r)
{
    struct account *a = r->a;
    a->delivered = (uint64_t)r->last_pos;
    a->offline_n -= r->n < a->offline_n ? r->n : a->offline_n;
    store_run(r->sm->store, STMT_ACCOUNT_DELIVERED, STORE_VALUES(STORE_I(a->id), STORE_I(r->last_pos)), NULL,
              NULL);
    store_run(r->sm->store, STMT_JOURNAL_DROP, STORE_VALUES(STORE_I(a->id), STORE_I(r->last_pos)), NULL,
              NULL);
    list_unlink(&r->link);
    fetch(r);
}

void journal_acked(struct sessman *sm, struct edge *e)
{
    uint64_t acked = rlink_acked(sm->rlink, e->node);
    LIST_EACH(&e->replays, it) {
        struct replay *r = CONTAINER(it, struct replay, link);
        if (r->last_seq <= acked)
            page_done(r);
    }
}

void journal_replay(struct sessman *sm, struct session *s)
{
    struct account *a = s->account;
    if (a->replay && !a->replay->s)
        a->replay->s = s; /* whose page is on its way has ended */
    if (a->replay || !a->offline_n)
        return;
    struct replay *r = mem_new(sizeof *r);
    r->sm = sm;
    r->a = a;
    r->s = s;
    a->replay = r;
    account_hold(sm, a);
    fetch(r);
}

void journal_session_end(struct sessman *sm, struct session *s)
{
    struct replay *r = s->account->replay;
    if (!r || r->s != s)
        return;
    r->s = NULL;
    list_unlink(&r->link);
    LIST_EACH(&s->account->sessions, it) { /* another resource gets them, from the cursor on */
        struct session *other = CONTAINER(it, struct session, in_account);
        if (other != s && other->available && other->priority >= 0) {
            r->s = other;
            break;
        }
    }
    if (r->fetching)
        return;
    if (r->s)
        fetch(r);
    else
        replay_end(r);
    (void)sm;
}
