/* common/net/peercert.c */
#include "common/net/peercert.h"

#include "common/base/mem.h"
#include "common/net/cabundle.h"
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

struct peercert_trust {
    struct cabundle *cas; /* NULL: none */
    gnutls_x509_crl_t *crls;
    unsigned crl_n;
    int64_t crl_until_ms; /* INT64_MAX: no list */
};

/* Certificates of a chain, parsed. */
struct parsed {
    gnutls_x509_crt_t at[PEERCERT_CHAIN_MAX];
    unsigned n;
};

/* Whom a chain names: its subjects and issuers, DER; to be freed. */
struct named {
    gnutls_datum_t at[2 * PEERCERT_CHAIN_MAX];
    size_t n;
};

/* What one chain is verified with: those of the CAs that it names, and all the revocations. */
struct anchors {
    gnutls_x509_trust_list_t list;
    gnutls_x509_crt_t *crts; /* the CAs in it: the list does not own them, nor the revocations */
    size_t n;
};

static gnutls_datum_t datum(struct slice s)
{
    return (gnutls_datum_t){ (unsigned char *)(uintptr_t)s.p, (unsigned)s.len };
}

MUST_USE static int crt_import(struct slice der, gnutls_x509_crt_t *out)
{
    gnutls_datum_t bytes = datum(der);
    int err = gnutls_x509_crt_init(out);
    if (err < 0)
        return err;
    err = gnutls_x509_crt_import(*out, &bytes, GNUTLS_X509_FMT_DER);
    if (err < 0)
        gnutls_x509_crt_deinit(*out);
    return err;
}

/* NULL: not a certificate. */
static gnutls_x509_crt_t crt_parse(struct slice der)
{
    gnutls_x509_crt_t crt = NULL;
    return der.len <= UINT16_MAX && crt_import(der, &crt) >= 0 ? crt : NULL;
}

static void parsed_free(struct parsed *p)
{
    while (p->n)
        gnutls_x509_crt_deinit(p->at[--p->n]);
}

MUST_USE static enum rc chain_parse(const struct slice *chain, size_t n, struct parsed *out, struct why *why)
{
    out->n = 0;
    if (n > PEERCERT_CHAIN_MAX) {
        why_set(why, "a chain of more than %d certificates", PEERCERT_CHAIN_MAX);
        return RC_LIMIT;
    }
    for (size_t i = 0; i < n; i++) {
        out->at[i] = crt_parse(chain[i]);
        if (!out->at[i])
            break;
        out->n++;
    }
    if (n && out->n == n)
        return RC_OK;
    why_set(why, n ? "certificate %u of the chain cannot be read" : "an empty chain", out->n);
    parsed_free(out);
    return RC_SYNTAX;
}

/* --- names --- */

/* A SRVName: GnuTLS leaves it as DER, an IA5String (RFC 4985 2). Anything else is taken for text that is
 * decoded already. */
static struct slice srv_text(struct slice der)
{
    enum { IA5_STRING = 0x16, SHORT_MAX = 0x7F };
    size_t head = 2, len;
    if (der.len < 2 || der.p[0] != IA5_STRING)
        return der;
    len = (uint8_t)der.p[1];
    if (len > SHORT_MAX) { /* X.690 8.1.3.5: so many bytes of length; no name needs more than two */
        size_t more = len & SHORT_MAX;
        len = 0;
        head += more;
        for (size_t i = 2; i < head && i < der.len && more <= 2; i++)
            len = len << 8 | (uint8_t)der.p[i];
    }
    return len && head + len == der.len ? slice_from(der, head) : SLICE_NONE;
}

static bool is_srv_name(gnutls_x509_crt_t crt, unsigned i)
{
    char oid[64];
    size_t size = sizeof oid;
    int got = gnutls_x509_crt_get_subject_alt_othername_oid(crt, i, oid, &size);
    return got >= 0 && size < sizeof oid &&
           strcmp(oid, "1.3.6.1.5.5.7.8.7") == 0; /* id-on-dnsSRV: RFC 4985 2 */
}

