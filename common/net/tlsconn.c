/* common/net/tlsconn.c - a TLS session on a conn
 *
 * GnuTLS reads from what the conn has just read (`in`) and writes to the loop's `cipher`, which goes to the
 * socket after each call: so nothing here ever blocks, and no session has buffers of its own. Plain output
 * waits in c->out and is encrypted only when the socket takes it. */
#include "common/base/mem.h"
#include "common/net/inside.h"
#include "common/net/tlsctx.h"
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum { RECORD_MAX = 16384, SEND_STEP = 4 * RECORD_MAX, WARNINGS_MAX = 4 };

struct tls_session {
    struct layer layer; /* first */
    gnutls_session_t s;
    struct conn *conn;
    enum tls_role role;
    struct tls_ctx *ctx;                       /* held */
    struct tls_cert *cert;                     /* held; what we show. NULL: not chosen yet */
    char *server_name;                         /* client: whom we want to talk to; NULL: not said */
    struct slice in;                           /* read, not yet taken by GnuTLS */
    unsigned warnings;                         /* alerts that did not matter */
    struct {                                   /* what was encrypted last, for one write */
        size_t plain, cipher, records, record; /* bytes, bytes, number, plain bytes of all but the last */
    } step;
};

static struct tls_session *session_of(const struct conn *c)
{
    return (struct tls_session *)(void *)c->tls;
}

/* --- between GnuTLS and the conn --- */

static ssize_t on_pull(gnutls_transport_ptr_t ptr, void *out, size_t size)
{
    struct tls_session *t = ptr;
    if (!t->in.len) {
        gnutls_transport_set_errno(t->s, EAGAIN);
        return -1;
    }
    size_t n = t->in.len < size ? t->in.len : size;
    memcpy(out, t->in.p, n);
    t->in = slice_from(t->in, n);
    return (ssize_t)n;
}

static ssize_t on_push(gnutls_transport_ptr_t ptr, const giovec_t *iov, int n)
{
    struct tls_session *t = ptr;
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        buf_put(&t->conn->loop->cipher, iov[i].iov_base, iov[i].iov_len);
        total += iov[i].iov_len;
    }
    return (ssize_t)total;
}

/* After every call into GnuTLS: what it pushed goes out. */
static void send_pushed(struct conn *c)
{
    struct buf *cipher = &c->loop->cipher;
    if (!cipher->len)
        return;
    conn_wire(c, buf_get(cipher));
    buf_reset(cipher);
}

static void fail(struct conn *c, int err)
{
    struct tls_session *t = session_of(c);
    if (err == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        const char *name = gnutls_alert_get_name(gnutls_alert_get(t->s));
        conn_fail(c, CONN_TLS, "the peer says: %s", name ? name : "unknown alert");
        return;
    }
    gnutls_alert_send_appropriate(t->s, err);
    send_pushed(c);
    conn_fail(c, CONN_TLS, "%s", gnutls_strerror(err));
}

/* True for what means "call again": more input, or a warning; a peer may not go on warning for ever. */
static bool goes_on(struct tls_session *t, int err)
{
    if (err == GNUTLS_E_AGAIN || err == GNUTLS_E_INTERRUPTED)
        return true;
    if (err == GNUTLS_E_REHANDSHAKE) /* renegotiation is refused */
        return false;
    return !gnutls_error_is_fatal(err) && ++t->warnings <= WARNINGS_MAX;
}

/* --- handshake --- */

static int on_client_hello(gnutls_session_t s)
{
    struct tls_session *t = gnutls_session_get_ptr(s);
    char name[256];
    size_t size = sizeof name;
    unsigned type;
    bool named = gnutls_server_name_get(s, name, &size, &type, 0) == 0 && type == GNUTLS_NAME_DNS;
    struct tls_cert *cert = tls_cert_hold(t->ctx, named ? slice_cstr(name) : SLICE_NONE);
    if (!cert)
        return GNUTLS_E_NO_CERTIFICATE_FOUND;
    tls_cert_drop(t->cert); /* a second hello, after a retry request */
    t->cert = cert;
    return gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cert->cred);
}

/* What the socket is given waits until it is let go: the last flight of a client's handshake and what its
 * owner says first then leave together, not in two segments. Where it cannot be done they are two. */
