/* sessman/mod/offline.c - offline storage as its owner and the administrator see it (XEP-0160): the limit
 * that a user sets for messages of one sender, and the domains that keep none
 *
 * <msgoffline xmlns='msgoffline' limit='N|false'/> is Tigase's: an IQ set to one's own account, answered with
 * the same; an IQ get tells what is in force. No other form is taken: Tigase knows none with presence. The
 * work is the journal's. */
#include "sessman/module.h"
#include "sessman/offline.h"

#define SET_OFFLINE "urn:bulkhead:commands:set-offline"

static void answer_limit(struct incoming *in)
{
    uint64_t limit = offline_sender_limit(in->sm, in->target);
    struct node *n = node_new(in->a, "msgoffline", NS_OFFLINE_FEATURE);
    node_set(in->a, n, "limit",
             limit == UINT64_MAX ? SLICE("false") : arena_fmt(in->a, "%llu", (unsigned long long)limit));
    in_result(in, n);
}

static enum handled on_limit_get(struct incoming *in)
{
    answer_limit(in);
    return HANDLED;
}

static enum handled on_limit_set(struct incoming *in)
{
    struct slice text = node_attr(in->st.payload, "limit");
    uint64_t limit = 0;
    if (!in->sm->conf->offline_user_limit) {
        in_error(in, COND_NOT_ALLOWED, "users do not set this here");
        return HANDLED;
    }
    bool none = slice_is(text, "false") || slice_is(text, "none");
    enum rc rc = none ? RC_OK : slice_u64(text, in->sm->conf->offline_user_limit_max, &limit);
    if (rc == RC_OK) {
        in->target->offline_limit = none ? OFFLINE_LIMIT_NONE : (int64_t)limit;
        in_wrote(in, store_run(in->sm->store, STMT_ACCOUNT_OFFLINE_LIMIT,
                               STORE_VALUES(STORE_I(in->target->id), STORE_I(in->target->offline_limit)),
                               NULL, NULL));
        answer_limit(in);
    } else if (rc == RC_LIMIT) {
        in_error(in, COND_NOT_ACCEPTABLE,
                 arena_fmt(in->a, "at most %u", (unsigned)in->sm->conf->offline_user_limit_max).p);
    } else {
        in_error(in, COND_BAD_REQUEST, "limit is a number or false");
    }
    return HANDLED;
}

/* --- per domain --- */

static const struct command_field set_offline_fields[] = {
    { .var = "domain", .type = FIELD_JID, .label = "Domain", .required = true },
    { .var = "kept",
      .type = FIELD_BOOLEAN,
      .label = "Messages are kept for those who are away",
      .required = true,
      .value = "1" },
    { 0 },
};

static void set_offline(struct adhoc *c)
{
    struct slice name;
    if (!adhoc_domain(c, true, &name))
        return;
    sessman_domain_offline(adhoc_sessman(c), name, adhoc_true(c, "kept"));
    adhoc_done(c, NULL, "Done.");
}

static const struct handler handlers[] = {
    { ON_IQ_GET, NS_OFFLINE_FEATURE, "msgoffline", TO_OWN_ACCOUNT, on_limit_get },
    { ON_IQ_SET, NS_OFFLINE_FEATURE, "msgoffline", TO_OWN_ACCOUNT, on_limit_set },
    { 0 },
};
static const struct command commands[] = {
    { SET_OFFLINE, "Keep messages for who is away, or not", ADHOC_ADMIN, ADHOC_CHANGES, set_offline_fields,
      set_offline },
    { 0 },
};
static bool offered(const struct sessman *sm, const struct domain *d)
{
    (void)sm;
    return d->offline;
}

static const char *const features[] = { NS_OFFLINE_FEATURE, NULL };
const struct module mod_offline = {
    .name = "offline",
    .spec = "XEP-0160 1.0.1",
    .features = features,
    .offered = offered,
    .handlers = handlers,
    .commands = commands,
};
