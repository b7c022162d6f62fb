/* httpgw/restsession.c - sessions of the API: a login for a call, kept a little for the next one
 *
 * A session of common/edge/esession.h without a client's stream: what it sends is made here, and what it gets
 * are answers. It belongs to one call at a time. */
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/edge/client.h"
#include "common/link/frame.h"
#include "common/xmpp/bearer.h"
#include "httpgw/restin.h"
#include <gnutls/crypto.h>

enum {
    LIFE_MS = 60000,
    KEPT_MAX = 4, /* with the same credentials: an account has not many sessions */
    MARKS_MAX = 16,
    MAC_BYTES = 32,
};

struct rest_session {
    struct esession session;
    struct link link; /* in rest_all.sessions */
    struct rest_all *all;
    struct rest_call *call; /* NULL: it is kept, or dead */
    struct timer timer;     /* kept so long */
    struct turn turn;       /* dead: its memory goes when nobody is inside of it any more */
    uint64_t connection, born_ms;
    uint8_t mac[MAC_BYTES];    /* of the credentials */
    uint64_t node, id;         /* of the session, for the marks */
    uint64_t marks[MARKS_MAX]; /* stanzas that nobody has asked for: they are given back */
    size_t n_marks;
    bool trusted, ready, spent;
};

static struct rest_session *session_of(struct esession *s)
{
    return CONTAINER(s, struct rest_session, session);
}

static struct edge *edge_of(const struct rest_session *s)
{
    return s->all->d->clients.edge;
}

/* --- its end --- */

static void count(struct rest_all *all)
{
    metric_set(all->d->run->metrics, M_API_SESSIONS, (int64_t)all->n_sessions);
}

static void session_free(struct rest_session *s)
{
    loop_turn_drop(s->all->d->run->loop, &s->turn);
    list_unlink(&s->link);
    s->all->n_sessions--;
    count(s->all);
    mem_free(s);
}

static void on_dead(struct turn *t)
{
    session_free(CONTAINER(t, struct rest_session, turn));
}

/* What came without having been asked for has reached nobody. */
static void give_back(const struct rest_session *s)
{
    struct control_mark marks[MARKS_MAX];
    for (size_t i = 0; i < s->n_marks; i++)
        marks[i] = (struct control_mark){ s->id, s->marks[i], 0 };
    if (s->n_marks)
        edge_undelivered(edge_of(s), s->node, marks, s->n_marks);
}

static void end(struct rest_session *s)
{
    if (s->spent)
        return;
    s->spent = true;
    s->ready = false;
    s->call = NULL;
    timer_stop(&s->timer);
    secret_wipe(s->mac, sizeof s->mac);
    esession_gone(edge_of(s), &s->session, false);
    give_back(s);
    s->turn.fn = on_dead;
    loop_at_turn_end(s->all->d->run->loop, &s->turn);
}

static void on_kept_enough(struct timer *t)
{
    end(CONTAINER(t, struct rest_session, timer));
}

/* --- what comes from the session manager --- */

/* The call has lost its session, which is over. */
static void lost(struct rest_session *s, const struct rest_problem *p)
{
    struct rest_call *c = s->call;
    end(s);
    if (!c)
        return;
    c->session = NULL;
    rest_on_lost(c, p);
}

static void on_challenge(struct esession *es, struct slice data)
{
    struct rest_session *s = session_of(es);
    (void)data; /* RFC 7628 3.2.3: what is wrong with the token; the attempt has been counted */
    esession_response(edge_of(s), es, SLICE(BEARER_LAST));
}

static void on_success(struct esession *es, const struct control_success *ok)
{
    struct rest_session *s = session_of(es);
    (void)ok;
    METRIC_INC(s->all->d->run->metrics, M_API_LOGINS);
    esession_bind(edge_of(s), es, SLICE_NONE);
}

