/* httpgw/ws.c - XMPP over WebSocket (RFC 7395): a transport of common/edge/client.h
 *
 * A handshake that is good ends the library's part; the socket is a conn then, as a c2s client's is. Each
 * message is one element; <open/> and <close/> stand for the tags of the stream. */
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/edge/negotiate.h"
#include "common/xmpp/ns.h"
#include "httpgw/element.h"
#include "httpgw/routes.h"
#include "httpgw/wsframe.h"
#include <gnutls/crypto.h>
#include <netinet/in.h>

enum { LINGER_MS = 3000, LINGER_STOP_MS = 1000, KEY_BYTES = 16, JOINED_MAX = 32 };
#define FRAMING_END "<close xmlns='" NS_FRAMING "'/>"

struct ws_all { /* what all WebSockets share */
    struct httpgw *d;
    struct wsframe_pool *frames;
    struct xmlin_pool *xml; /* nothing is declared around a message */
    struct conn_conf conn_conf;
};
struct ws {
    struct client client;
    struct ws_all *all;
    struct conn *conn;
    void *handle; /* http_upgraded_close */
    struct wsframe frames;
    struct sockaddr_in6 peer; /* IPv4, too */
    uint16_t code;            /* to close with; 0: WS_NORMAL */
    bool closing;             /* nothing of the client is looked at any more */
    bool direct;              /* the TLS, if it is, is the client's own */
};

static struct ws *ws_of(const struct client *c)
{
    return CONTAINER((uintptr_t)c, struct ws, client);
}

/* --- read --- */

static void on_element(struct ws *s, struct arena *a, struct node *n)
{
    struct client *c = &s->client;
    bool expects = c->nego && !c->nego->has_header;
    if (node_is(n, "close", NS_FRAMING)) { /* RFC 7395 3.6 */
        client_end(c);
    } else if (node_is(n, "open", NS_FRAMING) && expects) { /* 3.4: what a stream header says */
        n->name = SLICE("stream");
        n->ns = SLICE(NS_STREAM);
        node_set(a, n, "xmlns", SLICE(NS_CLIENT));
        client_header(c, a, n);
    } else if (expects || slice_is(n->ns, NS_FRAMING)) {
        client_fail(c, STREAM_BAD_FORMAT, expects ? "<open/> is expected" : "<open/> was there already");
    } else if (slice_is(n->ns, NS_STREAM) && slice_is(n->name, "stream")) {
        client_fail(c, STREAM_INVALID_NAMESPACE, "a stream header; <open/> takes its place"); /* 3.3.1 */
    } else {
        client_element(c, a, n);
    }
}

static bool on_text(void *owner, struct slice message)
{
    struct ws *s = owner;
    struct client *c = &s->client;
    struct node *n;
    struct why why = { "" };
    client_wire(c, false, message);
    struct arena *a = arena_take(c->d->arenas);
    enum rc rc = xmlin_parse(s->all->d->bare, a, message, client_limits(c), &n, &why);
    if (rc == RC_OK)
        on_element(s, a, n);
    else
        client_bad_xml(c, rc, &why);
    arena_give(c->d->arenas, &a);
    return c->state != CLIENT_CLOSED;
}

static void write_frame(struct ws *s, enum wsframe_kind kind, const struct slice *pieces, size_t n)
{
    wsframe_write(s->all->frames, conn_out(s->conn), kind, pieces, n);
    conn_wrote(s->conn);
}

static bool on_ping(void *owner, struct slice payload)
{
    write_frame(owner, WSFRAME_PONG, &payload, 1);
    return true;
}

static bool on_pong(void *owner, struct slice payload)
{
    (void)owner, (void)payload; /* that something came is all that counts */
    return true;
}

static void write_close(struct ws *s, enum ws_code code)
{
    wsframe_write_close(s->all->frames, conn_out(s->conn), code);
    conn_wrote(s->conn);
}

/* Without <close/> before it the stream is broken off, and may be resumed: RFC 7395 3.6, 3.7. */
static bool on_peer_close(void *owner, unsigned code)
{
    struct ws *s = owner;
    s->closing = true;
    write_close(s, code == WS_NO_CODE ? WS_NO_CODE : WS_NORMAL);
    conn_finish(s->conn, LINGER_MS);
    return false;
}

