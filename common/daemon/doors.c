/* common/daemon/doors.c */
#include "common/daemon/doors.h"

#include "common/base/mem.h"

struct door {
    struct doors *doors;
    char *address;
    uint16_t port;
    bool direct_tls;
    struct listener *listener; /* NULL: shut */
};
struct doors {
    struct doors_conf conf;      /* but its lists */
    struct net_list *proxy_from; /* NULL: nobody */
    struct door *list;
    size_t n;
    bool paused;
};

static void on_accept(void *ctx, struct conn *conn)
{
    const struct door *door = ctx;
    door->doors->conf.on_accept(door->doors->conf.ctx, conn, door->direct_tls);
}

static void add(struct doors *d, const char *address, uint32_t port, bool direct_tls)
{
    if (port)
        d->list[d->n++] = (struct door){ d, mem_copy(slice_cstr(address)), (uint16_t)port, direct_tls, NULL };
}

MUST_USE static enum rc open_one(struct door *door, struct why *why)
{
    const struct doors *d = door->doors;
    const struct listen_conf conf = {
        .address = door->address,
        .port = door->port,
        .proxy_from = d->proxy_from,
        .proxy_ms = d->conf.proxy_ms,
        .on_accept = on_accept,
        .ctx = door,
    };
    enum rc rc = listen_open(d->conf.loop, &conf, d->conf.conn_conf, &door->listener, why);
    if (rc == RC_OK && d->paused)
        listen_pause(door->listener);
    return rc;
}

void doors_close(struct doors *d)
{
    for (size_t i = 0; d && i < d->n; i++) {
        if (d->list[i].listener)
            listen_close(&d->list[i].listener);
    }
}

enum rc doors_shut(struct doors *d, bool shut, struct why *why)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; !shut && rc == RC_OK && i < d->n; i++) {
        if (!d->list[i].listener)
            rc = open_one(&d->list[i], why);
    }
    if (shut || rc != RC_OK)
        doors_close(d);
    return rc;
}

void doors_pause(struct doors *d, bool pause)
{
    d->paused = pause;
    for (size_t i = 0; i < d->n; i++) {
        if (!d->list[i].listener)
            continue;
        if (pause)
            listen_pause(d->list[i].listener);
        else
            listen_resume(d->list[i].listener);
    }
}

enum rc doors_open(const struct doors_conf *conf, struct doors **out, struct why *why)
{
    struct doors *d = mem_new(sizeof *d);
    d->conf = *conf;
    d->conf.address = d->conf.proxy_from = NULL;
    d->list = mem_array(conf->address->n * 2 + 1, sizeof *d->list);
    for (size_t i = 0; i < conf->address->n; i++) {
        add(d, conf->address->items[i], conf->port, false);
        add(d, conf->address->items[i], conf->port_tls, true);
    }
    enum rc rc = conf_networks(conf->proxy_from, &d->proxy_from, why);
    if (rc == RC_OK)
        rc = doors_shut(d, false, why);
    if (rc == RC_OK)
        *out = d;
    else
        doors_free(&d);
    return rc;
}

void doors_free(struct doors **at)
{
    struct doors *d = *at;
    if (!d)
        return;
    doors_close(d);
    for (size_t i = 0; i < d->n; i++)
        mem_free(d->list[i].address);
    mem_free(d->list);
    net_list_free(&d->proxy_from);
    MEM_FREE(at);
}
