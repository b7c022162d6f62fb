/* s2s/wire.c - a stream's life: connected, read, written, ended; silence is idle.c's */
#include "s2s/wire.h"

#include "common/base/mem.h"
#include "s2s/idle.h"
#include "s2s/pair.h"
#include "s2s/ping.h"
#include "s2s/ssm.h"

enum { LINGER_MS = 3000, LINGER_STOP_MS = 1000, SENT_MAX = 4096 };

static const struct xmlin_events xml_events;

const char *proof_name(enum proof p)
{
    static const char *const names[] = { "none", "external-pkix", "external-dane", "dialback" };
    return names[p];
}

const struct log_ctx *wire_log(const struct wire *w, struct wire_log *out, enum log_sub sub,
                               const char *doing)
{
    out->ctx = (struct log_ctx){ .log = w->d->run->log,
                                 .sub = sub,
                                 .conn = w->number,
                                 .ip = w->ip[0] ? w->ip : NULL,
                                 .doing = doing ? doing : w->ops->state(w) };
    return &out->ctx;
}

static void show(const struct wire *w, bool out, struct slice bytes)
{
    struct wire_log log;
    if (log_wants(w->d->run->log, LOG_WIRE, LOG_LEVEL_DEBUG))
        log_wire(wire_log(w, &log, LOG_WIRE, NULL), out, bytes);
}

static void count(struct s2s *d, bool incoming, int by)
{
    size_t *n = incoming ? &d->n_in : &d->n_out;
    *n += (size_t)by;
    metric_set(d->metrics, incoming ? M_IN : M_OUT, (int64_t)*n);
}

void wire_init(struct wire *w, struct s2s *d, const struct wire_ops *ops, bool incoming)
{
    w->d = d;
    w->ops = ops;
    w->incoming = incoming;
    w->number = ++d->last_number;
    w->since_ms = w->last_in_ms = w->busy_ms = loop_now_ms(d->loop);
    list_init(&w->pairs);
    list_init(&w->sent);
    list_append(&d->wires, &w->link);
    xmlin_init(&w->xml, d->xml, &d->pre_auth);
    count(d, incoming, 1);
}

void wire_take_conn(struct wire *w, struct conn *conn)
{
    struct conn_peer peer;
    w->conn = conn;
    w->secure = w->handshaking = w->has_header = w->over = w->ended = w->said_end = false;
    w->proof = PROOF_NONE;
    w->stuck_ms = 0;
    w->probing = false;
    MEM_FREE(&w->ping);
    xmlin_reset(&w->xml);
    w->xml.limits = &w->d->pre_auth;
    conn_peer(conn, &peer);
    memcpy(w->ip, peer.ip, sizeof w->ip);
    w->hold = false;
    w->trusted = w->d->conf->policy == TLS_OPTIONAL &&
                 addr_is_loopback((const struct sockaddr *)(const void *)&peer.addr);
    conn_owner_set(conn, &w->d->conn_conf, w);
    conn_patience(conn, w->d->conf->probe_wait_ms);
}

void wire_fini(struct wire *w)
{
    wire_give_back(w);
    ssm_free(&w->sm);
    timer_stop(&w->timer);
    xmlin_fini(&w->xml);
    list_unlink(&w->room);
    list_unlink(&w->unsettled);
    list_unlink(&w->dirty);
    list_unlink(&w->link);
    mem_free(w->local);
    mem_free(w->remote);
    mem_free(w->id);
    mem_free(w->ping);
    count(w->d, w->incoming, -1);
}

/* --- TLS --- */

void wire_secure_server(struct wire *w)
{
    w->handshaking = true;
    conn_start_tls(w->conn, certs_tls(w->d->certs), TLS_SERVER, NULL);
}