static const struct wsframe_events frame_events = { on_text, on_ping, on_pong, on_peer_close };

static void bad_frame(struct ws *s, enum ws_code code)
{
    struct client *c = &s->client;
    METRIC_INC(c->d->metrics, M_WS_BAD);
    s->code = (uint16_t)code;
    if (code == WS_TOO_BIG) {
        METRIC_INC(c->d->metrics, M_LIMIT_XML);
        client_fail(c, STREAM_POLICY_VIOLATION, "the message is too long");
    } else if (code == WS_BAD_TEXT) {
        client_fail(c, STREAM_UNSUPPORTED_ENCODING, "a message is no UTF-8");
    } else {
        client_fail(c, STREAM_BAD_FORMAT, code == WS_NOT_TEXT ? "a binary message" : "a bad WebSocket frame");
    }
}

static void on_input(void *owner, struct slice bytes)
{
    struct ws *s = owner;
    struct client *c = &s->client;
    if (c->state == CLIENT_CLOSED || s->closing)
        return;
    client_input(c, bytes.len);
    s->frames.max = client_limits(c)->stanza_bytes;
    enum ws_code bad = wsframe_feed(&s->frames, bytes, &frame_events, s);
    if (c->state == CLIENT_CLOSED || s->closing)
        return;
    if (bad)
        bad_frame(s, bad);
    else
        client_paid(c);
}

/* --- the transport --- */

static void write_joined(struct client *c, const struct slice *pieces, size_t n)
{
    struct ws *s = ws_of(c);
    struct slice with[JOINED_MAX + ELEMENT_PIECES];
    if (n > JOINED_MAX) { /* more than a fan-out has */
        client_fail(c, STREAM_INTERNAL_SERVER_ERROR, NULL);
        return;
    }
    size_t k = element_pieces(pieces, n, false, with);
    struct buf *out = conn_out(s->conn);
    size_t bytes = 0;
    for (size_t i = 0; i < k; i++)
        bytes += with[i].len;
    wsframe_write(s->all->frames, out, WSFRAME_TEXT, with, k);
    if (n > 1) /* else it was logged as it was written */
        client_wire(c, true, slice_from(buf_get(out), out->len - bytes));
    conn_wrote(s->conn);
}

static void write_element(struct client *c, struct slice element)
{
    write_joined(c, &element, 1);
}

static void write_open(struct client *c, const struct stream_open *h)
{
    struct buf out = BUF_INIT(0);
    BUF_LIT(&out, "<open xmlns='" NS_FRAMING "' version='1.0'");
    xmlout_attr(&out, "from", h->from);
    if (h->to.len)
        xmlout_attr(&out, "to", h->to);
    xmlout_attr(&out, "id", h->id);
    xmlout_attr(&out, "xml:lang", h->lang);
    BUF_LIT(&out, "/>");
    client_write(c, buf_get(&out));
    buf_fini(&out);
}

static void nudge(struct client *c)
{
    write_frame(ws_of(c), WSFRAME_PING, NULL, 0);
}

static void logged_in(struct client *c, bool restarts) /* the client opens its stream anew by <open/> */
{
    (void)restarts;
    ws_of(c)->frames.max = client_limits(c)->stanza_bytes;
}

static void pause_reading(struct client *c, bool stop)
{
    if (stop)
        conn_pause(ws_of(c)->conn);
    else
        conn_resume(ws_of(c)->conn);
}

static bool paused(const struct client *c)
{
    return conn_paused(ws_of(c)->conn);
}

static uint32_t written(const struct client *c)
{
    return conn_written(ws_of(c)->conn);
}

static uint32_t taken(const struct client *c)
{
    return conn_taken(ws_of(c)->conn);
}

static bool full(const struct client *c)
{
    return conn_full(ws_of(c)->conn);
}

static void peer_of(const struct client *c, struct conn_peer *out)
{
    struct sockaddr_storage addr = { 0 };
    memcpy(&addr, &ws_of(c)->peer, sizeof ws_of(c)->peer);
    conn_peer_of(&addr, out);
}

