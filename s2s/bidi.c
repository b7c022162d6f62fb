/* s2s/bidi.c - XEP-0288: one connection for both directions */
#include "s2s/in.h"
#include "s2s/link.h"

void bidi_on_request(struct wire *w, struct arena *a, struct node *n)
{
    (void)a;
    (void)n;
    if (w->d->conf->bidi) /* not offered otherwise; then it says nothing */
        w->bidi = true;
}

void bidi_proven(struct in *in, struct slice local, struct slice remote)
{
    struct s2s *d = in->w.d;
    if (!in->w.bidi || in->w.over || link_ours(d, local) == OURS_NOT)
        return;
    struct pair *p = pair_get(d, local, remote);
    if (!p || p->via)
        return; /* what is there goes on: nothing may overtake */
    METRIC_INC(d->metrics, M_BIDI);
    pair_via(p, &in->w);
}