static void cork(struct conn *c, int on)
{
    uv_os_fd_t fd;
    if (uv_fileno(&c->u.handle, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

static void secured(struct conn *c)
{
    if (c->out)
        loop_dirty(c->loop, c);
    if (c->conf->ops->on_secure)
        c->conf->ops->on_secure(c->owner);
}

static void handshake(struct conn *c)
{
    struct tls_session *t = session_of(c);
    bool again, corked = false;
    int err;
    do {
        err = gnutls_handshake(t->s);
        again = err < 0 && goes_on(t, err);
        corked = err == 0 && t->role == TLS_CLIENT;
        if (corked)
            cork(c, 1);
        send_pushed(c);
        if (c->closing)
            return;
    } while (again && t->in.len);
    if (err < 0 && !again) {
        fail(c, err);
    } else if (err == 0) {
        t->layer.handshaking = false;
        secured(c);
        if (corked && !c->closing) {
            conn_flush(c);
            cork(c, 0);
        }
    }
}

/* --- the layer --- */

/* Decrypts all there is into the loop's buffer and delivers it at once. */
static void receive(struct conn *c)
{
    struct tls_session *t = session_of(c);
    char *plain = c->loop->plain_buf;
    size_t filled = 0;
    ssize_t n = 0;
    while (filled < PLAIN_BYTES) {
        n = gnutls_record_recv(t->s, plain + filled, PLAIN_BYTES - filled);
        send_pushed(c);
        if (n > 0)
            filled += (size_t)n;
        else if (n == 0 || !goes_on(t, (int)n) || (n == GNUTLS_E_AGAIN && !t->in.len) || c->closing)
            break;
    }
    if (filled && !conn_closing(c))
        c->conf->ops->on_input(c->owner, slice_of(plain, filled));
    if (c->closing)
        return;
    if (n == 0)
        conn_eof(c); /* close-notify */
    else if (n < 0 && n != GNUTLS_E_AGAIN)
        fail(c, (int)n);
    else if (n > 0 && !c->finishing)
        receive(c); /* the buffer was full */
}

static void on_layer_input(struct conn *c, struct slice bytes)
{
    struct tls_session *t = session_of(c);
    t->in = bytes;
    if (t->layer.handshaking)
        handshake(c);
    if (!t->layer.handshaking && !conn_closing(c))
        receive(c);
    t->in = SLICE_NONE;
}

static void on_layer_flush(struct conn *c)
{
    struct tls_session *t = session_of(c);
    struct outbuf *o = c->out;
    size_t at = 0, step_end = 0;
    c->out = NULL;
    while (at < o->b.len && !c->closing && !c->broken && !c->flying) {
        size_t before = at;
        step_end = o->b.len - at > SEND_STEP ? at + SEND_STEP : o->b.len;
        t->step.records = 0;
        while (at < step_end) {
            ssize_t n = gnutls_record_send(t->s, o->b.p + at, step_end - at);
            if (n <= 0) {
                outbuf_give(c->loop, o);
                fail(c, n < 0 ? (int)n : GNUTLS_E_PUSH_ERROR);
                return;
            }
            if (!t->step.records++)
                t->step.record = (size_t)n;
            at += (size_t)n;
        }
        t->step.plain = at - before;
        t->step.cipher = c->loop->cipher.len;
        send_pushed(c);
        if (!c->closing && !c->broken)
            c->handed += (uint32_t)(at - before);
    }
    if (at < o->b.len && !c->closing) {
        buf_consume(&o->b, at);
        c->out = o; /* goes on when the socket has taken what flies */
    } else {
        outbuf_give(c->loop, o);
    }
}

/* A record that has not arrived as a whole cannot be read. */
static size_t on_layer_unread(const struct conn *c, size_t flying)
{
    const struct tls_session *t = session_of(c);
    size_t plain = 0, each = t->step.records ? (t->step.cipher - t->step.plain) / t->step.records : 0;
    for (size_t i = t->step.records; i-- > 0 && flying;) { /* from the last one on */
        size_t first = i * t->step.record;
        size_t size = i + 1 == t->step.records ? t->step.plain - first : t->step.record;
        plain += size;
        flying -= flying < size + each ? flying : size + each;
    }
    return plain;
}

static void on_layer_bye(struct conn *c)
{
    gnutls_bye(session_of(c)->s, GNUTLS_SHUT_WR);
    send_pushed(c);
}

static void on_layer_free(struct conn *c)
{
    struct tls_session *t = session_of(c);
    c->tls = NULL;
    if (t->s)
        gnutls_deinit(t->s);
    tls_cert_drop(t->cert);
    tls_ctx_drop(t->ctx);
    mem_free(t->server_name);
    mem_free(t);
}

/* --- starting --- */

static int set_up_server(struct tls_session *t)
{
    int err = gnutls_init(&t->s, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (err < 0)
        return err;
    gnutls_handshake_set_post_client_hello_function(t->s, on_client_hello);
    if (t->ctx->ask_client_cert)
        gnutls_certificate_server_set_request(t->s, GNUTLS_CERT_REQUEST);
    err = gnutls_session_ticket_enable_server(t->s, &t->ctx->ticket_key);
    if (err >= 0 && t->ctx->alpn_count)
        err = gnutls_alpn_set_protocols(t->s, t->ctx->alpn, t->ctx->alpn_count, GNUTLS_ALPN_MANDATORY);
    return err;
}

static int set_up_client(struct tls_session *t, const struct conn_tls_client *how)
{
    int err = gnutls_init(&t->s, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS);
    if (err < 0)
        return err;
    t->cert = tls_cert_hold_client(t->ctx, how->own_name);
    err = gnutls_credentials_set(t->s, GNUTLS_CRD_CERTIFICATE, t->cert->cred);
    if (err >= 0 && t->server_name)
        err = gnutls_server_name_set(t->s, GNUTLS_NAME_DNS, t->server_name, strlen(t->server_name));
    if (err >= 0 && how->alpn && t->ctx->alpn_count)
        err = gnutls_alpn_set_protocols(t->s, t->ctx->alpn, t->ctx->alpn_count, 0);
    return err;
}

static void start(struct conn *c, struct tls_ctx *ctx, enum tls_role role, const struct conn_tls_client *how)
{
    if (conn_closing(c))
        return;
    assert(!c->tls);
    conn_flush(c); /* <proceed/> goes in clear, before */
    if (c->closing)
        return;
    struct tls_session *t = mem_new(sizeof *t);
    t->layer =
        (struct layer){ true, on_layer_input, on_layer_flush, on_layer_bye, on_layer_unread, on_layer_free };
    t->conn = c;
    t->role = role;
    t->ctx = tls_ctx_hold(ctx);
    t->server_name = how->server_name && how->server_name[0] ? mem_copy(slice_cstr(how->server_name)) : NULL;
    c->tls = &t->layer;
    if (!c->loop->plain_buf)
        c->loop->plain_buf = mem_resize(NULL, PLAIN_BYTES);
    int err = role == TLS_SERVER ? set_up_server(t) : set_up_client(t, how);
    if (err >= 0)
        err = gnutls_priority_set(t->s, ctx->priority);
    if (err < 0) {
        conn_fail(c, CONN_TLS, "%s", gnutls_strerror(err));
        return;
    }
    gnutls_session_set_ptr(t->s, t);
    gnutls_transport_set_ptr(t->s, t);
    gnutls_transport_set_pull_function(t->s, on_pull);
    gnutls_transport_set_vec_push_function(t->s, on_push);
    gnutls_handshake_set_timeout(t->s, GNUTLS_INDEFINITE_TIMEOUT); /* whoever owns the conn has a timer */
    if (role == TLS_CLIENT)
        handshake(c);
}

void conn_start_tls(struct conn *c, struct tls_ctx *ctx, enum tls_role role, const char *server_name)
{
    start(c, ctx, role, &(struct conn_tls_client){ .server_name = server_name, .alpn = true });
}

void conn_start_tls_client(struct conn *c, struct tls_ctx *ctx, const struct conn_tls_client *how)
{
    start(c, ctx, TLS_CLIENT, how);
}

/* --- what a session tells --- */

bool conn_secure(const struct conn *c)
{
    return c->tls && !c->tls->handshaking;
}

static bool peer_verifies(struct tls_session *t, const gnutls_datum_t *chain, unsigned n)
{
    gnutls_x509_crt_t crts[8] = { NULL };
    unsigned status = 1, count = 0;
    bool imported = n > 0 && n <= sizeof crts / sizeof *crts;
    while (imported && count < n) {
        imported = gnutls_x509_crt_init(&crts[count]) >= 0;
        if (imported)
            imported = gnutls_x509_crt_import(crts[count], &chain[count], GNUTLS_X509_FMT_DER) >= 0;
        count++;
    }
    gnutls_typed_vdata_st name = { .type = GNUTLS_DT_DNS_HOSTNAME,
                                   .data = (unsigned char *)t->server_name,
                                   .size = 0 };
    int err = -1;
    if (imported)
        err = gnutls_x509_trust_list_verify_crt2(t->ctx->trust, crts, n, &name, t->server_name ? 1 : 0, 0,
                                                 &status, NULL);
    while (count--)
        if (crts[count])
            gnutls_x509_crt_deinit(crts[count]);
    return err >= 0 && status == 0;
}

void conn_tls_info(struct conn *c, struct conn_tls *out)
{
    memset(out, 0, sizeof *out);
    out->version = out->cipher = "none";
    if (!conn_secure(c))
        return;
    struct tls_session *t = session_of(c);
    size_t size = sizeof out->sni;
    unsigned type, n = 0;
    gnutls_datum_t alpn;
    out->version = gnutls_protocol_get_name(gnutls_protocol_get_version(t->s));
    out->cipher = gnutls_cipher_get_name(gnutls_cipher_get(t->s));
    if (gnutls_server_name_get(t->s, out->sni, &size, &type, 0) != 0)
        out->sni[0] = '\0';
    if (gnutls_alpn_get_selected_protocol(t->s, &alpn) == 0 && alpn.size < sizeof out->alpn)
        memcpy(out->alpn, alpn.data, alpn.size);
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(t->s, &n);
    out->has_cert = chain && n > 0;
    out->cert_ok = out->has_cert && t->ctx->trust && peer_verifies(t, chain, n);
}

enum rc conn_cb_exporter(struct conn *c, struct arena *a, struct slice *out)
{
    static const char label[] = "EXPORTER-Channel-Binding"; /* RFC 9266 4.2 */
    enum { BYTES = 32 };
    if (!conn_secure(c))
        return RC_UNSUPPORTED;
    gnutls_session_t s = session_of(c)->s;
    /* RFC 9266 4: with TLS 1.2 only where the master secret is bound to the handshake. */
    if (gnutls_protocol_get_version(s) < GNUTLS_TLS1_3 && !gnutls_session_ext_master_secret_status(s))
        return RC_UNSUPPORTED;
    char *data = arena_alloc(a, BYTES);
    if (gnutls_prf_rfc5705(s, sizeof label - 1, label, 0, NULL, BYTES, data) < 0)
        return RC_UNSUPPORTED;
    *out = slice_of(data, BYTES);
    return RC_OK;
}

/* RFC 5929 4.1. 0: undefined for this certificate, whose signature uses no hash. */
static size_t end_point_of(const gnutls_datum_t *der, unsigned char digest[TLS_DIGEST_MAX])
{
    gnutls_x509_crt_t crt = NULL;
    size_t size = 0;
    if (gnutls_x509_crt_init(&crt) < 0)
        return 0;
    if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) >= 0) {
        int sign = gnutls_x509_crt_get_signature_algorithm(crt);
        gnutls_digest_algorithm_t hash = gnutls_sign_get_hash_algorithm((gnutls_sign_algorithm_t)sign);
        if (hash == GNUTLS_DIG_MD5 || hash == GNUTLS_DIG_SHA1)
            hash = GNUTLS_DIG_SHA256;
        size = TLS_DIGEST_MAX;
        if (sign < 0 || hash == GNUTLS_DIG_UNKNOWN || hash == GNUTLS_DIG_NULL ||
            gnutls_fingerprint(hash, der, digest, &size) < 0)
            size = 0;
    }
    gnutls_x509_crt_deinit(crt);
    return size;
}

/* Of our own certificate, which every login asks for: computed once. */
static struct slice own_end_point(struct tls_cert *cert)
{
    gnutls_datum_t der;
    if (!cert->end_point_known && gnutls_certificate_get_crt_raw(cert->cred, 0, 0, &der) == 0)
        cert->end_point_len = end_point_of(&der, cert->end_point);
    cert->end_point_known = true;
    return slice_of((const char *)cert->end_point, cert->end_point_len);
}

enum rc conn_cb_end_point(struct conn *c, struct arena *a, struct slice *out)
{
    unsigned char digest[TLS_DIGEST_MAX];
    struct slice found = SLICE_NONE;
    if (!conn_secure(c))
        return RC_UNSUPPORTED;
    const struct tls_session *t = session_of(c);
    if (t->role == TLS_SERVER) {
        found = t->cert ? own_end_point(t->cert) : SLICE_NONE;
    } else {
        unsigned n = 0;
        const gnutls_datum_t *chain = gnutls_certificate_get_peers(t->s, &n);
        if (chain && n > 0)
            found = slice_of((const char *)digest, end_point_of(&chain[0], digest));
    }
    if (!found.len)
        return RC_UNSUPPORTED;
    *out = arena_copy(a, found);
    return RC_OK;
}

enum rc conn_peer_cert(struct conn *c, struct arena *a, struct slice *out)
{
    unsigned n = 0;
    if (!conn_secure(c))
        return RC_NOTFOUND;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session_of(c)->s, &n);
    if (!chain || n == 0)
        return RC_NOTFOUND;
    *out = arena_copy(a, slice_of((const char *)chain[0].data, chain[0].size));
    return RC_OK;
}

enum rc conn_peer_chain(struct conn *c, struct arena *a, struct slice *out, size_t max, size_t *n)
{
    enum { CHAIN_BYTES = 64 * 1024 };
    unsigned count = 0;
    size_t bytes = 0;
    *n = 0;
    if (!conn_secure(c))
        return RC_NOTFOUND;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session_of(c)->s, &count);
    if (!chain || count == 0)
        return RC_NOTFOUND;
    for (unsigned i = 0; i < count; i++)
        bytes += chain[i].size;
    if (count > max || bytes > CHAIN_BYTES)
        return RC_LIMIT;
    for (unsigned i = 0; i < count; i++)
        out[i] = arena_copy(a, slice_of((const char *)chain[i].data, chain[i].size));
    *n = count;
    return RC_OK;
}
