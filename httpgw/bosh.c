/* httpgw/bosh.c - BOSH sessions: a transport of common/edge/client.h whose peer comes and goes (XEP-0124,
 * XEP-0206)
 *
 * What is written waits in `out` until the end of the turn and leaves with the oldest request that is held.
 * Requests are boshreq.c's, their order is boshwin.c's. */
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "httpgw/boshpeer.h"
#include "httpgw/element.h"

enum { JOINED_MAX = 32 };
#define VERSION "1.11" /* of XEP-0124 */

static struct bosh *bosh_of(const struct client *c)
{
    return CONTAINER((uintptr_t)c, struct bosh, client);
}

void bosh_dirty(struct bosh *s)
{
    if (!link_in_list(&s->dirty))
        list_append(&s->all->dirty, &s->dirty);
    loop_at_turn_end(s->all->d->run->loop, &s->all->turn);
}

/* --- answers --- */

void bosh_reply(struct bosh_request *q, struct slice body)
{
    const struct http_field fresh = { "Cache-Control", SLICE("no-store") };
    if (q->served) {
        boshpeer_answer(q->served, body);
        return;
    }
    routes_answer_cors(q->http, &(struct http_reply){ .status = 200,
                                                      .type = "text/xml; charset=utf-8",
                                                      .body = body,
                                                      .fields = &fresh,
                                                      .n_fields = 1 });
}

void bosh_refuse(struct bosh_request *q, const char *cond, struct slice uri)
{
    struct buf out = BUF_INIT(0);
    buf_fmt(&out, "<body xmlns='" NS_BOSH "' type='terminate' condition='%s'", cond);
    if (uri.len) {
        BUF_LIT(&out, "><uri>");
        xmlout_text(&out, uri);
        BUF_LIT(&out, "</uri></body>");
    } else {
        BUF_LIT(&out, "/>");
    }
    bosh_reply(q, buf_get(&out));
    buf_fini(&out);
}

static void number(struct buf *out, const char *name, uint64_t n)
{
    buf_fmt(out, " %s='%llu'", name, (unsigned long long)n);
}

/* The session creation response: XEP-0124 7.2, XEP-0206 4. */
static void write_creation(const struct bosh *s, struct buf *out)
{
    const struct httpgw_conf *conf = s->all->d->conf;
    xmlout_attr(out, "sid", slice_cstr(s->sid));
    BUF_LIT(out, " ver='" VERSION "'");
    number(out, "wait", s->wait_ms / 1000);
    number(out, "requests", s->window.requests);
    number(out, "hold", s->hold);
    number(out, "inactivity", s->inactivity_ms / 1000);
    if (conf->polling_ms)
        number(out, "polling", conf->polling_ms / 1000);
    if (conf->pause_ms)
        number(out, "maxpause", conf->pause_ms / 1000);
    if (s->acks)
        number(out, "ack", s->window.top);
    if (s->from)
        xmlout_attr(out, "from", slice_cstr(s->from));
    if (s->stream_id)
        xmlout_attr(out, "authid", slice_cstr(s->stream_id));
    if (conf->send_hostname && conf->host)
        xmlout_attr(out, "host", slice_cstr(conf->host));
    BUF_LIT(out, " xmlns:xmpp='" NS_XBOSH "' xmpp:version='1.0' xmpp:restartlogic='true'");
}

/* XEP-0124 17.2, for what XMPP says by a stream error. */
static const char *condition(const struct bosh *s, struct slice payload)
{
    static const char *const same[] = { "host-unknown", "host-gone", "improper-addressing" };
    if (s->cond || !s->error)
        return s->cond;
    for (size_t i = 0; !s->created && i < sizeof same / sizeof *same; i++) {
        if (memmem(payload.p, payload.len, same[i], strlen(same[i])))
            return same[i];
    }
    return "remote-stream-error";
}

static void write_body(const struct bosh *s, uint64_t rid, struct slice payload, bool last, struct buf *out)
{
    BUF_LIT(out, "<body xmlns='" NS_BOSH "'");
    if (!s->created && !last)
        write_creation(s, out);
    else if (s->created && s->acks && s->window.top != rid)
        number(out, "ack", s->window.top); /* XEP-0124 9.1 */
    if (last) {
        BUF_LIT(out, " type='terminate'");
        const char *cond = condition(s, payload);
        if (cond)
            buf_fmt(out, " condition='%s'", cond);
    }
    if (payload.len && memmem(payload.p, payload.len, "<stream:", 8))
        BUF_LIT(out, " xmlns:stream='" NS_STREAM "'");
    buf_byte(out, '>');
    buf_slice(out, payload);
    BUF_LIT(out, "</body>");
}

