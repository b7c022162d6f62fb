/* c2s/client.c - a client's life: taken up, read, answered, ended */
#include "c2s/client.h"

#include "c2s/negotiate.h"
#include "c2s/unread.h"
#include "common/base/mem.h"
#include "common/edge/check.h"
#include <arpa/inet.h>

enum { LINGER_MS = 3000, LINGER_STOP_MS = 1000 }; /* how long the peer may take to close, too */

static const struct xmlin_events xml_events;

const char *client_state_name(enum client_state s)
{
    static const char *const names[] = { "open",    "asked", "step",  "authenticated",
                                         "binding", "bound", "closed" };
    return (size_t)s < sizeof names / sizeof *names ? names[s] : "?";
}

/* Of a socket that is closed already: the network it counted for. */
static void address_text(const struct addr_key *key, char *out, size_t size)
{
    if (key->bytes[0] == 4)
        inet_ntop(AF_INET, key->bytes + 1, out, (socklen_t)size);
    uint8_t v6[16] = { 0 };
    memcpy(v6, key->bytes + 1, 8);
    if (key->bytes[0] == 6)
        inet_ntop(AF_INET6, v6, out, (socklen_t)size);
}

const struct log_ctx *client_log(const struct client *c, struct client_log *out, enum log_sub sub,
                                 const char *doing)
{
    conn_peer(c->conn, &out->peer);
    if (out->peer.addr.ss_family == AF_UNSPEC)
        address_text(&c->address, out->peer.ip, sizeof out->peer.ip);
    out->ctx = (struct log_ctx){
        .log = c->d->run->log, .sub = sub, .conn = c->number, .ip = out->peer.ip, .doing = doing
    };
    return &out->ctx;
}

static void wire(const struct client *c, bool out, struct slice bytes)
{
    struct client_log log;
    if (log_wants(c->d->run->log, LOG_WIRE, LOG_LEVEL_DEBUG))
        log_wire(client_log(c, &log, LOG_WIRE, NULL), out, bytes);
}

/* --- taken up --- */

static struct nego *nego_new(struct client *c)
{
    struct nego *n = mem_new(sizeof *n);
    n->client = c;
    n->accepted_ms = loop_now_ms(c->d->loop);
    list_append(&c->d->pending, &n->link);
    c->d->n_pending++;
    c->counted_pending = true;
    return n;
}

static void nego_free(struct client *c)
{
    struct nego *n = c->nego;
    if (!n)
        return;
    list_unlink(&n->link);
    mem_free(n->domain);
    mem_free(n->mechanism);
    mem_free(n->bind_id);
    mem_free(n->from);
    arena_free(&n->held);
    mem_free(n->cert_jids);
    mem_free(n);
    c->nego = NULL;
}

static void pending_over(struct client *c)
{
    if (!c->counted_pending)
        return;
    c->counted_pending = false;
    c->d->n_pending--;
    addr_leave(c->d->addresses_pending, c->address);
    admit_balance(c->d);
}

/* Counts the connection; says what stands against it, or NULL. */
static const char *refusal(struct c2s *d, const struct client *c)
{
    unsigned all = addr_enter(d->addresses, c->address);
    unsigned pending = addr_enter(d->addresses_pending, c->address);
    if (c->trusted)
        return NULL;
    if (all > d->conf->per_address)
        return "too many connections from this address";
    if (pending > d->conf->pending_per_address)
        return "too many connections that are not logged in from this address";
    return NULL;
}

void client_accept(struct c2s *d, struct conn *conn, bool direct_tls)
{
    struct client *c = mem_new(sizeof *c);
    struct conn_peer peer;
    c->d = d;
    c->conn = conn;
    c->number = ++d->last_number;
    c->last_in_ms = loop_now_ms(d->loop);
    conn_peer(conn, &peer);
    c->address = addr_key_of((const struct sockaddr *)&peer.addr);
    c->trusted = d->conf->policy == TLS_OPTIONAL && addr_is_loopback((const struct sockaddr *)&peer.addr);
    conn_owner_set(conn, &d->conn_conf, c);
    list_append(&d->clients, &c->link);
    d->n_clients++;
    c->nego = nego_new(c);
    xmlin_init(&c->xml, d->xml, &d->pre_auth);
    METRIC_INC(d->metrics, M_ACCEPTED);
    metric_set(d->metrics, M_CONNECTIONS, (int64_t)d->n_clients);
    const char *against = refusal(d, c);
    if (against) {
        struct client_log log;
        METRIC_INC(d->metrics, M_LIMIT_ADDRESS);
        LOG_INFO(client_log(c, &log, LOG_NET, "accept"), "refused", F_STR("why", against));
        c->state = CLIENT_CLOSED;
        conn_close(conn, CONN_BY_OWNER);
    } else {
        if (direct_tls)
            client_secure(c, certs_tls(d->certs));
        keepalive_arm(c);
    }
    admit_balance(d);
}

