/* test/unit/cert_world.h - certificates made to order, for tests of those who judge them */
#ifndef TEST_CERT_WORLD_H
#define TEST_CERT_WORLD_H

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/net/peercert.h"
#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <time.h>
#include <unistd.h>

enum { CERT_DAY_S = 86400, CERT_NAMES = 8 };

struct cert {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
    struct slice der;
};
struct cert_spec {
    const char *cn;                  /* NULL: an empty subject */
    const struct cert *issuer;       /* NULL: itself */
    bool ca;
    bool key_ids;                    /* says which key is its own and which its issuer's (RFC 5280 4.2.1.1) */
    const char *dns[CERT_NAMES], *srv[CERT_NAMES], *xmpp[CERT_NAMES];
    const char *purpose;             /* OID; NULL: none said */
    long from_s, to_s;               /* from now; both 0: valid */
    unsigned rsa_bits;               /* 0: EC P-256 */
    const struct cert *key;          /* whose; NULL: a new one */
};

static inline void cert_srv_name(gnutls_x509_crt_t crt, const char *name)
{
    char der[256];
    size_t len = strlen(name);
    assert_true(len < 128);
    der[0] = 0x16; /* IA5String */
    der[1] = (char)len;
    memcpy(der + 2, name, len);
    assert_int_equal(gnutls_x509_crt_set_subject_alt_othername(crt, "1.3.6.1.5.5.7.8.7", der, (unsigned)len + 2, GNUTLS_FSAN_APPEND), 0);
}

static inline void cert_names(gnutls_x509_crt_t crt, const struct cert_spec *s)
{
    for (size_t i = 0; i < CERT_NAMES && s->dns[i]; i++)
        assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, s->dns[i], (unsigned)strlen(s->dns[i]), GNUTLS_FSAN_APPEND), 0);
    for (size_t i = 0; i < CERT_NAMES && s->srv[i]; i++)
        cert_srv_name(crt, s->srv[i]);
    for (size_t i = 0; i < CERT_NAMES && s->xmpp[i]; i++)
        assert_int_equal(gnutls_x509_crt_set_subject_alt_othername(crt, "1.3.6.1.5.5.7.8.5", s->xmpp[i], (unsigned)strlen(s->xmpp[i]),
                                                                   GNUTLS_FSAN_APPEND | GNUTLS_FSAN_ENCODE_UTF8_STRING), 0);
}

static inline void cert_key_ids(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
    unsigned char id[64];
    size_t len = sizeof id;
    assert_int_equal(gnutls_x509_crt_get_key_id(issuer, 0, id, &len), 0);
    assert_int_equal(gnutls_x509_crt_set_authority_key_id(crt, id, len), 0);
    len = sizeof id;
    assert_int_equal(gnutls_x509_crt_get_key_id(crt, 0, id, &len), 0);
    assert_int_equal(gnutls_x509_crt_set_subject_key_id(crt, id, len), 0);
}

