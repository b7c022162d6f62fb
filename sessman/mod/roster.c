/* sessman/mod/roster.c - roster get and set (RFC 6121 2; versioning: 2.6) */
#include "sessman/account.h"
#include "sessman/module.h"
#include "sessman/presence.h"
#include "sessman/restore.h"
#include "sessman/rosterpush.h"
#include "sessman/session.h"

/* Bytes of a handle or group name; longer is not-acceptable (RFC 6121 2.3.3). */
#define ROSTER_NAME_MAX     1023
#define ROSTER_GROUPS_N_MAX 256   /* groups of an item: each is compared with all before it */
#define ROSTER_GROUPS_MAX   16384 /* bytes of all groups of an item */

static void answer_get(struct incoming *in)
{
    const struct account *acc = in->target;
    struct slice ver = arena_fmt(in->a, "%llu", (unsigned long long)acc->roster.version);
    if (node_has(in->st.payload, "ver") && slice_eq(node_attr(in->st.payload, "ver"), ver)) {
        in_result(in, NULL); /* RFC 6121 2.6.3: nothing has changed */
        return;
    }
    struct node *query = node_new(in->a, "query", NS_ROSTER);
    node_set(in->a, query, "ver", ver);
    for (uint32_t i = 0; i < acc->roster.n; i++)
        if (acc->roster.items[i]->state & SUB_LISTED)
            roster_item_write(in->a, query, acc->roster.items[i]);
    in_result(in, query);
}

static enum handled on_get(struct incoming *in)
{
    struct session *s = in->session;
    if (!s || node_child(in->st.payload)) { /* RFC 6121 2.1.3: no item in a get */
        in_error(in, COND_BAD_REQUEST, NULL);
        return HANDLED;
    }
    answer_get(in);
    if (!s->interested) {
        s->interested = true;
        in_wrote(in, session_dirty(in->sm, s)); /* behind the answer, which need not wait for it */
    }
    return HANDLED;
}

/* RFC 6121 2.3.3. *groups gets the names, each followed by \n. False: answered with an error. */
static bool groups_read(struct incoming *in, const struct node *item, struct slice *groups)
{
    struct buf b = BUF_INIT(ROSTER_GROUPS_MAX);
    enum stanza_cond cond = COND_BAD_REQUEST;
    bool ok = true;
    unsigned n = 0;
    for (const struct node *g = node_find(item, "group", NS_ROSTER); ok && g;
         g = node_find_next(g, "group", NS_ROSTER)) {
        struct slice name = node_text(in->a, g);
        if (!name.len || name.len > ROSTER_NAME_MAX || slice_find(name, '\n') >= 0 ||
            ++n > ROSTER_GROUPS_N_MAX) {
            cond = COND_NOT_ACCEPTABLE;
            ok = false;
        }
        for (const struct node *o = node_find(item, "group", NS_ROSTER); ok && o != g;
             o = node_find_next(o, "group", NS_ROSTER))
            ok = !slice_eq(node_text(in->a, o), name); /* a group twice */
        buf_slice(&b, name);
        buf_byte(&b, '\n');
    }
    if (ok && b.over) {
        cond = COND_NOT_ACCEPTABLE;
        ok = false;
    }
    *groups = arena_copy(in->a, buf_get(&b));
    buf_fini(&b);
    if (!ok)
        in_error(in, cond, NULL);
    return ok;
}

/* A subscription stanza in the user's name, as if it had sent it. */
static void tell_contact(struct incoming *in, struct slice to, const char *type)
{
    struct node *p = node_new(in->a, "presence", NS_CLIENT);
    node_set(in->a, p, "from", account_bare(in->target));
    node_set(in->a, p, "to", to);
    node_set(in->a, p, "type", slice_cstr(type));
    dispatch_generated(in, p);
}

/* RFC 6121 2.5: with the item go the subscriptions, both ways. */
static void item_remove(struct incoming *in, const struct jid *jid)
{
    struct account *acc = in->target;
    uint8_t state = roster_state(&acc->roster, jid->full);
    if (!(state & SUB_LISTED)) {
        in_error(in, COND_ITEM_NOT_FOUND, NULL);
        return;
    }
    in_wrote(in, roster_remove(&acc->roster, in->sm->store, acc->id, jid->full));
    roster_push(in->sm, in->ticket, acc, jid->full);
    in_result(in, NULL);
    if (state & (SUB_TO | SUB_ASK))
        tell_contact(in, jid_bare(jid), "unsubscribe");
    if (state & SUB_FROM) {
        struct jid bare = jid_to_bare(jid);
        presence_hide(in->sm, in->ticket, acc, &bare);
    }
    if (state & (SUB_FROM | SUB_IN))
        tell_contact(in, jid_bare(jid), "unsubscribed");
}

static void item_set(struct incoming *in, const struct jid *jid, const struct node *item)
{
    struct account *acc = in->target;
    struct slice name = node_attr(item, "name"), groups;
    uint8_t state = roster_state(&acc->roster, jid->full);
    if (name.len > ROSTER_NAME_MAX) {
        in_error(in, COND_NOT_ACCEPTABLE, NULL);
        return;
    }
    if (!groups_read(in, item, &groups))
        return;
    if (!roster_has_room(&acc->roster, in->sm->conf->roster_items_max, jid->full, name, groups)) {
        metric_add(in->sm->metrics, M_LIMIT_ROSTER, 1);
        in_error(in, COND_RESOURCE_CONSTRAINT, "the roster is full");
        return;
    }
    /* subscription= and ask= of a client mean nothing here (RFC 6121 2.1.2.2, 2.1.2.5). */
    struct roster_change c = { jid->full, &name, &groups, NULL, (uint8_t)(state | SUB_LISTED) };
    in_wrote(in, roster_set(&acc->roster, in->sm->store, acc->id, &c));
    roster_push(in->sm, in->ticket, acc, jid->full);
    in_result(in, NULL);
}

static enum handled on_set(struct incoming *in)
{
    const struct node *item = node_find(in->st.payload, "item", NS_ROSTER);
    struct jid jid;
    if (!item || node_children(in->st.payload) != 1) {
        in_error(in, COND_BAD_REQUEST, NULL); /* RFC 6121 2.3.3: not exactly one item */
    } else if (jid_parse(in->a, node_attr(item, "jid"), &jid, NULL) != RC_OK) {
        in_error(in, COND_JID_MALFORMED, NULL);
    } else if (slice_eq(jid_bare(&jid), account_bare(in->target))) {
        in_error(in, COND_NOT_ALLOWED, "your own address");
    } else if (slice_is(node_attr(item, "subscription"), "remove")) {
        item_remove(in, &jid);
    } else {
        item_set(in, &jid, item);
    }
    return HANDLED;
}

static enum handled on_foreign(struct incoming *in)
{
    in_error(in, COND_FORBIDDEN, NULL); /* RFC 6121 2.3.3: another's roster */
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_GET, NS_ROSTER, "query", TO_OWN_ACCOUNT, on_get },
    { ON_IQ_SET, NS_ROSTER, "query", TO_OWN_ACCOUNT, on_set },
    { ON_IQ_GET | ON_IQ_SET, NS_ROSTER, "query", TO_ACCOUNT, on_foreign },
    { ON_IQ_SET, NS_ROSTER, "query", TO_RESOURCE, on_foreign }, /* RFC 6121 2.1.6: a push is the server's */
    { 0 },
};
const struct module mod_roster = {
    .name = "roster",
    .spec = "RFC 6121 2",
    .stream_features = "<ver xmlns='" NS_ROSTERVER "'/>",
    .handlers = handlers,
};
