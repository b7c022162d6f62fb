#include "sessman/offline.h"

#include "common/base/clock.h"
#include "common/xmpp/amp.h"
#include "sessman/journal.h"
#include "sessman/pathfilter.h"

bool offline_wanted(const struct sessman *sm, const struct stanza *st)
{
    if (st->kind != STANZA_MESSAGE || (st->type != MESSAGE_NORMAL && st->type != MESSAGE_CHAT))
        return false; /* RFC 6121 8.5.2.2: others are never stored */
    enum pathfilter_says says = pathfilter_match(sm->offline_filter, st->node);
    return says == PATHFILTER_NOTHING ? journal_qualifies(st) : says == PATHFILTER_YES;
}

uint64_t offline_sender_limit(const struct sessman *sm, const struct account *a)
{
    const struct sessman_conf *c = sm->conf;
    if (c->offline_user_limit && a->offline_limit == OFFLINE_LIMIT_NONE)
        return UINT64_MAX;
    if (c->offline_user_limit && a->offline_limit >= 0) /* the maximum may have been lowered since */
        return a->offline_limit < c->offline_user_limit_max ? (uint64_t)a->offline_limit
                                                            : c->offline_user_limit_max;
    return c->offline_per_sender ? c->offline_per_sender : UINT64_MAX;
}

enum offline_fate offline_decide(const struct sessman *sm, const struct account *a, const struct stanza *st,
                                 uint64_t kept, uint64_t kept_of_sender)
{
    const struct domain *d = sessman_domain(sm, account_domain(a));
    if (!offline_wanted(sm, st))
        return OFFLINE_DROP;
    if ((d && !d->offline) || a->anonymous)
        return OFFLINE_REFUSE;
    if (kept < sm->conf->offline_max && kept_of_sender < offline_sender_limit(sm, a))
        return OFFLINE_KEEP;
    return sm->conf->offline_over == OFFLINE_OVER_DROP ? OFFLINE_DROP : OFFLINE_REFUSE;
}

bool offline_admit(struct incoming *in, uint64_t kept, uint64_t kept_of_sender)
{
    enum offline_fate fate = offline_decide(in->sm, in->target, &in->st, kept, kept_of_sender);
    if (fate == OFFLINE_KEEP)
        return true;
    if (fate == OFFLINE_DROP && !offline_wanted(in->sm, &in->st))
        return false; /* not of a kind that anybody misses */
    struct log_ctx log = sessman_log(in->sm, LOG_XMPP);
    LOG_DEBUG(&log, "offline_refused", F_STR("account", in->target->bare), F_UINT("kept", kept),
              F_UINT("of_sender", kept_of_sender));
    metric_add(in->sm->metrics, M_OFFLINE_REFUSED, 1);
    if (fate == OFFLINE_REFUSE)
        in_error(in, COND_SERVICE_UNAVAILABLE, "no message is kept for this account now");
    return false;
}

enum offline_fate offline_outlook(const struct incoming *in)
{
    return offline_decide(
        in->sm, in->target, &in->st, in->target->offline_n,
        journal_unsent_of(in->sm, in->target, in->st.has_from ? jid_bare(&in->st.from) : SLICE_NONE));
}

bool offline_expired(struct sessman *sm, struct arena *a, struct node *message)
{
    struct amp amp;
    struct stanza st;
    enum stanza_cond cond;
    const struct amp_rule *rule;
    if (!node_find(message, "amp", NS_AMP) || stanza_read(a, message, &st, &cond) != RC_OK || !st.has_from ||
        !st.has_to || amp_read(a, &st, SIZE_MAX, &amp) != AMP_FINE)
        return false;
    rule = amp_expired(&amp, clock_wall_ms());
    if (!rule)
        return false;
    metric_add(sm->metrics, M_AMP_MET, 1);
    struct node *event = amp_event(a, &st, rule, st.to.domain);
    if (event)
        dispatch_stanza(sm, event, 0);
    return rule->action != AMP_NOTIFY;
}

void offline_reconf(struct sessman *sm)
{
    const struct conf_list *list = &sm->conf->offline_filter;
    struct pathfilter *f = NULL;
    struct why why;
    if (pathfilter_new((const char *const *)list->items, list->n, &f, &why) != RC_OK)
        return; /* conf.c has seen that it is right */
    pathfilter_free(&sm->offline_filter);
    sm->offline_filter = f;
}

void offline_fini(struct sessman *sm)
{
    pathfilter_free(&sm->offline_filter);
}
