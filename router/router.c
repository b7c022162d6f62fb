/* router/router.c - start, stop, reload, status */
#include "router/router.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/xmpp/ns.h"
#include "router/asks.h"
#include "router/auth.h"
#include "router/peer.h"

enum { ARENA_CHUNK = 16384, ARENA_MAX = 8 << 20, ARENAS_KEEP = 4, WORK_MAX = 256 };

static const struct metric_def metric_defs[] = {
#define X(id, kind, name, help) { "bulkhead_router_" name, METRIC_##kind, help },
    ROUTER_METRICS(X)
#undef X
};

static struct section *nobody_new(void)
{
    struct arena *a = arena_new(256, 0);
    struct section *s = mem_new(sizeof *s);
    s->secret = mem_copy(secret_token(a, 24));
    arena_free(&a);
    return s;
}

/* RC_OK with *out NULL: there is no certificate, so TLS is not offered. */
static enum rc certs_open(struct daemon_run *run, const struct router_conf *conf, struct certs **out,
                          struct why *why)
{
    const struct certs_conf certs = { .dir = run->dir,
                                      .cert = conf->cert_file,
                                      .key = conf->key_file ? conf->key_file : conf->cert_file,
                                      .trust = conf->ca_file,
                                      .ask = true,
                                      .may_lack = true };
    return certs_load(&certs, out, why);
}

static enum rc open_one(struct router *r, const char *address, uint16_t port, struct why *why)
{
    struct listen_conf lc = {
        .address = address, .port = port, .mode = 0660, .on_accept = peer_accept, .ctx = r
    };
    enum rc rc = listen_open(r->run->loop, &lc, &r->conn_conf, &r->listeners[r->n_listeners], why);
    r->n_listeners += rc == RC_OK;
    return rc;
}

static enum rc listeners_open(struct router *r, struct why *why)
{
    enum rc rc = RC_OK;
    r->listeners = mem_array(r->conf->address.n + 1, sizeof(struct listener *));
    if (r->conf->unix_path) {
        char *path = daemon_path(r->run->dir, r->conf->unix_path);
        rc = open_one(r, path, 0, why);
        mem_free(path);
    }
    for (size_t i = 0; rc == RC_OK && r->conf->port && i < r->conf->address.n; i++)
        rc = open_one(r, r->conf->address.items[i], (uint16_t)r->conf->port, why);
    return rc;
}

static void free_all(struct router *r)
{
    work_pool_free(&r->work);
    auth_cache_free(r);
    mem_free(r->nobody->secret);
    mem_free(r->nobody);
    names_free(&r->names);
    idmap_free(&r->nodes);
    xmlin_pool_free(&r->xml);
    arena_pool_free(&r->arenas);
    certs_free(&r->certs);
    mem_free(r->listeners);
    mem_free(r);
}

static enum rc start(struct daemon_run *run, struct why *why)
{
    struct router *r = mem_new(sizeof *r);
    run->ctx = r;
    r->run = run;
    r->conf = run->conf;
    do
        r->node = secret_random_u64();
    while (!r->node);
    list_init(&r->peers);
    list_init(&r->touched);
    list_init(&r->asks);
    r->nodes = idmap_new();
    r->names = names_new();
    r->arenas = arena_pool_new(ARENA_CHUNK, ARENA_MAX, ARENAS_KEEP);
    r->xml = xmlin_pool_new(NS_CLIENT, r->arenas);
    r->work = work_pool_new(run->loop, 1, WORK_MAX);
    r->nobody = nobody_new();
    secret_random(r->salt, sizeof r->salt);
    r->limits = (struct xmlin_limits){
        .stanza_bytes = r->conf->stanza_bytes, .depth = 64, .elements = 20000, .attrs = 128
    };
    r->conn_conf =
        (struct conn_conf){ .ops = peer_conn_ops(), .out_full = r->conf->queue_bytes, .totals = &r->totals };
    enum rc rc = certs_open(run, r->conf, &r->certs, why);
    if (rc == RC_OK)
        rc = listeners_open(r, why);
    if (rc == RC_OK)
        run->ready(run);
    return rc;
}

static void stop(struct daemon_run *run)
{
    struct router *r = run->ctx;
    r->stopping = true;
    for (size_t i = 0; i < r->n_listeners; i++)
        listen_close(&r->listeners[i]);
    r->n_listeners = 0;
    asks_stop(r);
    LIST_EACH(&r->peers, at)
        peer_stop(CONTAINER(at, struct peer, all));
}

