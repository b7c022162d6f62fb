#include "sessman/fast.h"

#include <assert.h>
#include <sodium.h>
#include "common/base/mem.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/archive.h"
#include "sessman/dispatch.h"
#include "sessman/edges.h"
#include "sessman/journalin.h"
#include "sessman/out.h"

enum { LOOK_MS = 20 };

struct message {
    struct link all;        /* in fast->pending */
    struct link of_sender;  /* in sender->fast */
    struct session *sender; /* NULL: it has ended */
    struct edge *edge;      /* its; NULL: it is lost */
    uint64_t seq;           /* of the frame there */
    uint64_t pos, came_ms;
    int64_t owner;
    int64_t owner_peer; /* of the sender, once it has ended */
    uint32_t len;
    char bytes[];
};
struct fast {
    struct sessman *sm;
    struct idmap *by_pos; /* owns them */
    struct link pending;  /* head; in order of position */
    size_t bytes;
    bool moved;
    struct timer look;
};

void fast_new(struct sessman *sm)
{
    struct fast *f = sm->fast = mem_new(sizeof *f);
    f->sm = sm;
    f->by_pos = idmap_new();
    list_init(&f->pending);
}

static void message_free(struct fast *f, struct message *m)
{
    idmap_remove(f->by_pos, m->pos);
    f->bytes -= m->len;
    list_unlink(&m->all);
    list_unlink(&m->of_sender);
    mem_free(m);
}

void fast_free(struct sessman *sm)
{
    struct fast *f = sm->fast;
    if (!f)
        return;
    timer_stop(&f->look);
    LIST_EACH(&f->pending, it)
        message_free(f, CONTAINER(it, struct message, all));
    idmap_free(&f->by_pos);
    MEM_FREE(&sm->fast);
}

uint64_t fast_origin(const struct sessman *sm, const struct edge *e, uint64_t seq)
{
    const uint64_t frame[3] = { e->node->id, rlink_incarnation(e->node), seq };
    uint64_t hash;
    static_assert(crypto_shorthash_BYTES == sizeof hash && crypto_shorthash_KEYBYTES <= sizeof sm->secret,
                  "a hash is an origin");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)frame, sizeof frame, sm->secret);
    return hash ? hash : 1;
}

/* --- their rows --- */

static uint64_t write(struct fast *f, struct message *m)
{
    struct sessman *sm = f->sm;
    uint64_t ticket = 0;
    if (cursor_written(sm, m->owner, m->pos)) { /* else its account is gone */
        struct journal_row row = { .pos = m->pos,
                                   .age_ms = (int64_t)(loop_now_ms(sm->loop) - m->came_ms),
                                   .flags = JOURNAL_DELIVER,
                                   .owner = m->owner,
                                   .owner_peer =
                                       m->sender ? journal_peer(sm, session_bare(m->sender)) : m->owner_peer,
                                   .stanza = slice_of(m->bytes, m->len) };
        ticket = journal_append(sm, &row);
        metric_add(sm->metrics, M_FAST_ROWS, 1);
    }
    if (m->sender && ticket > m->sender->ticket)
        m->sender->ticket = ticket;
    if (m->edge)
        edge_frame_done(m->edge, m->seq, ticket);
    message_free(f, m);
    return ticket;
}

void fast_write(struct sessman *sm, uint64_t pos)
{
    struct message *m = idmap_get(sm->fast->by_pos, pos);
    if (m)
        write(sm->fast, m);
}

uint64_t fast_write_of(struct sessman *sm, const struct session *s)
{
    uint64_t ticket = 0;
    LIST_EACH(&s->fast, it) {
        uint64_t own = write(sm->fast, CONTAINER(it, struct message, of_sender));
        if (own > ticket)
            ticket = own;
    }
    return ticket;
}

/* Edges that are slow, or out of reach. */
static void on_look(struct timer *timer)
{
    struct fast *f = CONTAINER(timer, struct fast, look);
    uint64_t now = loop_now_ms(f->sm->loop);
    while (!list_empty(&f->pending)) {
        struct message *m = CONTAINER(f->pending.next, struct message, all);
        if (m->came_ms + FAST_MS > now) {
            loop_timer(f->sm->loop, timer, LOOK_MS, on_look);
            return;
        }
        write(f, m);
    }
}

/* --- settled --- */

bool fast_has(const struct sessman *sm, uint64_t pos)
{
    return idmap_get(sm->fast->by_pos, pos) != NULL;
}

/* That its sender's frame is dealt with is to be in the store before the edge that had it may forget it. */
void fast_settled(struct sessman *sm, uint64_t pos)
{
    struct fast *f = sm->fast;
    struct message *m = idmap_get(f->by_pos, pos);
    if (!m)
        return;
    f->moved = true;
    journal_tick_on(sm->journal);
    if (m->edge) {
        m->edge->wrote = true;
        edge_frame_done(m->edge, m->seq, 0);
    }
    message_free(f, m);
}

