/* c2s/starttls.c - RFC 6120 5; nothing read before survives */
#include "c2s/tcp.h"

#include "common/base/mem.h"

enum { CERT_JIDS_MAX = 16 };

bool starttls_offered(const struct client *c)
{
    return !c->secure && certs_tls(tcp_c2s(c)->certs);
}

void starttls_begin(struct client *c)
{
    struct tcp *t = tcp_of(c);
    client_write(c, SLICE("<proceed xmlns='" NS_TLS "'/>"));
    conn_flush(t->conn);
    c->cut = true; /* RFC 6120 5.4.3.3: what came behind the request in plain text was never seen */
    c->nego->has_header = false;
    xmlin_reset(&t->xml);
    esession_gone(c->d->edge, &c->session, false); /* what was said of this stream holds no longer */
    tcp_secure(t, certs_tls(tcp_c2s(c)->certs));
}

/* Keeps the addresses of the client's certificate, with their bytes, in one block. */
static void keep_cert_jids(struct client *c, const struct slice *jids, size_t n)
{
    size_t bytes = n * sizeof *jids;
    for (size_t i = 0; i < n; i++)
        bytes += jids[i].len;
    struct slice *kept = mem_array(1, bytes + 1);
    char *at = (char *)(kept + n);
    for (size_t i = 0; i < n; i++) {
        memcpy(at, jids[i].p, jids[i].len);
        kept[i] = slice_of(at, jids[i].len);
        at += jids[i].len;
    }
    c->nego->cert_jids = kept;
    c->nego->n_cert_jids = n;
}

/* XEP-0178 2: the addresses that a certificate we trust proves. */
static void read_cert(struct tcp *t, struct arena *a)
{
    struct slice der, addrs[CERT_JIDS_MAX], jids[CERT_JIDS_MAX];
    size_t n = 0, kept = 0;
    if (conn_peer_cert(t->conn, a, &der) != RC_OK ||
        tls_cert_xmpp_addrs(a, der, addrs, CERT_JIDS_MAX, &n) != RC_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        struct jid jid;
        if (jid_parse(a, addrs[i], &jid, NULL) == RC_OK && jid.local.len && !jid.resource.len)
            jids[kept++] = jid.full;
    }
    if (kept)
        keep_cert_jids(&t->client, jids, kept);
}

void starttls_on_secure(struct tcp *t)
{
    struct client *c = &t->client;
    struct conn_tls tls;
    struct slice data;
    struct client_log log;
    struct arena *a = arena_take(c->d->arenas);
    conn_tls_info(t->conn, &tls);
    c->nego->exporter = conn_cb_exporter(t->conn, a, &data) == RC_OK;
    c->nego->end_point = conn_cb_end_point(t->conn, a, &data) == RC_OK;
    if (tls.has_cert && tls.cert_ok)
        read_cert(t, a);
    arena_give(c->d->arenas, &a);
    LOG_DEBUG(client_log(c, &log, LOG_TLS, "handshake"), "secure", F_STR("version", tls.version),
              F_STR("cipher", tls.cipher), F_STR("sni", tls.sni), F_STR("alpn", tls.alpn),
              F_UINT("certificate_jids", c->nego->n_cert_jids));
}
