/* common/edge/clients.c - the shared context: made, configured, watched, stopped */
#include "common/edge/clients.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/edge/client.h"
#include "common/edge/unread.h"

enum { ARENA_CHUNK = 4096, ARENAS_KEPT = 16 };
enum { MOVED_PER_S = 500, SCRATCH_KEPT = 64 * 1024 };
enum { HURRY_MS = 10000 }; /* silence that is not borne while others wait */

/* What follows from the options that can change at run time. */
void clients_take_conf(struct clients *d, const struct clients_conf *conf)
{
    d->conf = conf;
    d->pre_auth =
        (struct xmlin_limits){ conf->pre_auth_bytes, conf->depth, conf->pre_auth_elements, conf->attrs };
    d->bound = (struct xmlin_limits){ conf->stanza_bytes, conf->depth, conf->elements, conf->attrs };
    d->auth_limit = (struct rate_limit){ conf->auth_failures_per_s, conf->auth_failures_burst };
    d->byte_limit = (struct rate_limit){ conf->byte_rate, conf->byte_burst };
    d->stanza_limit = (struct rate_limit){ conf->stanza_rate, conf->stanza_burst };
}

void clients_init(struct clients *d, struct loop *loop, struct log *log, struct metrics *metrics,
                  const struct clients_conf *conf)
{
    d->loop = loop;
    d->log = log;
    d->metrics = metrics;
    list_init(&d->clients);
    list_init(&d->unread);
    list_init(&d->unread_fresh);
    list_init(&d->pending);
    d->arenas = arena_pool_new(ARENA_CHUNK, 0, ARENAS_KEPT);
    d->xml = xmlin_pool_new(NS_CLIENT, d->arenas);
    d->addresses = addr_table_new();
    d->addresses_pending = addr_table_new();
    d->rates.at_ms = loop_now_ms(loop);
    clients_take_conf(d, conf);
}

void clients_edge(struct clients *d, const struct rlink_conf *link)
{
    const struct edge_conf edge = { .loop = d->loop,
                                    .log = d->log,
                                    .arenas = d->arenas,
                                    .xml = d->xml,
                                    .link = link,
                                    .ops = &client_edge_ops,
                                    .owner = d };
    d->edge = edge_new(&edge);
}

void clients_measure(struct clients *d)
{
    struct rlink_queues q = rlink_queues(edge_rlink(d->edge));
    int64_t unread = 0;
    LIST_EACH(&d->unread, it)
        unread++;
    metric_set(d->metrics, M_UNREAD, unread);
    metric_set(d->metrics, M_LINK_UNACKED, (int64_t)q.unacked);
    metric_set(d->metrics, M_LINK_WAITING, (int64_t)q.waiting);
}

void clients_stop(struct clients *d)
{
    d->stopping = true;
    LIST_EACH(&d->clients, it) {
        client_shutdown(CONTAINER(it, struct client, link));
    }
    if (d->n_clients == 0)
        edge_close(d->edge); /* else the last client does it */
}

void clients_fini(struct clients *d)
{
    edge_free(&d->edge);
    addr_table_free(&d->addresses);
    addr_table_free(&d->addresses_pending);
    xmlin_pool_free(&d->xml);
    arena_pool_free(&d->arenas);
    buf_fini(&d->scratch);
}

/* --- who is let in --- */

void clients_balance(struct clients *d)
{
    bool crowded =
        d->n_pending >= d->conf->pending || (d->crowded && d->n_pending > d->conf->pending / 4 * 3);
    bool accepting = !crowded && !d->draining && edge_domains(d->edge) > 0;
    if (crowded && !d->crowded)
        METRIC_INC(d->metrics, M_LIMIT_PENDING);
    d->crowded = crowded;
    if (accepting == d->accepting)
        return;
    d->accepting = accepting;
    if (d->on_accepting)
        d->on_accepting(d);
}

/* Ends silent connections where they keep others out. */
static void hurry(struct clients *d)
{
    uint64_t now = loop_now_ms(d->loop);
    if (!d->crowded)
        return;
    LIST_EACH(&d->pending, it) {
        struct client *c = CONTAINER(it, struct nego, link)->client;
        bool its_turn = c->state == CLIENT_OPEN || c->state == CLIENT_STEP || c->state == CLIENT_AUTHED;
        if (!its_turn || now < c->last_in_ms + HURRY_MS || now < c->nego->accepted_ms + HURRY_MS)
            continue;
        METRIC_INC(d->metrics, M_LIMIT_AUTH_TIME);
        client_fail(c, STREAM_RESOURCE_CONSTRAINT, "others are waiting to log in");
    }
}

