/* httpgw/web.c - our own pages, /admin/ and /chat/: static files, and settings.json, which says where the
 * page connects to
 *
 * What a page may load and where it may connect to is said by its Content-Security-Policy, so a stranger's
 * text in it can neither run nor send anything away. Whoever may not log in here without TLS gets no page
 * without it either: it asks for a password. */
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/daemon/daemon.h"
#include "httpgw/hostmeta.h"
#include "httpgw/routes.h"
#include "httpgw/webfile.h"
#include "httpgw/webtree.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

struct web {
    struct httpgw *d;
    struct webtree *tree; /* NULL: off, or the folder cannot be read */
};

/* What converse.js draws has style elements and attributes. Where the domain's clients connect to stands
 * behind each part of `more`: the page's own origin may be another one than that. */
#define CSP_ALL                                                                                              \
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src 'self'; "   \
    "font-src 'self'"
static const struct area {
    struct slice path; /* what a request's path begins with */
    size_t on;         /* offset of its option */
    const char *csp;
    const char *more[3];
} areas[] = {
    { { "/admin/", 7 },
      offsetof(struct httpgw_conf, web_admin),
      CSP_ALL "; style-src 'self'; img-src 'self' data:",
      { "connect-src 'self'" } },
    { { "/chat/", 6 },
      offsetof(struct httpgw_conf, web_chat),
      CSP_ALL "; style-src 'self' 'unsafe-inline'",
      { "connect-src 'self'", "img-src 'self' data: blob:", "media-src 'self' data: blob:" } },
};

/* --- the folder --- */

/* Of the option, or beside the programs: in the build folder, and PREFIX/sbin → PREFIX/share. */
static char *folder_of(const struct httpgw *d)
{
    char program[PATH_MAX], folder[PATH_MAX + 32];
    if (d->conf->web_path)
        return daemon_path(d->run->dir, d->conf->web_path);
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash)
        *slash = '\0';
    snprintf(folder, sizeof folder, "%s/web", program);
    if (access(folder, R_OK) != 0)
        snprintf(folder, sizeof folder, "%s/../share/bulkhead/web", program);
    return mem_copy(slice_cstr(folder));
}

struct web *web_new(struct httpgw *d)
{
    struct web *web = mem_new(sizeof *web);
    web->d = d;
    return web;
}

void web_open(struct web *web)
{
    const struct httpgw_conf *conf = web->d->conf;
    struct log_ctx log = { .log = web->d->run->log, .sub = LOG_MODULE, .doing = "web" };
    struct why why;
    webtree_free(&web->tree);
    if (!conf->web_admin && !conf->web_chat)
        return;
    char *folder = folder_of(web->d);
    if (webtree_read(folder, &web->tree, &why) == RC_OK)
        LOG_INFO(&log, "web_pages", F_STR("path", folder), F_UINT("files", webtree_files(web->tree)));
    else
        LOG_WARN(&log, "web_pages_missing", F_WHY(&why)); /* all else goes on without them */
    mem_free(folder);
}

void web_free(struct web **wp)
{
    if (!*wp)
        return;
    webtree_free(&(*wp)->tree);
    MEM_FREE(wp);
}

/* --- answers --- */

enum { FIELDS_MAX = 8, ORIGINS_MAX = 400 /* three times in a field, which has 2 KiB */ };

struct answer {
    const struct httpgw *d;
    struct http_request *r;
    struct arena *a;
    const struct area *area;
    struct http_field fields[FIELDS_MAX];
    size_t n;
};

static void add(struct answer *it, const char *name, struct slice value)
{
    it->fields[it->n++] = (struct http_field){ name, value };
}

/* The domain whose people come here: that of the Host header, or the only one. The others are nobody's
 * business. */
MUST_USE static enum rc find_place(struct answer *it, struct hostmeta_place *out)
{
    const struct edge *edge = it->d->clients.edge;
    struct slice domain;
    size_t at = 0;
    if (hostmeta_domain(it->r, it->a, &domain) != RC_OK) {
        if (edge_domains(edge) != 1)
            return RC_NOTFOUND;
        domain = edge_domain_next(edge, &at)->name;
    }
    return hostmeta_place(it->d, domain, out);
}

/* "https://host:port" of a URL that begins so; empty where it would break the policy. */
static struct slice origin_of(const char *url)
{
    struct slice all = slice_cstr(url);
    size_t len = 0, slashes = 0;
    for (; len < all.len; len++) {
        char c = all.p[len];
        if (c == '/' && ++slashes == 3)
            break;
        if (c <= ' ' || c >= 0x7f || c == ';' || c == ',' || c == '\'' || c == '?' || c == '#')
            return SLICE_NONE;
    }
    return slashes < 2 ? SLICE_NONE : slice_to(all, len);
}

static void add_policy(struct answer *it)
{
    struct hostmeta_place place;
    struct slice ws = SLICE_NONE, bosh = SLICE_NONE; /* files are where BOSH is */
    struct buf csp = BUF_INIT(0);
    if (find_place(it, &place) == RC_OK) {
        ws = origin_of(place.ws);
        bosh = origin_of(place.bosh);
    }
    buf_cstr(&csp, it->area->csp);
    for (size_t i = 0; i < sizeof it->area->more / sizeof *it->area->more && it->area->more[i]; i++) {
        buf_fmt(&csp, "; %s", it->area->more[i]);
        if (ws.len + bosh.len < ORIGINS_MAX)
            buf_fmt(&csp, " " SLICE_FMT " " SLICE_FMT, SLICE_ARG(ws), SLICE_ARG(bosh));
    }
    add(it, "Content-Security-Policy", arena_copy(it->a, buf_get(&csp)));
    buf_fini(&csp);
}

