/* common/edge/register.c - in-band registration before login: its requests go to the session manager
 * (XEP-0077 3.1)
 */
#include "common/edge/negotiate.h"

enum { EARLY_MAX = 20 }; /* requests on a stream that is not logged in */

void register_on_iq(struct client *c, struct arena *a, struct node *n)
{
    struct stanza s;
    enum stanza_cond cond = COND_BAD_REQUEST;
    const struct edge_domain *domain = negotiate_domain(c);
    memset(&s, 0, sizeof s);
    enum rc rc = stanza_read(a, n, &s, &cond);
    bool asks = s.payload && node_is(s.payload, "query", NS_REGISTER) && negotiate_may_login(c) && domain &&
                (!s.has_to || slice_eq(s.to.full, domain->name));
    if (!asks) { /* RFC 6120 4.9.3.12 */
        client_fail(c, STREAM_NOT_AUTHORIZED, NULL);
        return;
    }
    if (node_has(n, "from")) {
        client_fail(c, STREAM_INVALID_FROM, NULL);
        return;
    }
    if (++c->nego->early > EARLY_MAX) {
        client_fail(c, STREAM_POLICY_VIOLATION, "too many requests before login");
        return;
    }
    if (rc != RC_OK) {
        client_answer(c, a, &s, cond);
        return;
    }
    if (!domain->registration) {
        client_answer(c, a, &s, COND_NOT_ALLOWED);
        return;
    }
    struct slice user = node_child_text(a, s.payload, "username", NS_REGISTER);
    if (negotiate_open(c, a, esession_key_of_user(a, user, domain->name)) != RC_OK) {
        METRIC_INC(c->d->metrics, M_TEMPORARY);
        client_answer(c, a, &s, COND_SERVICE_UNAVAILABLE);
        return;
    }
    buf_reset(&c->d->scratch);
    xmlout_node(&c->d->scratch, n, NS_CLIENT);
    esession_send(c->d->edge, &c->session, buf_get(&c->d->scratch));
    METRIC_INC(c->d->metrics, M_STANZAS_IN);
}
