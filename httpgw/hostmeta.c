/* httpgw/hostmeta.c - where a domain's web clients connect to (XEP-0156, XEP-0487, RFC 6415)
 *
 * A domain is told by the Host header; a host that is none of ours but the gateway's own public name stands
 * for all. */
#include "httpgw/hostmeta.h"

#include "common/base/text.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/xmlout.h"
#include "httpgw/routes.h"

/* The address of a transport: as configured, with every {domain} replaced; else made of host, port and path.
 */
static void write_url(char *to, size_t size, const char *given, const char *scheme,
                      const struct hostmeta_place *p, unsigned port, const char *path)
{
    struct buf out = { to, 0, size - 1, size - 1, false };
    struct slice rest = slice_cstr(given);
    const struct slice mark = SLICE("{domain}");
    if (!given && port == 443) /* which is what both schemes mean anyhow */
        buf_fmt(&out, "%s://" SLICE_FMT "%s", scheme, SLICE_ARG(p->host), path);
    else if (!given)
        buf_fmt(&out, "%s://" SLICE_FMT ":%u%s", scheme, SLICE_ARG(p->host), port, path);
    for (size_t i = 0; i < rest.len;) {
        if (slice_starts(slice_from(rest, i), mark)) {
            buf_slice(&out, p->domain);
            i += mark.len;
        } else {
            buf_byte(&out, rest.p[i++]);
        }
    }
    to[out.len] = '\0';
}

enum rc hostmeta_place(const struct httpgw *d, struct slice domain, struct hostmeta_place *out)
{
    const struct httpgw_conf *conf = d->conf;
    if (!edge_domain(d->clients.edge, domain))
        return RC_NOTFOUND;
    unsigned port = conf->public_port ? conf->public_port : conf->port_tls;
    out->domain = domain;
    out->host = conf->host ? slice_cstr(conf->host) : domain;
    write_url(out->ws, sizeof out->ws, conf->ws_url, "wss", out, port, "/ws");
    write_url(out->bosh, sizeof out->bosh, conf->bosh_url, "https", out, port, "/http-bind");
    return RC_OK;
}

enum rc hostmeta_domain(const struct http_request *r, struct arena *a, struct slice *out)
{
    if (jid_prepare_domain(a, http_host(r), out, NULL) != RC_OK)
        return RC_NOTFOUND;
    return edge_domain(routes_httpgw(r)->clients.edge, *out) ? RC_OK : RC_NOTFOUND;
}

MUST_USE static enum rc find(const struct http_request *r, struct arena *a, struct hostmeta_place *out)
{
    struct slice domain;
    enum rc rc = hostmeta_domain(r, a, &domain);
    return rc == RC_OK ? hostmeta_place(routes_httpgw(r), domain, out) : rc;
}

static void answer(struct http_request *r, const char *type, struct buf *out)
{
    char text[48];
    struct buf age = { text, 0, sizeof text, sizeof text, false };
    buf_fmt(&age, "public, max-age=%lu", (unsigned long)(routes_httpgw(r)->conf->ttl_ms / 1000));
    const struct http_field cache = { "Cache-Control", buf_get(&age) };
    routes_answer_cors(
        r, &(struct http_reply){
               .status = 200, .type = type, .body = buf_get(out), .fields = &cache, .n_fields = 1 });
    buf_fini(out);
}

static void xml_link(struct buf *out, const char *rel, const char *href)
{
    buf_fmt(out, "  <Link rel='urn:xmpp:alt-connections:%s'", rel);
    xmlout_attr(out, "href", slice_cstr(href));
    BUF_LIT(out, "/>\n");
}

void hostmeta_xml_take(struct http_request *r)
{
    struct httpgw *d = routes_httpgw(r);
    struct arena *a = arena_take(d->clients.arenas);
    struct hostmeta_place place;
    struct buf out = BUF_INIT(0);
    if (find(r, a, &place) != RC_OK) {
        http_answer_text(r, 404, "no domain of this name is hosted here");
    } else {
        BUF_LIT(&out, "<?xml version='1.0' encoding='utf-8'?>\n<XRD "
                      "xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n");
        if (d->conf->bosh)
            xml_link(&out, "xbosh", place.bosh);
        if (d->conf->ws)
            xml_link(&out, "websocket", place.ws);
        BUF_LIT(&out, "</XRD>\n");
        answer(r, "application/xrd+xml; charset=utf-8", &out);
    }
    arena_give(d->clients.arenas, &a);
}

/* With the addresses of the host XEP-0487 holds, whose links cannot do without; else XEP-0156. */
static void json_link(const struct httpgw_conf *conf, const struct hostmeta_place *p, struct buf *out,
                      bool first, const char *rel, const char *href)
{
    buf_fmt(out, "%s{\"rel\":\"urn:xmpp:alt-connections:%s\",\"href\":", first ? "" : ",", rel);
    text_json(out, slice_cstr(href));
    if (conf->ips.n) {
        BUF_LIT(out, ",\"ips\":[");
        for (size_t i = 0; i < conf->ips.n; i++) {
            if (i)
                buf_byte(out, ',');
            text_json(out, slice_cstr(conf->ips.items[i]));
        }
        BUF_LIT(out, "],\"priority\":10,\"weight\":50,\"sni\":");
        text_json(out, p->host);
    }
    buf_byte(out, '}');
}

void hostmeta_json_take(struct http_request *r)
{
    struct httpgw *d = routes_httpgw(r);
    struct arena *a = arena_take(d->clients.arenas);
    struct hostmeta_place place;
    struct buf out = BUF_INIT(0);
    if (find(r, a, &place) != RC_OK) {
        http_answer_text(r, 404, "no domain of this name is hosted here");
    } else {
        buf_byte(&out, '{');
        if (d->conf->ips.n) /* XEP-0487 2.1 */
            buf_fmt(&out, "\"xmpp\":{\"ttl\":%lu},", (unsigned long)(d->conf->ttl_ms / 1000));
        BUF_LIT(&out, "\"links\":[");
        if (d->conf->bosh)
            json_link(d->conf, &place, &out, true, "xbosh", place.bosh);
        if (d->conf->ws)
            json_link(d->conf, &place, &out, !d->conf->bosh, "websocket", place.ws);
        BUF_LIT(&out, "]}\n");
        answer(r, "application/json", &out);
    }
    arena_give(d->clients.arenas, &a);
}
