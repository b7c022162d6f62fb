/* common/daemon/certs.c */
#include "common/daemon/certs.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/daemon/daemon.h"
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

static size_t count(const struct certs_section *c)
{
    size_t n = 0;
    for (; c; c = c->next)
        n++;
    return n;
}

static bool lacks(const struct certs_conf *conf)
{
    if (!conf->may_lack || conf->sections || !conf->cert)
        return conf->may_lack && !conf->sections;
    char *path = daemon_path(conf->dir, conf->cert);
    bool missing = access(path, F_OK) != 0;
    mem_free(path);
    return missing;
}

enum rc certs_load(const struct certs_conf *conf, struct certs **out, struct why *why)
{
    *out = NULL;
    if (lacks(conf))
        return RC_OK;
    bool by_file = conf->trust && strcmp(conf->trust, "system") != 0;
    char *trust = by_file ? daemon_path(conf->dir, conf->trust) : NULL;
    struct tls_conf tls = {
        .priority = conf->priority,
        .alpn = conf->alpn,
        .ask_client_cert = conf->ask || conf->trust != NULL,
        .trust_file = by_file ? trust : conf->trust,
    };
    struct certs *it = mem_new(sizeof *it);
    it->list = mem_array(count(conf->sections) + 1, sizeof *it->list);
    enum rc rc = tls_ctx_new(&tls, &it->tls, why);
    if (rc == RC_OK && (conf->cert || !conf->sections)) /* the first one is the default */
        rc = add(it, conf->dir, "default", conf->cert, conf->key, why);
    for (const struct certs_section *c = conf->sections; rc == RC_OK && c; c = c->next)
        rc = add(it, conf->dir, c->name, c->cert, c->key, why);
    mem_free(trust);
    if (rc == RC_OK)
        *out = it;
    else
        certs_free(&it);
    return rc;
}

/* --- sections --- */

const char *const certs_options[] = { "cert", "key", NULL };

enum rc certs_section_begin(struct certs_section **list, const char *name)
{
    struct certs_section *it = mem_new(sizeof *it);
    it->name = mem_copy(slice_cstr(name));
    it->next = *list;
    *list = it;
    return RC_OK;
}

enum rc certs_section_set(struct certs_section *list, const char *name, const char *option, const char *value,
                          struct why *why)
{
    struct certs_section *it = list; /* the section that was begun last */
    if (!it || strcmp(it->name, name) != 0) {
        why_set(why, "[certificate %s]: no such section", name);
        return RC_SYNTAX;
    }
    char **to = strcmp(option, "cert") == 0 ? &it->cert : &it->key;
    mem_free(*to);
    *to = mem_copy(slice_cstr(value));
    return RC_OK;
}

void certs_sections_free(struct certs_section **list)
{
    while (*list) {
        struct certs_section *it = *list;
        *list = it->next;
        mem_free(it->name);
        mem_free(it->cert);
        mem_free(it->key);
        mem_free(it);
    }
}

/* --- facts --- */

static int64_t days_left(const struct tls_cert_info *info)
{
    return (info->not_after_ms - clock_wall_ms()) / 86400000;
}

static void member(struct buf *out, const char *name, const char *value)
{
    buf_fmt(out, ",\"%s\":", name);
    text_json(out, slice_cstr(value));
}

void certs_json(const struct certs *certs, struct buf *out)
{
    struct arena *a = arena_new(1024, 0);
    buf_byte(out, '[');
    for (size_t i = 0; certs && i < certs->n; i++) {
        const struct cert *c = &certs->list[i];
        buf_fmt(out, "%s{\"name\":", i ? "," : "");
        text_json(out, slice_cstr(c->name));
        member(out, "file", c->file);
        member(out, "subject", c->info.subject);
        member(out, "names", c->info.names);
        member(out, "issuer", c->info.issuer);
        member(out, "key", c->info.key);
        member(out, "sha256", c->info.fingerprint);
        BUF_LIT(out, ",\"expires\":");
        text_json(out, time_write(a, c->info.not_after_ms));
        buf_fmt(out, ",\"days_left\":%lld,\"self_signed\":%s}", (long long)days_left(&c->info),
                c->info.self_signed ? "true" : "false");
    }
    buf_byte(out, ']');
    arena_free(&a);
}

/* What a certificate says may hold anything. */
static void field(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++)
        buf_byte(out, (unsigned char)*p < ' ' ? '?' : *p);
    buf_byte(out, '\t');
}

enum rc certs_command(const struct certs *certs, struct slice args, struct buf *out, struct why *why)
{
    if (!args.len) {
        certs_json(certs, out);
        buf_byte(out, '\n');
        return RC_OK;
    }
    if (!slice_is(args, "lines")) {
        why_set(why, CERTS_HELP);
        return RC_SYNTAX;
    }
    struct arena *a = arena_new(1024, 0);
    for (size_t i = 0; certs && i < certs->n; i++) {
        const struct tls_cert_info *info = &certs->list[i].info;
        field(out, certs->list[i].name);
        field(out, info->names[0] ? info->names : info->subject);
        field(out, info->issuer);
        buf_slice(out, time_write(a, info->not_after_ms));
        buf_fmt(out, "\t%lld\n", (long long)days_left(info));
    }
    arena_free(&a);
    return RC_OK;
}
