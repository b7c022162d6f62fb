/* s2s/main.c - bulkhead-s2s: connections with other servers (RFC 6120, XEP-0220); accounts are elsewhere */
#include "s2s/idle.h"
#include "s2s/link.h"
#include "s2s/ssm.h"

#include "common/base/mem.h"
#include "common/base/secret.h"

enum { SECOND_MS = 1000, RELEASE_LEAST = 64 };

/* A handshake takes far more memory than what is left of it: after many, when there were none for a second,
 * it is given back. */
static void release(struct s2s *d)
{
    bool quiet = d->secured == d->secured_before;
    d->secured_before = d->secured;
    if (!quiet || d->secured < RELEASE_LEAST)
        return;
    d->secured = d->secured_before = 0;
    mem_release();
}

static void on_second(struct timer *t)
{
    struct s2s *d = CONTAINER(t, struct s2s, second);
    uint64_t now = loop_now_ms(d->loop);
    status_tick(d);
    idle_tick(d);
    pairs_tick(d);
    ssm_kept_tick(d, now);
    remotes_sweep(d->remotes, now);
    probe_tick(d);
    release(d);
    loop_timer(d->loop, t, SECOND_MS, on_second);
}

static enum rc start(struct daemon_run *run, struct why *why)
{
    const char *routers[LINKCONF_ROUTERS_MAX + 1];
    struct rlink_conf link = {
        .dir = run->dir, .instance = run->instance, .role = ROLE_S2S, .answer = run->answer, .answer_ctx = run
    };
    struct s2s *d = NULL;
    enum rc rc = secret_init(why);
    if (rc != RC_OK)
        return rc;
    rc = s2s_new(run, &d, why);
    run->ctx = d;
    if (rc == RC_OK)
        rc = linkconf_fill(&d->conf->router, &link, routers, why);
    if (rc != RC_OK)
        return rc;
    if (!d->conf->secret) {
        struct log_ctx log = { .log = run->log, .sub = LOG_DAEMON };
        LOG_WARN(&log, "no_dialback_secret",
                 F_STR("doing", "one of this process only: other instances cannot vouch for it"));
    }
    link_open(d, &link);
    rc = admit_open(d, why);
    if (rc != RC_OK)
        return rc;
    loop_timer(d->loop, &d->second, SECOND_MS, on_second);
    run->ready(run);
    return RC_OK;
}

static void stop(struct daemon_run *run)
{
    struct s2s *d = run->ctx;
    timer_stop(&d->second);
    s2s_stop(d);
}

static void fini(struct daemon_run *run)
{
    struct s2s *d = run->ctx;
    s2s_free(&d);
    run->ctx = NULL;
}

static enum rc reload(struct daemon_run *run, const void *new_conf, struct why *why)
{
    struct s2s *d = run->ctx;
    struct log_ctx log = { .log = run->log, .sub = LOG_TLS };
    s2s_take_conf(d, new_conf);
    enum rc rc = s2s_files(d, why);
    if (rc != RC_OK)
        LOG_ERROR(&log, "certificates_kept", F_WHY(why)); /* better old ones than none */
    LIST_EACH(&d->wires, it) {
        struct wire *w = CONTAINER(it, struct wire, link);
        if (w->conn && !w->over)
            wire_arm(w);
    }
    admit_balance(d);
    return rc;
}

static const struct daemon s2s_daemon = {
    .name = "s2s",
    .summary = "talks to other servers",
    .conf = &s2s_conf_table,
    .metrics = s2s_metrics,
    .n_metrics = M_COUNT,
    .start = start,
    .stop = stop,
    .fini = fini,
    .reload = reload,
    .measure = status_measure,
    .status = status_json,
    .commands = s2s_commands,
};

int main(int argc, char **argv)
{
    return daemon_run(argc, argv, &s2s_daemon);
}
