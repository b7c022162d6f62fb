#include "sessman/carbons.h"

#include <limits.h>
#include <sodium.h>
#include "common/base/mem.h"
#include "common/xmpp/forward.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/journal.h"
#include "sessman/out.h"
#include "sessman/session.h"
#include "sessman/restore.h"

/* --- which: pure --- */

/* XEP-0280 6.1: payloads typically used in instant messaging. */
static bool is_im_payload(const struct node *c)
{
    return slice_is(c->ns, NS_RECEIPTS) || slice_is(c->ns, NS_CHATSTATES) || slice_is(c->ns, NS_MARKERS);
}

bool carbons_eligible(const struct stanza *st, enum carbons_dir dir)
{
    bool payload = st->type == MESSAGE_CHAT, occupant = false;
    if (st->kind != STANZA_MESSAGE || st->type == MESSAGE_GROUPCHAT || st->type == MESSAGE_ERROR)
        return false;
    for (const struct node *c = node_child(st->node); c; c = node_sibling(c)) {
        if (node_is(c, "private", NS_CARBONS) ||
            node_is(c, "no-copy", NS_HINTS)) /* XEP-0280 9, XEP-0334 4.3 */
            return false;
        if (node_is(c, "x", NS_MUC_USER)) {
            payload |= node_find(c, "invite", NS_MUC_USER) != NULL;
            occupant |= !node_find(c, "invite", NS_MUC_USER);
        }
        payload |= is_im_payload(c) || node_is(c, "x", NS_CONFERENCE) ||
                   (st->type == MESSAGE_NORMAL && node_is(c, "body", NS_CLIENT));
    }
    if (occupant && dir == CARBONS_RECEIVED && st->has_from && st->from.resource.len)
        return false; /* of an occupant: the room has sent it to each of the account's own resources that are
                         in it */
    return payload;
}

bool carbons_strip(struct node *message)
{
    struct node *c = node_child(message), *next;
    bool found = false;
    for (; c; c = next) {
        next = node_sibling(c);
        if (slice_is(c->ns, NS_CARBONS) && (slice_is(c->name, "sent") || slice_is(c->name, "received"))) {
            node_unlink(c);
            found = true;
        }
    }
    return found;
}

/* --- errors that answer what was copied --- */

struct carbons_trail {
    unsigned next;
    uint64_t seen[CARBONS_TRAIL];
};

static uint64_t trail_hash(const struct sessman *sm, enum carbons_dir dir, const struct jid *peer,
                           struct slice id)
{
    unsigned char sums[2][crypto_shorthash_BYTES];
    uint64_t a, b;
    crypto_shorthash(sums[0], (const unsigned char *)peer->full.p, peer->full.len, sm->secret);
    crypto_shorthash(sums[1], (const unsigned char *)id.p, id.len, sm->secret);
    memcpy(&a, sums[0], sizeof a);
    memcpy(&b, sums[1], sizeof b);
    return (a ^ (b << 1 | b >> 63)) + (uint64_t)dir;
}

static void trail_note(struct sessman *sm, struct account *a, enum carbons_dir dir, const struct jid *peer,
                       struct slice id)
{
    if (!id.len)
        return;
    if (!a->carbons)
        a->carbons = mem_new(sizeof *a->carbons);
    a->carbons->seen[a->carbons->next++ % CARBONS_TRAIL] = trail_hash(sm, dir, peer, id);
}

static bool trail_has(struct sessman *sm, const struct account *a, enum carbons_dir dir,
                      const struct jid *peer, struct slice id)
{
    if (!a->carbons || !id.len)
        return false;
    uint64_t hash = trail_hash(sm, dir, peer, id);
    for (unsigned i = 0; i < CARBONS_TRAIL; i++)
        if (a->carbons->seen[i] == hash)
            return true;
    return false;
}

void carbons_trail_free(struct carbons_trail **t)
{
    MEM_FREE(t);
}

/* --- the copies --- */

/* One message on its way to an account's other resources. */
struct copying {
    const struct incoming *in;
    const struct account *a;
    const struct session *sender, *match; /* have it already; may be NULL */
    int least;                            /* and so have available ones of this priority */
    enum carbons_dir dir;
};

static bool wants(const struct copying *c, const struct session *s)
{
    return s->carbons && s != c->sender && s != c->match && !(s->available && s->priority >= c->least);
}