void wire_secure_client(struct wire *w, bool direct)
{
    struct arena *a = arena_take(w->d->arenas);
    struct slice ascii;
    struct conn_tls_client how = { .own_name = w->local, .alpn = direct };
    if (jid_domain_ascii(a, wire_remote(w), &ascii, NULL) == RC_OK)
        how.server_name =
            arena_cstr(a, ascii); /* RFC 6120 13.7.2: the name that we look for, not the host's */
    w->handshaking = true;
    conn_start_tls_client(w->conn, s2s_tls_client(w->d), &how);
    arena_give(w->d->arenas, &a);
}

static void on_secure(void *owner)
{
    struct wire *w = owner;
    struct conn_tls tls;
    struct wire_log log;
    w->handshaking = false;
    w->secure = true;
    w->d->secured++;
    METRIC_INC(w->d->metrics, M_TLS_OK);
    conn_tls_info(w->conn, &tls);
    LOG_DEBUG(wire_log(w, &log, LOG_TLS, NULL), "secure", F_STR("version", tls.version),
              F_STR("cipher", tls.cipher), F_STR("sni", tls.sni), F_STR("alpn", tls.alpn));
    w->ops->on_secure(w);
}

/* --- read --- */

static void xml_error(struct wire *w, enum rc rc, const struct why *why)
{
    struct wire_log log;
    if (rc == RC_LIMIT)
        METRIC_INC(w->d->metrics, M_LIMIT_XML);
    LOG_INFO(wire_log(w, &log, LOG_XMPP, NULL), "bad_xml", F_STR("rc", rc_name(rc)), F_WHY(why));
    wire_fail(w, stream_cond_of_xml(rc), why->text[0] ? why->text : NULL);
}

/* Bytes are paid for as they come, stanzas in take.c. */
static void pay(struct wire *w, size_t n)
{
    struct limit_verdict v = limit_take(&w->use, w->d->rules, LIMIT_OF_CONNECTION, w->last_in_ms, 0, n);
    if (v.action == LIMIT_DISCONNECT || v.action == LIMIT_PAUSE)
        idle_limit(w, &v);
}

static void on_input(void *owner, struct slice bytes)
{
    struct wire *w = owner;
    struct why why = { "" };
    if (w->over)
        return;
    show(w, false, bytes);
    w->last_in_ms = loop_now_ms(w->d->loop);
    w->probing = false;
    w->cut = false;
    w->bytes_in += bytes.len;
    pay(w, bytes.len);
    if (w->over)
        return;
    enum rc rc = xmlin_feed(&w->xml, bytes, &xml_events, w, &why);
    if (w->over)
        return;
    if (rc != RC_OK)
        xml_error(w, rc, &why);
    else
        wire_pace(w);
}

void wire_pace(struct wire *w)
{
    bool was = conn_paused(w->conn);
    if (w->hold || w->pause_until_ms || link_in_list(&w->room)) {
        conn_pause(w->conn);
        if (w->pause_until_ms)
            wire_arm(w);
    } else if (was) {
        w->last_in_ms = loop_now_ms(w->d->loop); /* its silence was our doing */
        conn_resume(w->conn);
    }
}

void wire_room(struct wire *w)
{
    list_unlink(&w->room);
    if (!w->over)
        wire_pace(w);
}

static bool on_header(void *owner, struct arena *a, struct node *header)
{
    struct wire *w = owner;
    w->ops->on_header(w, a, header);
    return !w->over;
}

static bool on_stanza(void *owner, struct arena *a, struct node *n)
{
    struct wire *w = owner;
    w->ops->on_element(w, a, n);
    return !w->over && !w->cut;
}

static void on_close(void *owner)
{
    struct wire *w = owner;
    w->ended = true;
    wire_end(w);
}

static const struct xmlin_events xml_events = { on_header, on_stanza, on_close };

/* --- written --- */

void wire_write(struct wire *w, struct slice bytes)
{
    if (!w->conn || w->over)
        return;
    show(w, true, bytes);
    w->bytes_out += bytes.len;
    conn_write(w->conn, bytes);
}