void client_secure(struct client *c, struct tls_ctx *tls)
{
    c->handshaking = true;
    conn_start_tls(c->conn, tls, TLS_SERVER, NULL);
}

static void on_secure(void *owner)
{
    struct client *c = owner;
    c->handshaking = false;
    c->secure = true;
    METRIC_INC(c->d->metrics, M_TLS_OK);
    starttls_on_secure(c);
}

/* --- read --- */

static void xml_error(struct client *c, enum rc rc, const struct why *why)
{
    struct client_log log;
    if (rc == RC_LIMIT)
        METRIC_INC(c->d->metrics, M_LIMIT_XML);
    LOG_INFO(client_log(c, &log, LOG_XMPP, "read"), "bad_xml", F_STR("rc", rc_name(rc)), F_WHY(why));
    client_fail(c, stream_cond_of_xml(rc), why->text[0] ? why->text : NULL);
}

/* n bytes or stanzas were taken; over the rate reading pauses. */
static void pay(struct client *c, struct rate *rate, const struct rate_limit *limit, uint32_t n)
{
    uint32_t wait = rate_take(rate, limit, c->last_in_ms, n);
    if (wait && c->last_in_ms + wait > c->rate_until_ms)
        c->rate_until_ms = c->last_in_ms + wait;
}

static void on_input(void *owner, struct slice bytes)
{
    struct client *c = owner;
    struct why why = { "" };
    if (c->state == CLIENT_CLOSED)
        return;
    wire(c, false, bytes);
    c->last_in_ms = loop_now_ms(c->d->loop);
    c->cut = false;
    pay(c, &c->bytes, &c->d->byte_limit, (uint32_t)bytes.len);
    enum rc rc = xmlin_feed(&c->xml, bytes, &xml_events, c, &why);
    if (c->state == CLIENT_CLOSED)
        return;
    if (rc != RC_OK)
        xml_error(c, rc, &why);
    else if (c->rate_until_ms || c->waits_room)
        client_pace(c);
}

/* What has been read is taken; no more is, until the rates are paid for and there is room behind us. */
void client_pace(struct client *c)
{
    bool was = conn_paused(c->conn);
    if (c->rate_until_ms || c->waits_room) {
        conn_pause(c->conn);
        if (!was)
            METRIC_INC(c->d->metrics, c->rate_until_ms ? M_LIMIT_RATE : M_LIMIT_ROOM);
        if (c->rate_until_ms)
            keepalive_arm(c);
    } else if (was) {
        c->last_in_ms = loop_now_ms(c->d->loop); /* its silence was our doing */
        conn_resume(c->conn);
    }
}

static void refuse(struct client *c, const struct check *check)
{
    struct client_log log;
    METRIC_INC(c->d->metrics, M_STANZA_ERRORS);
    LOG_DEBUG(client_log(c, &log, LOG_XMPP, "stanza"), "stanza_refused",
              F_STR("cond", stanza_cond_name(check->cond)));
    client_answer_node(c, check->answer);
}

/* The hot path: checked, canonical, on its way. */
static void take_stanza(struct client *c, struct arena *a, struct node *n)
{
    struct c2s *d = c->d;
    struct check check;
    const struct check_session who = { esession_jid(&c->session), c->session.bare_len,
                                       esession_lang(&c->session) };
    pay(c, &c->stanzas, &d->stanza_limit, 1);
    if (!slice_is(n->ns, NS_CLIENT) && nonza_take(c, a, n))
        return;
    switch (check_element(a, n, &who, &check)) {
    case CHECK_ANSWER:
        refuse(c, &check);
        return;
    case CHECK_FATAL:
        client_fail(c, check.stream_cond, check.text);
        return;
    case CHECK_END:
        client_end(c);
        return;
    case CHECK_PASS:
        break;
    }
    if (check.stanza.kind == STANZA_IQ && keepalive_takes(c, &check.stanza)) {
        client_answer_node(c, NULL);
        return;
    }
    if (check.stanza.kind == STANZA_IQ && bind_late(c, a, &check.stanza))
        return;
    buf_reset(&d->scratch);
    xmlout_node(&d->scratch, n, NS_CLIENT);
    if (d->scratch.len > FRAME_MAX / 2) { /* escaping made it grow past what a frame should carry */
        client_answer(c, a, &check.stanza, COND_POLICY_VIOLATION);
        return;
    }
    esession_send(d->edge, &c->session, buf_get(&d->scratch));
    METRIC_INC(d->metrics, M_STANZAS_IN);
    if (esession_full(d->edge, &c->session))
        c->waits_room = true;
}

