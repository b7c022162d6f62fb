/* common/tools/ctl_tls.c */
#include "common/tools/ctl_tls.h"

#include "common/base/mem.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <string.h>

enum { EXPORTER_BYTES = 32, HANDSHAKE_MS = 30000 };

struct ctl_tls {
    gnutls_session_t s;
    gnutls_certificate_credentials_t cred;
};

/* RFC 9266 4.2; with TLS 1.2 only where the master secret is bound to the handshake. */
static struct slice exporter(struct arena *a, gnutls_session_t s)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    char *data = arena_alloc(a, EXPORTER_BYTES);
    if (gnutls_protocol_get_version(s) < GNUTLS_TLS1_3 && !gnutls_session_ext_master_secret_status(s))
        return SLICE_NONE;
    if (gnutls_prf_rfc5705(s, sizeof label - 1, label, 0, NULL, EXPORTER_BYTES, data) < 0)
        return SLICE_NONE;
    return slice_of(data, EXPORTER_BYTES);
}

enum rc ctl_tls_open(struct arena *a, int fd, const char *host, const char *ca_file, struct ctl_tls **out,
                     struct sasl_cb *cb, struct why *why)
{
    struct ctl_tls *tls = mem_new(sizeof *tls);
    enum rc rc = RC_IO;
    int err = gnutls_certificate_allocate_credentials(&tls->cred);
    if (err >= 0)
        err = gnutls_init(&tls->s, GNUTLS_CLIENT);
    if (err >= 0)
        err = gnutls_set_default_priority_append(tls->s, "-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", NULL, 0);
    if (err >= 0)
        err = gnutls_credentials_set(tls->s, GNUTLS_CRD_CERTIFICATE, tls->cred);
    if (err < 0) {
        why_set(why, "TLS: %s", gnutls_strerror(err));
        goto out;
    }
    if (ca_file) {
        err = gnutls_certificate_set_x509_trust_file(tls->cred, ca_file, GNUTLS_X509_FMT_PEM);
        if (err < 0) {
            why_set(why, "%s: %s", ca_file, gnutls_strerror(err));
            goto out;
        }
        gnutls_session_set_verify_cert(tls->s, host, 0);
    }
    gnutls_transport_set_int(tls->s, fd);
    gnutls_handshake_set_timeout(tls->s, HANDSHAKE_MS);
    do
        err = gnutls_handshake(tls->s);
    while (err < 0 && !gnutls_error_is_fatal(err));
    if (err < 0) {
        rc = err == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR ? RC_DENIED : RC_CLOSED;
        why_set(why, "TLS with %s: %s", host, gnutls_strerror(err));
        goto out;
    }
    *cb = (struct sasl_cb){ .exporter = exporter(a, tls->s) };
    *out = tls;
    return RC_OK;
out:
    if (tls->s)
        gnutls_deinit(tls->s);
    if (tls->cred)
        gnutls_certificate_free_credentials(tls->cred);
    mem_free(tls);
    return rc;
}

void ctl_tls_close(struct ctl_tls **at)
{
    struct ctl_tls *tls = *at;
    if (!tls)
        return;
    gnutls_bye(tls->s, GNUTLS_SHUT_WR);
    gnutls_deinit(tls->s);
    gnutls_certificate_free_credentials(tls->cred);
    MEM_FREE(at);
}

bool ctl_tls_pending(const struct ctl_tls *tls)
{
    return gnutls_record_check_pending(tls->s) > 0;
}

/* Interrupted, or a record that holds no data: once more is asked of the caller by EINTR. */
static ssize_t result(ssize_t n)
{
    if (n >= 0)
        return n;
    errno = gnutls_error_is_fatal((int)n) ? EIO : EINTR;
    return -1;
}

ssize_t ctl_tls_recv(struct ctl_tls *tls, void *bytes, size_t size)
{
    return result(gnutls_record_recv(tls->s, bytes, size));
}

ssize_t ctl_tls_send(struct ctl_tls *tls, const void *bytes, size_t size)
{
    return result(gnutls_record_send(tls->s, bytes, size));
}