/* The bytes are in the arena; cert_free the rest. */
static inline struct cert cert_make(struct arena *a, const struct cert_spec *s)
{
    struct cert c = { 0 };
    unsigned char serial[8] = { 1 };
    gnutls_datum_t der = { NULL, 0 };
    time_t now = (time_t)(clock_wall_ms() / 1000);
    bool any_time = !s->from_s && !s->to_s;
    secret_random(serial + 1, sizeof serial - 1);
    assert_int_equal(gnutls_x509_privkey_init(&c.key), 0);
    if (s->key)
        assert_int_equal(gnutls_x509_privkey_cpy(c.key, s->key->key), 0);
    else
        assert_int_equal(gnutls_x509_privkey_generate(c.key, s->rsa_bits ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA,
                                                      s->rsa_bits ? s->rsa_bits : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    assert_int_equal(gnutls_x509_crt_init(&c.crt), 0);
    assert_int_equal(gnutls_x509_crt_set_version(c.crt, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(c.crt, serial, sizeof serial), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(c.crt, now + (any_time ? -CERT_DAY_S : s->from_s)), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(c.crt, now + (any_time ? CERT_DAY_S : s->to_s)), 0);
    if (s->cn)
        assert_int_equal(gnutls_x509_crt_set_dn_by_oid(c.crt, GNUTLS_OID_X520_COMMON_NAME, 0, s->cn, (unsigned)strlen(s->cn)), 0);
    assert_int_equal(gnutls_x509_crt_set_key(c.crt, c.key), 0);
    assert_int_equal(gnutls_x509_crt_set_basic_constraints(c.crt, s->ca, -1), 0);
    if (s->ca)
        assert_int_equal(gnutls_x509_crt_set_key_usage(c.crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN), 0);
    if (s->purpose)
        assert_int_equal(gnutls_x509_crt_set_key_purpose_oid(c.crt, s->purpose, 0), 0);
    if (s->key_ids)
        cert_key_ids(c.crt, s->issuer ? s->issuer->crt : c.crt);
    cert_names(c.crt, s);
    assert_int_equal(gnutls_x509_crt_sign2(c.crt, s->issuer ? s->issuer->crt : c.crt, s->issuer ? s->issuer->key : c.key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(c.crt, GNUTLS_X509_FMT_DER, &der), 0);
    c.der = arena_copy(a, slice_of((char *)der.data, der.size));
    gnutls_free(der.data);
    return c;
}

static inline void cert_free(struct cert *c)
{
    gnutls_x509_crt_deinit(c->crt);
    gnutls_x509_privkey_deinit(c->key);
}

static inline void cert_write(const char *path, gnutls_datum_t *pem)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(pem->data, 1, pem->size, f), pem->size);
    fclose(f);
    gnutls_free(pem->data);
}

/* revoked (may be NULL) and its CA's list; next_s: when the next one is due, from now. */
static inline void cert_crl(const char *path, const struct cert *ca, const struct cert *revoked, long next_s)
{
    gnutls_x509_crl_t crl;
    gnutls_datum_t pem;
    time_t now = (time_t)(clock_wall_ms() / 1000);
    assert_int_equal(gnutls_x509_crl_init(&crl), 0);
    assert_int_equal(gnutls_x509_crl_set_version(crl, 2), 0);
    assert_int_equal(gnutls_x509_crl_set_this_update(crl, now - 2 * CERT_DAY_S), 0);
    assert_int_equal(gnutls_x509_crl_set_next_update(crl, now + next_s), 0);
    if (revoked)
        assert_int_equal(gnutls_x509_crl_set_crt(crl, revoked->crt, now - CERT_DAY_S), 0);
    assert_int_equal(gnutls_x509_crl_sign2(crl, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, &pem), 0);
    cert_write(path, &pem);
    gnutls_x509_crl_deinit(crl);
}

/* PEM, at the end of an open file. */
static inline void cert_append(FILE *f, const struct cert *c)
{
    gnutls_datum_t pem;
    assert_int_equal(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    assert_int_equal(fwrite(pem.data, 1, pem.size, f), pem.size);
    gnutls_free(pem.data);
}

/* Trusts n CAs; crl: a file of cert_crl, or NULL. */
static inline struct peercert_trust *cert_trust_all(const struct cert *cas, size_t n, const char *crl)
{
    struct peercert_trust *t = NULL;
    struct why why = { "" };
    char path[64];
    snprintf(path, sizeof path, "/tmp/test_cert.%d.pem", (int)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        cert_append(f, &cas[i]);
    fclose(f);
    if (peercert_trust_new(&(struct peercert_conf){ path, crl }, &t, &why) != RC_OK)
        fail_msg("%s", why.text);
    unlink(path);
    return t;
}

/* Trusts ca alone. */
static inline struct peercert_trust *cert_trust(const struct cert *ca, const char *crl)
{
    return cert_trust_all(ca, 1, crl);
}

/* A CA, one under it, and a leaf for one.example under that. */
struct cert_world {
    struct arena *a;
    struct cert root, mid, leaf, other; /* other: another CA */
    struct peercert_trust *trust;       /* root */
    struct slice chain[3];              /* leaf, mid, root */
};

static inline int cert_setup(void **state)
{
    struct why why;
    struct cert_world *w = mem_new(sizeof *w);
    if (secret_init(&why) != RC_OK)
        return -1;
    w->a = arena_new(65536, 0);
    w->root = cert_make(w->a, &(struct cert_spec){ .cn = "Root", .ca = true });
    w->other = cert_make(w->a, &(struct cert_spec){ .cn = "Other", .ca = true });
    w->mid = cert_make(w->a, &(struct cert_spec){ .cn = "Mid", .ca = true, .issuer = &w->root });
    w->leaf = cert_make(w->a, &(struct cert_spec){ .cn = "leaf", .issuer = &w->mid, .dns = { "one.example" } });
    w->trust = cert_trust(&w->root, NULL);
    w->chain[0] = w->leaf.der;
    w->chain[1] = w->mid.der;
    w->chain[2] = w->root.der;
    *state = w;
    return 0;
}

static inline int cert_teardown(void **state)
{
    struct cert_world *w = *state;
    peercert_trust_free(&w->trust);
    cert_free(&w->root);
    cert_free(&w->other);
    cert_free(&w->mid);
    cert_free(&w->leaf);
    arena_free(&w->a);
    mem_free(w);
    return 0;
}

#endif
