/* c2s/status.c - what is told to bulkheadctl: status, certificates, draining */
#include "c2s/c2s.h"

/* clang-format off */
const struct metric_def c2s_metrics[] = {
#define X(id, name, kind, help) [M_##id] = { "bulkhead_c2s_" name, METRIC_##kind, help },
    CLIENTS_METRICS(X)
#undef X
#define X(id, name) [M_STREAM_ERRORS + STREAM_##id] = { "bulkhead_c2s_stream_error_" name, METRIC_COUNTER, "Streams ended with <" name "/>" },
    STREAM_CONDITIONS(X)
#undef X
};
/* clang-format on */

void status_measure(struct daemon_run *run)
{
    struct c2s *d = run->ctx;
    clients_measure(&d->clients);
}

void status_json(struct daemon_run *run, struct buf *json)
{
    const struct c2s *d = run->ctx;
    clients_json(&d->clients, json);
    BUF_LIT(json, ",\"certificates\":");
    certs_json(d->certs, json);
}

static enum rc cmd_certs(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    const struct c2s *d = run->ctx;
    return certs_command(d->certs, args, out, why);
}

static enum rc cmd_drain(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    struct c2s *d = run->ctx;
    enum rc rc = doors_shut(d->doors, !slice_is(slice_trim(args), "off"), why);
    if (rc == RC_OK) /* else as it was */
        clients_drain(&d->clients, args, out);
    return rc;
}

const struct ctl_command c2s_commands[] = {
    { "certs", CERTS_HELP, cmd_certs },
    { "drain", CLIENTS_DRAIN_HELP, cmd_drain },
    { NULL, NULL, NULL },
};
