/* c2s/main.c - bulkhead-c2s: clients' sockets (RFC 6120); accounts are elsewhere */
#include "c2s/c2s.h"

#include "common/base/secret.h"

enum { SECOND_MS = 1000 };

static void on_second(struct timer *t)
{
    struct c2s *d = CONTAINER(t, struct c2s, second);
    clients_tick(&d->clients);
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
    struct c2s *d = c2s_new(run);
    run->ctx = d;
    rc = linkconf_fill(&d->conf->router, &link, routers, why);
    if (rc == RC_OK)
        rc = c2s_certs(d, why);
    if (rc != RC_OK)
        return rc;
    clients_edge(&d->clients, &link);
    rc = admit_open(d, why);
    if (rc != RC_OK)
        return rc;
    loop_timer(run->loop, &d->second, SECOND_MS, on_second);
    run->ready(run);
    return RC_OK;
}

static void stop(struct daemon_run *run)
{
    struct c2s *d = run->ctx;
    timer_stop(&d->second);
    c2s_stop(d);
}

static void fini(struct daemon_run *run)
{
    struct c2s *d = run->ctx;
    c2s_free(&d);
    run->ctx = NULL;
}

static enum rc reload(struct daemon_run *run, const void *new_conf, struct why *why)
{
    struct c2s *d = run->ctx;
    struct log_ctx log = { .log = run->log, .sub = LOG_TLS };
    c2s_take_conf(d, new_conf);
    enum rc rc = c2s_certs(d, why);
    if (rc != RC_OK)
        LOG_ERROR(&log, "certificates_kept", F_WHY(why)); /* better an old one than none */
    clients_rearm(&d->clients);
    return rc;
}

static const struct daemon c2s_daemon = {
    .name = "c2s",
    .summary = "accepts XMPP clients",
    .conf = &c2s_conf_table,
    .metrics = c2s_metrics,
    .n_metrics = M_CLIENTS_COUNT,
    .start = start,
    .stop = stop,
    .fini = fini,
    .reload = reload,
    .measure = status_measure,
    .status = status_json,
    .commands = c2s_commands,
};

int main(int argc, char **argv)
{
    return daemon_run(argc, argv, &c2s_daemon);
}
