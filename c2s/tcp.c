/* c2s/tcp.c */
#include "c2s/tcp.h"

#include "common/base/mem.h"

enum { LINGER_MS = 3000, LINGER_STOP_MS = 1000 }; /* how long the peer may take to close, too */

static const struct xmlin_events xml_events;
static const struct transport tcp_transport;

/* --- taken up --- */

void tcp_accept(struct c2s *d, struct conn *conn, bool direct_tls)
{
    struct tcp *t = mem_new(sizeof *t);
    struct conn_peer peer;
    t->conn = conn;
    conn_peer(conn, &peer);
    bool trusted = d->conf->policy == TLS_OPTIONAL && addr_is_loopback((const struct sockaddr *)&peer.addr);
    conn_owner_set(conn, &d->conn_conf, t);
    xmlin_init(&t->xml, d->clients.xml, &d->clients.pre_auth);
    if (!client_open(&t->client, &d->clients, &tcp_transport, trusted))
        conn_close(conn, CONN_BY_OWNER);
    else if (direct_tls)
        tcp_secure(t, certs_tls(d->certs));
}

void tcp_secure(struct tcp *t, struct tls_ctx *tls)
{
    t->client.mute = true;
    conn_start_tls(t->conn, tls, TLS_SERVER, NULL);
}

static void on_secure(void *owner)
{
    struct tcp *t = owner;
    t->client.mute = false;
    t->client.secure = true;
    METRIC_INC(t->client.d->metrics, M_TLS_OK);
    starttls_on_secure(t);
}

/* --- read --- */

static void on_input(void *owner, struct slice bytes)
{
    struct tcp *t = owner;
    struct client *c = &t->client;
    struct why why = { "" };
    if (c->state == CLIENT_CLOSED)
        return;
    client_wire(c, false, bytes);
    c->cut = false;
    client_input(c, bytes.len);
    enum rc rc = xmlin_feed(&t->xml, bytes, &xml_events, c, &why);
    if (c->state == CLIENT_CLOSED)
        return;
    if (rc != RC_OK)
        client_bad_xml(c, rc, &why);
    else
        client_paid(c);
}

static bool on_header(void *owner, struct arena *a, struct node *header)
{
    struct client *c = owner;
    client_header(c, a, header);
    return c->state != CLIENT_CLOSED;
}

static bool on_stanza(void *owner, struct arena *a, struct node *n)
{
    struct client *c = owner;
    client_element(c, a, n);
    return c->state != CLIENT_CLOSED && !c->cut;
}

static void on_close(void *owner)
{
    client_end(owner);
}

static const struct xmlin_events xml_events = { on_header, on_stanza, on_close };

static void pause(struct client *c, bool stop)
{
    if (stop)
        conn_pause(tcp_of(c)->conn);
    else
        conn_resume(tcp_of(c)->conn);
}

static bool paused(const struct client *c)
{
    return conn_paused(tcp_of(c)->conn);
}

/* --- written --- */

static void write_header(struct client *c, const struct stream_open *header)
{
    struct buf *out = conn_out(tcp_of(c)->conn);
    size_t from = out->len;
    stream_header_write(out, header);
    client_wire(c, true, slice_from(buf_get(out), from));
    conn_wrote(tcp_of(c)->conn);
}

static void write_element(struct client *c, struct slice element)
{
    conn_write(tcp_of(c)->conn, element);
}

/* Joined in the output itself; the log shows it whole, as a piece does not tell what is secret in it. */
static void write_joined(struct client *c, const struct slice *pieces, size_t n)
{
    struct buf *out = conn_out(tcp_of(c)->conn);
    size_t from = out->len;
    for (size_t i = 0; i < n; i++)
        buf_slice(out, pieces[i]);
    client_wire(c, true, slice_from(buf_get(out), from));
    conn_wrote(tcp_of(c)->conn);
}

static void nudge(struct client *c) /* RFC 6120 4.6.1 */
{
    client_write(c, SLICE(" "));
}

static void logged_in(struct client *c, bool restarts)
{
    struct tcp *t = tcp_of(c);
    if (restarts)
        xmlin_reset(&t->xml);
    t->xml.limits = client_limits(c);
}

static uint32_t written(const struct client *c)
{
    return conn_written(tcp_of(c)->conn);
}

static uint32_t taken(const struct client *c)
{
    return conn_taken(tcp_of(c)->conn);
}

static bool full(const struct client *c)
{
    return conn_full(tcp_of(c)->conn);
}

static void on_drain(void *owner)
{
    struct tcp *t = owner;
    client_drained(&t->client);
}

/* --- the peer --- */

static void peer_of(const struct client *c, struct conn_peer *out)
{
    conn_peer(tcp_of(c)->conn, out);
}

static enum rc exporter(const struct client *c, struct arena *a, struct slice *out)
{
    return conn_cb_exporter(tcp_of(c)->conn, a, out);
}

static enum rc end_point(const struct client *c, struct arena *a, struct slice *out)
{
    return conn_cb_end_point(tcp_of(c)->conn, a, out);
}

/* --- ended --- */

static void end(struct client *c)
{
    struct conn *conn = tcp_of(c)->conn;
    if (c->mute) { /* nothing can be said in the middle of a handshake */
        conn_close(conn, CONN_BY_OWNER);
        return;
    }
    client_wire(c, true, SLICE(STREAM_END));
    conn_write(conn, SLICE(STREAM_END));
    conn_finish(conn, c->d->stopping ? LINGER_STOP_MS : LINGER_MS);
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct tcp *t = owner;
    struct client *c = &t->client;
    struct client_log log;
    if (cause == CONN_TLS && c->mute)
        METRIC_INC(c->d->metrics, M_TLS_FAILED);
    if (cause == CONN_OVERFLOW)
        METRIC_INC(c->d->metrics, M_LIMIT_OUTPUT);
    LOG_INFO(client_log(c, &log, LOG_NET, client_state_name(c->state)), "closed",
             F_STR("cause", conn_cause_name(cause)), F_STR("why", why ? why->text : NULL),
             F_SLICE("jid", esession_jid(&c->session)));
    client_closed(c);
    xmlin_fini(&t->xml);
    mem_free(t);
}

const struct conn_ops tcp_conn_ops = {
    .on_secure = on_secure, .on_input = on_input, .on_drain = on_drain, .on_closed = on_closed
};

static const struct transport tcp_transport = {
    .peer = peer_of,
    .open = write_header,
    .write = write_element,
    .join = write_joined,
    .nudge = nudge,
    .logged_in = logged_in,
    .pause = pause,
    .paused = paused,
    .written = written,
    .taken = taken,
    .full = full,
    .end = end,
    .may_starttls = starttls_offered,
    .starttls = starttls_begin,
    .exporter = exporter,
    .end_point = end_point,
};
