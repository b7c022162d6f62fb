/* httpgw/main.c - bulkhead-httpgw: XMPP for browsers (RFC 7395, XEP-0124, XEP-0206), and what else goes by
 * HTTP */
#include "httpgw/httpgw.h"
#include "httpgw/upload.h"

#include "common/base/secret.h"

enum { SECOND_MS = 1000 };

static void on_second(struct timer *t)
{
    struct httpgw *d = CONTAINER(t, struct httpgw, second);
    clients_tick(&d->clients);
    httpgw_tick(d);
    loop_timer(d->run->loop, t, SECOND_MS, on_second);
}

static enum rc start(struct daemon_run *run, struct why *why)
{
    const char *routers[LINKCONF_ROUTERS_MAX + 1];
    struct rlink_conf link = { .dir = run->dir,
                               .instance = run->instance,
                               .role = ROLE_EDGE,
                               .answer = run->answer,
                               .answer_ctx = run };
    enum rc rc = secret_init(why);
    if (rc != RC_OK)
        return rc;
    struct httpgw *d = httpgw_new(run);
    run->ctx = d;
    rc = linkconf_fill(&d->conf->router, &link, routers, why);
    if (rc == RC_OK)
        rc = httpgw_certs(d, why);
    if (rc != RC_OK)
        return rc;
    clients_edge(&d->clients, &link);
    rc = httpgw_open(d, why);
    if (rc != RC_OK)
        return rc;
    loop_timer(run->loop, &d->second, SECOND_MS, on_second);
    run->ready(run);
    return RC_OK;
}

static void stop(struct daemon_run *run)
{
    struct httpgw *d = run->ctx;
    timer_stop(&d->second);
    httpgw_stop(d);
}

static void fini(struct daemon_run *run)
{
    struct httpgw *d = run->ctx;
    httpgw_free(&d);
    run->ctx = NULL;
}

static enum rc reload(struct daemon_run *run, const void *new_conf, struct why *why)
{
    struct httpgw *d = run->ctx;
    struct log_ctx log = { .log = run->log, .sub = LOG_TLS };
    httpgw_take_conf(d, new_conf);
    enum rc rc = httpgw_certs(d, why);
    if (rc != RC_OK)
        LOG_ERROR(&log, "certificates_kept", F_WHY(why)); /* better an old one than none */
    clients_rearm(&d->clients);
    web_open(d->web);
    return rc == RC_OK ? upload_all_open(d->uploads, why) : rc;
}

static const struct daemon httpgw_daemon = {
    .name = "httpgw",
    .summary = "serves XMPP to browsers, by WebSocket and BOSH",
    .conf = &httpgw_conf_table,
    .metrics = httpgw_metrics,
    .n_metrics = M_COUNT,
    .start = start,
    .stop = stop,
    .fini = fini,
    .reload = reload,
    .measure = httpgw_measure,
    .status = httpgw_status,
    .commands = httpgw_commands,
};

int main(int argc, char **argv)
{
    return daemon_run(argc, argv, &httpgw_daemon);
}