/* Name number i. RC_AGAIN: one that we do not take; RC_NOTFOUND: there are no more. */
MUST_USE static enum rc name_read(struct arena *a, gnutls_x509_crt_t crt, unsigned i,
                                  struct peercert_name *out)
{
    unsigned char name[2048];
    size_t size = sizeof name;
    int got = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);
    struct slice text = slice_of((const char *)name, size);
    if (got == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return RC_NOTFOUND;
    if (got == GNUTLS_SAN_DNSNAME) {
        out->kind = PEERCERT_DNS;
    } else if (got == (int)GNUTLS_SAN_OTHERNAME_XMPP) { /* its text is decoded already */
        out->kind = PEERCERT_XMPPADDR;
    } else if (got >= 0 && is_srv_name(crt, i)) {
        out->kind = PEERCERT_SRV;
        text = srv_text(text);
    } else {
        return RC_AGAIN;
    }
    if (!text.len || !slice_utf8_ok(text) || slice_find(text, '\0') >= 0)
        return RC_AGAIN;
    out->text = arena_copy(a, text);
    return RC_OK;
}

enum rc peercert_names(struct arena *a, struct slice der, struct peercert_name *out, size_t max, size_t *n)
{
    *n = 0;
    gnutls_x509_crt_t crt = crt_parse(der);
    if (!crt)
        return RC_SYNTAX;
    for (unsigned i = 0; i < PEERCERT_NAMES_MAX && *n < max; i++) {
        enum rc got = name_read(a, crt, i, &out[*n]);
        if (got == RC_NOTFOUND)
            break;
        *n += got == RC_OK;
    }
    gnutls_x509_crt_deinit(crt);
    return RC_OK;
}

/* --- trust --- */

MUST_USE static enum rc add_crls(struct peercert_trust *t, const char *file, struct why *why)
{
    gnutls_datum_t pem = { NULL, 0 };
    int err = gnutls_load_file(file, &pem);
    if (err >= 0)
        err = gnutls_x509_crl_list_import2(&t->crls, &t->crl_n, &pem, GNUTLS_X509_FMT_PEM, 0);
    gnutls_free(pem.data);
    if (err < 0) { /* it has freed them */
        t->crls = NULL;
        t->crl_n = 0;
    }
    for (unsigned i = 0; i < t->crl_n; i++) {
        time_t next = gnutls_x509_crl_get_next_update(t->crls[i]);
        if (next != (time_t)-1 && (int64_t)next * 1000 < t->crl_until_ms)
            t->crl_until_ms = (int64_t)next * 1000;
    }
    if (t->crl_n)
        return RC_OK;
    why_set(why, "revocations %s: %s", file, err < 0 ? gnutls_strerror(err) : "no list in it");
    return RC_IO;
}

enum rc peercert_trust_new(const struct peercert_conf *conf, struct peercert_trust **out, struct why *why)
{
    struct peercert_trust *t = mem_new(sizeof *t);
    enum rc rc = RC_OK;
    t->crl_until_ms = INT64_MAX;
    if (conf->ca_file)
        rc = cabundle_read(conf->ca_file, &t->cas, why);
    if (rc == RC_OK && conf->crl_file)
        rc = add_crls(t, conf->crl_file, why);
    if (rc != RC_OK)
        peercert_trust_free(&t);
    else
        *out = t;
    return rc;
}

int64_t peercert_crl_until_ms(const struct peercert_trust *t)
{
    return t->crl_until_ms;
}

void peercert_trust_free(struct peercert_trust **t)
{
    if (!*t)
        return;
    cabundle_free(&(*t)->cas);
    for (unsigned i = 0; i < (*t)->crl_n; i++)
        gnutls_x509_crl_deinit((*t)->crls[i]);
    gnutls_free((*t)->crls);
    MEM_FREE(t);
}

/* --- the few that a chain needs --- */

