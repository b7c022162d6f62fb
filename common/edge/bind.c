/* common/edge/bind.c - resource binding (RFC 6120 7) and the session element of old (RFC 3921 3, RFC
 * 6121 1.4) */
#include "common/edge/negotiate.h"

#include "common/base/mem.h"

static void answer_empty(struct client *c, struct arena *a, const struct stanza *s)
{
    struct node *reply = stanza_reply(a, s);
    if (c->session.jid_len)
        node_set(a, reply, "to", esession_jid(&c->session));
    client_answer_node(c, reply);
}

static bool for_server(const struct client *c, const struct stanza *s)
{
    return !s->has_to || slice_is(s->to.full, c->nego->domain);
}

void bind_on_iq(struct client *c, struct arena *a, struct node *n)
{
    struct stanza s;
    struct slice resource = SLICE_NONE, given;
    enum stanza_cond cond = COND_BAD_REQUEST;
    memset(&s, 0, sizeof s);
    if (stanza_read(a, n, &s, &cond) != RC_OK) {
        client_answer(c, a, &s, cond);
        return;
    }
    bool binds = s.payload && node_is(s.payload, "bind", NS_BIND);
    bool session = s.payload && node_is(s.payload, "session", NS_SESSION);
    if (!(binds || session) || !for_server(c, &s)) {
        client_fail(c, STREAM_NOT_AUTHORIZED, "bind a resource first"); /* RFC 6120 7.1 */
        return;
    }
    if (s.type != IQ_SET) {
        client_answer(c, a, &s, COND_BAD_REQUEST);
        return;
    }
    if (session) {
        answer_empty(c, a, &s);
        return;
    }
    given = node_child_text(a, s.payload, "resource", NS_BIND);
    if (given.len && jid_prepare_resource(a, given, &resource, NULL) != RC_OK) {
        client_answer(c, a, &s, COND_BAD_REQUEST); /* RFC 6120 7.7.2.1 */
        return;
    }
    mem_free(c->nego->bind_id);
    c->nego->bind_id = mem_copy(s.id);
    c->state = CLIENT_BINDING;
    esession_bind(c->d->edge, &c->session, resource);
}

void bind_bound(struct esession *s)
{
    struct client *c = CONTAINER(s, struct client, session);
    struct buf *out = &c->d->scratch;
    struct client_log log;
    buf_reset(out);
    BUF_LIT(out, "<iq type='result'");
    xmlout_attr(out, "id", slice_cstr(c->nego->bind_id));
    BUF_LIT(out, "><bind xmlns='" NS_BIND "'><jid>");
    xmlout_text(out, esession_jid(s));
    BUF_LIT(out, "</jid></bind></iq>");
    client_write(c, buf_get(out));
    LOG_INFO(client_log(c, &log, LOG_XMPP, "bind"), "bound", F_SLICE("jid", esession_jid(s)),
             F_UINT("session", s->id));
    client_bound(c);
}

void bind_refused(struct esession *s, const struct control_bind_refused *no)
{
    struct client *c = CONTAINER(s, struct client, session);
    struct buf *out = &c->d->scratch;
    c->state = CLIENT_AUTHED;
    METRIC_INC(c->d->metrics, M_STANZA_ERRORS);
    buf_reset(out);
    BUF_LIT(out, "<iq type='error'");
    xmlout_attr(out, "id", slice_cstr(c->nego->bind_id));
    BUF_LIT(out, "><error");
    xmlout_attr(out, "type", slice_cstr(stanza_cond_type(no->cond)));
    buf_fmt(out, "><%s xmlns='" NS_STANZA_ERROR "'/>", stanza_cond_name(no->cond));
    if (no->text.len) {
        BUF_LIT(out, "<text xmlns='" NS_STANZA_ERROR "' xml:lang='en'>");
        xmlout_text(out, no->text);
        BUF_LIT(out, "</text>");
    }
    BUF_LIT(out, "</error></iq>");
    client_write(c, buf_get(out));
}

bool bind_late(struct client *c, struct arena *a, const struct stanza *s)
{
    if (s->type != IQ_SET || !s->payload)
        return false;
    bool binds = node_is(s->payload, "bind", NS_BIND);
    if (!binds && !node_is(s->payload, "session", NS_SESSION))
        return false;
    struct slice bare = slice_to(esession_jid(&c->session), c->session.bare_len);
    if (s->has_to && !slice_eq(s->to.full, bare) && !slice_eq(s->to.full, jid_domain_in(bare)))
        return false;
    if (binds) /* one resource a stream: RFC 6120 7.1 */
        client_answer(c, a, s, COND_NOT_ALLOWED);
    else
        answer_empty(c, a, s);
    return true;
}