static void fini(struct daemon_run *run)
{
    free_all(run->ctx);
    run->ctx = NULL;
}

static enum rc reload(struct daemon_run *run, const void *new_conf, struct why *why)
{
    struct router *r = run->ctx;
    const struct router_conf *conf = new_conf;
    struct log_ctx log = { .log = run->log, .sub = LOG_DAEMON };
    struct certs *certs = NULL;
    r->conf = conf;
    enum rc rc = certs_open(run, conf, &certs, why);
    if (rc != RC_OK) {
        LOG_ERROR(&log, "certificate_kept", F_WHY(why));
        return rc;
    }
    certs_free(&r->certs);
    r->certs = certs;
    return RC_OK;
}

static void status_peer(const struct peer *p, struct buf *json)
{
    BUF_LIT(json, "{\"name\":");
    text_json(json, slice_cstr(p->name));
    BUF_LIT(json, ",\"instance\":");
    text_json(json, slice_cstr(p->instance));
    buf_fmt(
        json,
        ",\"role\":\"%s\",\"level\":%d,\"ip\":\"%s\",\"tls\":%s,\"queue_bytes\":%zu,\"in\":%llu,\"out\":%llu,"
        "\"in_bytes\":%llu,\"out_bytes\":%llu,\"names\":[",
        node_role_name(p->role), (int)p->level, p->ip, p->secure ? "true" : "false", conn_waiting(p->conn),
        (unsigned long long)p->in_count, (unsigned long long)p->out_count, (unsigned long long)p->in_bytes,
        (unsigned long long)p->out_bytes);
    for (size_t i = 0; i < p->n_names; i++) {
        if (i)
            buf_byte(json, ',');
        text_json(json, slice_cstr(p->names[i]));
    }
    BUF_LIT(json, "]}");
}

static void peers_json(const struct router *r, struct buf *json)
{
    bool comma = false;
    buf_byte(json, '[');
    LIST_EACH(&r->peers, at) {
        const struct peer *p = CONTAINER(at, struct peer, all);
        if (!p->name || p->going)
            continue;
        if (comma)
            buf_byte(json, ',');
        comma = true;
        status_peer(p, json);
    }
    buf_byte(json, ']');
}

static void measure(struct daemon_run *run)
{
    const struct router *r = run->ctx;
    struct metrics *m = run->metrics;
    size_t all = 0, most = 0;
    LIST_EACH(&r->peers, at) {
        const struct peer *p = CONTAINER(at, struct peer, all);
        size_t n = p->conn ? conn_waiting(p->conn) : 0;
        all += n;
        most = n > most ? n : most;
    }
    metric_set(m, METRIC_WAITING, (int64_t)all);
    metric_set(m, METRIC_WAITING_MOST, (int64_t)most);
    metric_add(m, METRIC_BYTES_IN, r->totals.in_bytes - (uint64_t)metric_value(m, METRIC_BYTES_IN));
    metric_add(m, METRIC_BYTES_OUT, r->totals.out_bytes - (uint64_t)metric_value(m, METRIC_BYTES_OUT));
}

static void status(struct daemon_run *run, struct buf *json)
{
    const struct router *r = run->ctx;
    buf_fmt(json, "\"node\":\"%016llx\",\"peers\":", (unsigned long long)r->node);
    peers_json(r, json);
}

static enum rc on_peers(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct daemon_run *run = ctx;
    (void)args;
    (void)why;
    peers_json(run->ctx, out);
    return RC_OK;
}

static enum rc on_certs(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    const struct router *r = run->ctx;
    return certs_command(r->certs, args, out, why);
}

static const struct ctl_command commands[] = {
    { "certs", CERTS_HELP, on_certs },
    { "peers", "peers: who is logged in, as JSON", on_peers },
    { NULL, NULL, NULL },
};

const struct daemon router_daemon = {
    .name = "router",
    .summary = "routes between the daemons and the external components",
    .conf = &router_conf_table,
    .metrics = metric_defs,
    .n_metrics = sizeof metric_defs / sizeof *metric_defs,
    .start = start,
    .stop = stop,
    .fini = fini,
    .reload = reload,
    .measure = measure,
    .status = status,
    .commands = commands,
};
