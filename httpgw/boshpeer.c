#include "httpgw/boshpeer.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/net/listen.h"
#include <gnutls/crypto.h>
#include <limits.h>
#include <stdio.h>

/* Each way one message: what is here, then the body. Numbers are big-endian. */
enum {
    HEAD_BYTES = 6
}; /* u32 length of the body; of requests: u8 under TLS or not, u8 length of the address, address */
enum { CODE_BYTES = 8, INSTANCES_MAX = 64, SPARE_MS = 10000, LINGER_MS = 1000 };

struct boshpeers {
    struct bosh_all *all;
    struct listener *listener;
    struct link relays; /* struct boshrelay */
    struct link served; /* struct boshserved */
    char prefix[64];    /* of the processes' names */
    unsigned own;       /* number of this one; 0: it has none, and is alone */
};
struct boshrelay {
    struct link link;
    struct bosh_request *q; /* NULL: it is answered, or its client is gone */
    struct conn *conn;
    struct buf out, in;
    struct timer timer;
};
struct boshserved {
    struct link link;
    struct boshpeers *peers;
    struct conn *conn;
    struct bosh_request *q; /* NULL: it has not come */
    struct buf in;
    struct conn_peer peer;
    bool secure, answered;
};

struct boshpeers *boshpeers_new(struct bosh_all *all)
{
    struct boshpeers *p = mem_new(sizeof *p);
    struct slice name = slice_cstr(all->d->run->instance);
    uint64_t own;
    size_t n = name.len;
    p->all = all;
    list_init(&p->relays);
    list_init(&p->served);
    while (n && name.p[n - 1] != '-')
        n--;
    if (n && n < sizeof p->prefix && slice_u64(slice_from(name, n), INSTANCES_MAX, &own) == RC_OK) {
        memcpy(p->prefix, name.p, n);
        p->own = (unsigned)own;
    }
    return p;
}

void boshpeers_free(struct boshpeers **p)
{
    MEM_FREE(p);
}

static void path_of(const struct boshpeers *p, unsigned instance, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/run/%s%u.bosh", p->all->d->run->dir, p->prefix, instance);
}

/* --- sids --- */

/* TOKEN.3 is followed by a code that only these processes can make: what a body may be long depends on it. */
static struct slice code_of(const struct boshpeers *p, struct arena *a, struct slice text)
{
    char hash[32];
    struct slice message = arena_fmt(a, "bosh " SLICE_FMT, SLICE_ARG(text)),
                 secret = slice_cstr(p->all->d->conf->router.secret);
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret.p, secret.len, message.p, message.len, hash);
    return hex_encode(a, slice_of(hash, CODE_BYTES));
}

struct slice boshpeer_sid(const struct boshpeers *p, struct arena *a, struct slice token)
{
    if (!p->own)
        return token;
    struct slice text = arena_fmt(a, SLICE_FMT ".%u", SLICE_ARG(token), p->own), code = code_of(p, a, text);
    return arena_fmt(a, SLICE_FMT "." SLICE_FMT, SLICE_ARG(text), SLICE_ARG(code));
}

unsigned boshpeer_of(const struct boshpeers *p, struct slice sid)
{
    const char *host = p->all->d->conf->host;
    struct slice rest = sid, token, number, code;
    uint64_t instance;
    ptrdiff_t at = slice_find(sid, '@');
    if (!p->own || !slice_is(at < 0 ? SLICE_NONE : slice_from(sid, (size_t)at + 1), host ? host : ""))
        return 0;
    rest = at < 0 ? sid : slice_to(sid, (size_t)at);
    struct slice all = rest;
    if (!slice_split(&rest, '.', &token) || !slice_split(&rest, '.', &number) ||
        !slice_split(&rest, '.', &code) || slice_u64(number, INSTANCES_MAX, &instance) != RC_OK ||
        instance == p->own)
        return 0;
    struct arena *a = arena_take(p->all->d->clients.arenas);
    struct slice want = code_of(p, a, slice_to(all, token.len + 1 + number.len));
    bool good = code.len == want.len && secret_eq(code, want);
    arena_give(p->all->d->clients.arenas, &a);
    return good ? (unsigned)instance : 0;
}

/* --- handed over --- */

static void put_head(struct buf *out, size_t body, bool secure, size_t address)
{
    uint8_t head[HEAD_BYTES] = {
        (uint8_t)(body >> 24), (uint8_t)(body >> 16), (uint8_t)(body >> 8), (uint8_t)body, secure,
        (uint8_t)address
    };
    buf_put(out, head, sizeof head);
}

/* The whole message is here: its body; else false. *address: of the client. */
static bool whole(const struct buf *in, struct slice *address, struct slice *body)
{
    const uint8_t *h = (const uint8_t *)in->p;
    if (in->len < HEAD_BYTES)
        return false;
    size_t n = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3], k = h[5];
    if (in->len < HEAD_BYTES + k + n)
        return false;
    *address = slice_of(in->p + HEAD_BYTES, k);
    *body = slice_of(in->p + HEAD_BYTES + k, n);
    return true;
}

static void on_relay_connected(void *owner)
{
    struct boshrelay *r = owner;
    conn_write(r->conn, buf_get(&r->out));
    buf_fini(&r->out);
}