bool fast_moved(struct sessman *sm)
{
    bool moved = sm->fast && sm->fast->moved;
    if (moved)
        sm->fast->moved = false;
    return moved;
}

uint64_t fast_low(const struct sessman *sm)
{
    const struct fast *f = sm->fast;
    return f && !list_empty(&f->pending) ? CONTAINER(f->pending.next, struct message, all)->pos : 0;
}

void fast_sender_gone(struct sessman *sm, struct session *s)
{
    LIST_EACH(&s->fast, it) {
        struct message *m = CONTAINER(it, struct message, of_sender);
        m->owner_peer = journal_peer(sm, session_bare(s));
        m->sender = NULL;
        list_unlink(it);
    }
}

void fast_edge_gone(struct sessman *sm, const struct edge *e)
{
    if (!sm->fast)
        return;
    LIST_EACH(&sm->fast->pending, it) {
        struct message *m = CONTAINER(it, struct message, all);
        if (m->edge == e)
            m->edge = NULL;
    }
}

/* --- which --- */

static bool gets_it(const struct session *s, const struct session *match, int best)
{
    return match ? s == match : s->available && s->priority >= best;
}

/* Of its own stream nothing waits that this would overtake. */
static bool is_free(const struct session *s, uint64_t committed)
{
    return s->edge && !s->edge->rejoining && !s->sm && !s->csi && s->held_ticket <= committed;
}

/* Everybody who is to get it can have it now, and nobody else is told of it. */
static bool receivers_are_free(const struct incoming *in, const struct session *match, int best)
{
    uint64_t committed = store_committed(in->sm->store);
    LIST_EACH(&in->target->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        bool gets = gets_it(s, match, best);
        if (gets ? !is_free(s, committed) : s->carbons)
            return false;
    }
    LIST_EACH(&in->session->account->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        if (in->copied && s != in->session && s->carbons) /* XEP-0280: it might be copied twice */
            return false;
    }
    return true;
}

static bool account_is_free(const struct account *a)
{
    return !a->gone && !a->unsent && !a->replay && !a->flexible && !a->push &&
           !(a->cursor && a->cursor->adrift);
}

static bool sender_is_free(const struct incoming *in)
{
    return in->edge && in->seq && in->session && !in->session->sm &&
           in->ticket <= store_committed(in->sm->store);
}

static bool is_archived(const struct incoming *in)
{
    struct account *from = in->session->account;
    return archive_wanted(in->sm, in->target, jid_bare(&in->st.from), &in->st) ||
           (from != in->target && archive_wanted(in->sm, from, jid_bare(&in->st.to), &in->st));
}

static bool has_room(const struct fast *f, size_t bytes)
{
    return idmap_count(f->by_pos) < FAST_MAX && f->bytes + bytes <= FAST_BYTES && bytes <= FRAME_STANZA_MAX;
}

static struct message *message_new(struct fast *f, struct incoming *in, struct slice stanza)
{
    struct sessman *sm = f->sm;
    struct message *m = mem_new(sizeof *m + stanza.len);
    m->sender = in->session;
    m->edge = in->edge;
    m->seq = in->seq;
    m->pos = journal_position(sm);
    m->came_ms = loop_now_ms(sm->loop);
    m->owner = in->target->id;
    m->len = (uint32_t)stanza.len;
    memcpy(m->bytes, stanza.p, stanza.len);
    f->bytes += m->len;
    idmap_put(f->by_pos, m->pos, m);
    list_append(&f->pending, &m->all);
    list_append(&in->session->fast, &m->of_sender);
    if (!timer_running(&f->look))
        loop_timer(sm->loop, &f->look, LOOK_MS, on_look);
    return m;
}

bool fast_deliver(struct incoming *in, const struct session *match, int best)
{
    struct sessman *sm = in->sm;
    struct fast *f = sm->fast;
    if (!f || !sender_is_free(in) || !account_is_free(in->target) || !receivers_are_free(in, match, best) ||
        node_find(in->st.node, "amp", NS_AMP) || is_archived(in))
        return false;
    buf_reset(&sm->scratch);
    xmlout_node(&sm->scratch, in->st.node, NS_CLIENT);
    struct slice stanza = buf_get(&sm->scratch);
    if (!has_room(f, stanza.len))
        return false;
    const struct message *m = message_new(f, in, stanza);
    uint64_t origin = fast_origin(sm, in->edge, in->seq);
    edge_frame_wait(in->edge, in->seq);
    in->edge = NULL; /* the frame is dealt with when this is */
    metric_add(sm->metrics, M_FAST, 1);
    LIST_EACH(&in->target->sessions, it) {
        struct session *s = CONTAINER(it, struct session, in_account);
        if (!gets_it(s, match, best))
            continue;
        journal_outstanding(sm, in->target, m->pos, JOURNAL_DELIVER | JOURNAL_UNWRITTEN);
        out_at_once(sm, s, m->pos, origin, stanza);
    }
    return true;
}