static void end(struct client *c)
{
    struct ws *s = ws_of(c);
    const struct slice last = SLICE(FRAMING_END);
    s->closing = true;
    client_wire(c, true, last);
    write_frame(s, WSFRAME_TEXT, &last, 1);
    write_close(s, s->code ? (enum ws_code)s->code : c->d->stopping ? WS_GOING_AWAY : WS_NORMAL);
    conn_finish(s->conn, c->d->stopping ? LINGER_STOP_MS : LINGER_MS);
}

/* Channel bindings (RFC 9266, RFC 5929): of the client's TLS, or none. */
static enum rc exporter(const struct client *c, struct arena *a, struct slice *out)
{
    return ws_of(c)->direct ? conn_cb_exporter(ws_of(c)->conn, a, out) : RC_UNSUPPORTED;
}

static enum rc end_point(const struct client *c, struct arena *a, struct slice *out)
{
    return ws_of(c)->direct ? conn_cb_end_point(ws_of(c)->conn, a, out) : RC_UNSUPPORTED;
}

static void find_bindings(struct client *c)
{
    struct slice data;
    struct arena *a = arena_take(c->d->arenas);
    c->nego->exporter = c->secure && exporter(c, a, &data) == RC_OK;
    c->nego->end_point = c->secure && end_point(c, a, &data) == RC_OK;
    arena_give(c->d->arenas, &a);
}

static const struct transport ws_transport = {
    .peer = peer_of,
    .open = write_open,
    .write = write_element,
    .join = write_joined,
    .nudge = nudge,
    .logged_in = logged_in,
    .pause = pause_reading,
    .paused = paused,
    .written = written,
    .taken = taken,
    .full = full,
    .end = end,
    .exporter = exporter,
    .end_point = end_point,
};

/* --- the connection --- */

static void on_drain(void *owner)
{
    struct ws *s = owner;
    client_drained(&s->client);
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct ws *s = owner;
    struct client *c = &s->client;
    struct client_log log;
    if (cause == CONN_OVERFLOW)
        METRIC_INC(c->d->metrics, M_LIMIT_OUTPUT);
    LOG_INFO(client_log(c, &log, LOG_NET, client_state_name((enum client_state)c->state)), "closed",
             F_STR("cause", conn_cause_name(cause)), F_STR("why", why ? why->text : NULL),
             F_SLICE("jid", esession_jid(&c->session)));
    client_closed(c);
    wsframe_fini(&s->frames);
    mem_free(s);
}

static const struct conn_ops ws_conn_ops = { .on_input = on_input,
                                             .on_drain = on_drain,
                                             .on_closed = on_closed };

struct ws_offer { /* between the handshake and the socket */
    struct ws_all *all;
    struct conn_peer peer;
    bool secure, trusted, direct;
};

static void on_upgraded(void *ctx, const struct http_upgraded *u)
{
    const struct ws_offer *offer = ctx;
    struct ws_all *all = offer->all;
    struct ws *s = mem_new(sizeof *s);
    s->all = all;
    s->frames.pool = all->frames;
    memcpy(&s->peer, &offer->peer.addr, sizeof s->peer);
    all->conn_conf.out_max = all->d->conf->clients.output_bytes;
    all->conn_conf.out_full = all->d->conf->clients.output_bytes / CLIENTS_FLOW_PART;
    s->conn = u->conn;
    conn_owner_set(s->conn, &all->conn_conf, s);
    s->client.secure = offer->secure;
    s->direct = offer->direct;
    METRIC_INC(all->d->run->metrics, M_WS_OPENED);
    if (!client_open(&s->client, &all->d->clients, &ws_transport, offer->trusted)) {
        write_close(s, WS_POLICY);
        conn_finish(s->conn, LINGER_STOP_MS);
        return;
    }
    find_bindings(&s->client);
    conn_begin(s->conn);
    if (u->early.len)
        on_input(s, u->early);
}

/* --- the handshake --- */

