#include "sessman/discoinfo.h"

#include "common/xmpp/caps.h"
#include "common/xmpp/form.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"
#include "sessman/module.h"

static void contact_field(struct arena *a, struct node *form, const char *var,
                          const struct conf_list *addresses)
{
    if (!addresses->n)
        return;
    struct node *f = form_field(a, form, var, "list-multi", NULL, SLICE_NONE);
    for (size_t i = 0; i < addresses->n; i++)
        form_value(a, f, slice_cstr(addresses->items[i]));
}

/* XEP-0157 2.1: only what the operator has set. */
static void contacts(const struct sessman *sm, struct arena *a, struct node *query)
{
    const struct sessman_conf *c = sm->conf;
    if (!(c->contact_abuse.n + c->contact_admin.n + c->contact_security.n + c->contact_support.n))
        return;
    struct node *form = form_new(a, query, FORM_RESULT, NS_SERVERINFO);
    contact_field(a, form, "abuse-addresses", &c->contact_abuse);
    contact_field(a, form, "admin-addresses", &c->contact_admin);
    contact_field(a, form, "security-addresses", &c->contact_security);
    contact_field(a, form, "support-addresses", &c->contact_support);
}

static void feature(struct arena *a, struct node *query, const char *ns)
{
    for (const struct node *f = node_find(query, "feature", NULL); f; f = node_find_next(f, "feature", NULL))
        if (slice_is(node_attr(f, "var"), ns))
            return; /* two modules share it: once (XEP-0115 5.4) */
    node_set(a, node_add(a, query, "feature", NS_DISCO_INFO), "var", slice_cstr(ns));
}

static bool has_features(const struct sessman *sm, const struct module *m, const struct domain *d)
{
    return m->features && (!m->offered || !d || m->offered(sm, d));
}

static void identity(struct arena *a, struct node *query, const struct disco_identity *i)
{
    struct node *id = node_add(a, query, "identity", NS_DISCO_INFO);
    node_set(a, id, "category", slice_cstr(i->category));
    node_set(a, id, "type", slice_cstr(i->type));
    node_set(a, id, "name", slice_cstr(i->name));
}

struct node *disco_domain_info(const struct sessman *sm, const struct domain *d, struct arena *a)
{
    static const struct disco_identity server = { "server", "im", "Bulkhead" };
    struct node *query = node_new(a, "query", NS_DISCO_INFO);
    identity(a, query, &server);
    for (size_t m = 0; modules[m]; m++)
        if (modules[m]->identity && has_features(sm, modules[m], d))
            identity(a, query, modules[m]->identity);
    for (size_t m = 0; modules[m]; m++)
        if (has_features(sm, modules[m], d))
            for (const char *const *f = modules[m]->features; *f; f++)
                feature(a, query, *f);
    for (size_t m = 0; modules[m]; m++)
        if (modules[m]->form && has_features(sm, modules[m], d))
            modules[m]->form(sm, a, query);
    contacts(sm, a, query);
    return query;
}

struct slice disco_caps_ver(const struct sessman *sm, const struct domain *d, struct arena *a)
{
    struct slice ver = SLICE_NONE;
    if (caps_ver(a, disco_domain_info(sm, d, a), &ver) != RC_OK)
        return SLICE_NONE;
    return ver;
}

struct slice disco_stream_features(const struct sessman *sm, const struct domain *d, struct arena *a)
{
    struct buf b = BUF_INIT(0);
    struct node *c = node_new(a, "c", NS_CAPS);
    for (size_t m = 0; modules[m]; m++)
        if (modules[m]->stream_features)
            buf_cstr(&b, modules[m]->stream_features);
    node_set(a, c, "hash", SLICE("sha-1"));
    node_set(a, c, "node", SLICE(DISCO_CAPS_NODE));
    node_set(a, c, "ver", disco_caps_ver(sm, d, a));
    xmlout_node(&b, c, NS_CLIENT);
    struct slice out = arena_copy(a, buf_get(&b));
    buf_fini(&b);
    return out;
}

struct slice disco_binds(struct arena *a)
{
    struct slice list = SLICE_NONE;
    for (size_t m = 0; modules[m]; m++) {
        for (const struct bind_inline *b = modules[m]->binds; b && b->ns; b++) {
            struct slice rest = list, each;
            bool there = false;
            while (slice_split(&rest, ' ', &each))
                there = there || slice_is(each, b->ns);
            if (!there)
                list = arena_fmt(a, SLICE_FMT "%s%s", SLICE_ARG(list), list.len ? " " : "", b->ns);
        }
    }
    return list;
}