static void named_read(const struct parsed *chain, struct named *out)
{
    out->n = 0;
    for (unsigned i = 0; i < chain->n; i++) {
        out->n += gnutls_x509_crt_get_raw_dn(chain->at[i], &out->at[out->n]) >= 0;
        out->n += gnutls_x509_crt_get_raw_issuer_dn(chain->at[i], &out->at[out->n]) >= 0;
    }
}

static bool named_has(const struct named *named, struct slice dn)
{
    for (size_t i = 0; i < named->n; i++) {
        if (slice_eq(slice_of((char *)named->at[i].data, named->at[i].size), dn))
            return true;
    }
    return false;
}

static void anchors_free(struct anchors *a)
{
    if (a->list)
        gnutls_x509_trust_list_deinit(a->list, 0);
    while (a->n)
        gnutls_x509_crt_deinit(a->crts[--a->n]);
    MEM_FREE(&a->crts);
}

/* GnuTLS looks for a CA by its subject: that is the issuer of one of the chain (byte by byte), or, where the
 * CA itself is sent or trusted in between, the subject. So all others make no difference; of several with one
 * name (a CA with a new key, one signed by another) all are taken, in their order. */
MUST_USE static bool anchors_pick(const struct peercert_trust *t, const struct named *named,
                                  struct anchors *out)
{
    *out = (struct anchors){ .crts = mem_array(cabundle_n(t->cas) + 1, sizeof *out->crts) };
    if (gnutls_x509_trust_list_init(&out->list, 0) < 0)
        return false;
    for (size_t i = 0; i < cabundle_n(t->cas); i++) {
        struct cabundle_ca ca = cabundle_at(t->cas, i);
        if (!named_has(named, ca.subject))
            continue;
        if (crt_import(ca.der, &out->crts[out->n]) < 0)
            return false;
        out->n++;
    }
    return gnutls_x509_trust_list_add_cas(out->list, out->crts, (unsigned)out->n, 0) == (int)out->n &&
           gnutls_x509_trust_list_add_crls(out->list, t->crls, t->crl_n, 0, 0) == (int)t->crl_n;
}

/* --- verification --- */

static const struct {
    unsigned status;
    const char *text;
} faults[] = {
    /* The gravest first: the first that applies is named. */
    { GNUTLS_CERT_REVOKED, "it is revoked" },
    { GNUTLS_CERT_EXPIRED, "it has expired" },
    { GNUTLS_CERT_NOT_ACTIVATED, "it is not valid yet" },
    { GNUTLS_CERT_SIGNATURE_FAILURE, "a signature is wrong" },
    { GNUTLS_CERT_INSECURE_ALGORITHM, "a signature or key is too weak" },
    { GNUTLS_CERT_SIGNER_NOT_CA, "its issuer is no CA" },
    { GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, "its issuer may not issue it" },
    { GNUTLS_CERT_PURPOSE_MISMATCH, "it is for another purpose" },
    { GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, "a critical extension is not known" },
    { GNUTLS_CERT_SIGNER_NOT_FOUND, "its issuer is not trusted here" },
};

static const char *fault_of(unsigned status)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (status & faults[i].status)
            return faults[i].text;
    }
    return "it does not verify";
}

static unsigned status_for(gnutls_x509_trust_list_t list, const struct parsed *chain, const char *purpose_oid)
{
    /* 112 bits: RSA with 2048, no SHA-1 (RFC 9325 4.5) */
    const unsigned flags = GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM);
    gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
                                      .data = (unsigned char *)(uintptr_t)purpose_oid,
                                      .size = 0 };
    gnutls_x509_crt_t crts[PEERCERT_CHAIN_MAX]; /* may be put in another order */
    unsigned status = GNUTLS_CERT_INVALID;
    memcpy(crts, chain->at, sizeof crts);
    int err = gnutls_x509_trust_list_verify_crt2(list, crts, chain->n, &purpose, 1, flags, &status, NULL);
    return err < 0 ? GNUTLS_CERT_INVALID : status;
}

