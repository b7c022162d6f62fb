/* sessman/mod/anonymous.c - what anonymous accounts may not do (XEP-0175 4): nothing that would have to be
 * remembered, and nothing of rosters; sessman/anonymous.h is what they are */
#include "sessman/account.h"
#include "sessman/anonymous.h"
#include "sessman/module.h"
#include "sessman/session.h"

static bool is_theirs(const struct incoming *in)
{
    return in->session && in->session->account && in->session->account->anonymous;
}

static enum handled forbid(struct incoming *in)
{
    if (!is_theirs(in))
        return PASS;
    in_error(in, COND_FORBIDDEN, "not for anonymous users");
    return HANDLED;
}

static bool is_subscription(enum stanza_type t)
{
    return t == PRESENCE_SUBSCRIBE || t == PRESENCE_SUBSCRIBED || t == PRESENCE_UNSUBSCRIBE ||
           t == PRESENCE_UNSUBSCRIBED;
}

static enum handled subscription_out(struct incoming *in)
{
    return is_subscription(in->st.type) ? forbid(in) : PASS;
}

static enum handled subscription_in(struct incoming *in)
{
    if (!is_subscription(in->st.type) || !in->target || !in->target->anonymous)
        return PASS;
    if (in->st.type == PRESENCE_SUBSCRIBE)
        in_error(in, COND_NOT_ALLOWED, "an anonymous user");
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_SET, NS_ROSTER, "query", TO_OWN_ACCOUNT | TO_DOMAIN, forbid },
    { ON_IQ_GET | ON_IQ_SET, NS_REGISTER, "query", TO_OWN_ACCOUNT | TO_DOMAIN, forbid },
    { ON_IQ_SET, NS_PUSH, "enable", TO_OWN_ACCOUNT | TO_DOMAIN, forbid },
    { ON_IQ_GET, NS_UPLOAD, "request", TO_DOMAIN, forbid },
    { ON_PRESENCE_OUT, NULL, NULL, TO_OWN_ACCOUNT | TO_ACCOUNT | TO_RESOURCE | TO_ELSEWHERE | TO_DOMAIN,
      subscription_out },
    { ON_PRESENCE_IN, NULL, NULL, TO_OWN_ACCOUNT | TO_ACCOUNT | TO_RESOURCE, subscription_in },
    { 0 },
};

static void on_session_end(struct sessman *sm, struct session *s)
{
    anonymous_session_end(sm, s->account);
}

const struct module mod_anonymous = {
    .name = "anonymous",
    .spec = "XEP-0175 1.2.1",
    .handlers = handlers,
    .session_end = on_session_end,
};