static void on_relay_input(void *owner, struct slice bytes)
{
    struct boshrelay *r = owner;
    struct slice address, body;
    struct bosh_request *q = r->q;
    buf_slice(&r->in, bytes);
    if (!q || !whole(&r->in, &address, &body))
        return;
    r->q = NULL;
    q->relay = NULL;
    bosh_reply(q, body);
    conn_close(r->conn, CONN_BY_OWNER);
}

static void on_relay_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct boshrelay *r = owner;
    struct bosh_request *q = r->q;
    (void)cause, (void)why;
    timer_stop(&r->timer);
    list_unlink(&r->link);
    buf_fini(&r->out);
    buf_fini(&r->in);
    mem_free(r);
    if (!q)
        return;
    q->relay = NULL;
    bosh_refuse(q, "item-not-found", SLICE_NONE); /* that process is gone, and its sessions with it */
}

static const struct conn_ops relay_ops = { .on_connected = on_relay_connected,
                                           .on_input = on_relay_input,
                                           .on_closed = on_relay_closed };
static const struct conn_conf relay_conf = { .ops = &relay_ops };

static void on_relay_late(struct timer *t)
{
    conn_close(CONTAINER(t, struct boshrelay, timer)->conn, CONN_TIMEOUT);
}

void boshpeer_send(struct boshpeers *p, struct bosh_request *q, unsigned instance, struct slice body)
{
    struct httpgw *d = p->all->d;
    struct boshrelay *r = mem_new(sizeof *r);
    struct conn_peer peer;
    char path[PATH_MAX];
    path_of(p, instance, path);
    http_peer(q->http, &peer);
    put_head(&r->out, body.len, http_secure(q->http), strlen(peer.ip));
    buf_slice(&r->out, slice_cstr(peer.ip));
    buf_slice(&r->out, body);
    r->q = q;
    q->relay = r;
    list_append(&p->relays, &r->link);
    METRIC_INC(d->run->metrics, M_BOSH_RELAYED);
    loop_timer(d->run->loop, &r->timer, d->conf->wait_ms + SPARE_MS, on_relay_late);
    r->conn = conn_dial_unix(d->run->loop, path, &relay_conf, r);
}

void boshpeer_cancel(struct boshrelay *r)
{
    r->q = NULL;
    conn_close(r->conn, CONN_BY_OWNER);
}

/* --- taken over --- */

static void on_served_input(void *owner, struct slice bytes)
{
    struct boshserved *s = owner;
    struct bosh_all *all = s->peers->all;
    struct slice address, body;
    struct sockaddr_storage addr = { 0 };
    size_t most = all->d->clients.bound.stanza_bytes * 2; /* more than the other one takes */
    if (s->q)
        return;
    buf_slice(&s->in, bytes);
    if (s->in.len > most) {
        conn_close(s->conn, CONN_OVERFLOW);
        return;
    }
    if (!whole(&s->in, &address, &body))
        return;
    if (conn_addr_parse(address, &addr) != RC_OK) {
        conn_close(s->conn, CONN_BY_OWNER);
        return;
    }
    conn_peer_of(&addr, &s->peer);
    s->secure = s->in.p[4] != 0;
    s->q = boshreq_new(all);
    s->q->served = s;
    boshreq_take(s->q, body);
    buf_fini(&s->in);
}

static void on_served_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct boshserved *s = owner;
    (void)cause, (void)why;
    if (s->q)
        boshreq_gone(s->q);
    list_unlink(&s->link);
    buf_fini(&s->in);
    mem_free(s);
}

static const struct conn_ops served_ops = { .on_input = on_served_input, .on_closed = on_served_closed };
static const struct conn_conf served_conf = { .ops = &served_ops };

static void on_accept(void *ctx, struct conn *conn)
{
    struct boshpeers *p = ctx;
    struct boshserved *s = mem_new(sizeof *s);
    s->peers = p;
    s->conn = conn;
    list_append(&p->served, &s->link);
    conn_owner_set(conn, &served_conf, s);
}

void boshpeer_answer(struct boshserved *s, struct slice body)
{
    struct buf head = BUF_INIT(0);
    if (s->answered)
        return;
    s->answered = true;
    put_head(&head, body.len, false, 0);
    conn_write(s->conn, buf_get(&head));
    conn_write(s->conn, body);
    buf_fini(&head);
    conn_finish(s->conn, LINGER_MS);
}

void boshpeer_peer(const struct boshserved *s, struct conn_peer *out)
{
    *out = s->peer;
}

bool boshpeer_secure(const struct boshserved *s)
{
    return s->secure;
}

/* --- life --- */

enum rc boshpeers_open(struct boshpeers *p, struct why *why)
{
    char path[PATH_MAX];
    if (!p->all->d->conf->router.secret)
        p->own = 0;
    if (!p->own)
        return RC_OK;
    path_of(p, p->own, path);
    const struct listen_conf conf = { .address = path, .mode = 0600, .on_accept = on_accept, .ctx = p };
    return listen_open(p->all->d->run->loop, &conf, &served_conf, &p->listener, why);
}

void boshpeers_stop(struct boshpeers *p)
{
    listen_close(&p->listener);
    LIST_EACH(&p->relays, it)
        conn_close(CONTAINER(it, struct boshrelay, link)->conn, CONN_BY_OWNER);
    LIST_EACH(&p->served, it) {
        struct boshserved *s = CONTAINER(it, struct boshserved, link);
        if (!s->q)
            conn_close(s->conn, CONN_BY_OWNER); /* the others are answered at the end of this turn: bosh.c */
    }
}
