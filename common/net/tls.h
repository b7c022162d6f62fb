/* common/net/tls.h - certificates and policy for TLS connections (GnuTLS; RFC 7590, RFC 8996: TLS 1.2 and later)
 *
 * A context holds one certificate per name, chosen by SNI, a default, a policy and trust. It can be reloaded while
 * connections use it: they keep what they began with (reference-counted inside). */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "common/base/arena.h"

struct tls_ctx;
struct tls_conf {
    const char *priority;        /* GnuTLS priority string; NULL: "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:…" sane default */
    const char *const *alpn;     /* NULL-terminated; NULL: ALPN not spoken. A client that offers only others is refused */
    bool ask_client_cert;        /* request, not require */
    const char *trust_file;      /* PEM CAs to verify the peer with; NULL: none, "system": the system's */
};
MUST_USE enum rc tls_ctx_new(const struct tls_conf *conf, struct tls_ctx **out, struct why *why);
void tls_ctx_free(struct tls_ctx **ctx); /* connections that use it go on */
/* Adds or replaces the certificate for name (the exact SNI, or "*.example.net"). The first is also the default for
 * clients without SNI or with an unknown one. Files are PEM; both are read now. */
MUST_USE enum rc tls_ctx_cert(struct tls_ctx *ctx, const char *name, const char *cert_file, const char *key_file,
                              struct why *why);
bool tls_ctx_has_cert(const struct tls_ctx *ctx);
/* Facts about a certificate file, for check and status. */
struct tls_cert_info {
    int64_t not_before_ms, not_after_ms;
    char subject[256], issuer[256], key[64]; /* "EC 256" */
    char names[256];                         /* DNS names of the subjectAltName, separated by ", "; those that fit */
    char fingerprint[65];                    /* SHA-256, hex */
    bool self_signed;
};
MUST_USE enum rc tls_cert_info(const char *cert_file, struct tls_cert_info *out, struct why *why);
MUST_USE enum rc tls_cert_covers(const char *cert_file, const char *domain, bool *covers, struct why *why); /* RFC 6125 */
/* Makes a self-signed ECDSA P-256 certificate for the names (SAN), ten years; files with mode 0600 and 0644. */
MUST_USE enum rc tls_make_self_signed(const char *const *names, size_t n, const char *cert_file, const char *key_file,
                                      struct why *why);
/* XmppAddr identities (id-on-xmppAddr, RFC 6120 13.7.1.4) of a DER certificate, and its e-mail addresses none. */
MUST_USE enum rc tls_cert_xmpp_addrs(struct arena *a, struct slice der, struct slice *out, size_t max, size_t *n);

#endif