/* Answers the oldest request that is held, with all there is to say. */
static void answer(struct bosh *s, uint64_t rid, struct bosh_request *q)
{
    struct buf body = BUF_INIT(0);
    bool last = s->ended && !s->told && q, empty = !s->out.len || s->pause_ms || (s->ended && !last);
    write_body(s, rid, empty ? SLICE_NONE : buf_get(&s->out), last, &body);
    if (!empty)
        s->sent = s->written;
    boshwin_answer(&s->window, buf_get(&body), !s->pause_ms, s->sent);
    if (!empty)
        buf_fini(&s->out);
    s->created = true;
    s->told |= last;
    if (s->last_empty_ms && !empty)
        s->last_empty_ms = 0;
    if (q) {
        q->session = NULL;
        timer_stop(&q->timer);
        client_wire(&s->client, true, buf_get(&body));
        bosh_reply(q, buf_get(&body));
    }
    buf_fini(&body);
}

static bool is_due(const struct bosh *s, const struct bosh_request *q)
{
    return s->out.len || s->ended || s->pause_ms || boshwin_held(&s->window) > s->hold || (q && q->late);
}

static void on_inactive(struct timer *t);

static void flush(struct bosh *s)
{
    uint64_t rid;
    void *q;
    size_t had = s->out.len;
    while (boshwin_oldest(&s->window, &rid, &q) && is_due(s, q))
        answer(s, rid, q);
    if (boshwin_held(&s->window) == 0) {
        loop_timer(s->all->d->run->loop, &s->timer, s->pause_ms ? s->pause_ms : s->inactivity_ms,
                   on_inactive);
        s->pause_ms = 0;
    }
    if (had && !s->out.len)
        client_drained(&s->client);
}

/* --- life --- */

struct bosh *bosh_new(struct bosh_all *all, struct bosh_request *first, const struct conn_peer *peer)
{
    struct arena *a = arena_take(all->d->clients.arenas);
    struct bosh *s = mem_new(sizeof *s);
    const char *host = all->d->conf->host;
    struct slice token = boshpeer_sid(all->peers, a, secret_token(a, 18));
    s->all = all;
    /* The gateway's name in it tells the other gateways whose it is. */
    s->sid = mem_copy(host ? arena_fmt(a, SLICE_FMT "@%s", SLICE_ARG(token), host) : token);
    memcpy(&s->peer, &peer->addr, sizeof s->peer);
    map_put(all->sessions, s);
    first->session = s;
    arena_give(all->d->clients.arenas, &a);
    METRIC_INC(all->d->run->metrics, M_BOSH_OPENED);
    return s;
}

static void bosh_free(struct bosh *s)
{
    struct client *c = &s->client;
    struct client_log log;
    struct bosh_request *q;
    LOG_INFO(client_log(c, &log, LOG_NET, client_state_name((enum client_state)c->state)), "closed",
             F_STR("cause", s->cond   ? s->cond
                            : s->told ? "owner"
                                      : "inactive"),
             F_SLICE("jid", esession_jid(&c->session)));
    client_closed(c);
    while ((q = boshwin_pop(&s->window))) {
        q->session = NULL;
        timer_stop(&q->timer);
        bosh_refuse(q, s->cond ? s->cond : "item-not-found", SLICE_NONE);
    }
    map_remove(s->all->sessions, slice_cstr(s->sid));
    list_unlink(&s->dirty);
    timer_stop(&s->timer);
    boshwin_fini(&s->window);
    buf_fini(&s->out);
    mem_free(s->from);
    mem_free(s->stream_id);
    mem_free(s->sid);
    mem_free(s);
}

static void on_inactive(struct timer *t)
{
    struct bosh *s = CONTAINER(t, struct bosh, timer);
    if (!s->ended)
        METRIC_INC(s->all->d->run->metrics, M_BOSH_INACTIVE);
    bosh_free(s);
}

