/* httpgw/boshreq.c - BOSH requests: whose they are, whether it is their turn, what is in them (XEP-0124 7 to
 * 15, XEP-0206) */
#include "common/base/mem.h"
#include "httpgw/boshpeer.h"

enum { WRAPPER_BYTES = 2048, WRAPPER_ELEMENTS = 16 }; /* of <body/> itself, over what a stanza may have */

static void on_late(struct timer *t)
{
    struct bosh_request *q = CONTAINER(t, struct bosh_request, timer);
    q->late = true;
    bosh_dirty(q->session);
}

void boshreq_hold(struct bosh_request *q)
{
    loop_timer(q->session->all->d->run->loop, &q->timer, q->session->wait_ms, on_late);
}

struct bosh_request *boshreq_new(struct bosh_all *all)
{
    struct bosh_request *q = mem_new(sizeof *q);
    q->all = all;
    return q;
}

void boshreq_gone(void *owner)
{
    struct bosh_request *q = owner;
    if (q->relay)
        boshpeer_cancel(q->relay);
    if (q->session)
        boshwin_forget(&q->session->window, q);
    timer_stop(&q->timer);
    mem_free(q->body);
    mem_free(q);
}

/* --- what is in it --- */

static bool is_true(struct slice s)
{
    return slice_is(s, "true") || slice_is(s, "1");
}

/* A stream header's node, from what <body/> says: XEP-0206 4. */
static struct node *header_of(struct arena *a, const struct node *body)
{
    struct node *h = node_new(a, "stream", NS_STREAM);
    struct slice version = node_attr_ns(body, "version", NS_XBOSH);
    node_set(a, h, "xmlns", SLICE(NS_CLIENT));
    node_set(a, h, "version", version.len ? version : SLICE("1.0"));
    if (node_has(body, "to"))
        node_set(a, h, "to", node_attr(body, "to"));
    if (node_has(body, "from"))
        node_set(a, h, "from", node_attr(body, "from"));
    struct slice lang = node_attr_ns(body, "lang", NS_XML);
    if (lang.len)
        node_set_ns(a, h, "lang", NS_XML, lang);
    return h;
}

/* Some clients take httpbind's namespace for that of stanzas: XEP-0206 3. */
static void to_client_ns(struct node *n)
{
    if (slice_is(n->ns, NS_BOSH))
        n->ns = SLICE(NS_CLIENT);
    for (struct node *child = node_child(n); child; child = node_sibling(child))
        to_client_ns(child);
}

static void take_child(struct bosh *s, struct arena *a, struct node *n)
{
    struct client *c = &s->client;
    if (c->nego && !c->nego->has_header)
        client_fail(c, STREAM_BAD_FORMAT, "a restart of the stream is expected");
    else if (slice_is(n->ns, NS_STREAM) && slice_is(n->name, "stream"))
        client_fail(c, STREAM_INVALID_NAMESPACE, "a stream header");
    else
        client_element(c, a, n);
}

static void take_payload(struct bosh *s, struct arena *a, struct node *body)
{
    struct node *next, *n = node_child(body);
    to_client_ns(body);
    for (; n && s->client.state != CLIENT_CLOSED; n = next) {
        next = node_sibling(n);
        node_unlink(n);
        take_child(s, a, n);
    }
}

/* XEP-0124 10. False: it asks for more than it may. */
static bool take_pause(struct bosh *s, const struct node *n)
{
    uint64_t seconds;
    if (!node_has(n, "pause"))
        return true;
    if (slice_u64(node_attr(n, "pause"), s->all->d->conf->pause_ms / 1000, &seconds) != RC_OK || !seconds)
        return false;
    s->pause_ms = (uint32_t)seconds * 1000;
    return true;
}

/* XEP-0124 12: nothing was asked and nothing answered, and it is back at once. What two requests took on
 * their way may differ, so a client that is on time may seem to be early by some of it. */
static bool polls_too_often(struct bosh *s, bool empty)
{
    uint64_t now = loop_now_ms(s->all->d->run->loop), least = s->all->d->conf->polling_ms / 4 * 3;
    bool often = empty && !s->hold && s->last_empty_ms && now < s->last_empty_ms + least;
    s->last_empty_ms = empty ? now : 0;
    return often;
}

static void take_ack(struct bosh *s, uint64_t rid, const struct node *n)
{
    uint64_t ack;
    if (!s->acks)
        return;
    if (!node_has(n, "ack"))
        boshwin_acked(&s->window, rid - 1); /* XEP-0124 9.2: it has all */
    else if (slice_u64(node_attr(n, "ack"), BOSHWIN_RID_MAX, &ack) == RC_OK)
        boshwin_acked(&s->window, ack);
}

