/* common/edge/sasl2.c - SASL2: one request that logs in, binds and resumes (XEP-0388, 0386, 0484, 0509)
 *
 * Its steps are those of sasl_relay.c. What is asked for beside the login is the session manager's business;
 * here is seen to it that the request is well-formed, that what it uses was offered, and that it was made in
 * knowledge of the features as they are. */
#include "common/edge/negotiate.h"

#include "common/base/mem.h"
#include "common/base/text.h"

/* XEP-0509 2.2: without prejudice: no attempt is counted, until it is plain that the client does not learn.
 */
static void send_back(struct client *c)
{
    struct client_log log;
    METRIC_INC(c->d->metrics, M_AUTH_STALE);
    LOG_DEBUG(client_log(c, &log, LOG_AUTH, "sasl"), "auth_stale", F_UINT("times", c->nego->stale + 1));
    client_write(c, SLICE("<failure xmlns='" NS_SASL2 "'><aborted xmlns='" NS_SASL "'/>"
                          "<config-version-mismatch xmlns='" NS_IAP "'/></failure>"));
    if (++c->nego->stale >= c->d->conf->attempts) {
        METRIC_INC(c->d->metrics, M_LIMIT_ATTEMPTS);
        client_fail(c, STREAM_POLICY_VIOLATION, "too many attempts to log in");
    }
}

static void begin(struct client *c, struct arena *a, const struct node *request, struct slice initial)
{
    struct nego *n = c->nego;
    struct slice key =
        esession_key(a, slice_cstr(n->mechanism), initial, sasl_cert_jid(c), slice_cstr(n->domain));
    n->wants_initial = false;
    if (negotiate_open(c, a, key) != RC_OK) {
        METRIC_INC(c->d->metrics, M_TEMPORARY);
        sasl_refuse(c, SASL_TEMPORARY_AUTH_FAILURE, "the accounts cannot be reached now");
        return;
    }
    c->state = CLIENT_ASKED;
    esession_authenticate(c->d->edge, &c->session, n->from ? slice_cstr(n->from) : SLICE_NONE, request);
    arena_free(&n->held);
}

/* Our mechanisms all begin with the client: RFC 4422 5. The request waits for what it lacks. */
static void hold(struct client *c, const struct node *request)
{
    c->nego->held = arena_new(1024, 0);
    c->nego->request = node_copy(c->nego->held, request);
    c->nego->wants_initial = true;
    c->state = CLIENT_STEP;
    client_write(c, SLICE("<challenge xmlns='" NS_SASL2 "'/>"));
}

void sasl2_initial(struct client *c, struct arena *a, struct slice data)
{
    struct arena *held = c->nego->held;
    struct node *response = node_add(held, c->nego->request, "initial-response", NS_SASL2);
    node_add_text(held, response, base64_encode(held, data));
    begin(c, a, c->nego->request, data);
}

/* Whether what it uses was offered on this stream. A token logs in by a mechanism of its own, and by no
 * other. */
static enum sasl_fail usable(const struct client *c, struct arena *a, const struct sasl2_request *r)
{
    struct slice tokens = negotiate_fast(c, a);
    if (features_lists(tokens, r->mechanism))
        return r->fast && r->agent.len ? SASL_OK : SASL_MALFORMED_REQUEST; /* XEP-0484 3.4, 4.1 */
    if (!features_lists(negotiate_mechanisms(c, a), r->mechanism))
        return SASL_INVALID_MECHANISM;
    return r->fast ? SASL_MALFORMED_REQUEST : SASL_OK;
}

void sasl2_on_authenticate(struct client *c, struct arena *a, struct node *n)
{
    struct sasl2_request r;
    if (!c->d->conf->sasl2) { /* not offered: unknown */
        client_fail(c, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
        return;
    }
    c->nego->sasl2 = true;
    if (!negotiate_may_login(c)) {
        sasl_refuse(c, SASL_ENCRYPTION_REQUIRED, NULL);
        return;
    }
    if (!negotiate_domain(c)) {
        sasl_refuse(c, SASL_TEMPORARY_AUTH_FAILURE, "the domain is not served any more");
        return;
    }
    enum sasl_fail wrong = sasl2_read(a, n, &r);
    if (wrong == SASL_OK && r.has_version && !slice_is(r.version, c->nego->version)) {
        send_back(c);
        return;
    }
    if (wrong == SASL_OK)
        wrong = usable(c, a, &r);
    if (wrong != SASL_OK) {
        sasl_refuse(c, wrong, NULL);
        return;
    }
    if (sasl_over_rate(c))
        return;
    sasl_mechanism_set(c, r.mechanism);
    if (r.has_initial)
        begin(c, a, n, r.initial);
    else
        hold(c, n);
}

/* --- what comes back --- */

static void write_success(struct client *c, struct arena *a, const struct control_authenticated *ok)
{
    struct buf *out = &c->d->scratch;
    buf_reset(out);
    BUF_LIT(out, "<success xmlns='" NS_SASL2 "'>");
    if (ok->has_data) {
        BUF_LIT(out, "<additional-data>");
        buf_slice(out, base64_encode(a, ok->data));
        BUF_LIT(out, "</additional-data>");
    }
    BUF_LIT(out, "<authorization-identifier>");
    xmlout_text(out, ok->full.len ? ok->full : ok->user);
    BUF_LIT(out, "</authorization-identifier>");
    if (ok->full.len && !ok->resumed) {
        BUF_LIT(out, "<bound xmlns='" NS_BIND2 "'>");
        buf_slice(out, ok->bound);
        BUF_LIT(out, "</bound>");
    }
    buf_slice(out, ok->more);
    BUF_LIT(out, "</success>");
    client_write(c, buf_get(out));
}

void sasl2_authenticated(struct esession *s, const struct control_authenticated *ok)
{
    struct client *c = CONTAINER(s, struct client, session);
    const struct edge_domain *domain = negotiate_domain(c);
    struct client_log log;
    if (!c->nego->sasl2 || !domain) {
        client_fail(c, domain ? STREAM_INTERNAL_SERVER_ERROR : STREAM_HOST_GONE, NULL);
        return;
    }
    struct arena *a = arena_take(c->d->arenas);
    sasl_succeeded(c, ok->user);
    METRIC_INC(c->d->metrics, M_AUTH_SASL2);
    if (ok->resumed)
        METRIC_INC(c->d->metrics, M_SM_RESUMED);
    else if (ok->sm)
        METRIC_INC(c->d->metrics, M_SM_ENABLED);
    write_success(c, a, ok);
    c->state = ok->full.len ? CLIENT_BINDING : CLIENT_AUTHED;
    c->via->logged_in(c, false); /* the stream goes on: XEP-0388 2.6.1 */
    if (!ok->resumed)            /* XEP-0198 9.2: the stream is what it was */
        negotiate_features(c, a, domain);
    arena_give(c->d->arenas, &a);
    if (ok->full.len) {
        LOG_INFO(client_log(c, &log, LOG_XMPP, "bind"), ok->resumed ? "resumed" : "bound",
                 F_SLICE("jid", ok->full), F_UINT("session", s->id));
        client_bound(c);
    }
}
