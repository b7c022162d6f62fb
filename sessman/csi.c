#include "sessman/csi.h"

#include <sodium.h>
#include "common/base/mem.h"
#include "common/xmpp/stanza.h"
#include "sessman/out.h"
#include "sessman/presence.h"

/* --- which: pure --- */

/* What may stand beside a chat state without saying anything: XEP-0085 5.1, XEP-0334, XEP-0359. */
static bool says_nothing(const struct node *c)
{
    return node_is(c, "thread", NS_CLIENT) || slice_is(c->ns, NS_HINTS) || slice_is(c->ns, NS_STANZA_ID);
}

/* The message that a carbon forwards (XEP-0280 7, 8), or NULL. */
static const struct node *carbon_of(const struct node *message)
{
    const struct node *way = node_child(message);
    if (!way || node_sibling(way) ||
        (!node_is(way, "sent", NS_CARBONS) && !node_is(way, "received", NS_CARBONS)))
        return NULL;
    return node_find(node_find(way, "forwarded", NS_FORWARD), "message", NS_CLIENT);
}

static enum csi_class message_class(const struct node *message)
{
    const struct node *copied = carbon_of(message);
    bool state = false;
    if (copied)
        message = copied;
    if (slice_is(node_attr(message, "type"), "error"))
        return CSI_IMPORTANT;
    for (const struct node *c = node_child(message); c; c = node_sibling(c)) {
        if (slice_is(c->ns, NS_CHATSTATES))
            state = true;
        else if (!says_nothing(c))
            return CSI_IMPORTANT;
    }
    return state ? CSI_CHATSTATE : CSI_IMPORTANT;
}

static enum csi_class presence_class(const struct node *presence)
{
    struct slice type = node_attr(presence, "type");
    if (type.len && !slice_is(type, "unavailable"))
        return CSI_IMPORTANT;
    const struct node *x = node_find(presence, "x", NS_MUC_USER);
    for (const struct node *st = node_find(x, "status", NS_MUC_USER); st;
         st = node_find_next(st, "status", NS_MUC_USER))
        if (slice_is(node_attr(st, "code"), "110"))
            return CSI_IMPORTANT;
    return CSI_PRESENCE;
}

enum csi_class csi_class_of(const struct node *stanza)
{
    if (node_is(stanza, "presence", NS_CLIENT))
        return presence_class(stanza);
    if (node_is(stanza, "message", NS_CLIENT))
        return message_class(stanza);
    return CSI_IMPORTANT;
}

static uint64_t hash(const struct sessman *sm, struct slice s)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t n;
    crypto_shorthash(out, (const unsigned char *)(s.len ? s.p : ""), s.len, sm->secret);
    memcpy(&n, out, sizeof n);
    return n;
}

static void find_out(struct sessman *sm, struct slice stanza, struct csi_what *what)
{
    struct arena *a = arena_take(sm->arenas);
    struct node *n;
    what->known = true;
    what->class = CSI_IMPORTANT;
    if (xmlin_parse(sm->xml, a, stanza, &sm->xml_limits, &n, NULL) == RC_OK)
        what->class = csi_class_of(n);
    if (what->class != CSI_IMPORTANT) {
        const struct node *copied = what->class == CSI_CHATSTATE ? carbon_of(n) : NULL;
        what->key = hash(sm, node_attr(copied ? copied : n, "from")) + what->class;
        if (copied) /* what its own other resources say to different people */
            what->key ^= hash(sm, node_attr(copied, "to"));
    }
    arena_give(sm->arenas, &a);
}

/* --- what is held --- */

struct held_stanza {
    uint64_t ticket;
    size_t to_at; /* CSI_HAS_TO */
    size_t len;
    char bytes[];
};
struct slot {
    uint64_t key;
    struct held_stanza *held;
};
struct csi {
    struct sessman *sm;
    struct session *s;
    struct timer timer; /* since the oldest */
    struct slot *slots; /* in order */
    size_t n, cap, bytes;
    bool stale; /* it has not heard of everything */
};

static void forget(struct csi *c)
{
    for (size_t i = 0; i < c->n; i++)
        mem_free(c->slots[i].held);
    MEM_FREE(&c->slots);
    c->n = c->cap = c->bytes = 0;
    timer_stop(&c->timer);
}

void csi_free(struct csi **cp)
{
    if (!*cp)
        return;
    forget(*cp);
    MEM_FREE(cp);
}

/* As if the session were active, so that nothing is held again. */
static void flush(struct csi *c)
{
    struct session *s = c->s;
    s->csi = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const struct held_stanza *h = c->slots[i].held;
        struct slice stanza = slice_of(h->bytes, h->len);
        if (h->to_at == CSI_HAS_TO)
            out_session(c->sm, h->ticket, s, stanza);
        else
            out_fanout(c->sm, h->ticket, &s, 1, stanza, h->to_at);
    }
    forget(c);
    s->csi = c;
}

void csi_flush(struct csi *c)
{
    if (c && c->n)
        flush(c);
}

static void on_time(struct timer *t)
{
    flush(CONTAINER(t, struct csi, timer));
}

/* The one before it says nothing any more. */
static void drop_older(struct csi *c, uint64_t key)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->slots[i].key != key)
            continue;
        c->bytes -= c->slots[i].held->len;
        mem_free(c->slots[i].held);
        memmove(&c->slots[i], &c->slots[i + 1], (--c->n - i) * sizeof *c->slots);
        metric_add(c->sm->metrics, M_CSI_DROPPED, 1);
        return;
    }
}

static void keep(struct csi *c, uint64_t key, uint64_t ticket, struct slice stanza, size_t to_at)
{
    const struct sessman_conf *conf = c->sm->conf;
    struct held_stanza *h = mem_new(sizeof *h + stanza.len);
    h->ticket = ticket;
    h->to_at = to_at;
    h->len = stanza.len;
    memcpy(h->bytes, stanza.p, stanza.len);
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 8;
        c->slots = mem_resize(c->slots, c->cap * sizeof *c->slots);
    }
    c->slots[c->n++] = (struct slot){ key, h };
    c->bytes += stanza.len;
    metric_add(c->sm->metrics, M_CSI_HELD, 1);
    if (c->n >= conf->csi_stanzas_max || c->bytes >= conf->csi_bytes_max)
        flush(c);
    else if (!timer_running(&c->timer))
        loop_timer(c->sm->loop, &c->timer, conf->csi_ms, on_time);
}

bool csi_hold(struct csi *c, uint64_t ticket, struct slice stanza, size_t to_at, struct csi_what *what)
{
    enum csi_policy policy = (enum csi_policy)c->sm->conf->csi_hold;
    if (!what->known)
        find_out(c->sm, stanza, what);
    if (what->class == CSI_IMPORTANT || policy == CSI_HOLD_NOTHING ||
        (what->class == CSI_CHATSTATE && policy == CSI_HOLD_PRESENCE)) {
        flush(c);
        return false;
    }
    drop_older(c, what->key);
    keep(c, what->key, ticket, stanza, to_at);
    return true;
}

void csi_set(struct sessman *sm, struct session *s, bool active)
{
    if (active && s->csi) {
        bool stale = s->csi->stale;
        flush(s->csi);
        csi_free(&s->csi);
        if (stale && s->available)
            presence_tell_all(sm, s->ticket, s);
    } else if (!active && !s->csi) {
        s->csi = mem_new(sizeof *s->csi);
        s->csi->sm = sm;
        s->csi->s = s;
    }
}

void csi_restored(struct sessman *sm, struct session *s)
{
    csi_set(sm, s, false);
    s->csi->stale = true;
}
