/* common/edge/sasl_relay.c - SASL steps to the session manager and back (RFC 6120 6, XEP-0178, XEP-0440,
 * XEP-0474)
 *
 * Nothing is decided here but what can be seen without an account: whether the mechanism was offered, whether
 * the bytes are base64, how many attempts there were. */
#include "common/edge/negotiate.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/edge/check.h"

static const struct {
    enum clients_metric ok, failed;
} mech_metrics[] = {
    [MECH_SCRAM] = { M_AUTH_SCRAM_OK, M_AUTH_SCRAM_FAILED },
    [MECH_PLUS] = { M_AUTH_PLUS_OK, M_AUTH_PLUS_FAILED },
    [MECH_PLAIN] = { M_AUTH_PLAIN_OK, M_AUTH_PLAIN_FAILED },
    [MECH_EXTERNAL] = { M_AUTH_EXTERNAL_OK, M_AUTH_EXTERNAL_FAILED },
    [MECH_TOKEN] = { M_AUTH_TOKEN_OK, M_AUTH_TOKEN_FAILED },
};

static enum mech mech_of(const char *name)
{
    size_t len = strlen(name);
    if (strcmp(name, "PLAIN") == 0)
        return MECH_PLAIN;
    if (strcmp(name, "EXTERNAL") == 0)
        return MECH_EXTERNAL;
    if (strncmp(name, "HT-", 3) == 0)
        return MECH_TOKEN;
    return len > 5 && strcmp(name + len - 5, "-PLUS") == 0 ? MECH_PLUS : MECH_SCRAM;
}

/* The attempt is over; after too many the stream is too (RFC 6120 6.4.5). */
static void fail(struct client *c, enum sasl_fail cond, struct slice text)
{
    struct clients *d = c->d;
    struct buf *out = &d->scratch;
    bool sasl2 = c->nego->sasl2;
    buf_reset(out);
    buf_fmt(out, "<failure xmlns='%s'><%s%s/>", sasl2 ? NS_SASL2 : NS_SASL, sasl_fail_name(cond),
            sasl2 ? " xmlns='" NS_SASL "'" : ""); /* XEP-0388 2.6.2 */
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
    arena_free(&c->nego->held);
    if (++c->nego->attempts >= d->conf->attempts) {
        METRIC_INC(d->metrics, M_LIMIT_ATTEMPTS);
        client_fail(c, STREAM_POLICY_VIOLATION, "too many attempts to log in");
    }
}

/* Refused before anybody with an account was asked. */
void sasl_refuse(struct client *c, enum sasl_fail cond, const char *text)
{
    struct client_log log;
    METRIC_INC(c->d->metrics, M_AUTH_BAD);
    LOG_INFO(client_log(c, &log, LOG_AUTH, "sasl"), "auth_refused", F_STR("cond", sasl_fail_name(cond)),
             F_STR("why", text));
    fail(c, cond, slice_cstr(text));
}

bool sasl_over_rate(struct client *c)
{
    struct clients *d = c->d;
    uint64_t now = loop_now_ms(d->loop);
    bool over =
        !c->trusted && rate_take(addr_rate(d->addresses, c->address, now), &d->auth_limit, now, 0) > 0;
    if (over) {
        METRIC_INC(d->metrics, M_LIMIT_AUTH_RATE);
        sasl_refuse(c, SASL_TEMPORARY_AUTH_FAILURE,
                    "too many failed attempts from your address; wait a little");
    }
    return over;
}

/* Base64 as RFC 6120 6.4.2 has it; "=" is empty data, which XEP-0388 2.2 writes as nothing. */
MUST_USE static enum rc decode(struct arena *a, const struct client *c, struct slice text, struct slice *out)
{
    if (!c->nego->sasl2 && slice_is(text, "=")) {
        *out = SLICE_NONE;
        return RC_OK;
    }
    return base64_decode(a, text, out);
}

struct slice sasl_cert_jid(const struct client *c)
{
    for (size_t i = 0; i < c->nego->n_cert_jids; i++) {
        if (slice_is(jid_domain_in(c->nego->cert_jids[i]), c->nego->domain))
            return c->nego->cert_jids[i];
    }
    return SLICE_NONE;
}

static void begin(struct client *c, struct arena *a, struct slice initial)
{
    struct nego *n = c->nego;
    struct slice mechanism = slice_cstr(n->mechanism), domain = slice_cstr(n->domain);
    struct slice key = esession_key(a, mechanism, initial, sasl_cert_jid(c), domain);
    n->wants_initial = false;
    if (negotiate_open(c, a, key) != RC_OK) {
        METRIC_INC(c->d->metrics, M_TEMPORARY);
        sasl_refuse(c, SASL_TEMPORARY_AUTH_FAILURE, "the accounts cannot be reached now");
        return;
    }
    struct control_auth auth = { mechanism, true, initial };
    c->state = CLIENT_ASKED;
    esession_auth(c->d->edge, &c->session, &auth);
}