void wire_open(struct wire *w, struct slice from, struct slice to, struct slice id)
{
    if (w->has_header)
        return;
    w->has_header = true;
    struct stream_open open = { .content_ns = NS_SERVER,
                                .from = from,
                                .to = to,
                                .id = id,
                                .lang = SLICE("en"),
                                .version_1 = true,
                                .dialback = true };
    struct buf out = BUF_INIT(0);
    stream_header_write(&out, &open);
    wire_write(w, buf_get(&out));
    buf_fini(&out);
    METRIC_INC(w->d->metrics, M_STREAMS);
}

void wire_restart(struct wire *w)
{
    w->has_header = false;
    w->cut = true; /* RFC 6120 5.4.3.3, 6.4.6: what came behind in the same input was never seen */
    xmlin_reset(&w->xml);
}

/* --- stanzas of ours --- */

bool wire_may_send(const struct wire *w)
{
    return w->conn && !w->over && !conn_full(w->conn) && w->n_sent < SENT_MAX &&
           w->sent_bytes < w->d->conf->output_bytes;
}

void wire_flush_turn(struct turn *t)
{
    struct s2s *d = CONTAINER(t, struct s2s, flush_turn);
    LIST_EACH(&d->dirty, it) {
        struct wire *w = CONTAINER(it, struct wire, dirty);
        list_unlink(it);
        if (!w->conn || w->over)
            continue;
        ssm_turn(w);
        conn_flush(w->conn);
        wire_taken(w);
    }
}

void wire_dirty(struct wire *w)
{
    if (!link_in_list(&w->dirty))
        list_append(&w->d->dirty, &w->dirty);
    loop_at_turn_end(w->d->loop, &w->d->flush_turn);
}

void wire_send(struct wire *w, struct item *it)
{
    wire_write(w, item_bytes(it));
    it->upto = conn_written(w->conn);
    it->counted = w->sm && w->sm->out_on;
    list_append(&w->sent, &it->link);
    it->pair->held++;
    w->n_sent++;
    w->sent_bytes += it->len;
    w->stanzas_out++;
    if (!ping_is_answer(item_bytes(it)))
        w->busy_ms = loop_now_ms(w->d->loop);
    METRIC_INC(w->d->metrics, M_STANZAS_OUT);
    if (it->counted)
        ssm_wrote(w);
    wire_dirty(w);
}

static struct item *first_sent(const struct wire *w)
{
    return list_empty(&w->sent) ? NULL : CONTAINER(w->sent.next, struct item, link);
}

static void take_off(struct wire *w, struct item *it)
{
    list_unlink(&it->link);
    it->pair->held--;
    w->n_sent--;
    w->sent_bytes -= it->len;
}

static void arrived(struct wire *w, struct item *it)
{
    take_off(w, it);
    item_finish(it);
}

void wire_acked(struct wire *w, size_t n)
{
    for (struct item *it; n && (it = first_sent(w)) != NULL;) {
        n -= it->counted;
        arrived(w, it);
    }
    if (!w->over)
        LIST_EACH(&w->pairs, at) {
            pair_flush(CONTAINER(at, struct pair, on_wire));
        }
}

void wire_taken(struct wire *w)
{
    uint32_t taken = conn_taken(w->conn);
    for (struct item *it; (it = first_sent(w)) != NULL && !it->counted && taken - it->upto < UINT32_MAX / 2;)
        arrived(w, it);
    if (conn_waiting(w->conn) == 0)
        w->stuck_ms = 0;
    else if (!w->stuck_ms)
        w->stuck_ms = loop_now_ms(w->d->loop);
}

void wire_give_back(struct wire *w)
{
    while (!list_empty(&w->sent)) {
        struct item *it = CONTAINER(w->sent.prev, struct item, link);
        take_off(w, it);
        pair_back(it->pair, it);
    }
}

