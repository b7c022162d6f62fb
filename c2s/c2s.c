/* c2s/c2s.c - the context: made, configured, stopped, freed */
#include "c2s/c2s.h"

#include "c2s/client.h"
#include "common/base/mem.h"

/* Of what a client may leave waiting: from here on who asks for its flow waits for a quarter of that. */
enum { FLOW_PART = 8 };
enum { ARENA_CHUNK = 4096, ARENAS_KEPT = 16 };

/* What follows from the options that can change at run time. */
void c2s_take_conf(struct c2s *d, const struct c2s_conf *conf)
{
    d->conf = conf;
    d->pre_auth =
        (struct xmlin_limits){ conf->pre_auth_bytes, conf->depth, conf->pre_auth_elements, conf->attrs };
    d->bound = (struct xmlin_limits){ conf->stanza_bytes, conf->depth, conf->elements, conf->attrs };
    d->conn_conf.out_max = conf->output_bytes;
    d->conn_conf.out_full = conf->output_bytes / FLOW_PART;
    d->auth_limit = (struct rate_limit){ conf->auth_failures_per_s, conf->auth_failures_burst };
    d->byte_limit = (struct rate_limit){ conf->byte_rate, conf->byte_burst };
    d->stanza_limit = (struct rate_limit){ conf->stanza_rate, conf->stanza_burst };
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
    struct c2s *d = mem_new(sizeof *d);
    d->run = run;
    d->loop = run->loop;
    d->metrics = run->metrics;
    list_init(&d->clients);
    list_init(&d->unread);
    list_init(&d->unread_fresh);
    list_init(&d->pending);
    d->arenas = arena_pool_new(ARENA_CHUNK, 0, ARENAS_KEPT);
    d->xml = xmlin_pool_new(NS_CLIENT, d->arenas);
    d->addresses = addr_table_new();
    d->addresses_pending = addr_table_new();
    d->conn_conf.ops = &client_conn_ops;
    d->conn_conf.totals = &d->totals;
    d->rates.at_ms = loop_now_ms(run->loop);
    c2s_take_conf(d, run->conf);
    return d;
}

void c2s_stop(struct c2s *d)
{
    d->stopping = true;
    admit_close(d);
    LIST_EACH(&d->clients, it) {
        client_shutdown(CONTAINER(it, struct client, link));
    }
    if (d->n_clients == 0)
        edge_close(d->edge); /* else the last client does it */
}

void c2s_free(struct c2s **dp)
{
    struct c2s *d = *dp;
    if (!d)
        return;
    admit_fini(d);
    edge_free(&d->edge);
    certs_free(&d->certs);
    addr_table_free(&d->addresses);
    addr_table_free(&d->addresses_pending);
    xmlin_pool_free(&d->xml);
    arena_pool_free(&d->arenas);
    buf_fini(&d->scratch);
    MEM_FREE(dp);
}
