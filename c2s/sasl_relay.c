/* c2s/sasl_relay.c - SASL steps to the session manager and back (RFC 6120 6, XEP-0178, XEP-0440, XEP-0474)
 *
 * Nothing is decided here but what can be seen without an account: whether the mechanism was offered, whether
 * the bytes are base64, how many attempts there were. */
#include "c2s/negotiate.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/edge/check.h"

static const struct {
    enum c2s_metric ok, failed;
} mech_metrics[] = {
    [MECH_SCRAM] = { M_AUTH_SCRAM_OK, M_AUTH_SCRAM_FAILED },
    [MECH_PLUS] = { M_AUTH_PLUS_OK, M_AUTH_PLUS_FAILED },
    [MECH_PLAIN] = { M_AUTH_PLAIN_OK, M_AUTH_PLAIN_FAILED },
    [MECH_EXTERNAL] = { M_AUTH_EXTERNAL_OK, M_AUTH_EXTERNAL_FAILED },
};

static enum mech mech_of(const char *name)
{
    size_t len = strlen(name);
    if (strcmp(name, "PLAIN") == 0)
        return MECH_PLAIN;
    if (strcmp(name, "EXTERNAL") == 0)
        return MECH_EXTERNAL;
    return len > 5 && strcmp(name + len - 5, "-PLUS") == 0 ? MECH_PLUS : MECH_SCRAM;
}

/* The attempt is over; after too many the stream is too (RFC 6120 6.4.5). */
static void fail(struct client *c, enum sasl_fail cond, struct slice text)
{
    struct c2s *d = c->d;
    struct buf *out = &d->scratch;
    buf_reset(out);
    BUF_LIT(out, "<failure xmlns='" NS_SASL "'><");
    buf_cstr(out, sasl_fail_name(cond));
    BUF_LIT(out, "/>");
    if (text.len) {
        BUF_LIT(out, "<text xml:lang='en'>");
        xmlout_text(out, text);
        BUF_LIT(out, "</text>");
    }
    BUF_LIT(out, "</failure>");
    client_write(c, buf_get(out));
    c->state = CLIENT_OPEN;
    c->nego->wants_initial = c->nego->wants_abort = false;
    c->nego->fail_as = SASL_OK;
    if (++c->nego->attempts >= d->conf->attempts) {
        METRIC_INC(d->metrics, M_LIMIT_ATTEMPTS);
        client_fail(c, STREAM_POLICY_VIOLATION, "too many attempts to log in");
    }
}

/* Refused before anybody with an account was asked. */
static void refuse(struct client *c, enum sasl_fail cond, const char *text)
{
    struct client_log log;
    METRIC_INC(c->d->metrics, M_AUTH_BAD);
    LOG_INFO(client_log(c, &log, LOG_AUTH, "sasl"), "auth_refused", F_STR("cond", sasl_fail_name(cond)),
             F_STR("why", text));
    fail(c, cond, slice_cstr(text));
}

/* Too many failures from this address of late. */
static bool over_rate(struct client *c)
{
    struct c2s *d = c->d;
    uint64_t now = loop_now_ms(d->loop);
    return !c->trusted && rate_take(addr_rate(d->addresses, c->address, now), &d->auth_limit, now, 0) > 0;
}

/* Base64 as RFC 6120 6.4.2 has it; "=" is empty data. */
MUST_USE static enum rc decode(struct arena *a, struct slice text, struct slice *out)
{
    if (slice_is(text, "=")) {
        *out = SLICE_NONE;
        return RC_OK;
    }
    return base64_decode(a, text, out);
}

/* For EXTERNAL: the certificate's address in this domain. */
static struct slice cert_jid(const struct client *c)
{
    for (size_t i = 0; i < c->nego->n_cert_jids; i++) {
        if (slice_is(check_domain(c->nego->cert_jids[i]), c->nego->domain))
            return c->nego->cert_jids[i];
    }
    return SLICE_NONE;
}

static void begin(struct client *c, struct arena *a, struct slice initial)
{
    struct nego *n = c->nego;
    struct slice mechanism = slice_cstr(n->mechanism), domain = slice_cstr(n->domain);
    struct slice key = esession_key(a, mechanism, initial, cert_jid(c), domain);
    n->wants_initial = false;
    if (negotiate_open(c, a, key) != RC_OK) {
        METRIC_INC(c->d->metrics, M_TEMPORARY);
        refuse(c, SASL_TEMPORARY_AUTH_FAILURE, "the accounts cannot be reached now");
        return;
    }
    struct control_auth auth = { mechanism, true, initial };
    c->state = CLIENT_ASKED;
    esession_auth(c->d->edge, &c->session, &auth);
}

