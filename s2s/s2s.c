/* s2s/s2s.c - the context: made, configured, stopped, freed */
#include "s2s/s2s.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "s2s/link.h"
#include "s2s/out.h"
#include "s2s/own.h"
#include "s2s/ssm.h"

enum { ARENA_CHUNK = 4096, ARENAS_KEPT = 16, LAST_WORDS_MS = 1500 };

/* --- configuration --- */

static size_t listens(const struct s2s_conf *conf, union dns_addr *out, size_t max)
{
    const uint32_t ports[] = { conf->port, conf->port_tls };
    size_t n = 0;
    for (size_t i = 0; i < conf->address.n * 2 && n < max; i++) {
        uint32_t port = ports[i % 2];
        if (port && dns_addr_parse(slice_cstr(conf->address.items[i / 2]), (uint16_t)port, &out[n]) == RC_OK)
            n++;
    }
    return n;
}

static void take_targets(struct s2s *d, const struct s2s_conf *conf)
{
    enum { LISTENS_MAX = 64 };
    union dns_addr at[LISTENS_MAX], *own = NULL;
    size_t n = 0;
    for (const struct s2s_route *r = conf->routes; r; r = r->next)
        n++;
    mem_free(d->routes);
    d->routes = mem_array(n + 1, sizeof *d->routes);
    n = 0;
    for (const struct s2s_route *r = conf->routes; r; r = r->next)
        d->routes[n++] = (struct resolve_route){
            .domain = r->domain, .host = r->host, .port = r->port, .direct_tls = r->tls == ROUTE_DIRECT
        };
    arena_reset(d->own);
    size_t n_own = own_addresses(d->own, at, listens(conf, at, LISTENS_MAX), &own);
    d->resolve = (struct resolve_conf){
        .rules = { .no_ipv4 = !conf->ipv4,
                   .no_ipv6 = !conf->ipv6,
                   .allow_loopback = conf->loopback || conf->policy == TLS_OPTIONAL,
                   .own = own,
                   .own_n = n_own },
        .routes = d->routes,
        .routes_n = n,
    };
}

/* What follows from the options that can change at run time. */
void s2s_take_conf(struct s2s *d, const struct s2s_conf *conf)
{
    d->conf = conf;
    d->pre_auth =
        (struct xmlin_limits){ conf->pre_auth_bytes, conf->depth, conf->pre_auth_elements, conf->attrs };
    d->authed = (struct xmlin_limits){ conf->stanza_bytes, conf->depth, conf->elements, conf->attrs };
    d->conn_conf.out_max = conf->output_bytes;
    d->conn_conf.out_full = conf->output_bytes / 4;
    for (size_t i = 0; i < LIMIT_RULES; i++) {
        if (limit_rule_parse(slice_cstr(conf->limits[i]), &d->rules[i], NULL) !=
            RC_OK) /* conf.c has checked it */
            d->rules[i] = (struct limit_rule){ 0, LIMIT_NONE };
    }
    take_targets(d, conf);
}

MUST_USE static enum rc read_trust(struct s2s *d, struct peercert_trust **out, struct why *why)
{
    const struct s2s_conf *conf = d->conf;
    bool by_file = conf->ca && strcmp(conf->ca, "system") != 0;
    char *ca = by_file ? daemon_path(d->run->dir, conf->ca) : NULL;
    char *crl = conf->crl ? daemon_path(d->run->dir, conf->crl) : NULL;
    const struct peercert_conf trust = { .ca_file = by_file ? ca : conf->ca, .crl_file = crl };
    enum rc rc = peercert_trust_new(&trust, out, why);
    mem_free(ca);
    mem_free(crl);
    return rc;
}

enum rc s2s_files(struct s2s *d, struct why *why)
{
    static const char *const alpn[] = { "xmpp-server", NULL }; /* XEP-0368 3 */
    const struct certs_conf conf = { .dir = d->run->dir,
                                     .cert = d->conf->cert,
                                     .key = d->conf->key,
                                     .sections = d->conf->certs,
                                     .ask = true,
                                     .may_lack = d->conf->policy == TLS_OPTIONAL,
                                     .priority = d->conf->priority,
                                     .alpn = alpn };
    const struct tls_conf bare = { .priority = d->conf->priority, .alpn = alpn };
    struct certs *certs = NULL;
    struct tls_ctx *bare_tls = NULL;
    struct peercert_trust *trust = NULL;
    enum rc rc = certs_load(&conf, &certs, why);
    if (rc == RC_OK)
        rc = tls_ctx_new(&bare, &bare_tls, why);
    if (rc == RC_OK)
        rc = read_trust(d, &trust, why);
    if (rc != RC_OK) {
        certs_free(&certs);
        tls_ctx_free(&bare_tls);
        return rc;
    }
    certs_free(&d->certs);
    tls_ctx_free(&d->bare_tls);
    peercert_trust_free(&d->trust);
    d->certs = certs;
    d->bare_tls = bare_tls;
    d->trust = trust;
    return RC_OK;
}

struct tls_ctx *s2s_tls_client(const struct s2s *d)
{
    return d->certs ? certs_tls(d->certs) : d->bare_tls;
}

bool s2s_has_cert(const struct s2s *d)
{
    return d->certs != NULL;
}

struct slice s2s_secret(const struct s2s *d)
{
    return slice_cstr(d->conf->secret ? d->conf->secret : d->secret);
}