/* Where clients are sent elsewhere on draining, not all at once: each comes back somewhere. */
static void drain_some(struct clients *d)
{
    unsigned moved = 0;
    if (!d->draining || !d->conf->see_other_host)
        return;
    LIST_EACH(&d->clients, it) {
        struct client *c = CONTAINER(it, struct client, link);
        if (c->state == CLIENT_CLOSED)
            continue;
        if (moved++ == MOVED_PER_S)
            return;
        client_shutdown(c);
    }
}

/* --- watched --- */

static void count_rates(struct clients *d, uint64_t now)
{
    struct clients_rates *r = &d->rates;
    uint64_t span = now - r->at_ms;
    uint64_t seen[4] = { (uint64_t)metric_value(d->metrics, M_STANZAS_IN),
                         (uint64_t)metric_value(d->metrics, M_STANZAS_OUT), d->totals.in_bytes,
                         d->totals.out_bytes };
    metric_add(d->metrics, M_BYTES_IN, seen[2] - r->last[2]);
    metric_add(d->metrics, M_BYTES_OUT, seen[3] - r->last[3]);
    for (size_t i = 0; i < 4; i++) {
        r->per_s[i] = (seen[i] - r->last[i]) * 1000 / span;
        r->last[i] = seen[i];
    }
    r->at_ms = now;
}

void clients_tick(struct clients *d)
{
    uint64_t now = loop_now_ms(d->loop);
    if (now == d->rates.at_ms)
        return;
    count_rates(d, now);
    metric_set(d->metrics, M_PENDING, (int64_t)d->n_pending);
    if (d->scratch.cap > SCRATCH_KEPT) /* one large stanza is no reason to keep its size */
        buf_fini(&d->scratch);
    if (d->n_clients == 0)
        xmlin_pool_drop(d->xml);
    addr_sweep(d->addresses, now);
    addr_sweep(d->addresses_pending, now);
    hurry(d);
    drain_some(d);
    unread_tick(d);
}

void clients_rearm(struct clients *d)
{
    LIST_EACH(&d->clients, it) {
        struct client *c = CONTAINER(it, struct client, link);
        if (c->state != CLIENT_CLOSED)
            keepalive_arm(c);
    }
    clients_balance(d);
}

static void states_json(const struct clients *d, struct buf *json)
{
    size_t by_state[CLIENT_STATES] = { 0 };
    for (struct link *it = d->clients.next; it != &d->clients; it = it->next)
        by_state[CONTAINER(it, struct client, link)->state]++;
    BUF_LIT(json, ",\"clients\":{");
    for (unsigned i = 0; i < CLIENT_STATES; i++)
        buf_fmt(json, "%s\"%s\":%zu", i ? "," : "", client_state_name((enum client_state)i), by_state[i]);
    buf_byte(json, '}');
}

static void domains_json(const struct clients *d, struct buf *json)
{
    const struct edge_domain *domain;
    size_t at = 0;
    BUF_LIT(json, ",\"domains\":[");
    for (bool first = true; (domain = edge_domain_next(d->edge, &at)); first = false) {
        if (!first)
            buf_byte(json, ',');
        text_json(json, domain->name);
    }
    buf_byte(json, ']');
}

void clients_json(const struct clients *d, struct buf *json)
{
    struct xmlin_pool_stats xml = xmlin_pool_stats(d->xml);
    buf_fmt(json, "\"connections\":%zu,\"pending\":%zu,\"sessions\":%zu,\"accepting\":%s,\"draining\":%s",
            d->n_clients, d->n_pending, d->n_bound, d->accepting ? "true" : "false",
            d->draining ? "true" : "false");
    states_json(d, json);
    buf_fmt(json,
            ",\"per_second\":{\"stanzas_in\":%llu,\"stanzas_out\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu}",
            (unsigned long long)d->rates.per_s[0], (unsigned long long)d->rates.per_s[1],
            (unsigned long long)d->rates.per_s[2], (unsigned long long)d->rates.per_s[3]);
    buf_fmt(json, ",\"parsers\":{\"alive\":%u,\"idle\":%u},\"strays\":%llu", xml.contexts, xml.idle,
            (unsigned long long)edge_strays(d->edge));
    domains_json(d, json);
    BUF_LIT(json, ",\"links\":");
    rlink_status(edge_rlink(d->edge), json);
}

void clients_drain(struct clients *d, struct slice args, struct buf *out)
{
    d->draining = !slice_is(slice_trim(args), "off");
    clients_balance(d);
    buf_fmt(out, "%s, %zu connections\n", d->draining ? "draining" : "accepting", d->n_clients);
}