static void add_common(struct answer *it)
{
    add_policy(it);
    add(it, "Referrer-Policy", SLICE("no-referrer"));
    add(it, "Cross-Origin-Opener-Policy", SLICE("same-origin"));
    add(it, "Cross-Origin-Resource-Policy", SLICE("same-origin"));
    add(it, "Cache-Control", SLICE("no-cache")); /* asked for each time; mostly the answer is 304 */
}

/* --- a file --- */

static void give_file(struct answer *it, const struct webtree_file *file)
{
    bool gzip = file->gzip.fd >= 0 && webfile_takes_gzip(http_header(it->r, "Accept-Encoding"));
    const struct webtree_body *body = gzip ? &file->gzip : &file->plain;
    struct http_reply reply = { .status = 200, .type = file->type, .fields = it->fields };
    add(it, "ETag", slice_cstr(body->etag));
    if (file->gzip.fd >= 0)
        add(it, "Vary", SLICE("Accept-Encoding"));
    if (webfile_known(http_header(it->r, "If-None-Match"), slice_cstr(body->etag))) {
        reply.status = 304;
        reply.type = NULL;
        reply.n_fields = it->n;
        http_answer(it->r, &reply);
        return;
    }
    if (gzip)
        add(it, "Content-Encoding", SLICE("gzip"));
    reply.n_fields = it->n;
    int fd = body->size ? fcntl(body->fd, F_DUPFD_CLOEXEC, 0)
                        : -1; /* it is read by offset, and closed with the answer */
    if (fd >= 0)
        http_answer_file(it->r, &reply, fd, 0, body->size);
    else if (body->size)
        http_answer_text(it->r, 503, "too much at a time");
    else
        http_answer(it->r, &reply);
}

/* --- settings.json: {"domain": "example.net" or null, "websocket": "../ws" or a URL or null, "bosh": the
 * same} --- */

static void json_member(struct buf *out, const char *name, struct slice value)
{
    buf_fmt(out, "%s\"%s\":", out->len ? "," : "{", name);
    if (value.len)
        text_json(out, value);
    else
        BUF_LIT(out, "null");
}

static void give_settings(struct answer *it)
{
    const struct httpgw_conf *conf = it->d->conf;
    struct hostmeta_place place = { .ws = "" };
    bool known = find_place(it, &place) == RC_OK;
    struct buf out = BUF_INIT(0);
    /* Relative to the page: right behind any proxy that serves the paths side by side. */
    const char *ws = conf->ws_url && known ? place.ws : "../ws";
    const char *bosh = conf->bosh_url && known ? place.bosh : "../http-bind";
    json_member(&out, "domain", known ? place.domain : SLICE_NONE);
    json_member(&out, "websocket", slice_cstr(conf->ws ? ws : NULL));
    json_member(&out, "bosh", slice_cstr(conf->bosh ? bosh : NULL));
    BUF_LIT(&out, "}\n");
    http_answer(it->r, &(struct http_reply){ .status = 200,
                                             .type = "application/json",
                                             .body = buf_get(&out),
                                             .fields = it->fields,
                                             .n_fields = it->n });
    buf_fini(&out);
}

/* --- requests --- */

static void to_folder(struct http_request *r, const struct area *area)
{
    /* "/admin" → "admin/", relative for the same reason */
    const struct http_field location = { "Location", slice_from(area->path, 1) };
    http_answer(r, &(struct http_reply){ .status = 308, .fields = &location, .n_fields = 1 });
}

/* Of a Host header that cannot lead elsewhere than to a host. */
static bool is_host(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '-' || c == ':' || c == '[' || c == ']'))
            return false;
    }
    return host.len != 0;
}

static void to_tls(struct answer *it)
{
    const struct httpgw_conf *conf = it->d->conf;
    unsigned port = conf->public_port ? conf->public_port : conf->port_tls;
    struct slice host = http_host(it->r);
    if (!port || !is_host(host)) {
        http_answer_text(it->r, 403, "TLS is required");
        return;
    }
    add(it, "Location",
        arena_fmt(it->a, "https://" SLICE_FMT ":%u" SLICE_FMT, SLICE_ARG(host), port,
                  SLICE_ARG(it->area->path)));
    http_answer(it->r, &(struct http_reply){ .status = 307, .fields = it->fields, .n_fields = it->n });
}

static void give(struct answer *it, struct slice path)
{
    const struct web *web = it->d->web;
    struct slice below = slice_from(path, it->area->path.len), name = slice_from(path, 1);
    if (!http_secure(it->r) && !(it->d->conf->policy == TLS_OPTIONAL && http_from_here(it->r))) {
        to_tls(it);
        return;
    }
    if (path.p[path.len - 1] == '/')
        name = arena_join(it->a, name, SLICE("index.html"));
    add_common(it);
    const struct webtree_file *file = webtree_get(web->tree, name);
    if (slice_is(below, "settings.json"))
        give_settings(it);
    else if (file)
        give_file(it, file);
    else
        http_answer_text(it->r, 404, "there is nothing here");
}

void web_take(struct http_request *r)
{
    const struct httpgw *d = routes_httpgw(r);
    struct slice path = http_path(r);
    for (size_t i = 0; i < sizeof areas / sizeof *areas; i++) {
        const struct area *area = &areas[i];
        bool on = *(const bool *)((const char *)d->conf + area->on);
        if (!on || !d->web->tree)
            continue;
        if (slice_eq(path, slice_to(area->path, area->path.len - 1))) {
            to_folder(r, area);
            return;
        }
        if (slice_starts(path, area->path)) {
            struct answer it = { .d = d, .r = r, .a = arena_take(d->clients.arenas), .area = area };
            give(&it, path);
            arena_give(d->clients.arenas, &it.a);
            return;
        }
    }
    http_answer_text(r, 404, "there is nothing here");
}
