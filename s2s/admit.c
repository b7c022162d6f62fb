/* s2s/admit.c - who is let in when
 *
 * So many connections may have proven nothing; past that the rest waits in the kernel's backlog. */
#include "s2s/in.h"
#include "s2s/link.h"

static void on_accept(void *ctx, struct conn *conn, bool direct_tls)
{
    struct s2s *d = ctx;
    if (d->stopping || (direct_tls && !certs_tls(d->certs)))
        conn_close(conn, CONN_BY_OWNER);
    else
        in_accept(d, conn, direct_tls);
}

enum rc admit_open(struct s2s *d, struct why *why)
{
    const struct doors_conf conf = { .loop = d->loop,
                                     .address = &d->conf->address,
                                     .proxy_from = &d->conf->proxy_from,
                                     .port = d->conf->port,
                                     .port_tls = d->conf->port_tls,
                                     .proxy_ms = d->conf->proxy_ms,
                                     .conn_conf = &d->conn_conf,
                                     .on_accept = on_accept,
                                     .ctx = d };
    enum rc rc = doors_open(&conf, &d->doors, why);
    if (rc == RC_OK)
        admit_balance(d);
    return rc;
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
    if (d->doors)
        doors_pause(d->doors, pause);
}
