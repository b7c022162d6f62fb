/* sessman/mod/disco.c - service discovery of the domain and of accounts (XEP-0030, 0115, 0128, 0157) */
#include "sessman/account.h"
#include "sessman/discoinfo.h"
#include "sessman/module.h"
#include "sessman/session.h"

static enum handled on_domain_info(struct incoming *in)
{
    struct slice node = node_attr(in->st.payload, "node");
    const struct domain *d = sessman_domain(in->sm, in->st.to.domain);
    struct node *query = disco_domain_info(in->sm, d, in->a);
    if (node.len) { /* only the one that our caps name (XEP-0115 6.2) */
        struct slice ours =
            arena_fmt(in->a, DISCO_CAPS_NODE "#" SLICE_FMT, SLICE_ARG(disco_caps_ver(in->sm, d, in->a)));
        if (!slice_eq(node, ours)) {
            in_error(in, COND_ITEM_NOT_FOUND, NULL);
            return HANDLED;
        }
        node_set(in->a, query, "node", node);
    }
    in_result(in, query);
    return HANDLED;
}

static enum handled on_domain_items(struct incoming *in)
{
    if (node_attr(in->st.payload, "node").len)
        in_error(in, COND_ITEM_NOT_FOUND, NULL);
    else
        in_result(in, node_new(in->a, "query", NS_DISCO_ITEMS));
    return HANDLED;
}

/* XEP-0030 8: what an account is and has, only those may ask who see its presence; to others it looks as if
 * there were none. */
static bool may_ask(const struct incoming *in)
{
    if (!in->target)
        return false;
    return in->to == TO_OWN_ACCOUNT || (roster_state(&in->target->roster, jid_bare(&in->st.from)) & SUB_FROM);
}

static enum handled on_account_info(struct incoming *in)
{
    if (!may_ask(in))
        return PASS;
    if (node_attr(in->st.payload, "node").len) {
        in_error(in, COND_ITEM_NOT_FOUND, NULL);
        return HANDLED;
    }
    struct node *query = node_new(in->a, "query", NS_DISCO_INFO);
    struct node *id = node_add(in->a, query, "identity", NS_DISCO_INFO);
    node_set(in->a, id, "category", SLICE("account"));
    node_set(in->a, id, "type",
             in->target->admin       ? SLICE("admin")
             : in->target->anonymous ? SLICE("anonymous")
                                     : SLICE("registered"));
    for (size_t m = 0; modules[m]; m++)
        for (const char *const *f = modules[m]->account_features; f && *f; f++)
            node_set(in->a, node_add(in->a, query, "feature", NS_DISCO_INFO), "var", slice_cstr(*f));
    in_result(in, query);
    return HANDLED;
}

/* The account's available resources (XEP-0030 4.2: to those who see its presence). */
static enum handled on_account_items(struct incoming *in)
{
    if (!may_ask(in))
        return PASS;
    if (node_attr(in->st.payload, "node").len) {
        in_error(in, COND_ITEM_NOT_FOUND, NULL);
        return HANDLED;
    }
    struct node *query = node_new(in->a, "query", NS_DISCO_ITEMS);
    LIST_EACH(&in->target->sessions, it) {
        const struct session *s = CONTAINER(it, struct session, in_account);
        if (s->available)
            node_set(in->a, node_add(in->a, query, "item", NS_DISCO_ITEMS), "jid",
                     arena_copy(in->a, session_jid(s)));
    }
    in_result(in, query);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_GET, NS_DISCO_INFO, "query", TO_DOMAIN, on_domain_info },
    { ON_IQ_GET, NS_DISCO_ITEMS, "query", TO_DOMAIN, on_domain_items },
    { ON_IQ_GET, NS_DISCO_INFO, "query", TO_OWN_ACCOUNT | TO_ACCOUNT, on_account_info },
    { ON_IQ_GET, NS_DISCO_ITEMS, "query", TO_OWN_ACCOUNT | TO_ACCOUNT, on_account_items },
    { 0 },
};
static const char *const features[] = { NS_DISCO_INFO, NS_DISCO_ITEMS, NULL };
const struct module mod_disco = {
    .name = "disco",
    .spec = "XEP-0030 2.5.0",
    .features = features,
    .account_features = features,
    .handlers = handlers,
};
