/* common/daemon/linkconf.c */
#include "common/daemon/linkconf.h"

enum rc linkconf_fill(const struct rlink_options *o, struct rlink_conf *out,
                      const char *routers[LINKCONF_ROUTERS_MAX + 1], struct why *why)
{
    if (!o->name || (!o->secret && !o->cert_file)) {
        why_set(why, "[router]: name, and secret or cert_file, are needed");
        return RC_SYNTAX;
    }
    if (o->address.n == 0 || o->address.n > LINKCONF_ROUTERS_MAX) {
        why_set(why, "[router] address: 1 to %d", LINKCONF_ROUTERS_MAX);
        return RC_SYNTAX;
    }
    for (size_t i = 0; i < o->address.n; i++)
        routers[i] = o->address.items[i];
    routers[o->address.n] = NULL;
    out->routers = routers;
    out->name = o->name;
    out->secret = o->secret;
    out->ca_file = o->ca_file;
    out->cert_file = o->cert_file;
    out->key_file = o->key_file;
    out->window_bytes = o->window_bytes;
    out->node_grace_ms = o->node_grace_ms;
    out->ack_ms = o->ack_ms;
    return RC_OK;
}
