/* sessman/mod/time.c - entity time (XEP-0202): always UTC */
#include "common/base/clock.h"
#include "common/xmpp/delay.h"
#include "sessman/module.h"

static enum handled on_time(struct incoming *in)
{
    struct node *t = node_new(in->a, "time", NS_TIME);
    node_add_text(in->a, node_add(in->a, t, "tzo", NS_TIME), SLICE("+00:00"));
    node_add_text(in->a, node_add(in->a, t, "utc", NS_TIME), time_write(in->a, clock_wall_ms()));
    in_result(in, t);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_GET, NS_TIME, "time", TO_DOMAIN, on_time },
    { 0 },
};
static const char *const features[] = { NS_TIME, NULL };
const struct module mod_time = {
    .name = "time",
    .spec = "XEP-0202 2.0",
    .features = features,
    .handlers = handlers,
};
