/* sessman/mod/cputime.c - an example module: how much CPU time the session manager has used
 *
 * What a module needs: a handler, a row in the table that says which stanzas it wants (here: iq get,
 * namespace, element, addressed to the domain), the feature that discovery shows, and the line in modules.c.
 * A client asks <iq type='get' to='example.net' id='1'><cputime xmlns='urn:bulkhead:cputime:0'/></iq> and
 * gets <cputime xmlns='urn:bulkhead:cputime:0' us='123456'/>: microseconds, user and system. */
#include "common/base/clock.h"
#include "sessman/module.h"

static enum handled on_cputime(struct incoming *in)
{
    struct node *c = node_new(in->a, "cputime", NS_CPUTIME);
    node_set(in->a, c, "us", arena_fmt(in->a, "%llu", (unsigned long long)clock_cpu_us()));
    in_result(in, c);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_GET, NS_CPUTIME, "cputime", TO_DOMAIN, on_cputime },
    { 0 },
};
static const char *const features[] = { NS_CPUTIME, NULL };
const struct module mod_cputime = {
    .name = "cputime",
    .spec = "urn:bulkhead:cputime:0",
    .features = features,
    .handlers = handlers,
};