MUST_USE static enum rc resolver(struct s2s *d, struct why *why)
{
    const struct s2s_conf *conf = d->conf;
    const char **servers = mem_array(conf->servers.n + 1, sizeof *servers);
    const char **records = mem_array(conf->records.n + 1, sizeof *records);
    for (size_t i = 0; i < conf->servers.n; i++)
        servers[i] = conf->servers.items[i];
    for (size_t i = 0; i < conf->records.n; i++)
        records[i] = conf->records.items[i];
    char *hosts = conf->hosts_file ? daemon_path(d->run->dir, conf->hosts_file) : NULL;
    bool no_anchor = conf->anchor_file && strcmp(conf->anchor_file, "none") == 0;
    char *anchor = conf->anchor_file ? daemon_path(d->run->dir, conf->anchor_file) : NULL;
    const struct lookup_conf lookup = { .servers = conf->servers.n ? servers : NULL,
                                        .records = conf->records.n ? records : NULL,
                                        .hosts_file = hosts,
                                        .anchor_file = no_anchor ? "" : anchor,
                                        .timeout_ms = conf->lookup_ms,
                                        .ttl_least_s = conf->ttl_least_ms / 1000,
                                        .ttl_most_s = conf->ttl_most_ms / 1000,
                                        .negative_most_s = conf->negative_most_ms / 1000 };
    enum rc rc = resolver_new(d->loop, &lookup, &d->resolver, why);
    mem_free(servers);
    mem_free(records);
    mem_free(hosts);
    mem_free(anchor);
    return rc;
}

enum rc s2s_new(struct daemon_run *run, struct s2s **out, struct why *why)
{
    struct s2s *d = mem_new(sizeof *d);
    *out = d;
    d->run = run;
    d->loop = run->loop;
    d->metrics = run->metrics;
    list_init(&d->unsettled);
    list_init(&d->rooms);
    list_init(&d->wires);
    list_init(&d->probes);
    list_init(&d->dirty);
    d->arenas = arena_pool_new(ARENA_CHUNK, 0, ARENAS_KEPT);
    d->own = arena_new(1024, 0);
    d->xml = xmlin_pool_new(NS_SERVER, d->arenas);
    d->addresses = addr_table_new();
    d->addresses_pending = addr_table_new();
    d->remotes = remotes_new();
    d->conn_conf.ops = &wire_conn_ops;
    d->conn_conf.totals = &d->totals;
    d->flush_turn.fn = wire_flush_turn;
    d->rates.at_ms = loop_now_ms(run->loop);
    struct arena *a = arena_take(d->arenas);
    if (slice_to_cstr(slice_to(secret_token(a, 48), sizeof d->secret - 1), d->secret, sizeof d->secret) !=
        RC_OK)
        d->secret[0] = '\0';
    arena_give(d->arenas, &a);
    s2s_take_conf(d, run->conf);
    enum rc rc = s2s_files(d, why);
    return rc == RC_OK ? resolver(d, why) : rc;
}

/* --- the end --- */

static void last_gone(struct s2s *d)
{
    if (d->closed)
        return;
    d->closed = true;
    timer_stop(&d->stop_timer);
    if (d->link)
        link_close(d);
    resolver_free(&d->resolver);
}

static void end_all(struct s2s *d)
{
    LIST_EACH(&d->wires, it) {
        struct wire *w = CONTAINER(it, struct wire, link);
        if (w->conn) {
            wire_end(w);
        } else {
            struct out *o = out_of(w);
            if (o->pair && o->pair->out == o)
                o->pair->out = NULL;
            out_drop(&o);
        }
    }
}

static void on_last_words(struct timer *t)
{
    end_all(CONTAINER(t, struct s2s, stop_timer));
}

/* What waits for an acknowledgement gets a moment for it; what does not come stays with the session managers.
 */
void s2s_stop(struct s2s *d)
{
    bool wait = false;
    d->stopping = true;
    doors_close(d->doors);
    probe_fini(d);
    LIST_EACH(&d->wires, it) {
        struct wire *w = CONTAINER(it, struct wire, link);
        if (!w->conn || w->over)
            continue;
        ssm_turn(w);
        conn_flush(w->conn);
        wire_taken(w);
        wait = wait || w->n_sent;
    }
    if (wait)
        loop_timer(d->loop, &d->stop_timer, LAST_WORDS_MS, on_last_words);
    else
        end_all(d);
    if (!wait && list_empty(&d->wires))
        last_gone(d);
}

void s2s_wire_gone(struct s2s *d)
{
    if (d->stopping && list_empty(&d->wires) && d->link)
        last_gone(d);
}

void s2s_free(struct s2s **dp)
{
    struct s2s *d = *dp;
    if (!d)
        return;
    probe_fini(d);
    ssm_kept_free_all(d);
    pair_free_all(d);
    doors_free(&d->doors);
    link_fini(d);
    resolver_free(&d->resolver);
    certs_free(&d->certs);
    tls_ctx_free(&d->bare_tls);
    peercert_trust_free(&d->trust);
    remotes_free(&d->remotes);
    addr_table_free(&d->addresses);
    addr_table_free(&d->addresses_pending);
    mem_free(d->routes);
    arena_free(&d->own);
    xmlin_pool_free(&d->xml);
    arena_pool_free(&d->arenas);
    buf_fini(&d->scratch);
    secret_wipe(d->secret, sizeof d->secret);
    MEM_FREE(dp);
}
