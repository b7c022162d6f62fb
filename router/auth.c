/* router/auth.c */
#include "router/auth.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/link/component.h"
#include "common/xmpp/xmlout.h"
#include <sodium.h>

enum { TRIES = 3, AUTH_ARENA = 2048, AUTH_ARENA_MAX = 65536, ADDRS = 16 };

struct key_cache { /* keys of one secret and hash, by the secret itself: a reload makes new ones by itself */
    struct key_cache *next;
    char *secret;
    enum scram_hash hash;
    struct scram_keys keys;
};

struct auth { /* one exchange */
    struct arena *a;
    struct scram_server scram;
    struct scram_keys keys;
    struct slice user;
    struct sasl_cb cb;
    struct derive_job *job;
};

struct derive_job {
    struct work work;
    struct router *r;
    struct peer *p; /* NULL: it has gone */
    struct key_cache *made;
    enum rc rc;
};

void auth_cache_free(struct router *r)
{
    while (r->keys) {
        struct key_cache *c = r->keys;
        r->keys = c->next;
        secret_wipe(c->secret, strlen(c->secret));
        mem_free(c->secret);
        mem_free(c);
    }
}

void auth_drop(struct peer *p)
{
    if (!p->auth)
        return;
    if (p->auth->job)
        p->auth->job->p = NULL;
    arena_free(&p->auth->a);
    MEM_FREE(&p->auth);
}

bool auth_digest_ok(struct peer *p, struct arena *a, struct slice digest, struct slice name)
{
    const struct section *s = section_find(p->r->conf, name);
    if (!s || !s->secret)
        return false;
    return secret_eq(component_digest(a, slice_cstr(p->stream_id), slice_cstr(s->secret)), digest);
}

/* --- what is offered --- */

bool auth_plus(const struct peer *p)
{
    return p->secure;
}

static bool offers_external(const struct peer *p)
{
    struct conn_tls tls;
    if (!p->secure)
        return false;
    conn_tls_info(p->conn, &tls);
    return tls.has_cert;
}

static void mechanism(struct buf *out, const char *name)
{
    BUF_LIT(out, "<mechanism>");
    buf_cstr(out, name);
    BUF_LIT(out, "</mechanism>");
}

void auth_mechanisms(struct peer *p, struct buf *out)
{
    BUF_LIT(out, "<mechanisms xmlns='" NS_SASL "'>");
    if (offers_external(p))
        mechanism(out, "EXTERNAL");
    if (auth_plus(p)) {
        mechanism(out, scram_name(SCRAM_SHA256, true));
        mechanism(out, scram_name(SCRAM_SHA1, true));
    }
    mechanism(out, scram_name(SCRAM_SHA256, false));
    mechanism(out, scram_name(SCRAM_SHA1, false));
    BUF_LIT(out, "</mechanisms>");
    if (auth_plus(p))
        BUF_LIT(out,
                "<sasl-channel-binding xmlns='" NS_CHANNEL_BINDING "'><channel-binding type='tls-exporter'/>"
                "<channel-binding type='tls-server-end-point'/></sasl-channel-binding>");
}

/* --- outcomes --- */

static bool failure(struct peer *p, enum sasl_fail fail)
{
    struct log_ctx log = peer_log(p, "sasl");
    METRIC_INC(p->r->run->metrics, METRIC_AUTH_FAILED);
    LOG_INFO(&log, "auth_failed", F_STR("cond", sasl_fail_name(fail)),
             F_SLICE("user", p->auth ? p->auth->user : SLICE_NONE), F_UINT("tries", p->tries + 1));
    struct buf *out = conn_out(p->conn);
    BUF_LIT(out, "<failure xmlns='" NS_SASL "'><");
    buf_cstr(out, sasl_fail_name(fail));
    BUF_LIT(out, "/></failure>");
    conn_wrote(p->conn);
    auth_drop(p);
    p->state = PEER_PLAIN;
    if (++p->tries < TRIES)
        return true;
    peer_stream_error(p, STREAM_POLICY_VIOLATION, "too many attempts");
    return false;
}

