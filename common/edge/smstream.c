/* common/edge/smstream.c - stream management on a client's stream (XEP-0198): its elements; the counting is
 * in common/edge
 *
 * On a stream that is managed nothing that counts is answered here: what answers a stanza goes to the session
 * manager as an echo and comes back in the session's order (DESIGN 2). */
#include "common/edge/negotiate.h"

#include "common/edge/smelement.h"

enum { MISPLACED_MAX = 10 }; /* before login */

static struct buf *scratch(struct client *c)
{
    buf_reset(&c->d->scratch);
    return &c->d->scratch;
}

static void failed(struct client *c, enum stanza_cond cond, const uint32_t *h)
{
    METRIC_INC(c->d->metrics, M_SM_FAILED);
    smelement_write_failed(scratch(c), cond, h);
    client_write(c, buf_get(&c->d->scratch));
}

void smstream_misplaced(struct client *c, struct arena *a, struct node *n)
{
    (void)a;
    (void)n;
    if (c->nego && ++c->nego->early > MISPLACED_MAX)
        client_fail(c, STREAM_POLICY_VIOLATION, "too many requests before login");
    else
        failed(c, COND_UNEXPECTED_REQUEST, NULL); /* XEP-0198 3: after the resource is bound */
}

/* --- resumption --- */

void smstream_on_resume(struct client *c, struct arena *a, struct node *n)
{
    struct control_resume r;
    (void)a;
    if (smelement_read_resume(n, &r) != RC_OK) {
        failed(c, COND_BAD_REQUEST, NULL);
    } else if (r.previd.len > SM_PREVID_MAX) { /* none of ours */
        failed(c, COND_ITEM_NOT_FOUND, NULL);
    } else {
        c->state = CLIENT_BINDING;
        esession_resume(c->d->edge, &c->session, &r);
    }
}

void smstream_resumed(struct esession *s, const struct control_resumed *r)
{
    struct client *c = CONTAINER(s, struct client, session);
    struct client_log log;
    METRIC_INC(c->d->metrics, M_SM_RESUMED);
    LOG_INFO(client_log(c, &log, LOG_XMPP, "resume"), "resumed", F_SLICE("jid", esession_jid(s)),
             F_UINT("session", s->id), F_UINT("h", r->in));
    smelement_write_resumed(scratch(c), r);
    client_write(c, buf_get(&c->d->scratch));
    client_bound(c);
}

static void too_high(struct client *c, uint32_t h, uint32_t sent)
{
    struct buf app = BUF_INIT(0);
    METRIC_INC(c->d->metrics, M_SM_TOO_HIGH);
    smelement_write_too_high(&app, h, sent);
    client_fail_app(c, STREAM_UNDEFINED_CONDITION, "more was acknowledged than was sent", buf_get(&app));
    buf_fini(&app);
}

void smstream_resume_failed(struct esession *s, const struct control_resume_failed *no)
{
    struct client *c = CONTAINER(s, struct client, session);
    c->state = CLIENT_AUTHED; /* it may bind a resource: XEP-0198 5 */
    if (no->too_high)
        too_high(c, no->h, no->sent);
    else
        failed(c, no->cond, no->has_h ? &no->h : NULL);
}

/* --- on a bound stream --- */

void smstream_on_enable(struct client *c, struct arena *a, const struct node *n)
{
    struct control_sm_enable enable;
    (void)a;
    if (c->session.sm) { /* XEP-0198 3: at most once */
        failed(c, COND_UNEXPECTED_REQUEST, NULL);
        client_fail(c, STREAM_POLICY_VIOLATION, "stream management is enabled already");
    } else if (smelement_read_enable(n, &enable) != RC_OK) {
        failed(c, COND_BAD_REQUEST, NULL);
    } else {
        esession_sm_enable(c->d->edge, &c->session, &enable);
    }
}

void smstream_enabled(struct esession *s, const struct control_sm_enabled *e)
{
    struct client *c = CONTAINER(s, struct client, session);
    METRIC_INC(c->d->metrics, M_SM_ENABLED);
    smelement_write_enabled(scratch(c), e, slice_cstr(c->d->conf->location));
    client_write(c, buf_get(&c->d->scratch));
}

void smstream_on_a(struct client *c, struct arena *a, const struct node *n)
{
    uint32_t h;
    (void)a;
    if (!c->session.sm)
        failed(c, COND_UNEXPECTED_REQUEST, NULL);
    else if (smelement_read_a(n, &h) != RC_OK)
        failed(c, COND_BAD_REQUEST, NULL);
    else if (esession_acked(c->d->edge, &c->session, h) == SM_ACK_TOO_HIGH)
        too_high(c, h, (uint32_t)c->session.sm->n.out);
}

void smstream_on_r(struct client *c, struct arena *a, const struct node *n)
{
    (void)a, (void)n;
    if (c->session.sm)
        esession_request(c->d->edge, &c->session);
    else
        failed(c, COND_UNEXPECTED_REQUEST, NULL);
}

void smstream_late(struct client *c, struct arena *a, const struct node *n)
{
    (void)a, (void)n;
    failed(c, COND_UNEXPECTED_REQUEST, NULL); /* XEP-0198 5: instead of binding a resource */
}

void smstream_handled(struct esession *s, uint32_t h)
{
    struct client *c = CONTAINER(s, struct client, session);
    smelement_write_a(scratch(c), h);
    client_write(c, buf_get(&c->d->scratch));
}

void smstream_ask_client(struct esession *s)
{
    struct client *c = CONTAINER(s, struct client, session);
    smelement_write_r(scratch(c));
    client_write(c, buf_get(&c->d->scratch));
}

bool smstream_probe(struct client *c)
{
    if (!c->session.sm || !c->session.sm->enabled)
        return false;
    smelement_write_r(scratch(c));
    client_write(c, buf_get(&c->d->scratch));
    return true;
}
