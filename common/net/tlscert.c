/* common/net/tlscert.c - certificate files: facts, names, and making a self-signed one */
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/net/peercert.h"
#include "common/net/tlsctx.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509-ext.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

MUST_USE static enum rc cert_read(const char *path, gnutls_x509_crt_t *out, struct why *why)
{
    enum rc rc = RC_IO;
    gnutls_datum_t pem = { NULL, 0 };
    gnutls_x509_crt_t crt = NULL;
    if (gnutls_load_file(path, &pem) < 0) {
        why_set(why, "%s: cannot be read", path);
        goto out;
    }
    if (gnutls_x509_crt_init(&crt) < 0 || gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) < 0) {
        why_set(why, "%s: not a PEM certificate", path);
        rc = RC_SYNTAX;
        goto out;
    }
    *out = crt;
    crt = NULL; /* the caller's now */
    rc = RC_OK;
out:
    if (crt)
        gnutls_x509_crt_deinit(crt);
    gnutls_free(pem.data);
    return rc;
}

static void key_text(gnutls_x509_crt_t crt, char *out, size_t size)
{
    unsigned bits = 0;
    int algorithm = gnutls_x509_crt_get_pk_algorithm(crt, &bits);
    const char *name = gnutls_pk_algorithm_get_name((gnutls_pk_algorithm_t)algorithm);
    if (algorithm == GNUTLS_PK_ECDSA)
        name = "EC";
    snprintf(out, size, "%s %u", name ? name : "?", bits);
}

static void names_text(gnutls_x509_crt_t crt, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0;; i++) {
        char name[256];
        size_t len = sizeof name;
        int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &len, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return;
        if (type != GNUTLS_SAN_DNSNAME || at + len + 3 > size)
            continue;
        at += (size_t)snprintf(out + at, size - at, "%s%.*s", at ? ", " : "", (int)len, name);
    }
}

enum rc tls_cert_info(const char *cert_file, struct tls_cert_info *out, struct why *why)
{
    gnutls_x509_crt_t crt = NULL;
    unsigned char digest[32];
    size_t size;
    enum rc rc = cert_read(cert_file, &crt, why);
    if (rc != RC_OK)
        return rc;
    memset(out, 0, sizeof *out);
    out->not_before_ms = (int64_t)gnutls_x509_crt_get_activation_time(crt) * 1000;
    out->not_after_ms = (int64_t)gnutls_x509_crt_get_expiration_time(crt) * 1000;
    size = sizeof out->subject;
    if (gnutls_x509_crt_get_dn(crt, out->subject, &size) < 0)
        out->subject[0] = '\0';
    size = sizeof out->issuer;
    if (gnutls_x509_crt_get_issuer_dn(crt, out->issuer, &size) < 0)
        out->issuer[0] = '\0';
    key_text(crt, out->key, sizeof out->key);
    names_text(crt, out->names, sizeof out->names);
    size = sizeof digest;
    if (gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &size) >= 0)
        for (size_t i = 0; i < size; i++)
            snprintf(out->fingerprint + 2 * i, 3, "%02x", digest[i]);
    out->self_signed = gnutls_x509_crt_check_issuer(crt, crt) == 1;
    gnutls_x509_crt_deinit(crt);
    return RC_OK;
}

enum rc tls_cert_covers(const char *cert_file, const char *domain, bool *covers, struct why *why)
{
    gnutls_x509_crt_t crt = NULL;
    enum rc rc = cert_read(cert_file, &crt, why);
    if (rc != RC_OK)
        return rc;
    *covers = gnutls_x509_crt_check_hostname(crt, domain) != 0;
    gnutls_x509_crt_deinit(crt);
    return RC_OK;
}

/* --- self-signed --- */

static int name_add(gnutls_x509_crt_t crt, const char *name)
{
    unsigned char ip[16];
    if (inet_pton(AF_INET, name, ip) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip, 4, GNUTLS_FSAN_APPEND);
    if (inet_pton(AF_INET6, name, ip) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip, 16, GNUTLS_FSAN_APPEND);
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
                                                GNUTLS_FSAN_APPEND);
}

static int fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *const *names, size_t n)
{
    enum { HOUR = 3600, TEN_YEARS = 3650 * 24 * HOUR };
    unsigned char serial[16];
    time_t now = (time_t)(clock_wall_ms() / 1000);
    secret_random(serial, sizeof serial);
    serial[0] = (unsigned char)((serial[0] & 0x7f) | 1); /* positive, not zero: RFC 5280 4.1.2.2 */
    int err = gnutls_x509_crt_set_version(crt, 3);
    err |= gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
    err |= gnutls_x509_crt_set_activation_time(crt, now - HOUR);
    err |= gnutls_x509_crt_set_expiration_time(crt, now + TEN_YEARS);
    err |= gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, names[0],
                                         (unsigned)strlen(names[0]));
    err |= gnutls_x509_crt_set_key(crt, key);
    err |= gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
    err |= gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    err |= gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
    err |= gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
    for (size_t i = 0; i < n; i++)
        err |= name_add(crt, names[i]);
    if (err < 0)
        return err;
    return gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
}

MUST_USE static enum rc file_write(const char *path, mode_t mode, const gnutls_datum_t *pem, struct why *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    bool ok = fd >= 0 && fchmod(fd, mode) == 0 && write(fd, pem->data, pem->size) == (ssize_t)pem->size;
    if (!ok)
        why_set(why, "%s: %s", path, strerror(errno));
    if (fd >= 0 && close(fd) < 0 && ok) {
        why_set(why, "%s: %s", path, strerror(errno));
        ok = false;
    }
    return ok ? RC_OK : RC_IO;
}

enum rc tls_make_self_signed(const char *const *names, size_t n, const char *cert_file, const char *key_file,
                             struct why *why)
{
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t crt = NULL;
    gnutls_datum_t cert_pem = { NULL, 0 }, key_pem = { NULL, 0 };
    enum rc rc = RC_IO;
    int err = n ? 0 : GNUTLS_E_INVALID_REQUEST;
    if (err >= 0)
        err = gnutls_x509_privkey_init(&key);
    if (err >= 0)
        err = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                           GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (err >= 0)
        err = gnutls_x509_crt_init(&crt);
    if (err >= 0)
        err = fill(crt, key, names, n);
    if (err >= 0)
        err = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &cert_pem);
    if (err >= 0)
        err = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &key_pem);
    if (err < 0) {
        why_set(why, "self-signed certificate: %s", gnutls_strerror(err));
        goto out;
    }
    rc = file_write(key_file, 0600, &key_pem, why);
    if (rc == RC_OK)
        rc = file_write(cert_file, 0644, &cert_pem, why);
out:
    if (key_pem.data)
        gnutls_memset(key_pem.data, 0, key_pem.size);
    gnutls_free(key_pem.data);
    gnutls_free(cert_pem.data);
    if (crt)
        gnutls_x509_crt_deinit(crt);
    if (key)
        gnutls_x509_privkey_deinit(key);
    return rc;
}

/* --- XmppAddr --- */

enum rc tls_cert_xmpp_addrs(struct arena *a, struct slice der, struct slice *out, size_t max, size_t *n)
{
    struct peercert_name *names = ARENA_ARRAY(a, PEERCERT_NAMES_MAX, struct peercert_name);
    size_t all;
    *n = 0;
    enum rc rc = peercert_names(a, der, names, PEERCERT_NAMES_MAX, &all);
    for (size_t i = 0; rc == RC_OK && i < all && *n < max; i++) {
        if (names[i].kind == PEERCERT_XMPPADDR)
            out[(*n)++] = names[i].text;
    }
    return rc;
}
