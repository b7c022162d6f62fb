/* c2s/admit.c - listeners, and who is let in when
 *
 * So many logins may be in progress; past that the rest waits in the kernel's backlog, where no clock of ours
 * runs. Thus a storm of reconnecting clients is let in at the pace at which logins are finished. */
#include "c2s/tcp.h"

#include "common/base/mem.h"

struct listening {
    struct c2s *d;
    struct listener *listener;
    bool direct_tls;
};

static void on_accept(void *ctx, struct conn *conn)
{
    const struct listening *l = ctx;
    if (l->d->clients.stopping || (l->direct_tls && !certs_tls(l->d->certs)))
        conn_close(conn, CONN_BY_OWNER);
    else
        tcp_accept(l->d, conn, l->direct_tls);
}

MUST_USE static enum rc listen_one(struct c2s *d, const char *address, uint32_t port, bool direct_tls,
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
    enum rc rc = listen_open(d->run->loop, &conf, &d->conn_conf, &l->listener, why);
    if (rc == RC_OK)
        d->n_listening++;
    return rc;
}

static void pause(struct c2s *d, bool stop)
{
    for (size_t i = 0; i < d->n_listening; i++) {
        if (stop)
            listen_pause(d->listening[i].listener);
        else
            listen_resume(d->listening[i].listener);
    }
}

enum rc admit_open(struct c2s *d, struct why *why)
{
    const struct c2s_conf *conf = d->conf;
    enum rc rc = conf_networks(&conf->proxy_from, &d->proxy_from, why);
    d->listening = mem_array(conf->address.n * 2 + 1, sizeof *d->listening);
    for (size_t i = 0; rc == RC_OK && i < conf->address.n; i++) {
        rc = listen_one(d, conf->address.items[i], conf->port, false, why);
        if (rc == RC_OK)
            rc = listen_one(d, conf->address.items[i], conf->port_tls, true, why);
    }
    if (rc == RC_OK && !d->clients.accepting)
        pause(d, true);
    return rc;
}

void admit_close(struct c2s *d)
{
    for (size_t i = 0; i < d->n_listening; i++)
        listen_close(&d->listening[i].listener);
    d->n_listening = 0;
}

void admit_fini(struct c2s *d)
{
    MEM_FREE(&d->listening);
    net_list_free(&d->proxy_from);
}

void admit_on_accepting(struct clients *clients)
{
    pause(CONTAINER(clients, struct c2s, clients), !clients->accepting);
}
