#include "sessman/presence.h"

#include "common/base/mem.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/out.h"
#include "sessman/session.h"

/* Sessions that get one stanza; handed on in full batches. */
struct targets {
    struct sessman *sm;
    uint64_t ticket;
    struct slice stanza;
    size_t to_at, n;
    struct session *list[256];
};

static void targets_send(struct targets *t)
{
    if (t->n)
        out_fanout(t->sm, t->ticket, t->list, t->n, t->stanza, t->to_at);
    t->n = 0;
}

static void targets_add(struct targets *t, const struct account *acc)
{
    LIST_EACH(&acc->sessions, it) {
        struct session *s = CONTAINER(it, struct session, in_account);
        if (!s->available)
            continue;
        if (t->n == sizeof t->list / sizeof t->list[0])
            targets_send(t);
        t->list[t->n++] = s;
    }
}

static bool contact_is_local(const struct sessman *sm, struct slice jid)
{
    return sessman_domain(sm, jid_domain_in(jid)) != NULL;
}

static void send_elsewhere(struct sessman *sm, uint64_t ticket, struct slice to, struct slice stanza,
                           size_t to_at)
{
    struct buf b = BUF_INIT(0);
    buf_slice(&b, slice_to(stanza, to_at));
    xmlout_attr(&b, "to", to);
    buf_slice(&b, slice_from(stanza, to_at));
    out_name(sm, ticket, to, buf_get(&b));
    buf_fini(&b);
}

void presence_broadcast(struct sessman *sm, uint64_t ticket, struct session *s, struct node *n)
{
    struct account *acc = s->account;
    struct buf b = BUF_INIT(0);
    struct targets t = { .sm = sm, .ticket = ticket };
    xmlout_node_to(&b, n, NS_CLIENT, &t.to_at);
    t.stanza = buf_get(&b);
    for (uint32_t i = 0; i < acc->roster.n; i++) {
        const struct roster_item *item = acc->roster.items[i];
        if (!(item->state & SUB_FROM))
            continue;
        struct account *contact = account_find(sm, roster_item_jid(item));
        if (contact)
            targets_add(&t, contact);
        else if (!contact_is_local(sm, roster_item_jid(item)))
            send_elsewhere(sm, ticket, roster_item_jid(item), t.stanza, t.to_at);
    }
    targets_add(&t, acc); /* RFC 6121 4.2.2: its own resources, itself among them */
    targets_send(&t);
    buf_fini(&b);
}

static void show_to_session(struct sessman *sm, uint64_t ticket, const struct account *acc, struct session *s)
{
    LIST_EACH(&acc->sessions, it) {
        const struct session *c = CONTAINER(it, struct session, in_account);
        if (c->available && c != s)
            out_fanout(sm, ticket, &s, 1, slice_of(c->presence, c->presence_len), c->presence_to_at);
    }
}

static void probe_elsewhere(struct sessman *sm, uint64_t ticket, const struct session *s,
                            struct slice contact)
{
    struct buf b = BUF_INIT(0);
    BUF_LIT(&b, "<presence type='probe'");
    xmlout_attr(&b, "from", session_jid(s));
    xmlout_attr(&b, "to", contact);
    BUF_LIT(&b, "/>");
    out_name(sm, ticket, contact, buf_get(&b));
    buf_fini(&b);
}

static bool is_there(const struct account *a)
{
    LIST_EACH(&a->sessions, it)
        if (CONTAINER(it, struct session, in_account)->available)
            return true;
    return false;
}

/* RFC 6121 4.3.2: one that is not there is so as a whole. */
static void show_absence(struct sessman *sm, uint64_t ticket, struct slice contact, struct session *s)
{
    struct buf b = BUF_INIT(0);
    BUF_LIT(&b, "<presence type='unavailable'");
    size_t to_at = b.len;
    xmlout_attr(&b, "from", contact);
    BUF_LIT(&b, "/>");
    out_fanout(sm, ticket, &s, 1, buf_get(&b), to_at);
    buf_fini(&b);
}

static void show_all(struct sessman *sm, uint64_t ticket, struct session *s, bool absent)
{
    struct account *acc = s->account;
    for (uint32_t i = 0; i < acc->roster.n; i++) {
        const struct roster_item *item = acc->roster.items[i];
        struct slice jid = roster_item_jid(item);
        if (!(item->state & SUB_TO))
            continue;
        const struct account *contact = account_find(sm, jid);
        bool local = contact || contact_is_local(sm, jid);
        /* both sides must agree: RFC 6121 4.3.2 */
        bool seen =
            contact && is_there(contact) && (roster_state(&contact->roster, account_bare(acc)) & SUB_FROM);
        if (seen)
            show_to_session(sm, ticket, contact, s);
        else if (local && absent)
            show_absence(sm, ticket, jid, s);
        else if (!local)
            probe_elsewhere(sm, ticket, s, jid);
    }
    show_to_session(sm, ticket, acc, s);
}

void presence_probe_all(struct sessman *sm, uint64_t ticket, struct session *s)
{
    show_all(sm, ticket, s, false);
}

void presence_tell_all(struct sessman *sm, uint64_t ticket, struct session *s)
{
    show_all(sm, ticket, s, true);
}

struct node *presence_unavailable(struct arena *a, const struct session *s)
{
    struct node *n = node_new(a, "presence", NS_CLIENT);
    node_set(a, n, "from", session_jid(s));
    node_set(a, n, "type", SLICE("unavailable"));
    return n;
}

void presence_show(struct sessman *sm, uint64_t ticket, const struct account *acc, const struct jid *to)
{
    struct arena *a = arena_take(sm->arenas);
    LIST_EACH(&acc->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        struct node *n;
        if (!s->available || xmlin_parse(sm->xml, a, slice_of(s->presence, s->presence_len), &sm->xml_limits,
                                         &n, NULL) != RC_OK)
            continue;
        node_set(a, n, "to", to->full);
        dispatch_stanza(sm, n, ticket);
    }
    arena_give(sm->arenas, &a);
}

void presence_hide(struct sessman *sm, uint64_t ticket, const struct account *acc, const struct jid *to)
{
    struct arena *a = arena_take(sm->arenas);
    LIST_EACH(&acc->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        if (!s->available)
            continue;
        struct node *n = presence_unavailable(a, s);
        node_set(a, n, "to", to->full);
        dispatch_stanza(sm, n, ticket);
    }
    arena_give(sm->arenas, &a);
}
