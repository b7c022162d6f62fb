/* sessman/mod/ping.c - XMPP ping (XEP-0199): the domain and accounts answer */
#include "sessman/module.h"

static enum handled on_ping(struct incoming *in)
{
    in_result(in, NULL);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_GET, NS_PING, "ping", TO_DOMAIN | TO_OWN_ACCOUNT, on_ping },
    { 0 },
};
static const char *const features[] = { NS_PING, NULL };
const struct module mod_ping = {
    .name = "ping",
    .spec = "XEP-0199 2.0.1",
    .features = features,
    .account_features = features,
    .handlers = handlers,
};
