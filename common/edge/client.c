/* common/edge/client.c - a client's life: taken up, read, answered, ended */
#include "common/edge/client.h"

#include "common/edge/negotiate.h"
#include "common/edge/unread.h"
#include "common/base/mem.h"
#include "common/edge/check.h"
#include <arpa/inet.h>

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
    c->via->peer(c, &out->peer);
    if (out->peer.addr.ss_family == AF_UNSPEC)
        address_text(&c->address, out->peer.ip, sizeof out->peer.ip);
    out->ctx = (struct log_ctx){
        .log = c->d->log, .sub = sub, .conn = c->number, .ip = out->peer.ip, .doing = doing
    };
    return &out->ctx;
}

void client_wire(const struct client *c, bool out, struct slice bytes)
{
    struct client_log log;
    if (log_wants(c->d->log, LOG_WIRE, LOG_LEVEL_DEBUG))
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
    clients_balance(c->d);
}

/* Counts the connection; says what stands against it, or NULL. */
static const char *refusal(struct clients *d, const struct client *c)
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

bool client_open(struct client *c, struct clients *d, const struct transport *via, bool trusted)
{
    struct conn_peer peer;
    c->d = d;
    c->via = via;
    c->number = ++d->last_number;
    c->last_in_ms = loop_now_ms(d->loop);
    c->trusted = trusted;
    via->peer(c, &peer);
    c->address = addr_key_of((const struct sockaddr *)&peer.addr);
    list_append(&d->clients, &c->link);
    d->n_clients++;
    c->nego = nego_new(c);
    METRIC_INC(d->metrics, M_ACCEPTED);
    metric_set(d->metrics, M_CONNECTIONS, (int64_t)d->n_clients);
    const char *against = refusal(d, c);
    if (against) {
        struct client_log log;
        METRIC_INC(d->metrics, M_LIMIT_ADDRESS);
        LOG_INFO(client_log(c, &log, LOG_NET, "accept"), "refused", F_STR("why", against));
        c->state = CLIENT_CLOSED;
    } else {
        keepalive_arm(c);
    }
    clients_balance(d);
    return !against;
}

/* --- read --- */

void client_bad_xml(struct client *c, enum rc rc, const struct why *why)
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

void client_input(struct client *c, size_t bytes)
{
    c->last_in_ms = loop_now_ms(c->d->loop);
    pay(c, &c->bytes, &c->d->byte_limit, (uint32_t)bytes);
}

void client_paid(struct client *c)
{
    if (c->rate_until_ms || c->waits_room)
        client_pace(c);
}

const struct xmlin_limits *client_limits(const struct client *c)
{
    bool in = c->state == CLIENT_AUTHED || c->state == CLIENT_BINDING || c->state == CLIENT_BOUND;
    return in ? &c->d->bound : &c->d->pre_auth;
}

/* What has been read is taken; no more is, until the rates are paid for and there is room behind us. */
void client_pace(struct client *c)
{
    bool was = c->via->paused(c);
    if (c->rate_until_ms || c->waits_room) {
        c->via->pause(c, true);
        if (!was)
            METRIC_INC(c->d->metrics, c->rate_until_ms ? M_LIMIT_RATE : M_LIMIT_ROOM);
        if (c->rate_until_ms)
            keepalive_arm(c);
    } else if (was) {
        c->last_in_ms = loop_now_ms(c->d->loop); /* its silence was our doing */
        c->via->pause(c, false);
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
    struct clients *d = c->d;
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

void client_element(struct client *c, struct arena *a, struct node *n)
{
    if (c->state == CLIENT_BOUND)
        take_stanza(c, a, n);
    else
        negotiate_element(c, a, n);
}

/* --- written --- */

void client_write(struct client *c, struct slice bytes)
{
    client_wire(c, true, bytes);
    c->via->write(c, bytes);
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
    if (n == 1)
        client_write(c, pieces[0]);
    else
        c->via->join(c, pieces, n);
    if (mark)
        unread_add(c, mark);
    METRIC_INC(c->d->metrics, M_STANZAS_OUT);
}

static void on_flow(struct esession *s, uint16_t n)
{
    struct client *c = CONTAINER(s, struct client, session);
    c->flow = c->via->full(c) ? n : 0; /* client_drained follows */
    if (!c->flow)
        esession_flow(c->d->edge, s, n);
}

void client_drained(struct client *c)
{
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
    clients_balance(owner);
}

const struct edge_ops client_edge_ops = {
    .on_challenge = sasl_challenge,
    .on_success = sasl_success,
    .on_authenticated = sasl2_authenticated,
    .on_failure = sasl_failure,
    .on_bound = bind_bound,
    .on_bind_refused = bind_refused,
    .on_sm_enabled = smstream_enabled,
    .on_resumed = smstream_resumed,
    .on_resume_failed = smstream_resume_failed,
    .on_handled = smstream_handled,
    .on_ask = smstream_ask_client,
    .on_stanza = on_session_stanza,
    .on_close = on_session_close,
    .on_flow = on_flow,
    .on_room = on_session_room,
    .on_domains = on_domains,
    .on_flushed = unread_flushed,
    .each_unread = unread_each,
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

void client_end(struct client *c)
{
    if (c->state == CLIENT_CLOSED)
        return;
    negotiate_open_stream(c, SLICE_NONE, SLICE_NONE);
    over(c, false);
    c->via->end(c);
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
    if (!c->mute) {
        negotiate_open_stream(c, SLICE_NONE, SLICE_NONE); /* RFC 6120 4.9.1.2 */
        buf_reset(&c->d->scratch);
        stream_error_write(&c->d->scratch, cond, text, content, app);
        client_write(c, buf_get(&c->d->scratch));
    }
    over(c, lost);
    c->via->end(c);
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

void client_closed(struct client *c)
{
    struct clients *d = c->d;
    if (c->state != CLIENT_CLOSED)
        over(c, true);
    unread_return(c); /* behind the end of its session, or it might be given back to that */
    esession_gone(d->edge, &c->session, true); /* what it owned */
    pending_over(c);
    nego_free(c);
    timer_stop(&c->timer);
    addr_leave(d->addresses, c->address);
    list_unlink(&c->link);
    d->n_clients--;
    metric_set(d->metrics, M_CONNECTIONS, (int64_t)d->n_clients);
    if (d->stopping && d->n_clients == 0)
        edge_close(d->edge);
}
