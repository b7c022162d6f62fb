/* common/net/cabundle.c */
#include "common/net/cabundle.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include <gnutls/x509.h>

/* Where it stands in the block of them all. */
struct place {
    size_t at, len;
    size_t subject_at, subject_len;
};
struct cabundle {
    struct buf der; /* one after the other */
    struct place *cas;
    size_t n;
};

void cabundle_free(struct cabundle **b)
{
    if (!*b)
        return;
    buf_fini(&(*b)->der);
    mem_free((*b)->cas);
    MEM_FREE(b);
}

/* The subject, to be freed. A CA is parsed here once, so that one that is none is told at start. */
MUST_USE static int subject_of(const gnutls_datum_t *der, gnutls_datum_t *out)
{
    gnutls_x509_crt_t crt = NULL;
    int err = gnutls_x509_crt_init(&crt);
    if (err < 0)
        return err;
    err = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER);
    if (err >= 0)
        err = gnutls_x509_crt_get_raw_dn(crt, out);
    gnutls_x509_crt_deinit(crt);
    return err;
}

MUST_USE static int keep(struct cabundle *b, const gnutls_datum_t *der)
{
    gnutls_datum_t subject = { NULL, 0 };
    int err = subject_of(der, &subject);
    if (err < 0)
        return err;
    /* It may be found in the issuer: then that is the same. */
    const unsigned char *at = memmem(der->data, der->size, subject.data, subject.size);
    if (at) {
        b->cas = mem_resize(b->cas, (b->n + 1) * sizeof *b->cas);
        b->cas[b->n++] = (struct place){ .at = b->der.len,
                                         .len = der->size,
                                         .subject_at = b->der.len + (size_t)(at - der->data),
                                         .subject_len = subject.size };
        buf_put(&b->der, der->data, der->size);
    }
    gnutls_free(subject.data);
    return at ? 0 : GNUTLS_E_ASN1_DER_ERROR;
}

/* s from where a certificate begins in it; empty: none does. */
static struct slice pem_next(struct slice s)
{
    static const char *const begins[] = { "-----BEGIN CERTIFICATE", "-----BEGIN X509 CERTIFICATE" };
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        const char *at = s.len ? memmem(s.p, s.len, begins[i], strlen(begins[i])) : NULL;
        if (at)
            return slice_from(s, (size_t)(at - s.p));
    }
    return slice_from(s, s.len);
}

MUST_USE static int keep_all(struct cabundle *b, struct slice pem)
{
    int err = 0;
    struct slice next;
    for (struct slice at = pem_next(pem); err >= 0 && at.len; at = next) {
        next = pem_next(slice_from(at, 1));
        gnutls_datum_t text = { (unsigned char *)(uintptr_t)at.p, (unsigned)(at.len - next.len) };
        gnutls_datum_t der = { NULL, 0 };
        err = gnutls_pem_base64_decode2(NULL, &text, &der);
        if (err >= 0)
            err = keep(b, &der);
        gnutls_free(der.data);
    }
    return err;
}

/* How many are in *out, or what GnuTLS says. */
MUST_USE static int file_read(const char *file, struct cabundle **out)
{
    struct cabundle *b;
    gnutls_datum_t pem = { NULL, 0 };
    int err = gnutls_load_file(file, &pem);
    if (err < 0)
        return err;
    b = mem_new(sizeof *b);
    buf_reserve(&b->der, pem.size / 4 * 3); /* base64 */
    err = keep_all(b, slice_of((char *)pem.data, pem.size));
    gnutls_free(pem.data);
    if (err >= 0 && b->n) {
        *out = b;
        return (int)b->n;
    }
    cabundle_free(&b);
    return err;
}

/* GnuTLS knows of one place, which it does not tell, and would parse them all at once. */
MUST_USE static int system_read(struct cabundle **out)
{
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, Arch */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* older ones */
        "/var/lib/ca-certificates/ca-bundle.pem",            /* SUSE */
        "/etc/ssl/cert.pem",                                 /* FreeBSD, OpenBSD */
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int n = file_read(files[i], out);
        if (n > 0)
            return n;
    }
    return 0;
}

enum rc cabundle_read(const char *file, struct cabundle **out, struct why *why)
{
    int n = strcmp(file, "system") == 0 ? system_read(out) : file_read(file, out);
    if (n > 0)
        return RC_OK;
    why_set(why, "trust %s: %s", file, n < 0 ? gnutls_strerror(n) : "no certificate in it");
    return RC_IO;
}

size_t cabundle_n(const struct cabundle *b)
{
    return b ? b->n : 0;
}

struct cabundle_ca cabundle_at(const struct cabundle *b, size_t i)
{
    struct slice all = buf_get(&b->der);
    const struct place *p = &b->cas[i];
    return (struct cabundle_ca){ .der = slice_to(slice_from(all, p->at), p->len),
                                 .subject = slice_to(slice_from(all, p->subject_at), p->subject_len) };
}