void bosh_fail(struct bosh *s, const char *cond)
{
    if (!s->ended)
        METRIC_INC(s->all->d->run->metrics, M_BOSH_BAD);
    s->ended = true;
    s->cond = cond;
    bosh_dirty(s);
}

static void on_turn(struct turn *t)
{
    struct bosh_all *all = CONTAINER(t, struct bosh_all, turn);
    while (!list_empty(&all->dirty)) {
        struct bosh *s = CONTAINER(all->dirty.next, struct bosh, dirty);
        boshreq_waiting(s);
        list_unlink(&s->dirty);
        flush(s);
        if (s->told || (s->ended && (s->client.d->stopping || s->cond)))
            bosh_free(s);
    }
}

/* --- the transport --- */

static void write_joined(struct client *c, const struct slice *pieces, size_t n)
{
    struct bosh *s = bosh_of(c);
    struct slice with[JOINED_MAX + ELEMENT_PIECES];
    size_t from = s->out.len;
    if (n > JOINED_MAX || s->ended)
        return;
    size_t k = element_pieces(pieces, n, true, with);
    for (size_t i = 0; i < k; i++)
        buf_slice(&s->out, with[i]);
    s->written += (uint32_t)(s->out.len - from);
    c->d->totals.out_bytes += s->out.len - from;
    s->error |= slice_starts(pieces[0], SLICE("<stream:error"));
    if (s->out.len > c->d->conf->output_bytes) {
        METRIC_INC(c->d->metrics, M_LIMIT_OUTPUT);
        s->ended = true;
        s->cond = "policy-violation";
    }
    bosh_dirty(s);
}

static void write_element(struct client *c, struct slice element)
{
    write_joined(c, &element, 1);
}

static void open_stream(struct client *c, const struct stream_open *h)
{
    struct bosh *s = bosh_of(c);
    if (s->created)
        return;
    mem_free(s->from);
    mem_free(s->stream_id);
    s->from = mem_copy(h->from);
    s->stream_id = mem_copy(h->id);
}

static void logged_in(struct client *c, bool restarts) /* the client asks for the restart: XEP-0206 5 */
{
    (void)c, (void)restarts;
}

static void pause_reading(struct client *c, bool stop)
{
    struct bosh *s = bosh_of(c);
    s->paused = stop;
    if (!stop)
        bosh_dirty(s);
}

static bool paused(const struct client *c)
{
    return bosh_of(c)->paused;
}

static uint32_t written(const struct client *c)
{
    return bosh_of(c)->written;
}

static uint32_t taken(const struct client *c)
{
    return boshwin_arrived(&bosh_of(c)->window);
}

static bool full(const struct client *c)
{
    return bosh_of(c)->out.len >= c->d->conf->output_bytes / CLIENTS_FLOW_PART;
}

static void peer_of(const struct client *c, struct conn_peer *out)
{
    struct sockaddr_storage addr = { 0 };
    memcpy(&addr, &bosh_of(c)->peer, sizeof bosh_of(c)->peer);
    conn_peer_of(&addr, out);
}

static void end(struct client *c)
{
    struct bosh *s = bosh_of(c);
    s->ended = true;
    bosh_dirty(s);
}

const struct transport bosh_transport = {
    /* no nudge: who does not come back is lost anyhow */
    .peer = peer_of,
    .open = open_stream,
    .write = write_element,
    .join = write_joined,
    .logged_in = logged_in,
    .pause = pause_reading,
    .paused = paused,
    .written = written,
    .taken = taken,
    .full = full,
    .end = end,
};

static struct slice sid_of(const void *value)
{
    return slice_cstr(((const struct bosh *)value)->sid);
}

struct bosh_all *bosh_all_new(struct httpgw *d)
{
    struct bosh_all *all = mem_new(sizeof *all);
    all->d = d;
    all->sessions = map_new(sid_of);
    list_init(&all->dirty);
    all->turn.fn = on_turn;
    all->peers = boshpeers_new(all);
    return all;
}

void bosh_all_free(struct bosh_all **all)
{
    if (!*all)
        return;
    map_free(&(*all)->sessions);
    boshpeers_free(&(*all)->peers);
    MEM_FREE(all);
}

enum rc bosh_all_open(struct bosh_all *all, struct why *why)
{
    return boshpeers_open(all->peers, why);
}

void bosh_all_stop(struct bosh_all *all)
{
    boshpeers_stop(all->peers);
}
