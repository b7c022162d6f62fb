/* sessman/mod/amp.c - message processing rules (XEP-0079): judged where the sender is and where the addressee
 * is, at once for those who are both here; what was stored is judged again when it is delivered (offline.h)
 */
#include "common/base/clock.h"
#include "common/xmpp/amp.h"
#include "sessman/account.h"
#include "sessman/deliver.h"
#include "sessman/module.h"
#include "sessman/offline.h"

static enum handled refuse(struct incoming *in, enum amp_fault fault, const struct amp *amp, struct slice by)
{
    struct node *n = amp_refusal(in->a, &in->st, fault, amp, by);
    metric_add(in->sm->metrics, M_AMP_REFUSED, 1);
    metric_add(in->sm->metrics, M_ERRORS_SENT, 1);
    in->refused = true;
    if (n)
        in_reply(in, n);
    return HANDLED;
}

/* The first rule that is met decides; notify alone leaves the message its way (XEP-0079 3.4). */
static enum handled judge(struct incoming *in, const struct amp *amp, const struct amp_outlook *o,
                          struct slice by)
{
    const struct amp_rule *rule = amp_met(amp, o, clock_wall_ms());
    if (!rule)
        return PASS;
    struct node *event = amp_event(in->a, &in->st, rule, by);
    metric_add(in->sm->metrics, M_AMP_MET, 1);
    if (rule->action != AMP_NOTIFY)
        in->refused = true;
    if (event)
        in_reply(in, event);
    return rule->action == AMP_NOTIFY ? PASS : HANDLED;
}

/* XEP-0079 6.1: a client says nothing of status, from and to; whoever believed an event that he sent would be
 * fooled. */
static void strip(struct node *message)
{
    for (struct node *n = node_find(message, "amp", NS_AMP); n; n = node_find_next(n, "amp", NS_AMP)) {
        node_unset(n, "status");
        node_unset(n, "from");
        node_unset(n, "to");
    }
}

/* The sender's side. For an account here the rest is done on the addressee's. */
static enum handled on_out(struct incoming *in)
{
    struct amp amp;
    if (!node_find(in->st.node, "amp", NS_AMP))
        return PASS;
    strip(in->st.node);
    enum amp_fault fault = amp_read(in->a, &in->st, in->sm->conf->amp_rules_max, &amp);
    if (fault == AMP_ABSENT)
        return PASS;
    if (fault != AMP_FINE)
        return refuse(in, fault, &amp, in->st.from.domain);
    amp_stamp(in->a, amp.node, &in->st);
    if (in->to != TO_ELSEWHERE)
        return PASS;
    const struct amp_outlook o = { .deliver = AMP_DIRECT, .to_resource = in->st.to.resource.len };
    return judge(in, &amp, &o, in->st.from.domain);
}

/* XEP-0079 11, as recommended: who may not see the addressee's presence is told nothing that depends on it.
 */
static bool may_be_told(const struct incoming *in)
{
    struct slice sender = jid_bare(&in->st.from);
    return in->target && (slice_eq(sender, account_bare(in->target)) ||
                          (roster_state(&in->target->roster, sender) & SUB_FROM));
}

/* Leaves those rules in amp that tell the sender something. */
static bool keep_telling(struct amp *amp)
{
    size_t n = 0;
    for (size_t i = 0; i < amp->n; i++)
        if (amp_tells(&amp->rules[i]))
            amp->rules[n++] = amp->rules[i];
    amp->n = n;
    return n > 0;
}

static struct amp_outlook outlook(const struct incoming *in)
{
    struct session *match;
    int best;
    struct amp_outlook o = { .deliver = AMP_DIRECT, .to_resource = in->st.to.resource.len, .edge = true };
    enum deliver_action action = deliver_plan(in, &match, &best);
    if (action == DELIVER_ERROR || action == DELIVER_DROP)
        o.deliver = AMP_NONE;
    else if (action == DELIVER_STORE)
        o.deliver = offline_outlook(in) == OFFLINE_KEEP ? AMP_STORED : AMP_NONE;
    o.exact = match != NULL;
    return o;
}

/* From outside: an event is a server's to send. */
static void strip_forged(struct incoming *in)
{
    if (!in->from_session && in->st.from.local.len)
        for (struct node *n = node_find(in->st.node, "amp", NS_AMP); n; n = node_find_next(n, "amp", NS_AMP))
            node_unset(n, "status");
}

/* The addressee's side. */
static enum handled on_in(struct incoming *in)
{
    struct amp amp;
    if (!node_find(in->st.node, "amp", NS_AMP))
        return PASS;
    strip_forged(in);
    enum amp_fault fault = amp_read(in->a, &in->st, in->sm->conf->amp_rules_max, &amp);
    if (fault == AMP_ABSENT)
        return PASS;
    if (fault != AMP_FINE)
        return refuse(in, fault, &amp, in->st.to.domain);
    amp_stamp(in->a, amp.node, &in->st);
    struct amp telling = amp;
    if (!may_be_told(in) && keep_telling(&telling))
        return refuse(in, AMP_INVALID_RULES, &telling, in->st.to.domain);
    const struct amp_outlook o = outlook(in);
    return judge(in, &amp, &o, in->st.to.domain);
}

/* XEP-0079 2.1.1: what is supported, each as a feature of a node. */
static enum handled on_info(struct incoming *in)
{
    static const char *const vars[] = {
        NS_AMP,
        NS_AMP "?action=alert",
        NS_AMP "?action=drop",
        NS_AMP "?action=error",
        NS_AMP "?action=notify",
        NS_AMP "?condition=deliver",
        NS_AMP "?condition=expire-at",
        NS_AMP "?condition=match-resource",
    };
    if (!slice_is(node_attr(in->st.payload, "node"), NS_AMP))
        return PASS;
    struct node *query = node_new(in->a, "query", NS_DISCO_INFO);
    node_set(in->a, query, "node", SLICE(NS_AMP));
    struct node *id = node_add(in->a, query, "identity", NS_DISCO_INFO);
    node_set(in->a, id, "category", SLICE("server"));
    node_set(in->a, id, "type", SLICE("im"));
    for (size_t i = 0; i < sizeof vars / sizeof vars[0]; i++)
        node_set(in->a, node_add(in->a, query, "feature", NS_DISCO_INFO), "var", slice_cstr(vars[i]));
    in_result(in, query);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_MESSAGE_OUT, NULL, NULL, TO_OWN_ACCOUNT | TO_ACCOUNT | TO_RESOURCE | TO_ELSEWHERE, on_out },
    { ON_MESSAGE_IN, NULL, NULL, TO_OWN_ACCOUNT | TO_ACCOUNT | TO_RESOURCE, on_in },
    { ON_IQ_GET, NS_DISCO_INFO, "query", TO_DOMAIN, on_info },
    { 0 },
};
static const char *const features[] = { NS_AMP, NULL };
const struct module mod_amp = {
    .name = "amp",
    .spec = "XEP-0079 1.2",
    .features = features,
    .stream_features = "<amp xmlns='http://jabber.org/features/amp'/>",
    .handlers = handlers,
};
