/* c2s/admit.c - who is let in when
 *
 * So many logins may be in progress; past that the rest waits in the kernel's backlog, where no clock of ours
 * runs. Thus a storm of reconnecting clients is let in at the pace at which logins are finished. */
#include "c2s/tcp.h"

static void on_accept(void *ctx, struct conn *conn, bool direct_tls)
{
    struct c2s *d = ctx;
    if (d->clients.stopping || (direct_tls && !certs_tls(d->certs)))
        conn_close(conn, CONN_BY_OWNER);
    else
        tcp_accept(d, conn, direct_tls);
}

enum rc admit_open(struct c2s *d, struct why *why)
{
    const struct doors_conf conf = { .loop = d->run->loop,
                                     .address = &d->conf->address,
                                     .proxy_from = &d->conf->proxy_from,
                                     .port = d->conf->port,
                                     .port_tls = d->conf->port_tls,
                                     .proxy_ms = d->conf->proxy_ms,
                                     .conn_conf = &d->conn_conf,
                                     .on_accept = on_accept,
                                     .ctx = d };
    enum rc rc = doors_open(&conf, &d->doors, why);
    if (rc == RC_OK && !d->clients.accepting)
        doors_pause(d->doors, true);
    return rc;
}

void admit_on_accepting(struct clients *clients)
{
    struct c2s *d = CONTAINER(clients, struct c2s, clients);
    if (d->doors)
        doors_pause(d->doors, !clients->accepting);
}