void sasl_on_auth(struct client *c, struct arena *a, struct node *n)
{
    const struct edge_domain *domain = negotiate_domain(c);
    struct slice mechanism = node_attr(n, "mechanism"), text = node_text(a, n), initial;
    if (!negotiate_may_login(c)) {
        refuse(c, SASL_ENCRYPTION_REQUIRED, NULL); /* RFC 6120 6.5.4 */
        return;
    }
    if (!domain) {
        refuse(c, SASL_TEMPORARY_AUTH_FAILURE, "the domain is not served any more");
        return;
    }
    if (node_child(n)) {
        refuse(c, SASL_MALFORMED_REQUEST, NULL);
        return;
    }
    if (!features_lists(negotiate_mechanisms(c, a), mechanism)) {
        refuse(c, SASL_INVALID_MECHANISM, NULL);
        return;
    }
    if (over_rate(c)) {
        METRIC_INC(c->d->metrics, M_LIMIT_AUTH_RATE);
        refuse(c, SASL_TEMPORARY_AUTH_FAILURE, "too many failed attempts from your address; wait a little");
        return;
    }
    if (decode(a, text, &initial) != RC_OK) {
        refuse(c, SASL_INCORRECT_ENCODING, NULL);
        return;
    }
    mem_free(c->nego->mechanism);
    c->nego->mechanism = mem_copy(mechanism);
    c->nego->mech = mech_of(c->nego->mechanism);
    if (text.len) {
        begin(c, a, initial);
    } else { /* our mechanisms all begin with the client: RFC 6120 6.4.2, RFC 4422 5 */
        c->nego->wants_initial = true;
        c->state = CLIENT_STEP;
        client_write(c, SLICE("<challenge xmlns='" NS_SASL "'/>"));
    }
}

void sasl_on_response(struct client *c, struct arena *a, struct node *n)
{
    struct slice data;
    if (node_child(n) || decode(a, node_text(a, n), &data) != RC_OK) {
        enum sasl_fail cond = node_child(n) ? SASL_MALFORMED_REQUEST : SASL_INCORRECT_ENCODING;
        if (c->nego->wants_initial) {
            refuse(c, cond, NULL);
        } else {
            c->nego->fail_as = cond;
            c->state = CLIENT_ASKED;
            esession_abort(c->d->edge, &c->session);
        }
        return;
    }
    if (c->nego->wants_initial) {
        begin(c, a, data);
        return;
    }
    c->state = CLIENT_ASKED;
    esession_response(c->d->edge, &c->session, data);
}

void sasl_on_abort(struct client *c, struct arena *a, struct node *n)
{
    (void)a;
    (void)n;
    if (c->state == CLIENT_ASKED) { /* when its answer is there */
        c->nego->wants_abort = true;
    } else if (c->nego->wants_initial) {
        refuse(c, SASL_ABORTED, NULL);
    } else {
        c->state = CLIENT_ASKED;
        esession_abort(c->d->edge, &c->session);
    }
}

/* --- what comes back --- */

static void write_data(struct client *c, const char *name, bool has_data, struct slice data)
{
    struct buf *out = &c->d->scratch;
    struct arena *a = arena_take(c->d->arenas);
    buf_reset(out);
    buf_fmt(out, "<%s xmlns='" NS_SASL "'>", name);
    if (has_data && data.len)
        buf_slice(out, base64_encode(a, data));
    else if (has_data)
        buf_byte(out, '=');
    buf_fmt(out, "</%s>", name);
    client_write(c, buf_get(out));
    arena_give(c->d->arenas, &a);
}

void sasl_challenge(struct esession *s, struct slice data)
{
    struct client *c = CONTAINER(s, struct client, session);
    if (c->nego->wants_abort) {
        esession_abort(c->d->edge, s);
        return;
    }
    c->state = CLIENT_STEP;
    write_data(c, "challenge", data.len > 0, data);
}

void sasl_success(struct esession *s, const struct control_success *ok)
{
    struct client *c = CONTAINER(s, struct client, session);
    struct client_log log;
    METRIC_INC(c->d->metrics, mech_metrics[c->nego->mech].ok);
    LOG_INFO(client_log(c, &log, LOG_AUTH, "sasl"), "auth_ok", F_STR("mech", c->nego->mechanism),
             F_SLICE("user", ok->user), F_UINT("tls", c->secure));
    write_data(c, "success", ok->has_data, ok->data);
    c->state = CLIENT_AUTHED; /* RFC 6120 6.4.6: a new stream */
    c->nego->has_header = false;
    xmlin_reset(&c->xml);
    c->xml.limits = &c->d->bound;
}

void sasl_failure(struct esession *s, const struct control_failure *bad)
{
    struct client *c = CONTAINER(s, struct client, session);
    struct c2s *d = c->d;
    struct client_log log;
    enum sasl_fail cond = c->nego->fail_as != SASL_OK ? c->nego->fail_as : bad->cond;
    METRIC_INC(d->metrics, mech_metrics[c->nego->mech].failed);
    LOG_INFO(client_log(c, &log, LOG_AUTH, "sasl"), "auth_failed", F_STR("mech", c->nego->mechanism),
             F_STR("cond", sasl_fail_name(cond)), F_UINT("tries", c->nego->attempts + 1));
    if (!c->trusted && cond == SASL_NOT_AUTHORIZED) { /* a guess that was wrong */
        uint64_t now = loop_now_ms(d->loop);
        rate_take(addr_rate(d->addresses, c->address, now), &d->auth_limit, now, 1);
    }
    fail(c, cond, bad->text);
}