static void put(struct peer *p, const char *name, struct slice data)
{
    struct arena *a = p->auth->a;
    struct buf *out = conn_out(p->conn);
    buf_fmt(out, "<%s xmlns='" NS_SASL "'>", name);
    if (data.len)
        buf_slice(out, base64_encode(a, data));
    buf_fmt(out, "</%s>", name);
    conn_wrote(p->conn);
}

static bool success(struct peer *p, const struct section *s, struct slice data)
{
    put(p, "success", data);
    auth_drop(p);
    peer_authenticated(p, s);
    p->state = PEER_AUTHED;
    xmlin_reset(&p->in);
    return false; /* a new stream comes; what was sent ahead of it is not ours to read */
}

/* --- EXTERNAL --- */

static bool same_fingerprint(struct arena *a, struct slice der, const char *wanted)
{
    unsigned char sha256[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(sha256, (const unsigned char *)der.p, der.len);
    return slice_eq_nocase(hex_encode(a, slice_of((char *)sha256, sizeof sha256)), slice_cstr(wanted));
}

/* By pinned fingerprint; or, verified against ca_file, by an XmppAddr identity that is the component's name.
 */
static bool cert_is(struct peer *p, struct arena *a, const struct section *s)
{
    struct conn_tls tls;
    struct slice der, addrs[ADDRS];
    size_t n = 0;
    conn_tls_info(p->conn, &tls);
    if (conn_peer_cert(p->conn, a, &der) != RC_OK)
        return false;
    if (s->fingerprint)
        return same_fingerprint(a, der, s->fingerprint);
    if (!tls.cert_ok || tls_cert_xmpp_addrs(a, der, addrs, ADDRS, &n) != RC_OK)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (slice_is(addrs[i], s->name))
            return true;
    }
    return false;
}

static const struct section *section_of_cert(struct peer *p, struct arena *a)
{
    for (const struct section *s = p->r->conf->sections; s; s = s->next) {
        if (cert_is(p, a, s))
            return s;
    }
    return NULL;
}

static bool external(struct peer *p, struct slice authzid)
{
    const struct section *s = section_of_cert(p, p->auth->a);
    if (!s)
        return failure(p, SASL_NOT_AUTHORIZED);
    if (authzid.len && !slice_is(authzid, s->name))
        return failure(p, SASL_INVALID_AUTHZID);
    return success(p, s, SLICE_NONE);
}

/* --- SCRAM --- */

static const struct scram_keys *cached(const struct router *r, const char *secret, enum scram_hash hash)
{
    for (const struct key_cache *c = r->keys; c; c = c->next) {
        if (c->hash == hash && strcmp(c->secret, secret) == 0)
            return &c->keys;
    }
    return NULL;
}

static void challenge(struct peer *p, const struct scram_keys *keys)
{
    struct auth *auth = p->auth;
    struct slice out;
    auth->keys = *keys;
    scram_challenge(auth->a, &auth->scram, secret_token(auth->a, SCRAM_NONCE_BYTES), &auth->keys, SLICE_NONE,
                    &out);
    put(p, "challenge", out);
    p->state = PEER_SASL;
}

static void derive_run(struct work *w)
{
    struct derive_job *job = CONTAINER(w, struct derive_job, work);
    struct key_cache *c = job->made;
    job->rc =
        scram_derive(c->hash, slice_cstr(c->secret), slice_of((char *)job->r->salt, sizeof job->r->salt),
                     SCRAM_ITERATIONS_LEAST, &c->keys);
}

static void derive_done(struct work *w)
{
    struct derive_job *job = CONTAINER(w, struct derive_job, work);
    struct peer *p = job->p;
    struct key_cache *c = job->made;
    if (job->rc == RC_OK && !cached(job->r, c->secret, c->hash)) {
        c->next = job->r->keys;
        job->r->keys = c;
    }
    if (p) {
        p->auth->job = NULL;
        conn_resume(p->conn);
        if (job->rc == RC_OK)
            challenge(p, &c->keys);
        else
            failure(p, SASL_TEMPORARY_AUTH_FAILURE);
    }
    if (job->r->keys != c) {
        mem_free(c->secret);
        mem_free(c);
    }
    mem_free(job);
}

