/* common/net/tls.c - contexts: policy, certificates by name, trust. Sessions are in tlsconn.c, facts about
 * certificate files in tlscert.c */
#include "common/net/tls.h"

#include "common/base/mem.h"
#include "common/net/tlsctx.h"

/* RFC 9325 (BCP 195): TLS 1.2 and 1.3, forward secrecy, AEAD only; the server's order, fastest first. */
#define DEFAULT_PRIORITY                                                                                     \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"             \
    "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:"                \
    "+GROUP-SECP384R1:%SERVER_PRECEDENCE"

/* --- certificates --- */

void tls_cert_drop(struct tls_cert *cert)
{
    if (!cert || --cert->refs)
        return;
    gnutls_certificate_free_credentials(cert->cred);
    mem_free(cert->name);
    mem_free(cert);
}

MUST_USE static enum rc cert_new(const char *name, struct tls_cert **out, struct why *why)
{
    struct tls_cert *cert = mem_new(sizeof *cert);
    int err = gnutls_certificate_allocate_credentials(&cert->cred);
    if (err < 0) {
        why_set(why, "%s", gnutls_strerror(err));
        mem_free(cert);
        return RC_IO;
    }
    cert->refs = 1;
    cert->name = mem_copy(slice_cstr(name));
    *out = cert;
    return RC_OK;
}

enum rc tls_ctx_cert(struct tls_ctx *ctx, const char *name, const char *cert_file, const char *key_file,
                     struct why *why)
{
    struct tls_cert *cert = NULL;
    enum rc rc = cert_new(name, &cert, why);
    if (rc != RC_OK)
        return rc;
    int err = gnutls_certificate_set_x509_key_file(cert->cred, cert_file, key_file, GNUTLS_X509_FMT_PEM);
    if (err < 0) {
        why_set(why, "%s with key %s: %s", cert_file, key_file, gnutls_strerror(err));
        tls_cert_drop(cert);
        return RC_IO;
    }
    struct tls_cert **at = &ctx->certs;
    while (*at && !slice_eq_nocase(slice_cstr((*at)->name), slice_cstr(name)))
        at = &(*at)->next;
    struct tls_cert *old = *at;
    cert->next = old ? old->next : NULL;
    *at = cert;
    tls_cert_drop(old);
    return RC_OK;
}

bool tls_ctx_has_cert(const struct tls_ctx *ctx)
{
    return ctx->certs != NULL;
}

static bool matches(const struct tls_cert *cert, struct slice name)
{
    struct slice own = slice_cstr(cert->name);
    if (slice_eq_nocase(own, name))
        return true;
    ptrdiff_t dot = slice_find(name, '.'); /* the wildcard stands for one label: RFC 6125 6.4.3 */
    return slice_starts(own, SLICE("*.")) && dot > 0 &&
           slice_eq_nocase(slice_from(own, 1), slice_from(name, (size_t)dot));
}

struct tls_cert *tls_cert_hold(struct tls_ctx *ctx, struct slice name)
{
    struct tls_cert *found = ctx->certs;
    for (struct tls_cert *at = ctx->certs; at && name.len; at = at->next) {
        if (!matches(at, name))
            continue;
        found = at;
        if (at->name[0] != '*')
            break; /* an exact name goes before a wildcard */
    }
    if (found)
        found->refs++;
    return found;
}

struct tls_cert *tls_cert_hold_client(struct tls_ctx *ctx, const char *name)
{
    struct tls_cert *cert = tls_cert_hold(ctx, slice_cstr(name));
    if (cert)
        return cert;
    ctx->none->refs++;
    return ctx->none;
}

/* --- contexts --- */

MUST_USE static enum rc trust_read(struct tls_ctx *ctx, const char *file, struct why *why)
{
    int n = gnutls_x509_trust_list_init(&ctx->trust, 0);
    if (n >= 0 && strcmp(file, "system") == 0)
        n = gnutls_x509_trust_list_add_system_trust(ctx->trust, 0, 0);
    else if (n >= 0)
        n = gnutls_x509_trust_list_add_trust_file(ctx->trust, file, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
    if (n > 0)
        return RC_OK;
    why_set(why, "trust %s: %s", file, n < 0 ? gnutls_strerror(n) : "no certificate in it");
    return RC_IO;
}

static void alpn_copy(struct tls_ctx *ctx, const char *const *names)
{
    if (!names)
        return;
    while (names[ctx->alpn_count])
        ctx->alpn_count++;
    if (!ctx->alpn_count)
        return;
    ctx->alpn = mem_array(ctx->alpn_count, sizeof *ctx->alpn);
    ctx->alpn_names = mem_array(ctx->alpn_count, sizeof *ctx->alpn_names);
    for (unsigned i = 0; i < ctx->alpn_count; i++) {
        ctx->alpn_names[i] = mem_copy(slice_cstr(names[i]));
        ctx->alpn[i].data = (unsigned char *)ctx->alpn_names[i];
        ctx->alpn[i].size = (unsigned)strlen(names[i]);
    }
}

enum rc tls_ctx_new(const struct tls_conf *conf, struct tls_ctx **out, struct why *why)
{
    struct tls_ctx *ctx = mem_new(sizeof *ctx);
    const char *bad = NULL;
    enum rc rc = RC_OK;
    ctx->refs = 1;
    ctx->ask_client_cert = conf->ask_client_cert;
    alpn_copy(ctx, conf->alpn);
    int err = gnutls_priority_init(&ctx->priority, conf->priority ? conf->priority : DEFAULT_PRIORITY, &bad);
    if (err < 0) {
        why_set(why, "TLS priority: %s at \"%s\"", gnutls_strerror(err), bad ? bad : "");
        rc = RC_SYNTAX;
    }
    if (rc == RC_OK && gnutls_session_ticket_key_generate(&ctx->ticket_key) < 0) {
        why_set(why, "no key for session tickets");
        rc = RC_IO;
    }
    if (rc == RC_OK)
        rc = cert_new("", &ctx->none, why);
    if (rc == RC_OK && conf->trust_file)
        rc = trust_read(ctx, conf->trust_file, why);
    if (rc != RC_OK)
        tls_ctx_drop(ctx);
    else
        *out = ctx;
    return rc;
}

struct tls_ctx *tls_ctx_hold(struct tls_ctx *ctx)
{
    ctx->refs++;
    return ctx;
}

void tls_ctx_drop(struct tls_ctx *ctx)
{
    if (--ctx->refs)
        return;
    while (ctx->certs) {
        struct tls_cert *cert = ctx->certs;
        ctx->certs = cert->next;
        tls_cert_drop(cert);
    }
    tls_cert_drop(ctx->none);
    for (unsigned i = 0; i < ctx->alpn_count; i++)
        mem_free(ctx->alpn_names[i]);
    mem_free(ctx->alpn_names);
    mem_free(ctx->alpn);
    if (ctx->ticket_key.data) {
        gnutls_memset(ctx->ticket_key.data, 0, ctx->ticket_key.size);
        gnutls_free(ctx->ticket_key.data);
    }
    if (ctx->trust)
        gnutls_x509_trust_list_deinit(ctx->trust, 1);
    if (ctx->priority)
        gnutls_priority_deinit(ctx->priority);
    mem_free(ctx);
}

void tls_ctx_free(struct tls_ctx **ctx)
{
    if (*ctx)
        tls_ctx_drop(*ctx);
    *ctx = NULL;
}
