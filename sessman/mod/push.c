/* sessman/mod/push.c - push notifications (XEP-0357): services registered and removed, their answers; when
 * they are told is in push.h */
#include "sessman/push.h"

#include "common/base/mem.h"
#include "common/xmpp/form.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/module.h"
#include "sessman/session.h"

/* The service's address. False: answered. */
static bool read_address(struct incoming *in, struct jid *out)
{
    struct why why;
    struct slice text = node_attr(in->st.payload, "jid");
    if (!text.len) {
        in_error(in, COND_BAD_REQUEST, "the service's jid is missing");
        return false;
    }
    if (jid_parse(in->a, text, out, &why) != RC_OK) {
        in_error(in, COND_JID_MALFORMED, why.text);
        return false;
    }
    if (node_attr(in->st.payload, "node").len > PUSH_NODE_MAX) {
        in_error(in, COND_NOT_ACCEPTABLE, "this node is too long");
        return false;
    }
    return true;
}

/* XEP-0357 5: the form of publish-options as it is, canonical. False: answered. */
static bool read_options(struct incoming *in, struct slice *out)
{
    const struct node *form = form_of(in->st.payload);
    *out = SLICE_NONE;
    if (!form)
        return true;
    if (!slice_is(form_get(in->a, form, "FORM_TYPE"), NS_PUBLISH_OPTIONS)) {
        in_error(in, COND_BAD_REQUEST, "the form is to be one of publish-options");
        return false;
    }
    struct buf b = BUF_INIT(PUSH_OPTIONS_MAX);
    xmlout_node(&b, form, NS_CLIENT);
    bool fits = !b.over;
    if (fits)
        *out = arena_copy(in->a, buf_get(&b));
    else
        in_error(in, COND_NOT_ACCEPTABLE, "the form is too large");
    buf_fini(&b);
    return fits;
}

static enum handled on_enable(struct incoming *in)
{
    struct push_service service = { .node = node_attr(in->st.payload, "node") };
    struct jid jid;
    uint64_t ticket;
    if (!in->session || !read_address(in, &jid) || !read_options(in, &service.options))
        return HANDLED;
    if (sessman_domain(
            in->sm,
            jid.domain)) { /* nobody here is one, and no client is to get requests of its server's making */
        in_error(in, COND_NOT_ACCEPTABLE, "this is no push service");
        return HANDLED;
    }
    service.jid = jid.full;
    if (push_enable(in->sm, in->session->account, &service, session_resource(in->session), &ticket) !=
        RC_OK) {
        metric_add(in->sm->metrics, M_LIMIT_PUSH, 1);
        in_error(in, COND_RESOURCE_CONSTRAINT, "too many push services");
        return HANDLED;
    }
    in_wrote(in, ticket);
    in_result(in, NULL);
    return HANDLED;
}

static enum handled on_disable(struct incoming *in)
{
    struct slice node = node_attr(in->st.payload, "node");
    struct jid jid;
    uint64_t ticket = 0;
    if (!in->session || !read_address(in, &jid))
        return HANDLED;
    if (push_disable(in->sm, in->session->account, jid.full, node_has(in->st.payload, "node") ? &node : NULL,
                     &ticket)) {
        in_wrote(in, ticket);
        in_result(in, NULL);
    } else {
        in_error(in, COND_ITEM_NOT_FOUND, NULL);
    }
    return HANDLED;
}

static enum handled on_answer(struct incoming *in)
{
    return push_answer(in) ? HANDLED : PASS;
}

/* A request that the user does not know of yet. */
static enum handled on_subscribe(struct incoming *in)
{
    struct account *a = in->target;
    if (in->st.type == PRESENCE_SUBSCRIBE && a && a->push &&
        !(roster_state(&a->roster, jid_bare(&in->st.from)) & (SUB_FROM | SUB_IN | SUB_APPROVED)))
        push_subscription(in->sm, a);
    return PASS;
}

static const struct handler handlers[] = {
    { ON_IQ_SET, NS_PUSH, "enable", TO_OWN_ACCOUNT, on_enable },
    { ON_IQ_SET, NS_PUSH, "disable", TO_OWN_ACCOUNT, on_disable },
    { ON_IQ_ANSWER, NULL, NULL, TO_DOMAIN, on_answer },
    { ON_PRESENCE_IN, NULL, NULL, TO_OWN_ACCOUNT | TO_ACCOUNT, on_subscribe },
    { 0 },
};
static const char *const features[] = { NS_PUSH, NULL };
const struct module mod_push = {
    .name = "push",
    .spec = "XEP-0357 0.4.1",
    .account_features = features,
    .handlers = handlers,
    .message_done = push_message,
};
