/* common/daemon/doors.h - where a connection manager listens: at each address a port for STARTTLS and one for direct TLS
 *
 * Paused, what calls waits in the kernel's queue: for a while. Shut, it is refused, and tries another host; with several processes
 * at one port (SO_REUSEPORT) the others get it. */
#ifndef DAEMON_DOORS_H
#define DAEMON_DOORS_H

#include "common/daemon/conf.h"
#include "common/net/listen.h"

struct doors;
struct doors_conf {
    struct loop *loop;
    const struct conf_list *address, *proxy_from; /* copied */
    uint32_t port, port_tls;                      /* 0: none */
    uint32_t proxy_ms;
    const struct conn_conf *conn_conf;            /* borrowed: what connections start with */
    /* As listen_conf's: gives it an owner, or closes it. */
    void (*on_accept)(void *ctx, struct conn *conn, bool direct_tls);
    void *ctx;
};
/* They are open, and not paused. On an error there are none. */
MUST_USE enum rc doors_open(const struct doors_conf *conf, struct doors **out, struct why *why);
void doors_pause(struct doors *d, bool pause);
/* shut: closes them; what is connected stays. Else opens them again; an error (a port that takes a privilege which is gone): they stay
 * shut. */
MUST_USE enum rc doors_shut(struct doors *d, bool shut, struct why *why);
void doors_close(struct doors *d); /* for good; NULL: nothing */
void doors_free(struct doors **d);

#endif