static bool anybody(const struct copying *c)
{
    LIST_EACH(&c->a->sessions, it)
        if (wants(c, CONTAINER(it, struct session, in_account)))
            return true;
    return false;
}

/* XEP-0280 7, 8. The original is in the copy only while that is written. */
static size_t write_copy(const struct copying *c)
{
    struct sessman *sm = c->in->sm;
    struct arena *a = c->in->a;
    struct node *copy = node_new(a, "message", NS_CLIENT);
    size_t to_at;
    node_set(a, copy, "from", account_bare(c->a));
    if (node_has(c->in->st.node, "type"))
        node_set(a, copy, "type", node_attr(c->in->st.node, "type"));
    struct node *way = node_add(a, copy, c->dir == CARBONS_SENT ? "sent" : "received", NS_CARBONS);
    forward_add(a, way, FORWARD_NO_DELAY, c->in->st.node);
    buf_reset(&sm->scratch);
    xmlout_node_to(&sm->scratch, copy, NS_CLIENT, &to_at);
    node_unlink(c->in->st.node);
    return to_at;
}

static void send_copies(const struct copying *c)
{
    struct sessman *sm = c->in->sm;
    struct session *list[64];
    size_t k = 0, to_at = write_copy(c);
    LIST_EACH(&c->a->sessions, it) {
        struct session *s = CONTAINER(it, struct session, in_account);
        if (!wants(c, s))
            continue;
        list[k++] = s;
        metric_add(sm->metrics, M_CARBONS, 1);
        if (k == sizeof list / sizeof *list) {
            out_fanout(sm, c->in->ticket, list, k, buf_get(&sm->scratch), to_at);
            k = 0;
        }
    }
    if (k)
        out_fanout(sm, c->in->ticket, list, k, buf_get(&sm->scratch), to_at);
}

/* XEP-0280 6.1. */
static bool eligible(const struct copying *c, const struct jid *peer)
{
    enum carbons_dir other = c->dir == CARBONS_SENT ? CARBONS_RECEIVED : CARBONS_SENT;
    const struct stanza *st = &c->in->st;
    if (st->type == MESSAGE_ERROR)
        return trail_has(c->in->sm, c->a, other, peer, st->id);
    return carbons_eligible(st, c->dir);
}

static void copy(const struct copying *c, struct account *a, const struct jid *peer)
{
    if (!anybody(c) || !eligible(c, peer))
        return;
    send_copies(c);
    if (c->in->st.type != MESSAGE_ERROR)
        trail_note(c->in->sm, a, c->dir, peer, c->in->st.id);
}

void carbons_received(struct incoming *in, const struct session *match, int least)
{
    struct account *a = in->target;
    if (!a || in->refused || !in->st.has_from)
        return;
    bool own = slice_eq(jid_bare(&in->st.from), account_bare(a)); /* a note to oneself is one that was sent */
    struct copying c = {
        in, a, own ? in->session : NULL, match, least, own ? CARBONS_SENT : CARBONS_RECEIVED
    };
    copy(&c, a, own ? &in->st.to : &in->st.from);
}

/* XEP-0313 5.1.1, XEP-0359 3: as it stands in the sender's archive, not in that of who got it. */
static void change_id(struct incoming *in, const struct account *a)
{
    struct node *id = node_find(in->st.node, "stanza-id", NS_STANZA_ID);
    while (id && (!in->target || !slice_eq(node_attr(id, "by"), account_bare(in->target))))
        id = node_find_next(id, "stanza-id", NS_STANZA_ID);
    if (id)
        node_unlink(id);
    if (in->kept_pos)
        journal_id_add(in->sm, in->a, in->st.node, account_bare(a), in->kept_pos);
}

void carbons_sent(struct incoming *in)
{
    struct account *a = in->session ? in->session->account : account_find(in->sm, jid_bare(&in->st.from));
    if (!a || in->refused || slice_eq(jid_bare(&in->st.to), account_bare(a)))
        return;
    struct copying c = { in, a, in->session, NULL, INT_MAX, CARBONS_SENT };
    if (anybody(&c))
        change_id(in, a);
    copy(&c, a, &in->st.to);
}

void carbons_enable(struct sessman *sm, struct session *s, bool on)
{
    s->carbons = on;
    session_dirty(sm, s);
}