static void refuse(struct http_request *r, unsigned status, const char *text)
{
    struct conn_peer peer;
    struct httpgw *d = routes_httpgw(r);
    http_peer(r, &peer);
    struct log_ctx log = { .log = d->run->log, .sub = LOG_NET, .ip = peer.ip, .doing = "websocket" };
    METRIC_INC(d->run->metrics, M_WS_REFUSED);
    LOG_INFO(&log, "refused", F_STR("why", text), F_SLICE("origin", http_header(r, "Origin")));
    http_answer_text(r, status, text);
}

/* RFC 6455 4.2.2: that we have understood. */
static struct slice accept_of(struct arena *a, struct slice key)
{
    struct buf text = BUF_INIT(0);
    char hash[20];
    buf_slice(&text, key);
    BUF_LIT(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    gnutls_hash_fast(GNUTLS_DIG_SHA1, text.p, text.len, hash);
    buf_fini(&text);
    return base64_encode(a, slice_of(hash, sizeof hash));
}

static void offer_free(void *owner)
{
    mem_free(owner);
}

static void open_socket(struct http_request *r, struct arena *a, struct slice key)
{
    struct httpgw *d = routes_httpgw(r);
    struct ws_offer *offer = mem_new(sizeof *offer);
    offer->all = d->ws;
    http_peer(r, &offer->peer);
    offer->secure = http_secure(r);
    offer->direct = !http_by_proxy(r);
    offer->trusted = d->conf->policy == TLS_OPTIONAL && http_from_here(r);
    http_own(r, offer, offer_free);
    const struct http_field fields[] = {
        { "Sec-WebSocket-Accept", accept_of(a, key) },
        { "Sec-WebSocket-Protocol", SLICE("xmpp") }, /* RFC 7395 3.1 */
    };
    http_upgrade(r, "websocket", fields, sizeof fields / sizeof *fields, on_upgraded, offer);
}

/* RFC 6455 4.2.1 */
static void handshake(struct http_request *r, struct arena *a)
{
    struct httpgw *d = routes_httpgw(r);
    struct slice key = slice_trim(http_header(r, "Sec-WebSocket-Key")), decoded;
    if (!http_has_token(r, "Upgrade", "websocket") || !http_has_token(r, "Connection", "Upgrade") ||
        base64_decode(a, key, &decoded) != RC_OK || decoded.len != KEY_BYTES)
        refuse(r, 400, "a WebSocket handshake is expected here");
    else if (!http_has_token(r, "Sec-WebSocket-Protocol", "xmpp"))
        refuse(r, 400, "the subprotocol is xmpp");
    else if (!routes_origin_ok(r))
        refuse(r, 403, "pages of this origin may not");
    else if (!http_secure(r) && !(d->conf->policy == TLS_OPTIONAL && http_from_here(r)))
        refuse(r, 403, "TLS is required");
    else if (!d->clients.accepting)
        refuse(r, 503, "not now; try again a little later");
    else
        open_socket(r, a, key);
}

void ws_take(struct http_request *r)
{
    struct httpgw *d = routes_httpgw(r);
    const struct http_field version = { "Sec-WebSocket-Version", SLICE("13") };
    if (!d->conf->ws) {
        http_answer_text(r, 404, "there is nothing here");
    } else if (http_header(r, "Sec-WebSocket-Key").len &&
               !slice_is(http_header(r, "Sec-WebSocket-Version"), "13")) {
        METRIC_INC(d->run->metrics, M_WS_REFUSED);
        http_answer(r, &(struct http_reply){ .status = 426, .fields = &version, .n_fields = 1 }); /* 4.4 */
    } else {
        struct arena *a = arena_take(d->clients.arenas);
        handshake(r, a);
        arena_give(d->clients.arenas, &a);
    }
}

struct ws_all *ws_all_new(struct httpgw *d)
{
    struct ws_all *all = mem_new(sizeof *all);
    all->d = d;
    all->frames = wsframe_pool_new();
    all->conn_conf.ops = &ws_conn_ops;
    all->conn_conf.totals = &d->clients.totals;
    return all;
}

void ws_all_free(struct ws_all **all)
{
    if (!*all)
        return;
    wsframe_pool_free(&(*all)->frames);
    MEM_FREE(all);
}