void sasl_mechanism_set(struct client *c, struct slice mechanism)
{
    mem_free(c->nego->mechanism);
    c->nego->mechanism = mem_copy(mechanism);
    c->nego->mech = mech_of(c->nego->mechanism);
}

void sasl_on_auth(struct client *c, struct arena *a, struct node *n)
{
    const struct edge_domain *domain = negotiate_domain(c);
    struct slice mechanism = node_attr(n, "mechanism"), text = node_text(a, n), initial;
    c->nego->sasl2 = false;
    if (!negotiate_may_login(c)) {
        sasl_refuse(c, SASL_ENCRYPTION_REQUIRED, NULL); /* RFC 6120 6.5.4 */
        return;
    }
    if (!domain) {
        sasl_refuse(c, SASL_TEMPORARY_AUTH_FAILURE, "the domain is not served any more");
        return;
    }
    if (node_child(n)) {
        sasl_refuse(c, SASL_MALFORMED_REQUEST, NULL);
        return;
    }
    if (!features_lists(negotiate_mechanisms(c, a), mechanism)) {
        sasl_refuse(c, SASL_INVALID_MECHANISM, NULL);
        return;
    }
    if (sasl_over_rate(c))
        return;
    if (decode(a, c, text, &initial) != RC_OK) {
        sasl_refuse(c, SASL_INCORRECT_ENCODING, NULL);
        return;
    }
    sasl_mechanism_set(c, mechanism);
    if (text.len) {
        begin(c, a, initial);
    } else { /* our mechanisms all begin with the client: RFC 6120 6.4.2, RFC 4422 5 */
        c->nego->wants_initial = true;
        c->state = CLIENT_STEP;
        client_write(c, SLICE("<challenge xmlns='" NS_SASL "'/>"));
    }
}

/* One exchange is of one profile; a step of the other is none of it. True: the stream is over. */
static bool other_profile(struct client *c, const struct node *n)
{
    if (slice_is(n->ns, NS_SASL2) == c->nego->sasl2)
        return false;
    client_fail(c, STREAM_POLICY_VIOLATION, "a step of another SASL exchange");
    return true;
}

void sasl_on_response(struct client *c, struct arena *a, struct node *n)
{
    struct slice data;
    if (other_profile(c, n))
        return;
    if (node_child(n) || decode(a, c, node_text(a, n), &data) != RC_OK) {
        enum sasl_fail cond = node_child(n) ? SASL_MALFORMED_REQUEST : SASL_INCORRECT_ENCODING;
        if (c->nego->wants_initial) {
            sasl_refuse(c, cond, NULL);
        } else {
            c->nego->fail_as = cond;
            c->state = CLIENT_ASKED;
            esession_abort(c->d->edge, &c->session);
        }
        return;
    }
    if (c->nego->wants_initial && c->nego->sasl2) {
        sasl2_initial(c, a, data);
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
    if (other_profile(c, n))
        return;
    if (c->state == CLIENT_ASKED) { /* when its answer is there */
        c->nego->wants_abort = true;
    } else if (c->nego->wants_initial) {
        sasl_refuse(c, SASL_ABORTED, NULL);
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
    buf_fmt(out, "<%s xmlns='%s'>", name, c->nego->sasl2 ? NS_SASL2 : NS_SASL);
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

void sasl_succeeded(struct client *c, struct slice user)
{
    struct client_log log;
    METRIC_INC(c->d->metrics, mech_metrics[c->nego->mech].ok);
    LOG_INFO(client_log(c, &log, LOG_AUTH, "sasl"), "auth_ok", F_STR("mech", c->nego->mechanism),
             F_SLICE("user", user), F_UINT("tls", c->secure), F_UINT("sasl2", c->nego->sasl2));
}

void sasl_success(struct esession *s, const struct control_success *ok)
{
    struct client *c = CONTAINER(s, struct client, session);
    if (c->nego->sasl2) { /* not what was asked for: somebody behind us is wrong */
        client_fail(c, STREAM_INTERNAL_SERVER_ERROR, NULL);
        return;
    }
    sasl_succeeded(c, ok->user);
    write_data(c, "success", ok->has_data, ok->data);
    c->state = CLIENT_AUTHED; /* RFC 6120 6.4.6: a new stream */
    c->nego->has_header = false;
    c->via->logged_in(c, true);
}

void sasl_failure(struct esession *s, const struct control_failure *bad)
{
    struct client *c = CONTAINER(s, struct client, session);
    struct clients *d = c->d;
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