static void on_failure(struct esession *es, const struct control_failure *bad)
{
    struct rest_session *s = session_of(es);
    struct rest_call *c = s->call;
    struct clients *d = &s->all->d->clients;
    if (c && !s->trusted && bad->cond == SASL_NOT_AUTHORIZED) { /* a guess that was wrong, as at c2s */
        uint64_t now = loop_now_ms(d->loop);
        rate_take(addr_rate(d->addresses, c->address, now), &d->auth_limit, now, 1);
    }
    end(s);
    if (!c)
        return;
    c->session = NULL;
    rest_on_refused(c, bad->cond, bad->text);
}

static void on_bound(struct esession *es)
{
    struct rest_session *s = session_of(es);
    s->ready = true;
    s->id = es->id;
    s->node = es->node->id;
    if (s->call)
        rest_on_ready(s->call);
}

static void on_bind_refused(struct esession *es, const struct control_bind_refused *no)
{
    const struct rest_problem p = {
        .status = 503, .condition = stanza_cond_name(no->cond), .detail = no->text, .retry_s = 5
    };
    lost(session_of(es), &p);
}

static void on_close(struct esession *es, enum stream_cond cond, struct slice text)
{
    bool over = cond == STREAM_NOT_AUTHORIZED; /* the token, or the account, is no more */
    const struct rest_problem p = { .status = over ? 401 : 503, .detail = text, .retry_s = over ? 0 : 2 };
    lost(session_of(es), &p);
}

static bool is_answer(const struct node *n)
{
    struct slice type = node_attr(n, "type");
    return slice_is(type, "error") || (slice_is(n->name, "iq") && slice_is(type, "result"));
}

static void take(struct rest_session *s, const struct node *n, uint64_t mark)
{
    if (is_answer(n) && s->call)
        rest_on_stanza(s->call, n);
    else if (mark && s->n_marks < MARKS_MAX)
        s->marks[s->n_marks++] = mark;
}

static void on_stanza(struct esession *es, const struct slice *pieces, size_t n, uint64_t mark)
{
    static const struct xmlin_limits limits = { FRAME_MAX, 96, 1000000, 512 };
    struct rest_session *s = session_of(es);
    struct clients *d = &s->all->d->clients;
    struct buf whole = BUF_INIT(0);
    struct arena *a = arena_take(d->arenas);
    struct node *node;
    struct why why = { "" };
    for (size_t i = 0; n > 1 && i < n; i++)
        buf_slice(&whole, pieces[i]);
    if (xmlin_parse(d->xml, a, n > 1 ? buf_get(&whole) : pieces[0], &limits, &node, &why) == RC_OK) {
        take(s, node, mark);
    } else {
        const struct rest_problem p = { .status = 502, .detail = SLICE("the answer cannot be read") };
        lost(s, &p);
    }
    arena_give(d->arenas, &a);
    buf_fini(&whole);
}

static void on_flow(struct esession *es, uint16_t n)
{
    esession_flow(edge_of(session_of(es)), es, n); /* nothing waits here */
}

static void on_room(struct esession *es)
{
    (void)es; /* nobody was held up */
}

static const struct edge_ops session_ops = {
    .on_challenge = on_challenge,
    .on_success = on_success,
    .on_failure = on_failure,
    .on_bound = on_bound,
    .on_bind_refused = on_bind_refused,
    .on_stanza = on_stanza,
    .on_close = on_close,
    .on_flow = on_flow,
    .on_room = on_room,
};

/* --- its beginning --- */

static void mac_of(const struct rest_call *c, struct slice header, uint8_t out[MAC_BYTES])
{
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, c->all->key, sizeof c->all->key, header.p, header.len, out);
}

/* Whoever sends other credentials, or comes on another connection, gets none of it. */
static struct rest_session *kept(const struct rest_call *c, const uint8_t mac[MAC_BYTES])
{
    if (c->again)
        return NULL;
    LIST_EACH(&c->all->sessions, it) {
        struct rest_session *s = CONTAINER(it, struct rest_session, link);
        if (s->ready && !s->call && s->connection == http_connection(c->http) &&
            secret_eq(slice_of((const char *)s->mac, MAC_BYTES), slice_of((const char *)mac, MAC_BYTES)))
            return s;
    }
    return NULL;
}