static bool on_header(void *owner, struct arena *a, struct node *header)
{
    struct client *c = owner;
    negotiate_header(c, a, header);
    return c->state != CLIENT_CLOSED;
}

static bool on_stanza(void *owner, struct arena *a, struct node *n)
{
    struct client *c = owner;
    if (c->state == CLIENT_BOUND)
        take_stanza(c, a, n);
    else
        negotiate_element(c, a, n);
    return c->state != CLIENT_CLOSED && !c->cut;
}

static void on_close(void *owner)
{
    client_end(owner);
}

static const struct xmlin_events xml_events = { on_header, on_stanza, on_close };

/* --- written --- */

void client_write(struct client *c, struct slice bytes)
{
    wire(c, true, bytes);
    conn_write(c->conn, bytes);
}

void client_write_node(struct client *c, const struct node *n)
{
    buf_reset(&c->d->scratch);
    xmlout_node(&c->d->scratch, n, NS_CLIENT);
    client_write(c, buf_get(&c->d->scratch));
}

void client_answer_node(struct client *c, const struct node *answer)
{
    if (c->session.sm)
        esession_echo(c->d->edge, &c->session, answer);
    else if (answer)
        client_write_node(c, answer);
}

void client_answer(struct client *c, struct arena *a, const struct stanza *s, enum stanza_cond cond)
{
    struct node *error = stanza_error(a, s, cond, NULL);
    METRIC_INC(c->d->metrics, M_STANZA_ERRORS);
    if (error && c->session.jid_len)
        node_set(a, error, "to", esession_jid(&c->session));
    client_answer_node(c, error);
}

static void on_session_stanza(struct esession *s, const struct slice *pieces, size_t n, uint64_t mark)
{
    struct client *c = CONTAINER(s, struct client, session);
    if (n == 1) {
        client_write(c, pieces[0]);
    } else { /* joined in the output itself; the log shows it whole, as a piece does not tell what is secret
                in it */
        struct buf *out = conn_out(c->conn);
        size_t from = out->len;
        for (size_t i = 0; i < n; i++)
            buf_slice(out, pieces[i]);
        wire(c, true, slice_from(buf_get(out), from));
        conn_wrote(c->conn);
    }
    if (mark)
        unread_add(c, mark);
    METRIC_INC(c->d->metrics, M_STANZAS_OUT);
}

static void on_flow(struct esession *s, uint16_t n)
{
    struct client *c = CONTAINER(s, struct client, session);
    c->flow = conn_full(c->conn) ? n : 0; /* on_drain follows */
    if (!c->flow)
        esession_flow(c->d->edge, s, n);
}

static void on_drain(void *owner)
{
    struct client *c = owner;
    if (c->flow && c->state == CLIENT_BOUND)
        esession_flow(c->d->edge, &c->session, c->flow);
    c->flow = 0;
}

static void on_session_close(struct esession *s, enum stream_cond cond, struct slice text)
{
    struct client *c = CONTAINER(s, struct client, session);
    char cstr[256];
    client_fail(c, cond, text.len && slice_to_cstr(text, cstr, sizeof cstr) == RC_OK ? cstr : NULL);
}

static void on_session_room(struct esession *s)
{
    struct client *c = CONTAINER(s, struct client, session);
    c->waits_room = false;
    if (c->state != CLIENT_CLOSED)
        client_pace(c);
}

static void on_domains(void *owner)
{
    admit_balance(owner);
}

const struct edge_ops client_edge_ops = {
    .on_challenge = sasl_challenge,
    .on_success = sasl_success,
    .on_authenticated = sasl2_authenticated,
    .on_failure = sasl_failure,
    .on_bound = bind_bound,
    .on_bind_refused = bind_refused,
    .on_sm_enabled = sm_enabled,
    .on_resumed = sm_resumed,
    .on_resume_failed = sm_resume_failed,
    .on_handled = sm_handled,
    .on_ask = sm_ask_client,
    .on_stanza = on_session_stanza,
    .on_close = on_session_close,
    .on_flow = on_flow,
    .on_room = on_session_room,
    .on_domains = on_domains,
    .on_flushed = unread_flushed,
};

/* --- ended --- */

