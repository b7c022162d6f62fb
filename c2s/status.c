/* c2s/status.c - what is told to bulkheadctl: status, certificates, draining */
#include "c2s/client.h"

#include "common/base/text.h"

/* clang-format off */
const struct metric_def c2s_metrics[] = {
#define X(id, name, kind, help) [M_##id] = { "bulkhead_c2s_" name, METRIC_##kind, help },
    C2S_METRICS(X)
#undef X
#define X(id, name) [M_STREAM_ERRORS + STREAM_##id] = { "bulkhead_c2s_stream_error_" name, METRIC_COUNTER, "Streams ended with <" name "/>" },
    STREAM_CONDITIONS(X)
#undef X
};
/* clang-format on */

enum { MOVED_PER_S = 500, SCRATCH_KEPT = 64 * 1024 };

/* Where clients are sent elsewhere on draining, not all at once: each comes back somewhere. */
static void drain_some(struct c2s *d)
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

void status_tick(struct c2s *d)
{
    struct c2s_rates *r = &d->rates;
    uint64_t now = loop_now_ms(d->loop), span = now - r->at_ms;
    uint64_t seen[4] = { (uint64_t)metric_value(d->metrics, M_STANZAS_IN),
                         (uint64_t)metric_value(d->metrics, M_STANZAS_OUT), d->totals.in_bytes,
                         d->totals.out_bytes };
    if (span == 0)
        return;
    metric_add(d->metrics, M_BYTES_IN, seen[2] - r->last[2]);
    metric_add(d->metrics, M_BYTES_OUT, seen[3] - r->last[3]);
    for (size_t i = 0; i < 4; i++) {
        r->per_s[i] = (seen[i] - r->last[i]) * 1000 / span;
        r->last[i] = seen[i];
    }
    r->at_ms = now;
    metric_set(d->metrics, M_PENDING, (int64_t)d->n_pending);
    if (d->scratch.cap > SCRATCH_KEPT) /* one large stanza is no reason to keep its size */
        buf_fini(&d->scratch);
    if (d->n_clients == 0)
        xmlin_pool_drop(d->xml);
    addr_sweep(d->addresses, now);
    addr_sweep(d->addresses_pending, now);
    admit_hurry(d);
    drain_some(d);
}

static void states_json(const struct c2s *d, struct buf *json)
{
    size_t by_state[CLIENT_STATES] = { 0 };
    for (struct link *it = d->clients.next; it != &d->clients; it = it->next)
        by_state[CONTAINER(it, struct client, link)->state]++;
    BUF_LIT(json, ",\"clients\":{");
    for (unsigned i = 0; i < CLIENT_STATES; i++)
        buf_fmt(json, "%s\"%s\":%zu", i ? "," : "", client_state_name((enum client_state)i), by_state[i]);
    buf_byte(json, '}');
}

static void domains_json(const struct c2s *d, struct buf *json)
{
    const struct edge_domain *domain;
    size_t at = 0;
    BUF_LIT(json, ",\"domains\":[");
    for (bool first = true; (domain = edge_domain_next(d->edge, &at)); first = false) {
        if (!first)
            buf_byte(json, ',');
        json_string(json, domain->name);
    }
    buf_byte(json, ']');
}

void status_json(struct daemon_run *run, struct buf *json)
{
    const struct c2s *d = run->ctx;
    struct xmlin_pool_stats xml = xmlin_pool_stats(d->xml);
    buf_fmt(json, "\"connections\":%zu,\"pending\":%zu,\"sessions\":%zu,\"accepting\":%s,\"draining\":%s",
            d->n_clients, d->n_pending, d->n_bound, d->paused ? "false" : "true",
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
    BUF_LIT(json, ",\"certificates\":");
    certs_json(d->certs, json);
}

static enum rc cmd_certs(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    const struct c2s *d = run->ctx;
    (void)args;
    (void)why;
    certs_json(d->certs, out);
    buf_byte(out, '\n');
    return RC_OK;
}

static enum rc cmd_drain(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    struct c2s *d = run->ctx;
    (void)why;
    d->draining = !slice_is(slice_trim(args), "off");
    admit_balance(d);
    buf_fmt(out, "%s, %zu connections\n", d->draining ? "draining" : "accepting", d->n_clients);
    return RC_OK;
}

const struct ctl_command c2s_commands[] = {
    { "certs", "certs: the certificates in use, with their expiry (JSON)", cmd_certs },
    { "drain", "drain [off]: accept no more connections; with see_other_host, send clients there",
      cmd_drain },
    { NULL, NULL, NULL },
};
