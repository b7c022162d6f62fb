/* s2s/policy.c - what is asked of a connection: who may be connected with, TLS, a certificate */
#include "s2s/s2s.h"

bool policy_matches(const char *pattern, struct slice domain)
{
    struct slice p = slice_cstr(pattern);
    if (slice_is(p, "*"))
        return true;
    if (!slice_starts(p, SLICE("*.")))
        return slice_eq(p, domain);
    p = slice_from(p, 1);
    return domain.len > p.len && slice_eq(slice_from(domain, domain.len - p.len), p);
}

static bool listed(const struct conf_list *list, struct slice domain)
{
    for (size_t i = 0; i < list->n; i++) {
        if (policy_matches(list->items[i], domain))
            return true;
    }
    return false;
}

/* The first section that speaks of it decides. */
static void refine(struct policy *p, const struct s2s_domain *list, struct slice domain)
{
    bool tls = false, certificate = false;
    for (const struct s2s_domain *it = list; it; it = it->next) {
        if (!policy_matches(it->name, domain))
            continue;
        if (!tls && it->require_tls != POLICY_AS_ABOVE)
            p->tls = it->require_tls == POLICY_YES;
        if (!certificate && it->require_certificate != POLICY_AS_ABOVE)
            p->certificate = it->require_certificate == POLICY_YES;
        tls = tls || it->require_tls != POLICY_AS_ABOVE;
        certificate = certificate || it->require_certificate != POLICY_AS_ABOVE;
    }
}

struct policy policy_of(const struct s2s_conf *conf, struct slice local, struct slice remote)
{
    struct policy p = { .tls = conf->require_tls, .certificate = conf->require_certificate };
    p.blocked = listed(&conf->block, remote) || (conf->allow.n && !listed(&conf->allow, remote));
    refine(&p, conf->domains, local);
    refine(&p, conf->remotes, remote); /* what is said of a remote domain goes before what is said of ours */
    if (p.certificate)
        p.tls = true; /* without TLS there is none */
    return p;
}
