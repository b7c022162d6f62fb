/* common/link/dial.h - addresses of routers: "unix:PATH", "tcp:HOST:PORT", "tls:HOST:PORT" */
#ifndef LINK_DIAL_H
#define LINK_DIAL_H

#include "common/net/conn.h"

enum dial_kind { DIAL_UNIX, DIAL_TCP, DIAL_TLS };
struct dial_address {
    enum dial_kind kind;
    const char *path; /* DIAL_UNIX: within the text that was parsed */
    char host[256];   /* else; an IPv6 address without its brackets */
    uint16_t port;
};
MUST_USE enum rc dial_parse(const char *text, struct dial_address *out, struct why *why);
/* dir: what a relative path is relative to; NULL: the working directory. */
struct conn *dial_open(struct loop *loop, const struct dial_address *to, const char *dir,
                       const struct conn_conf *conf, void *owner);

#endif