static void on_drain(void *owner)
{
    struct wire *w = owner;
    if (w->over)
        return;
    wire_taken(w);
    LIST_EACH(&w->pairs, it) {
        pair_flush(CONTAINER(it, struct pair, on_wire));
    }
}

/* --- ended --- */

static void over(struct wire *w, bool lost, const char *text)
{
    w->over = true;
    timer_stop(&w->timer);
    list_unlink(&w->room);
    while (!list_empty(&w->pairs))
        pair_off(CONTAINER(w->pairs.next, struct pair, on_wire));
    w->ops->on_over(w, lost, text);
}

static void finish(struct wire *w)
{
    if (!w->conn)
        return;
    if (w->handshaking)
        conn_close(w->conn, CONN_BY_OWNER); /* nothing can be said in the middle of a handshake */
    else
        conn_finish(w->conn, w->d->stopping ? LINGER_STOP_MS : LINGER_MS);
}

void wire_end(struct wire *w)
{
    wire_end_why(w, NULL);
}

void wire_end_why(struct wire *w, const char *text)
{
    if (w->over || !w->conn)
        return;
    if (!w->handshaking) {
        wire_open(w, wire_local(w), wire_remote(w), slice_cstr(w->incoming ? w->id : NULL));
        ssm_last(w);
        wire_write(w, SLICE(STREAM_END));
    }
    w->said_end = true;
    over(w, false, text);
    finish(w);
}

void wire_fail_app(struct wire *w, enum stream_cond cond, const char *text, struct slice app)
{
    struct wire_log log;
    if (w->over || !w->conn)
        return;
    LOG_INFO(wire_log(w, &log, LOG_XMPP, NULL), "stream_error", F_STR("cond", stream_cond_name(cond)),
             F_STR("text", text), F_STR("local", w->local), F_STR("remote", w->remote));
    metric_add(w->d->metrics, M_STREAM_ERRORS + (unsigned)cond, 1);
    if (!w->handshaking) {
        struct buf out = BUF_INIT(0);
        wire_open(w, wire_local(w), wire_remote(w),
                  slice_cstr(w->incoming ? w->id : NULL)); /* RFC 6120 4.9.1.2 */
        ssm_last(w);
        stream_error_write(&out, cond, text, SLICE_NONE, app);
        BUF_LIT(&out, STREAM_END);
        wire_write(w, buf_get(&out));
        buf_fini(&out);
    }
    w->said_end = true;
    over(w, false, text ? text : stream_cond_name(cond));
    finish(w);
}

void wire_fail(struct wire *w, enum stream_cond cond, const char *text)
{
    wire_fail_app(w, cond, text, SLICE_NONE);
}

void wire_cut(struct wire *w, const char *text)
{
    if (w->over || !w->conn)
        return;
    over(w, true, text);
    conn_close(w->conn, CONN_TIMEOUT);
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct wire *w = owner;
    struct wire_log log;
    bool lost = !w->over;
    if (cause == CONN_TLS && w->handshaking)
        METRIC_INC(w->d->metrics, M_TLS_FAILED);
    if (lost && cause == CONN_TIMEOUT) /* conn_patience */
        METRIC_INC(w->d->metrics, M_DEAD_CLOSED);
    if (cause == CONN_OVERFLOW)
        METRIC_INC(w->d->metrics, M_LIMIT_OUTPUT);
    LOG_INFO(wire_log(w, &log, LOG_NET, NULL), "closed", F_STR("cause", conn_cause_name(cause)),
             F_STR("why", why ? why->text : NULL), F_STR("local", w->local), F_STR("remote", w->remote));
    if (lost)
        over(w, true, why && why->text[0] ? why->text : conn_cause_name(cause));
    wire_taken(w);
    w->conn = NULL;
    xmlin_reset(&w->xml);
    ssm_keep(w);
    w->ops->on_gone(w, cause, why);
}

const struct conn_ops wire_conn_ops = {
    .on_secure = on_secure, .on_input = on_input, .on_drain = on_drain, .on_closed = on_closed
};