void client_bound(struct client *c)
{
    c->state = CLIENT_BOUND;
    c->d->n_bound++;
    metric_set(c->d->metrics, M_SESSIONS, (int64_t)c->d->n_bound);
    METRIC_INC(c->d->metrics, M_BOUND);
    pending_over(c);
    nego_free(c);
    keepalive_arm(c);
}

/* The session manager is told at once; the connection may take longer. */
static void over(struct client *c, bool lost)
{
    if (c->state == CLIENT_BOUND) {
        c->d->n_bound--;
        metric_set(c->d->metrics, M_SESSIONS, (int64_t)c->d->n_bound);
    }
    esession_gone(c->d->edge, &c->session, lost);
    c->state = CLIENT_CLOSED;
    timer_stop(&c->timer);
    pending_over(c);
}

static void finish(struct client *c)
{
    if (c->handshaking)
        conn_close(c->conn, CONN_BY_OWNER); /* nothing can be said in the middle of a handshake */
    else
        conn_finish(c->conn, c->d->stopping ? LINGER_STOP_MS : LINGER_MS);
}

void client_end(struct client *c)
{
    if (c->state == CLIENT_CLOSED)
        return;
    negotiate_open_stream(c, SLICE_NONE, SLICE_NONE);
    client_write(c, SLICE(STREAM_END));
    over(c, false);
    finish(c);
}

static void fail(struct client *c, enum stream_cond cond, const char *text, struct slice content,
                 struct slice app, bool lost)
{
    if (c->state == CLIENT_CLOSED)
        return;
    struct client_log log;
    LOG_INFO(client_log(c, &log, LOG_XMPP, client_state_name(c->state)), "stream_error",
             F_STR("cond", stream_cond_name(cond)), F_STR("text", text),
             F_SLICE("jid", esession_jid(&c->session)));
    metric_add(c->d->metrics, M_STREAM_ERRORS + (unsigned)cond, 1);
    if (!c->handshaking) {
        negotiate_open_stream(c, SLICE_NONE, SLICE_NONE); /* RFC 6120 4.9.1.2 */
        buf_reset(&c->d->scratch);
        stream_error_write(&c->d->scratch, cond, text, content, app);
        BUF_LIT(&c->d->scratch, STREAM_END);
        client_write(c, buf_get(&c->d->scratch));
    }
    over(c, lost);
    finish(c);
}

void client_fail(struct client *c, enum stream_cond cond, const char *text)
{
    fail(c, cond, text, SLICE_NONE, SLICE_NONE, false);
}

void client_fail_app(struct client *c, enum stream_cond cond, const char *text, struct slice app)
{
    fail(c, cond, text, SLICE_NONE, app, false);
}

void client_fail_lost(struct client *c, enum stream_cond cond, const char *text)
{
    fail(c, cond, text, SLICE_NONE, SLICE_NONE, true);
}

void client_shutdown(struct client *c)
{
    const char *other = c->d->conf->see_other_host;
    if (other) /* RFC 6120 4.9.3.19 */
        fail(c, STREAM_SEE_OTHER_HOST, NULL, slice_cstr(other), SLICE_NONE, true);
    else
        fail(c, STREAM_SYSTEM_SHUTDOWN, NULL, SLICE_NONE, SLICE_NONE, true);
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct client *c = owner;
    struct c2s *d = c->d;
    struct client_log log;
    if (cause == CONN_TLS && c->handshaking)
        METRIC_INC(d->metrics, M_TLS_FAILED);
    if (cause == CONN_OVERFLOW)
        METRIC_INC(d->metrics, M_LIMIT_OUTPUT);
    LOG_INFO(client_log(c, &log, LOG_NET, client_state_name(c->state)), "closed",
             F_STR("cause", conn_cause_name(cause)), F_STR("why", why ? why->text : NULL),
             F_SLICE("jid", esession_jid(&c->session)));
    if (c->state != CLIENT_CLOSED)
        over(c, true);
    unread_return(c); /* behind the end of its session, or it might be given back to that */
    esession_gone(d->edge, &c->session, true); /* what it owned */
    pending_over(c);
    nego_free(c);
    timer_stop(&c->timer);
    xmlin_fini(&c->xml);
    addr_leave(d->addresses, c->address);
    list_unlink(&c->link);
    mem_free(c);
    d->n_clients--;
    metric_set(d->metrics, M_CONNECTIONS, (int64_t)d->n_clients);
    if (d->stopping && d->n_clients == 0)
        edge_close(d->edge);
}

const struct conn_ops client_conn_ops = {
    .on_secure = on_secure, .on_input = on_input, .on_drain = on_drain, .on_closed = on_closed
};
