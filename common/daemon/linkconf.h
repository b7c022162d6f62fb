/* common/daemon/linkconf.h - the [router] section that every daemon with an rlink has: options, and the
 * rlink's configuration from them */
#ifndef DAEMON_LINKCONF_H
#define DAEMON_LINKCONF_H

#include "common/daemon/conf.h"
#include "common/link/rlink.h"

struct rlink_options { /* a member of the daemon's struct */
    struct conf_list address;
    char *name, *secret;
    char *ca_file, *cert_file, *key_file;
    size_t window_bytes;
    uint32_t node_grace_ms, ack_ms;
};
/* Rows of the daemon's table: RLINK_OPTIONS(struct c2s_conf, router) */
#define RLINK_OPTIONS(str, field)                                                                            \
    OPTION_LIST("router", "address", str, field.address, "unix:run/router.sock", RESTART),                   \
        OPTION_STRING("router", "name", str, field.name, "", RESTART),                                       \
        OPTION_STRING("router", "secret", str, field.secret, "", RESTART),                                   \
        OPTION_STRING("router", "ca_file", str, field.ca_file, "", RESTART),                                 \
        OPTION_STRING("router", "cert_file", str, field.cert_file, "", RESTART),                             \
        OPTION_STRING("router", "key_file", str, field.key_file, "", RESTART),                               \
        OPTION_BYTES("router", "window", str, field.window_bytes, "4m", "64k", "256m", RESTART),             \
        OPTION_TIME("router", "node_grace", str, field.node_grace_ms, "60s", "1s", "1h", RESTART),           \
        OPTION_TIME("router", "ack_delay", str, field.ack_ms, "20ms", "1ms", "1s", RESTART)

#define LINKCONF_ROUTERS_MAX 16
/* Fills *out and routers, which out borrows; dir, instance and role are the caller's to set. RC_SYNTAX: no
 * name, no secret and no certificate, too many routers. */
MUST_USE enum rc linkconf_fill(const struct rlink_options *o, struct rlink_conf *out,
                               const char *routers[LINKCONF_ROUTERS_MAX + 1], struct why *why);

#endif