static bool derive(struct peer *p, const char *secret, enum scram_hash hash)
{
    struct derive_job *job = mem_new(sizeof *job);
    job->work = (struct work){ .run = derive_run, .done = derive_done };
    job->r = p->r;
    job->p = p;
    job->made = mem_new(sizeof *job->made);
    job->made->secret = mem_copy(slice_cstr(secret));
    job->made->hash = hash;
    p->auth->job = job;
    if (work_run(p->r->work, &job->work) != RC_OK) {
        p->auth->job = NULL;
        mem_free(job->made->secret);
        mem_free(job->made);
        mem_free(job);
        return failure(p, SASL_TEMPORARY_AUTH_FAILURE);
    }
    p->state = PEER_SASL;
    conn_pause(p->conn);
    return false;
}

static void bindings(struct peer *p, struct auth *auth)
{
    if (!auth_plus(p))
        return;
    if (conn_cb_exporter(p->conn, auth->a, &auth->cb.exporter) != RC_OK)
        auth->cb.exporter = SLICE_NONE;
    if (conn_cb_end_point(p->conn, auth->a, &auth->cb.end_point) != RC_OK)
        auth->cb.end_point = SLICE_NONE;
}

static bool begin_scram(struct peer *p, enum scram_hash hash, bool plus, struct slice message)
{
    struct auth *auth = p->auth;
    bindings(p, auth);
    enum sasl_fail fail = scram_first(auth->a, hash, plus, auth_plus(p), message, &auth->cb, &auth->scram);
    if (fail != SASL_OK)
        return failure(p, fail);
    auth->user = auth->scram.user;
    const struct section *s = section_find(p->r->conf, auth->user);
    if (!s || !s->secret)
        s = p->r->nobody; /* fails at the end, as a wrong secret does */
    const struct scram_keys *keys = cached(p->r, s->secret, hash);
    if (!keys)
        return derive(p, s->secret, hash);
    challenge(p, keys);
    return true;
}

static bool begin(struct peer *p, struct arena *a, const struct node *n)
{
    enum scram_hash hash;
    bool plus;
    struct slice mech = node_attr(n, "mechanism"), text = node_text(a, n), message = SLICE_NONE;
    p->auth = mem_new(sizeof *p->auth);
    p->auth->a = arena_new(AUTH_ARENA, AUTH_ARENA_MAX);
    if (text.len && !slice_is(text, "=") && base64_decode(p->auth->a, text, &message) != RC_OK)
        return failure(p, SASL_INCORRECT_ENCODING);
    if (slice_is(mech, "EXTERNAL") && offers_external(p))
        return external(p, message);
    if (!scram_parse_name(mech, &hash, &plus) || hash == SCRAM_SHA512 || (plus && !auth_plus(p)))
        return failure(p, SASL_INVALID_MECHANISM);
    return begin_scram(p, hash, plus, message);
}

static bool finish(struct peer *p, struct arena *a, const struct node *n)
{
    struct auth *auth = p->auth;
    struct slice message, out;
    if (base64_decode(auth->a, node_text(a, n), &message) != RC_OK)
        return failure(p, SASL_INCORRECT_ENCODING);
    enum sasl_fail fail = scram_final(auth->a, &auth->scram, &auth->keys, message, &out);
    const struct section *s = section_find(p->r->conf, auth->user);
    if (fail == SASL_OK && auth->scram.authzid.len && !slice_eq(auth->scram.authzid, auth->user))
        fail = SASL_INVALID_AUTHZID;
    if (fail != SASL_OK || !s || !s->secret)
        return failure(p, fail != SASL_OK ? fail : SASL_NOT_AUTHORIZED);
    return success(p, s, out);
}

bool auth_element(struct peer *p, struct arena *a, const struct node *n)
{
    if (node_is(n, "auth", NS_SASL))
        return begin(p, a, n);
    if (p->auth && node_is(n, "response", NS_SASL))
        return finish(p, a, n);
    return failure(p, SASL_ABORTED);
}
