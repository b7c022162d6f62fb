/* c2s/certs.c - the certificates in use: read at the start and on reload, served as they were read */
#include "c2s/c2s.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/xmpp/delay.h"
#include <unistd.h>

struct cert {
    char *name, *file;
    struct tls_cert_info info;
};
struct certs {
    struct tls_ctx *tls;
    struct cert *list;
    size_t n;
};

struct tls_ctx *certs_tls(const struct certs *certs)
{
    return certs ? certs->tls : NULL;
}

void certs_free(struct certs **certs)
{
    struct certs *it = *certs;
    if (!it)
        return;
    tls_ctx_free(&it->tls);
    for (size_t i = 0; i < it->n; i++) {
        mem_free(it->list[i].name);
        mem_free(it->list[i].file);
    }
    mem_free(it->list);
    mem_free(it);
    *certs = NULL;
}

MUST_USE static enum rc add(struct certs *to, const char *dir, const char *name, const char *cert,
                            const char *key, struct why *why)
{
    if (!cert || !key) {
        why_set(why, "[certificate %s]: cert and key are needed", name);
        return RC_SYNTAX;
    }
    struct cert *it = &to->list[to->n];
    char *key_path = daemon_path(dir, key);
    it->name = mem_copy(slice_cstr(name));
    it->file = daemon_path(dir, cert);
    to->n++;
    enum rc rc = tls_cert_info(it->file, &it->info, why);
    if (rc == RC_OK)
        rc = tls_ctx_cert(to->tls, name, it->file, key_path, why);
    mem_free(key_path);
    return rc;
}

static size_t count(const struct c2s_cert *c)
{
    size_t n = 0;
    for (; c; c = c->next)
        n++;
    return n;
}

/* In a test installation the certificate may be missing: then there is no TLS. */
static bool may_lack(const char *dir, const struct c2s_conf *conf)
{
    if (conf->policy != TLS_OPTIONAL || !conf->cert)
        return conf->policy == TLS_OPTIONAL;
    char *path = daemon_path(dir, conf->cert);
    bool lacks = access(path, F_OK) != 0;
    mem_free(path);
    return lacks;
}

enum rc certs_load(const char *dir, const struct c2s_conf *conf, struct certs **out, struct why *why)
{
    static const char *const alpn[] = { "xmpp-client", NULL }; /* XEP-0368 3 */
    *out = NULL;
    if (!conf->certs && may_lack(dir, conf))
        return RC_OK;
    bool by_file = conf->client_ca && strcmp(conf->client_ca, "system") != 0;
    char *trust = by_file ? daemon_path(dir, conf->client_ca) : NULL;
    struct tls_conf tls = {
        .priority = conf->priority,
        .alpn = alpn,
        .ask_client_cert = conf->client_ca != NULL,
        .trust_file = by_file ? trust : conf->client_ca,
    };
    struct certs *it = mem_new(sizeof *it);
    it->list = mem_array(count(conf->certs) + 1, sizeof *it->list);
    enum rc rc = tls_ctx_new(&tls, &it->tls, why);
    if (rc == RC_OK && (conf->cert || !conf->certs)) /* the first one is the default */
        rc = add(it, dir, "default", conf->cert, conf->key, why);
    for (const struct c2s_cert *c = conf->certs; rc == RC_OK && c; c = c->next)
        rc = add(it, dir, c->name, c->cert, c->key, why);
    mem_free(trust);
    if (rc == RC_OK)
        *out = it;
    else
        certs_free(&it);
    return rc;
}

static void member(struct buf *out, const char *name, const char *value)
{
    buf_fmt(out, ",\"%s\":", name);
    json_string(out, slice_cstr(value));
}

void certs_json(const struct certs *certs, struct buf *out)
{
    struct arena *a = arena_new(1024, 0);
    int64_t now = clock_wall_ms();
    buf_byte(out, '[');
    for (size_t i = 0; certs && i < certs->n; i++) {
        const struct cert *c = &certs->list[i];
        buf_fmt(out, "%s{\"name\":", i ? "," : "");
        json_string(out, slice_cstr(c->name));
        member(out, "file", c->file);
        member(out, "subject", c->info.subject);
        member(out, "issuer", c->info.issuer);
        member(out, "key", c->info.key);
        member(out, "sha256", c->info.fingerprint);
        BUF_LIT(out, ",\"expires\":");
        json_string(out, time_write(a, c->info.not_after_ms));
        buf_fmt(out, ",\"days_left\":%lld,\"self_signed\":%s}",
                (long long)((c->info.not_after_ms - now) / 86400000), c->info.self_signed ? "true" : "false");
    }
    buf_byte(out, ']');
    arena_free(&a);
}
