/* sessman/mod/stanzaid.c - what only a server may say is taken out of what others send (XEP-0359, XEP-0203,
 * XEP-0313)
 *
 * Stanza ids `by` us, delay stamps `from` us, results of an archive from somebody who is none. An
 * <origin-id/> is the sender's own and passes, as do stanza ids and stamps of others (XEP-0359 5.3). Ours are
 * added later, when the message is delivered. */
#include "sessman/account.h"
#include "sessman/module.h"

/* Addresses are compared as addresses, so that upper case is no way around it. */
static bool is_ours(const struct incoming *in, struct slice text)
{
    struct jid jid;
    return jid_parse(in->a, text, &jid, NULL) == RC_OK && sessman_domain(in->sm, jid.domain);
}

/* Our domain's own stamps, and those of the account that it is for: nobody else delays what it gets. */
static bool is_our_delay(const struct incoming *in, struct slice text)
{
    struct jid jid;
    if (jid_parse(in->a, text, &jid, NULL) != RC_OK || !sessman_domain(in->sm, jid.domain))
        return false;
    return !jid.local.len || (in->target && slice_eq(jid.full, account_bare(in->target)));
}

/* An archive speaks with its bare address (XEP-0313 2.3); accounts here speak through this module's neighbour
 * alone. */
static bool may_have_archive(const struct incoming *in)
{
    return !in->from_session && in->st.has_from && !in->st.from.resource.len &&
           !sessman_domain(in->sm, in->st.from.domain);
}

static bool is_forged(const struct incoming *in, const struct node *c)
{
    if (node_is(c, "stanza-id", NS_STANZA_ID))
        return is_ours(in, node_attr(c, "by"));
    if (node_is(c, "delay", NS_DELAY))
        return node_has(c, "from") && is_our_delay(in, node_attr(c, "from"));
    return node_is(c, "result", NS_MAM) && !may_have_archive(in);
}

static enum handled on_message(struct incoming *in)
{
    struct node *next;
    bool was_result = false;
    for (struct node *c = node_child(in->st.node); c; c = next) {
        next = node_sibling(c);
        if (!is_forged(in, c))
            continue;
        was_result |= node_is(c, "result", NULL);
        metric_add(in->sm->metrics, M_FORGED_MARKS, 1);
        node_unlink(c);
    }
    return was_result && !node_child(in->st.node) ? HANDLED : PASS; /* nothing is left of it */
}

static const struct handler handlers[] = {
    { ON_MESSAGE_OUT | ON_MESSAGE_IN, NULL, NULL, ~0u, on_message },
    { 0 },
};
static const char *const features[] = { NS_STANZA_ID, NULL };
const struct module mod_stanzaid = {
    .name = "stanzaid",
    .spec = "XEP-0359 0.7.0",
    .account_features = features,
    .handlers = handlers,
};
