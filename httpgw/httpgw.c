/* httpgw/httpgw.c - the context: made, configured, listening, stopped, freed */
#include "httpgw/httpgw.h"

#include "common/base/mem.h"
#include "httpgw/rest.h"
#include "httpgw/routes.h"
#include "httpgw/upload.h"
#include <stdlib.h>

enum { LINGER_MS = 2000 };

void httpgw_take_conf(struct httpgw *d, const struct httpgw_conf *conf)
{
    d->conf = conf;
    clients_take_conf(&d->clients, &conf->clients);
    rest_all_take_conf(d->rest, conf);
    metrics_page_take_conf(d->metrics_page);
    if (d->http)
        http_limits(d->http, conf->connections_per_address, conf->request_ms);
}

enum rc httpgw_certs(struct httpgw *d, struct why *why)
{
    static const char *const alpn[] = { "http/1.1", NULL };
    const struct certs_conf conf = { .dir = d->run->dir,
                                     .cert = d->conf->cert,
                                     .key = d->conf->key,
                                     .sections = d->conf->certs,
                                     .may_lack = d->conf->policy == TLS_OPTIONAL,
                                     .priority = d->conf->priority,
                                     .alpn = alpn };
    struct certs *certs = NULL;
    enum rc rc = certs_load(&conf, &certs, why);
    if (rc != RC_OK)
        return rc;
    certs_free(&d->certs);
    d->certs = certs;
    return RC_OK;
}

struct httpgw *httpgw_new(struct daemon_run *run)
{
    const struct httpgw_conf *conf = run->conf;
    struct httpgw *d = mem_new(sizeof *d);
    d->run = run;
    clients_init(&d->clients, run->loop, run->log, run->metrics, &conf->clients);
    d->bare = xmlin_pool_new("", d->clients.arenas);
    d->ws = ws_all_new(d);
    d->bosh = bosh_all_new(d);
    d->uploads = upload_all_new(d);
    d->web = web_new(d);
    d->rest = rest_all_new(d);
    d->metrics_page = metrics_page_new(d);
    httpgw_take_conf(d, conf);
    return d;
}

/* --- listening --- */

static struct tls_ctx *tls_now(void *ctx)
{
    const struct httpgw *d = ctx;
    return certs_tls(d->certs);
}

static void connection_gone(void *ctx, uint64_t connection)
{
    const struct httpgw *d = ctx;
    rest_connection_gone(d->rest, connection);
}

/* "5290", or "tls:5291". */
MUST_USE static enum rc listen_more(struct httpgw *d, const char *address, const char *text, struct why *why)
{
    struct slice rest = slice_cstr(text);
    uint64_t port;
    bool tls = slice_starts(rest, SLICE("tls:"));
    if (slice_u64(slice_from(rest, tls ? 4 : 0), 65535, &port) != RC_OK || !port) {
        why_set(why, "[listen] more: %s: not PORT or tls:PORT", text);
        return RC_SYNTAX;
    }
    return http_listen(d->http, address, (uint16_t)port, tls, why);
}

MUST_USE static enum rc listen_at(struct httpgw *d, const char *address, struct why *why)
{
    enum rc rc = RC_OK;
    if (d->conf->port)
        rc = http_listen(d->http, address, (uint16_t)d->conf->port, false, why);
    if (rc == RC_OK && d->conf->port_tls)
        rc = http_listen(d->http, address, (uint16_t)d->conf->port_tls, true, why);
    for (size_t i = 0; rc == RC_OK && i < d->conf->more.n; i++)
        rc = listen_more(d, address, d->conf->more.items[i], why);
    return rc;
}

enum rc httpgw_open(struct httpgw *d, struct why *why)
{
    enum rc rc = conf_networks(&d->conf->proxy_from, &d->proxy_from, why);
    if (rc == RC_OK)
        rc = conf_networks(&d->conf->forwarded_from, &d->forwarded_from, why);
    if (rc != RC_OK)
        return rc;
    const struct http_conf conf = { .loop = d->run->loop,
                                    .log = d->run->log,
                                    .ctx = d,
                                    .on_request = routes_take,
                                    .on_connection_gone = connection_gone,
                                    .tls = tls_now,
                                    .connections = d->conf->connections,
                                    .per_address = d->conf->connections_per_address,
                                    .request_ms = d->conf->request_ms,
                                    .header_bytes = d->conf->header_bytes,
                                    .proxy_from = d->proxy_from,
                                    .forwarded_from = d->forwarded_from,
                                    .proxy_ms = d->conf->proxy_ms };
    rc = upload_all_open(d->uploads, why);
    web_open(d->web);
    if (rc == RC_OK)
        rc = bosh_all_open(d->bosh, why);
    if (rc == RC_OK)
        rc = http_new(&conf, &d->http, why);
    for (size_t i = 0; rc == RC_OK && i < d->conf->address.n; i++)
        rc = listen_at(d, d->conf->address.items[i], why);
    return rc;
}

/* --- the end --- */

void httpgw_stop(struct httpgw *d)
{
    rest_all_stop(d->rest);
    metrics_page_stop(d->metrics_page);
    clients_stop(&d->clients);
    upload_all_stop(d->uploads);
    bosh_all_stop(d->bosh);
    http_close(d->http, LINGER_MS);
}

void httpgw_free(struct httpgw **dp)
{
    struct httpgw *d = *dp;
    if (!d)
        return;
    http_free(&d->http);
    ws_all_free(&d->ws);
    bosh_all_free(&d->bosh);
    rest_all_free(&d->rest);
    upload_all_free(&d->uploads);
    web_free(&d->web);
    metrics_page_free(&d->metrics_page);
    xmlin_pool_free(&d->bare);
    clients_fini(&d->clients);
    certs_free(&d->certs);
    net_list_free(&d->proxy_from);
    net_list_free(&d->forwarded_from);
    MEM_FREE(dp);
}
