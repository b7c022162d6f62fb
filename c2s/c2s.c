/* c2s/c2s.c - the context: made, configured, stopped, freed */
#include "c2s/c2s.h"

#include "c2s/tcp.h"
#include "common/base/mem.h"

void c2s_take_conf(struct c2s *d, const struct c2s_conf *conf)
{
    d->conf = conf;
    d->conn_conf.out_max = conf->clients.output_bytes;
    d->conn_conf.out_full = conf->clients.output_bytes / CLIENTS_FLOW_PART;
    clients_take_conf(&d->clients, &conf->clients);
}

enum rc c2s_certs(struct c2s *d, struct why *why)
{
    static const char *const alpn[] = { "xmpp-client", NULL }; /* XEP-0368 3 */
    const struct certs_conf conf = { .dir = d->run->dir,
                                     .cert = d->conf->cert,
                                     .key = d->conf->key,
                                     .sections = d->conf->certs,
                                     .trust = d->conf->client_ca,
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

struct c2s *c2s_new(struct daemon_run *run)
{
    const struct c2s_conf *conf = run->conf;
    struct c2s *d = mem_new(sizeof *d);
    d->run = run;
    clients_init(&d->clients, run->loop, run->log, run->metrics, &conf->clients);
    d->clients.on_accepting = admit_on_accepting;
    d->conn_conf.ops = &tcp_conn_ops;
    d->conn_conf.totals = &d->clients.totals;
    c2s_take_conf(d, conf);
    return d;
}

void c2s_stop(struct c2s *d)
{
    doors_close(d->doors);
    clients_stop(&d->clients);
}

void c2s_free(struct c2s **dp)
{
    struct c2s *d = *dp;
    if (!d)
        return;
    doors_free(&d->doors);
    clients_fini(&d->clients);
    certs_free(&d->certs);
    MEM_FREE(dp);
}