void boshreq_process(struct bosh *s, struct bosh_request *q, struct arena *a, struct node *n)
{
    struct client *c = &s->client;
    bool ends = slice_is(node_attr(n, "type"), "terminate");
    bool restarts = is_true(node_attr_ns(n, "restart", NS_XBOSH));
    timer_stop(&s->timer);
    take_ack(s, s->window.top, n);
    if (boshkey_check(&s->key, node_attr(n, "key"), node_attr(n, "newkey")) != RC_OK) {
        bosh_fail(s, "item-not-found"); /* XEP-0124 15.4 */
    } else if (!take_pause(s, n) ||
               polls_too_often(s, !node_child(n) && !ends && !restarts && !node_has(n, "pause"))) {
        bosh_fail(s, "policy-violation");
    } else if (restarts) { /* XEP-0206 5: what else is in it does not count */
        if (c->nego)
            client_header(c, a, header_of(a, n));
        else
            client_fail(c, STREAM_BAD_FORMAT, "a restart after the negotiation");
    } else {
        take_payload(s, a, n);
    }
    if (ends && c->state != CLIENT_CLOSED && !s->ended)
        client_end(c);
    if (c->state != CLIENT_CLOSED && !s->ended)
        client_paid(c);
    boshreq_hold(q);
    bosh_dirty(s);
}

MUST_USE static enum rc parse(struct httpgw *d, struct arena *a, const struct client *c, struct slice body,
                              struct node **out, struct why *why)
{
    struct xmlin_limits limits = c ? *client_limits(c) : d->clients.pre_auth;
    limits.stanza_bytes += WRAPPER_BYTES;
    limits.depth++;
    limits.elements += WRAPPER_ELEMENTS;
    enum rc rc = xmlin_parse(d->bare, a, body, &limits, out, why);
    return rc == RC_OK && !node_is(*out, "body", NS_BOSH) ? RC_SYNTAX : rc;
}

void boshreq_waiting(struct bosh *s)
{
    struct bosh_request *q;
    struct httpgw *d = s->all->d;
    struct why why;
    while (s->ended && boshwin_next(&s->window)) {
        /* It is told that it is over. */
    }
    while (!s->paused && !s->ended && (q = boshwin_next(&s->window))) {
        struct arena *a = arena_take(d->clients.arenas);
        struct node *n;
        client_input(&s->client, q->len);
        if (parse(d, a, &s->client, slice_of(q->body, q->len), &n, &why) == RC_OK)
            boshreq_process(s, q, a, n);
        else
            bosh_fail(s, "bad-request");
        MEM_FREE(&q->body);
        arena_give(d->clients.arenas, &a);
    }
}

/* The connection by which a request came, where it is the client's own, and known here. */
static uint64_t via_of(const struct bosh_request *q)
{
    return !q->http || http_by_proxy(q->http) ? 0 : http_connection(q->http);
}

static void peer_of(const struct bosh_request *q, struct conn_peer *out)
{
    if (q->served)
        boshpeer_peer(q->served, out);
    else
        http_peer(q->http, out);
}

static bool is_secure(const struct bosh_request *q)
{
    return q->served ? boshpeer_secure(q->served) : http_secure(q->http);
}

/* --- a new session --- */

static uint32_t asked_ms(const struct node *n, const char *name, uint32_t most_ms)
{
    uint64_t seconds;
    if (slice_u64(node_attr(n, name), UINT32_MAX / 1000, &seconds) != RC_OK)
        return most_ms;
    return seconds * 1000 < most_ms ? (uint32_t)seconds * 1000 : most_ms;
}

static void take_wishes(struct bosh *s, uint64_t rid, const struct node *n)
{
    const struct httpgw_conf *conf = s->all->d->conf;
    uint64_t hold;
    s->wait_ms = asked_ms(n, "wait", conf->wait_ms);
    s->hold = slice_u64(node_attr(n, "hold"), conf->hold, &hold) == RC_OK ? (unsigned)hold : conf->hold;
    if (!s->wait_ms)
        s->hold = 0;
    s->inactivity_ms = conf->inactivity_ms + (s->hold ? 0 : conf->polling_ms);
    s->acks = slice_is(node_attr(n, "ack"), "1");
    boshwin_init(&s->window, rid - 1, s->hold + 1);
}

