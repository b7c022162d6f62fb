/* sessman/mod/version.c - software version (XEP-0092); the operating system is not told */
#include "common/base/version.h"
#include "sessman/module.h"

static enum handled on_version(struct incoming *in)
{
    struct node *q = node_new(in->a, "query", NS_VERSION);
    node_add_text(in->a, node_add(in->a, q, "name", NS_VERSION), SLICE("Bulkhead"));
    node_add_text(in->a, node_add(in->a, q, "version", NS_VERSION), slice_cstr(BULKHEAD_VERSION));
    in_result(in, q);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_GET, NS_VERSION, "query", TO_DOMAIN, on_version },
    { 0 },
};
static const char *const features[] = { NS_VERSION, NULL };
const struct module mod_version = {
    .name = "version",
    .spec = "XEP-0092 1.1",
    .features = features,
    .handlers = handlers,
};
