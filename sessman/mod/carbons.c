/* sessman/mod/carbons.c - message carbons (XEP-0280): on and off, and carbons that nobody but this server may
 * make
 *
 * The copies themselves are made by the core (carbons.h), where it is known who got the original. */
#include "sessman/carbons.h"
#include "sessman/module.h"
#include "sessman/restore.h"
#include "sessman/session.h"

static enum handled on_enable(struct incoming *in)
{
    if (!in->session)
        return HANDLED;
    carbons_enable(in->sm, in->session, slice_is(in->st.payload->name, "enable"));
    in_wrote(in, session_dirty(in->sm, in->session));
    in_result(in, NULL);
    return HANDLED;
}

/* XEP-0280 4, 5: of somebody else's resources, or by who has none here. */
static enum handled on_elsewhere(struct incoming *in)
{
    in_error(in, COND_NOT_ALLOWED, NULL);
    return HANDLED;
}

/* XEP-0280 12: clients must not believe a carbon that is not of their own bare JID, and have (CVE-2017-5589):
 * none is passed on. */
static void strip(struct incoming *in)
{
    if (!carbons_strip(in->st.node))
        return;
    struct log_ctx log = sessman_log(in->sm, LOG_XMPP);
    metric_add(in->sm->metrics, M_CARBONS_FORGED, 1);
    LOG_INFO(&log, "carbon_forged", F_SLICE("from", in->st.from.full), F_SLICE("to", in->st.to.full));
}

static enum handled on_out(struct incoming *in)
{
    strip(in);
    return PASS;
}

static enum handled on_in(struct incoming *in)
{
    if (!in->from_session) /* seen before otherwise */
        strip(in);
    return PASS;
}

static void on_bind(struct sessman *sm, struct session *s, struct arena *a, const struct node *request,
                    struct buf *out)
{
    (void)a;
    (void)request;
    (void)out;
    carbons_enable(sm, s, true);
}

static const struct bind_inline binds[] = {
    { NS_CARBONS, "enable", on_bind },
    { 0 },
};
#define ANYBODY (TO_DOMAIN | TO_OWN_ACCOUNT | TO_ACCOUNT | TO_RESOURCE | TO_ELSEWHERE)
static const struct handler handlers[] = {
    { ON_IQ_SET, NS_CARBONS, "enable", TO_OWN_ACCOUNT, on_enable },
    { ON_IQ_SET, NS_CARBONS, "disable", TO_OWN_ACCOUNT, on_enable },
    { ON_IQ_SET, NS_CARBONS, NULL, TO_DOMAIN | TO_ACCOUNT, on_elsewhere },
    { ON_MESSAGE_OUT, NULL, NULL, ANYBODY, on_out },
    { ON_MESSAGE_IN, NULL, NULL, ANYBODY, on_in },
    { 0 },
};
static const char *const features[] = { NS_CARBONS, NS_CARBONS_RULES, NULL };
const struct module mod_carbons = {
    .name = "carbons",
    .spec = "XEP-0280 1.0.1",
    .features = features,
    .account_features = features,
    .handlers = handlers,
    .binds = binds,
};