static void create(struct bosh_request *q, struct arena *a, const struct node *n, uint64_t rid, size_t bytes)
{
    struct httpgw *d = q->all->d;
    struct conn_peer peer;
    struct slice replay;
    void *old;
    struct boshkey key;
    bool here = d->conf->policy == TLS_OPTIONAL && q->http && http_from_here(q->http);
    if (!is_secure(q) && !here) {
        bosh_refuse(q, "policy-violation", SLICE_NONE);
        return;
    }
    if (!d->clients.accepting) {
        bosh_refuse(q, "remote-connection-failed", SLICE_NONE);
        return;
    }
    if (boshkey_begin(&key, node_attr(n, "newkey")) != RC_OK) {
        bosh_refuse(q, "bad-request", SLICE_NONE);
        return;
    }
    peer_of(q, &peer);
    struct bosh *s = bosh_new(d->bosh, q, &peer);
    struct client *c = &s->client;
    s->key = key;
    take_wishes(s, rid, n);
    c->secure = is_secure(q);
    bool let_in = client_open(c, &d->clients, &bosh_transport, here);
    if (boshwin_arrive(&s->window, rid, via_of(q), q, &old, &replay) != BOSHWIN_QUEUED ||
        boshwin_next(&s->window) != q || !let_in) {
        bosh_fail(s, "policy-violation");
        return;
    }
    client_input(c, bytes);
    client_header(c, a, header_of(a, n));
    boshreq_hold(q);
    bosh_dirty(s);
}

/* --- whose it is --- */

/* A session that is not here: of which other gateway, if of any. */
static struct slice other_gateway(const struct httpgw_conf *conf, struct slice sid)
{
    ptrdiff_t at = slice_find(sid, '@');
    struct slice host = slice_from(sid, (size_t)(at + 1));
    if (at < 0 || slice_is(host, conf->host ? conf->host : ""))
        return SLICE_NONE;
    for (size_t i = 0; i < conf->gateways.n; i++) {
        struct slice uri = slice_cstr(conf->gateways.items[i]), rest = uri, part;
        for (int k = 0; k < 3; k++) { /* "https:", "", "gw.example.net:5281" */
            if (!slice_split(&rest, '/', &part))
                part = SLICE_NONE;
        }
        ptrdiff_t colon = slice_find(part, ':');
        if (slice_eq_nocase(colon < 0 ? part : slice_to(part, (size_t)colon), host))
            return uri;
    }
    return SLICE_NONE;
}

static void unknown(struct bosh_request *q, struct slice sid)
{
    struct httpgw *d = q->all->d;
    struct slice uri = other_gateway(d->conf, sid);
    METRIC_INC(d->run->metrics, M_BOSH_UNKNOWN);
    bosh_refuse(q, uri.len ? "see-other-uri" : "item-not-found", uri);
}

static void replaced(struct bosh_request *old)
{
    if (!old)
        return;
    old->session = NULL;
    timer_stop(&old->timer);
    bosh_reply(old, SLICE("<body xmlns='" NS_BOSH "' type='error'/>")); /* XEP-0124 17.3 */
}

static void keep(struct bosh_request *q, struct slice body)
{
    q->body = mem_copy(body);
    q->len = body.len;
}

static void arrive(struct bosh *s, struct bosh_request *q, struct arena *a, struct node *n, uint64_t rid,
                   struct slice body)
{
    struct slice replay;
    void *old = NULL;
    bool next = rid == s->window.top + 1 && !s->paused && !s->ended;
    switch (boshwin_arrive(&s->window, rid, via_of(q), q, &old, &replay)) {
    case BOSHWIN_QUEUED:
        q->session = s;
        if (next && boshwin_next(&s->window) == q) {
            client_input(&s->client, body.len);
            boshreq_process(s, q, a, n);
        } else {
            keep(q, body);
            bosh_dirty(s);
        }
        break;
    case BOSHWIN_REPLAY:
        METRIC_INC(s->all->d->run->metrics, M_BOSH_REPLAYED);
        bosh_reply(q, replay);
        break;
    case BOSHWIN_AGAIN:
        q->session = s;
        replaced(old);
        if (rid > s->window.top)
            keep(q, body);
        boshreq_hold(q);
        bosh_dirty(s);
        break;
    case BOSHWIN_BUSY:
        bosh_refuse(q, "policy-violation", SLICE_NONE);
        bosh_fail(s, "policy-violation");
        break;
    case BOSHWIN_GONE:
        bosh_refuse(q, "item-not-found", SLICE_NONE);
        bosh_fail(s, "item-not-found");
        break;
    }
}

