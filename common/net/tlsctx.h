/* common/net/tlsctx.h - inside of a struct tls_ctx, for tls.c and tlsconn.c only */
#ifndef NET_TLSCTX_H
#define NET_TLSCTX_H

#include "common/net/tls.h"
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

enum { TLS_DIGEST_MAX = 64 }; /* bytes: SHA-512 */

/* A certificate with its key. Sessions hold it as long as they live, replaced or not. */
struct tls_cert {
    struct tls_cert *next;
    char *name;
    unsigned refs; /* the context's and the sessions' */
    gnutls_certificate_credentials_t cred;
    bool end_point_known;
    size_t end_point_len; /* 0: undefined */
    unsigned char end_point[TLS_DIGEST_MAX]; /* RFC 5929 4.1 */
};

struct tls_ctx {
    unsigned refs;                 /* the owner's and the sessions' */
    gnutls_priority_t priority;
    struct tls_cert *certs;        /* in the order they were first added; the first is the default */
    struct tls_cert *none;         /* without a certificate: for clients that have none to show */
    gnutls_datum_t ticket_key;     /* GnuTLS derives from it keys that change with time */
    gnutls_datum_t *alpn;          /* pointing into alpn_names */
    char **alpn_names;
    unsigned alpn_count;
    bool ask_client_cert;
    gnutls_x509_trust_list_t trust; /* NULL: none */
};

struct tls_ctx *tls_ctx_hold(struct tls_ctx *ctx);
void tls_ctx_drop(struct tls_ctx *ctx);
/* The certificate for an SNI name (empty: the default), held. NULL: the context has none. */
struct tls_cert *tls_cert_hold(struct tls_ctx *ctx, struct slice name);
/* To show as a client: the one for name (NULL: the default), or one without a certificate. */
struct tls_cert *tls_cert_hold_client(struct tls_ctx *ctx, const char *name);
void tls_cert_drop(struct tls_cert *cert);

#endif
