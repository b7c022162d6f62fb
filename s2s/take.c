/* s2s/take.c - a stanza of another server: who sent it, to whom, whether it may, and on its way (RFC 6120
 * 8, 4.9.3) */
#include "s2s/idle.h"
#include "s2s/link.h"
#include "s2s/pair.h"
#include "s2s/ping.h"
#include "s2s/ssm.h"
#include "s2s/wire.h"

#include "common/link/frame.h"

bool take_is_stanza(const struct node *n)
{
    return slice_is(n->name, "message") || slice_is(n->name, "presence") || slice_is(n->name, "iq");
}

/* RFC 6120 4.9.1.1: its side is over with it. */
static void on_peer_error(struct wire *w, const struct node *n)
{
    struct wire_log log;
    struct arena *a = arena_take(w->d->arenas);
    const struct node *child = node_child(n);
    struct slice cond = child ? child->name : SLICE_NONE,
                 text = node_child_text(a, n, "text", NS_STREAM_ERROR);
    struct why why = { "" };
    LOG_INFO(wire_log(w, &log, LOG_XMPP, NULL), "peer_error", F_SLICE("cond", cond), F_SLICE("text", text),
             F_STR("local", w->local), F_STR("remote", w->remote));
    why_set(&why, "the server says: " SLICE_FMT "%s" SLICE_FMT, SLICE_ARG(slice_to(cond, 64)),
            text.len ? ": " : "", SLICE_ARG(slice_utf8_cut(text, 120)));
    w->ended = true;
    if (w->ops->on_refused)
        w->ops->on_refused(w, cond, why.text);
    wire_end_why(w, why.text);
    arena_give(w->d->arenas, &a);
}

void take_other(struct wire *w, const struct node *n)
{
    if (node_is(n, "error", NS_STREAM)) {
        on_peer_error(w, n);
    } else if (take_is_stanza(n) && !slice_is(n->ns, NS_SERVER)) {
        wire_fail(w, STREAM_INVALID_NAMESPACE, "stanzas of servers are in jabber:server");
    } else if (take_is_stanza(n)) { /* before anything is proven */
        METRIC_INC(w->d->metrics, M_FROM_REFUSED);
        wire_fail(w, STREAM_NOT_AUTHORIZED, NULL);
    } else {
        wire_fail(w, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
    }
}

/* True: the stream has been ended. */
static bool addresses_are_bad(struct wire *w, const struct node *n, const struct stanza *s)
{
    if (!node_has(n, "to") || !node_has(n, "from")) { /* RFC 6120 8.1.1.2, 8.1.2.2 */
        wire_fail(w, STREAM_IMPROPER_ADDRESSING, "stanzas between servers have 'from' and 'to'");
    } else if (!s->has_from) {
        wire_fail(w, STREAM_IMPROPER_ADDRESSING, "'from' is no address");
    } else if (s->has_to && link_ours(w->d, s->to.domain) == OURS_NOT) {
        METRIC_INC(w->d->metrics, M_TO_REFUSED);
        wire_fail(w, STREAM_HOST_UNKNOWN, NULL);
    } else if (w->ops->may_send(w, s->has_to ? s->to.domain : wire_local(w), s->from.domain) == PROOF_NONE) {
        struct wire_log log;
        METRIC_INC(w->d->metrics, M_FROM_REFUSED);
        LOG_WARN(wire_log(w, &log, LOG_XMPP, "stanza"), "from_refused", F_SLICE("from", s->from.domain),
                 F_SLICE("to", s->has_to ? s->to.domain : SLICE_NONE), F_STR("remote", w->remote));
        wire_fail(w, STREAM_INVALID_FROM, NULL);
    } else {
        return false;
    }
    return true;
}

/* The answer goes as any stanza of ours to that domain. */
static void answer(struct wire *w, struct arena *a, const struct stanza *s, enum stanza_cond cond,
                   const char *text)
{
    struct node *error = stanza_error(a, s, cond, text);
    METRIC_INC(w->d->metrics, M_STANZA_ERRORS);
    if (!error)
        return;
    if (!s->has_to) /* nobody is there to answer: the server does */
        node_set(a, error, "from", wire_local(w));
    struct pair *p = pair_get(w->d, s->has_to ? s->to.domain : wire_local(w), s->from.domain);
    if (!p)
        return;
    struct buf out = BUF_INIT(0);
    xmlout_node(&out, error, NS_SERVER);
    pair_send(p, item_new(p, buf_get(&out), 0, 0));
    buf_fini(&out);
}

/* What the limits say of one stanza of so many bytes. True: it is to be forgotten. */
static bool limited(struct wire *w, struct slice remote, size_t bytes)
{
    struct s2s *d = w->d;
    struct limit_use *domain = remotes_use(d->remotes, remote, w->last_in_ms);
    struct limit_verdict one = limit_take(&w->use, d->rules, LIMIT_OF_CONNECTION, w->last_in_ms, 1, 0);
    struct limit_verdict all = limit_take(domain, d->rules, LIMIT_OF_DOMAIN, w->last_in_ms, 1, bytes);
    if (all.action > one.action)
        one = all;
    if (one.action == LIMIT_NONE)
        return false;
    idle_limit(w, &one);
    if (one.action == LIMIT_DROP)
        METRIC_INC(d->metrics, M_LIMIT_DROPPED);
    return one.action != LIMIT_PAUSE;
}

static void pass_on(struct wire *w, struct arena *a, const struct stanza *s)
{
    struct s2s *d = w->d;
    struct link_sent sent = { NULL, 0 };
    enum rc rc = link_send(d, &s->to, buf_get(&d->scratch), &sent);
    if (rc != RC_OK)
        answer(w, a, s, rc == RC_LIMIT ? COND_RESOURCE_CONSTRAINT : COND_SERVICE_UNAVAILABLE, NULL);
    else
        METRIC_INC(d->metrics, M_STANZAS_IN);
    ssm_stanza(w, &sent);
    if (!link_full(d, &sent) || link_in_list(&w->room))
        return;
    METRIC_INC(d->metrics, M_LIMIT_ROOM);
    list_append(&d->rooms, &w->room);
}

/* The stanza was dealt with here. */
static void dealt_with(struct wire *w)
{
    struct link_sent none = { NULL, 0 };
    ssm_stanza(w, &none);
}

void take_stanza(struct wire *w, struct arena *a, struct node *n)
{
    struct s2s *d = w->d;
    struct stanza s = { 0 };
    enum stanza_cond cond = COND_BAD_REQUEST;
    if (!slice_is(n->ns, NS_SERVER) || !take_is_stanza(n)) {
        take_other(w, n);
        return;
    }
    enum rc rc = stanza_read(a, n, &s, &cond);
    if (addresses_are_bad(w, n, &s))
        return;
    if (rc == RC_OK && ping_take(w, &s)) {
        dealt_with(w);
        return;
    }
    if (rc != RC_OK || !ping_is(&s))
        w->busy_ms = w->last_in_ms;
    w->stanzas_in++;
    if (rc == RC_OK) {
        node_set(a, n, "to", s.to.full);
        node_set(a, n, "from", s.from.full);
    }
    buf_reset(&d->scratch);
    xmlout_node(&d->scratch, n, NS_SERVER);
    if (limited(w, s.from.domain, d->scratch.len)) {
        dealt_with(w);
    } else if (rc != RC_OK || d->scratch.len > FRAME_STANZA_MAX) {
        dealt_with(w);
        answer(w, a, &s, rc != RC_OK ? cond : COND_POLICY_VIOLATION, NULL);
    } else {
        pass_on(w, a, &s);
    }
}