static struct rest_session *session_new(struct rest_call *c, const uint8_t mac[MAC_BYTES])
{
    struct rest_session *s = mem_new(sizeof *s);
    s->all = c->all;
    s->call = c;
    s->session.ops = &session_ops;
    s->connection = http_connection(c->http);
    s->born_ms = loop_now_ms(c->all->d->run->loop);
    s->trusted = c->trusted;
    memcpy(s->mac, mac, MAC_BYTES);
    list_append(&c->all->sessions, &s->link);
    c->all->n_sessions++;
    count(c->all);
    return s;
}

/* RFC 6120 6, without the stream around it. */
static void log_in(struct rest_session *s, const struct restauth *who)
{
    struct rest_call *c = s->call;
    struct arena *a = c->arena;
    const struct control_open open = { .domain = who->user.domain,
                                       .ip = slice_cstr(c->peer.ip),
                                       .secure = c->secure,
                                       .api = true,
                                       .trusted_plain = c->trusted };
    struct slice key = esession_key_of_user(a, who->user.local, who->user.domain);
    const struct control_auth auth = { slice_cstr(who->mechanism), true, who->initial };
    if (esession_open(edge_of(s), &s->session, key, &open) != RC_OK) {
        const struct rest_problem p = { .status = 503,
                                        .detail = SLICE("the accounts cannot be reached now"),
                                        .retry_s = 2 };
        lost(s, &p);
        return;
    }
    esession_auth(edge_of(s), &s->session, &auth);
}

void restsession_begin(struct rest_call *c, struct restauth *who, struct slice header)
{
    uint8_t mac[MAC_BYTES];
    mac_of(c, header, mac);
    struct rest_session *s = kept(c, mac);
    c->reused = s != NULL;
    if (s) {
        timer_stop(&s->timer);
        METRIC_INC(c->all->d->run->metrics, M_API_REUSED);
        s->call = c;
        c->session = s;
        rest_on_ready(c);
    } else {
        c->session = session_new(c, mac);
        log_in(c->session, who);
    }
    secret_wipe(mac, sizeof mac);
    restauth_wipe(who);
}

void restsession_send(struct rest_session *s, const struct node *stanza)
{
    struct buf *out = &s->all->d->clients.scratch;
    buf_reset(out);
    xmlout_node(out, stanza, NS_CLIENT);
    esession_send(edge_of(s), &s->session, buf_get(out));
    secret_wipe(out->p, out->len);
}

/* As many are kept for these credentials as may be. */
static bool enough(const struct rest_session *s)
{
    unsigned n = 0;
    LIST_EACH(&s->all->sessions, it) {
        const struct rest_session *other = CONTAINER(it, struct rest_session, link);
        n += other != s && other->ready && !other->call && memcmp(other->mac, s->mac, MAC_BYTES) == 0;
    }
    return n >= KEPT_MAX;
}

void restsession_give(struct rest_call *c, bool keep)
{
    struct rest_session *s = c->session;
    const struct httpgw *d = c->all->d;
    c->session = NULL;
    if (!s)
        return;
    s->call = NULL;
    bool young = loop_now_ms(d->run->loop) < s->born_ms + LIFE_MS;
    if (keep && s->ready && young && !s->n_marks && d->conf->api_keep_ms && !c->all->stopping && !enough(s))
        loop_timer(d->run->loop, &s->timer, d->conf->api_keep_ms, on_kept_enough);
    else
        end(s);
}

void restsession_drop(struct rest_all *all, uint64_t connection)
{
    LIST_EACH(&all->sessions, it) {
        struct rest_session *s = CONTAINER(it, struct rest_session, link);
        if (s->connection == connection && !s->call)
            end(s);
    }
}

void restsession_stop(struct rest_all *all)
{
    LIST_EACH(&all->sessions, it) {
        end(CONTAINER(it, struct rest_session, link));
    }
}

void restsession_fini(struct rest_all *all)
{
    LIST_EACH(&all->sessions, it) {
        struct rest_session *s = CONTAINER(it, struct rest_session, link);
        mem_free(s->session.text);
        session_free(s);
    }
}