static enum rc verify(gnutls_x509_trust_list_t list, const struct parsed *chain,
                      enum peercert_purpose purpose, struct why *why)
{
    unsigned status = status_for(list, chain, GNUTLS_KP_TLS_WWW_SERVER);
    if (status && purpose == PEERCERT_CLIENT)
        status = status_for(list, chain, GNUTLS_KP_TLS_WWW_CLIENT);
    if (!status)
        return RC_OK;
    why_set(why, "the certificate is not accepted: %s", fault_of(status));
    return RC_DENIED;
}

enum rc peercert_verify(const struct peercert_trust *t, const struct slice *chain, size_t n,
                        enum peercert_purpose purpose, struct why *why)
{
    struct parsed parsed;
    struct named named;
    struct anchors anchors;
    enum rc rc = chain_parse(chain, n, &parsed, why);
    if (rc != RC_OK)
        return rc;
    named_read(&parsed, &named);
    if (anchors_pick(t, &named, &anchors)) {
        rc = verify(anchors.list, &parsed, purpose, why);
    } else {
        why_set(why, "the certificates of the authorities cannot be read");
        rc = RC_DENIED;
    }
    anchors_free(&anchors);
    while (named.n)
        gnutls_free(named.at[--named.n].data);
    parsed_free(&parsed);
    return rc;
}

enum rc peercert_verify_under(const struct slice *chain, size_t n, size_t anchor,
                              enum peercert_purpose purpose, struct why *why)
{
    struct parsed parsed;
    gnutls_x509_trust_list_t list = NULL;
    enum rc rc = chain_parse(chain, anchor < n ? anchor + 1 : n, &parsed, why);
    if (rc != RC_OK)
        return rc;
    if (anchor == 0 || anchor >= n || gnutls_x509_trust_list_init(&list, 0) < 0 ||
        gnutls_x509_trust_list_add_cas(list, &parsed.at[anchor], 1, 0) != 1) {
        why_set(why, "certificate %zu of the chain cannot be an anchor", anchor);
        rc = RC_DENIED;
    } else {
        rc = verify(list, &parsed, purpose, why);
    }
    if (list)
        gnutls_x509_trust_list_deinit(list, 0); /* the certificate is the chain's */
    parsed_free(&parsed);
    return rc;
}

/* --- pinned --- */

static bool digest_is(struct slice bytes, uint8_t matching, struct slice data)
{
    enum { EXACT, SHA256, SHA512 };
    unsigned char digest[64];
    if (matching == EXACT)
        return slice_eq(bytes, data);
    if (matching != SHA256 && matching != SHA512)
        return false;
    gnutls_digest_algorithm_t algorithm = matching == SHA256 ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA512;
    if (gnutls_hash_fast(algorithm, bytes.p, bytes.len, digest) < 0)
        return false;
    return slice_eq(slice_of((char *)digest, gnutls_hash_get_len(algorithm)), data);
}

/* The subjectPublicKeyInfo; to be freed. NULL data: there is none that we know. */
static gnutls_datum_t public_key(struct slice der)
{
    gnutls_datum_t out = { NULL, 0 };
    gnutls_pubkey_t key = NULL;
    gnutls_x509_crt_t crt = crt_parse(der);
    if (!crt)
        return out;
    if (gnutls_pubkey_init(&key) >= 0) {
        if (gnutls_pubkey_import_x509(key, crt, 0) < 0 ||
            gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &out) < 0)
            out = (gnutls_datum_t){ NULL, 0 };
        gnutls_pubkey_deinit(key);
    }
    gnutls_x509_crt_deinit(crt);
    return out;
}

bool peercert_matches(struct slice der, uint8_t selector, uint8_t matching, struct slice data)
{
    enum { CERTIFICATE, PUBLIC_KEY };
    if (selector == CERTIFICATE)
        return digest_is(der, matching, data);
    if (selector != PUBLIC_KEY)
        return false;
    gnutls_datum_t key = public_key(der);
    bool matches = key.data && digest_is(slice_of((char *)key.data, key.size), matching, data);
    gnutls_free(key.data);
    return matches;
}
