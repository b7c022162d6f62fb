/* common/edge/nonza.c - elements of a bound stream that are no stanzas, by a table */
#include "common/edge/negotiate.h"

static void on_csi(struct client *c, struct arena *a, const struct node *n) /* XEP-0352 4.2 */
{
    (void)a;
    esession_csi(c->d->edge, &c->session, slice_is(n->name, "active"));
    if (esession_full(c->d->edge, &c->session))
        c->waits_room = true;
}

static const struct {
    const char *name, *ns;
    void (*take)(struct client *c, struct arena *a, const struct node *n);
} nonzas[] = {
    { "active", NS_CSI, on_csi },       { "inactive", NS_CSI, on_csi },
    { "r", NS_SM, smstream_on_r }, /* XEP-0198 4 */
    { "a", NS_SM, smstream_on_a },      { "enable", NS_SM, smstream_on_enable },
    { "resume", NS_SM, smstream_late },
};

bool nonza_take(struct client *c, struct arena *a, const struct node *n)
{
    for (size_t i = 0; i < sizeof nonzas / sizeof *nonzas; i++) {
        if (node_is(n, nonzas[i].name, nonzas[i].ns)) {
            nonzas[i].take(c, a, n);
            return true;
        }
    }
    return false;
}
