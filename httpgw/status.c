/* httpgw/status.c - what is told to bulkheadctl: status, certificates, draining */
#include "httpgw/httpgw.h"

#include "httpgw/rest.h"

/* clang-format off */
const struct metric_def httpgw_metrics[] = {
#define X(id, name, kind, help) [M_##id] = { "bulkhead_httpgw_" name, METRIC_##kind, help },
    CLIENTS_METRICS(X)
    HTTPGW_METRICS(X)
#undef X
#define X(id, name) [M_STREAM_ERRORS + STREAM_##id] = { "bulkhead_httpgw_stream_error_" name, METRIC_COUNTER, "Streams ended with <" name "/>" },
    STREAM_CONDITIONS(X)
#undef X
};
/* clang-format on */

static void count(struct httpgw *d, unsigned metric, uint64_t now, uint64_t *counted)
{
    metric_add(d->run->metrics, metric, now - *counted);
    *counted = now;
}

void httpgw_tick(struct httpgw *d)
{
    const struct http_totals *now = http_totals(d->http);
    struct http_totals *was = &d->counted;
    metric_set(d->run->metrics, M_HTTP_CONNECTIONS, (int64_t)http_connections(d->http));
    count(d, M_HTTP_REQUESTS, now->requests, &was->requests);
    count(d, M_HTTP_2XX, now->answers[1] + now->answers[2], &was->answers[2]);
    count(d, M_HTTP_3XX, now->answers[3], &was->answers[3]);
    count(d, M_HTTP_4XX, now->answers[4], &was->answers[4]);
    count(d, M_HTTP_5XX, now->answers[5], &was->answers[5]);
    count(d, M_HTTP_CUT, now->answers[0], &was->answers[0]);
    count(d, M_HTTP_REFUSED, now->refused, &was->refused);
    count(d, M_HTTP_TIMEOUTS, now->timeouts, &was->timeouts);
    http_tick(d->http);
    rest_all_tick(d->rest);
    if (d->clients.n_clients == 0)
        xmlin_pool_drop(d->bare);
}

void httpgw_measure(struct daemon_run *run)
{
    struct httpgw *d = run->ctx;
    clients_measure(&d->clients);
}

void httpgw_status(struct daemon_run *run, struct buf *json)
{
    const struct httpgw *d = run->ctx;
    clients_json(&d->clients, json);
    buf_fmt(json,
            ",\"http_connections\":%zu,\"http_requests\":%llu,\"certificates\":", http_connections(d->http),
            (unsigned long long)http_totals(d->http)->requests);
    certs_json(d->certs, json);
}

static enum rc cmd_certs(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    const struct httpgw *d = run->ctx;
    return certs_command(d->certs, args, out, why);
}

static enum rc cmd_drain(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    struct httpgw *d = run->ctx;
    (void)why;
    clients_drain(&d->clients, args, out);
    return RC_OK;
}

const struct ctl_command httpgw_commands[] = {
    { "certs", CERTS_HELP, cmd_certs },
    { "drain", CLIENTS_DRAIN_HELP, cmd_drain },
    { NULL, NULL, NULL },
};
