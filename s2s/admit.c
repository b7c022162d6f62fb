/* s2s/admit.c - listeners, and who is let in when
 *
 * So many connections may have proven nothing; past that the rest waits in the kernel's backlog. */
#include "s2s/in.h"
#include "s2s/link.h"

#include "common/base/mem.h"

struct listening {
    struct s2s *d;
    struct listener *listener;
    bool direct_tls;
};

static void on_accept(void *ctx, struct conn *conn)
{
    const struct listening *l = ctx;
    if (l->d->stopping || (l->direct_tls && !certs_tls(l->d->certs)))
        conn_close(conn, CONN_BY_OWNER);
    else
        in_accept(l->d, conn, l->direct_tls);
}

MUST_USE static enum rc listen_one(struct s2s *d, const char *address, uint32_t port, bool direct_tls,
                                   struct why *why)
{
    if (port == 0)
        return RC_OK;
    struct listening *l = &d->listening[d->n_listening];
    struct listen_conf conf = {
        .address = address,
        .port = (uint16_t)port,
        .proxy_from = d->proxy_from,
        .proxy_ms = d->conf->proxy_ms,
        .on_accept = on_accept,
        .ctx = l,
    };
    l->d = d;
    l->direct_tls = direct_tls;
    enum rc rc = listen_open(d->loop, &conf, &d->conn_conf, &l->listener, why);
    if (rc == RC_OK)
        d->n_listening++;
    return rc;
}

enum rc admit_open(struct s2s *d, struct why *why)
{
    const struct s2s_conf *conf = d->conf;
    enum rc rc = conf_networks(&conf->proxy_from, &d->proxy_from, why);
    d->listening = mem_array(conf->address.n * 2 + 1, sizeof *d->listening);
    for (size_t i = 0; rc == RC_OK && i < conf->address.n; i++) {
        rc = listen_one(d, conf->address.items[i], conf->port, false, why);
        if (rc == RC_OK)
            rc = listen_one(d, conf->address.items[i], conf->port_tls, true, why);
    }
    if (rc == RC_OK)
        admit_balance(d);
    return rc;
}

void admit_close(struct s2s *d)
{
    for (size_t i = 0; i < d->n_listening; i++)
        listen_close(&d->listening[i].listener);
    d->n_listening = 0;
}

void admit_fini(struct s2s *d)
{
    MEM_FREE(&d->listening);
    net_list_free(&d->proxy_from);
}

/* Not before it is known for which domains; not while draining; not while so many have proven nothing. */
void admit_balance(struct s2s *d)
{
    bool crowded =
        d->n_pending >= d->conf->pending || (d->crowded && d->n_pending > d->conf->pending / 4 * 3);
    bool pause = crowded || d->draining || !link_knows_domains(d);
    if (crowded && !d->crowded)
        METRIC_INC(d->metrics, M_LIMIT_PENDING);
    d->crowded = crowded;
    if (pause == d->paused)
        return;
    d->paused = pause;
    for (size_t i = 0; i < d->n_listening; i++) {
        if (pause)
            listen_pause(d->listening[i].listener);
        else
            listen_resume(d->listening[i].listener);
    }
}