static bool may_use(const struct bosh *s, const struct bosh_request *q)
{
    struct conn_peer peer;
    peer_of(q, &peer);
    struct addr_key key = addr_key_of((const struct sockaddr *)&peer.addr);
    return (is_secure(q) || !s->client.secure) &&
           (!s->all->d->conf->same_address ||
            memcmp(key.bytes, s->client.address.bytes, sizeof key.bytes) == 0);
}

static void dispatch(struct bosh_request *q, struct arena *a, struct slice body)
{
    struct httpgw *d = q->all->d;
    struct node *n;
    struct why why = { "" };
    uint64_t rid = 0;
    struct slice sid = boshreq_sid(body);
    struct bosh *s = sid.len ? map_get(d->bosh->sessions, sid) : NULL;
    if (s && !may_use(s, q))
        s = NULL;
    unsigned other = s || !q->http ? 0 : boshpeer_of(q->all->peers, sid);
    if (other) { /* it is theirs to say what is wrong with it */
        boshpeer_send(q->all->peers, q, other, body);
        return;
    }
    if (parse(d, a, s ? &s->client : NULL, body, &n, &why) != RC_OK ||
        !slice_eq(sid,
                  node_attr(n, "sid"))) { /* what was looked for in the bytes is what is in the element */
        bosh_refuse(q, "bad-request", SLICE_NONE);
        if (s)
            bosh_fail(s, "bad-request");
        return;
    }
    bool numbered = slice_u64(node_attr(n, "rid"), BOSHWIN_RID_MAX, &rid) == RC_OK && rid > 0;
    if (node_has(n, "sid") && !s) {
        unknown(q, sid);
    } else if (s && !numbered) {
        bosh_refuse(q, "item-not-found", SLICE_NONE);
        bosh_fail(s, "item-not-found");
    } else if (s) {
        client_wire(&s->client, false, body);
        arrive(s, q, a, n, rid, body);
    } else if (!numbered || !d->conf->bosh) {
        bosh_refuse(q, "bad-request", SLICE_NONE);
    } else {
        create(q, a, n, rid, body.len);
    }
}

/* The value of sid in the start tag, before anything is parsed: how much the sender may say depends on it.
 * Only values that we make are found. */
struct slice boshreq_sid(struct slice body)
{
    ptrdiff_t end = slice_find(body, '>');
    struct slice tag = end < 0 ? body : slice_to(body, (size_t)end);
    for (size_t i = 0; i + 6 < tag.len; i++) {
        struct slice rest = slice_from(tag, i);
        bool starts = rest.p[0] == ' ' || rest.p[0] == '\n' || rest.p[0] == '\t' || rest.p[0] == '\r';
        if (!starts || !slice_starts(slice_from(rest, 1), SLICE("sid=")) ||
            (rest.p[5] != '\'' && rest.p[5] != '"'))
            continue;
        struct slice value = slice_from(rest, 6);
        ptrdiff_t quote = slice_find(value, rest.p[5]);
        return quote < 0 ? SLICE_NONE : slice_to(value, (size_t)quote);
    }
    return SLICE_NONE;
}

void boshreq_take(struct bosh_request *q, struct slice body)
{
    struct arena_pool *arenas = q->all->d->clients.arenas;
    struct arena *a = arena_take(arenas);
    dispatch(q, a, body);
    arena_give(arenas, &a);
}

static void on_body(struct http_request *r, struct slice body)
{
    boshreq_take(http_owner(r), body);
}

static size_t on_long_body(struct http_request *r, struct slice so_far)
{
    struct httpgw *d = routes_httpgw(r);
    const struct bosh *s = map_get(d->bosh->sessions, boshreq_sid(so_far));
    bool elsewhere = !s && boshpeer_of(d->bosh->peers, boshreq_sid(so_far));
    return (s           ? client_limits(&s->client)
            : elsewhere ? &d->clients.bound
                        : &d->clients.pre_auth)
               ->stanza_bytes +
           WRAPPER_BYTES;
}

void bosh_take(struct http_request *r)
{
    const struct httpgw *d = routes_httpgw(r);
    if (!d->conf->bosh) {
        http_answer_text(r, 404, "there is nothing here");
        return;
    }
    if (http_method(r) != HTTP_POST) {
        http_answer_text(r, 200, "XMPP clients speak BOSH here: XEP-0124, XEP-0206");
        return;
    }
    struct bosh_request *q = boshreq_new(d->bosh);
    q->http = r;
    http_own(r, q, boshreq_gone);
    http_collect_more(r, d->clients.bound.stanza_bytes + WRAPPER_BYTES, on_long_body);
    http_collect(r, d->clients.pre_auth.stanza_bytes + WRAPPER_BYTES, on_body);
}
