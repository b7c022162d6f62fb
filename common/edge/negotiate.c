/* common/edge/negotiate.c - the whole negotiation on one page: state × element → handler (RFC 6120 4.3) */
#include "common/edge/negotiate.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/edge/check.h"

static void on_starttls(struct client *c, struct arena *a, struct node *n);

#define IN(state) (1u << (state))
#define ANY       (~0u)

/* clang-format off */
static const struct step {
    unsigned states;
    const char *name, *ns;
    void (*take)(struct client *c, struct arena *a, struct node *n);
} steps[] = {
    { IN(CLIENT_OPEN),                    "starttls", NS_TLS,    on_starttls }, /* RFC 6120 5.4.2.1 */
    { IN(CLIENT_OPEN),                    "auth",     NS_SASL,   sasl_on_auth },        /* RFC 6120 6.4.2 */
    { IN(CLIENT_OPEN),                    "authenticate", NS_SASL2, sasl2_on_authenticate }, /* XEP-0388 2.3 */
    { IN(CLIENT_STEP),                    "response", NS_SASL2,  sasl_on_response },    /* XEP-0388 2.5 */
    { IN(CLIENT_STEP) | IN(CLIENT_ASKED), "abort",    NS_SASL2,  sasl_on_abort },       /* XEP-0388 2.4 */
    { IN(CLIENT_STEP),                    "response", NS_SASL,   sasl_on_response },    /* RFC 6120 6.4.3 */
    { IN(CLIENT_STEP) | IN(CLIENT_ASKED), "abort",    NS_SASL,   sasl_on_abort },       /* RFC 6120 6.4.4 */
    { IN(CLIENT_OPEN),                    "iq",       NS_CLIENT, register_on_iq },      /* XEP-0077 3.1 */
    { IN(CLIENT_AUTHED),                  "iq",       NS_CLIENT, bind_on_iq },          /* RFC 6120 7.6 */
    { IN(CLIENT_AUTHED),                  "resume",   NS_SM,     smstream_on_resume },        /* XEP-0198 5 */
    { ANY,                                "resume",   NS_SM,     smstream_misplaced },        /* XEP-0198 3 */
    { ANY,                                "enable",   NS_SM,     smstream_misplaced },
};
/* clang-format on */

/* Not expected here: a stanza too early (RFC 6120 4.9.3.12, 7.1), or nothing a client sends (4.9.3.24). */
static void on_other(struct client *c, const struct node *n)
{
    struct check check;
    switch (check_kind(n, &check)) {
    case CHECK_PASS:
        /* Behind the last step of SASL the stream may be over with its answer (6.4.6). SASL2 has no such
         * restart, and nothing may come there: XEP-0388 2.4. */
        if (c->state != CLIENT_ASKED || c->nego->sasl2)
            client_fail(c, STREAM_NOT_AUTHORIZED, NULL);
        break;
    case CHECK_END:
        client_end(c);
        break;
    default:
        client_fail(c, check.stream_cond, check.text);
    }
}

void negotiate_element(struct client *c, struct arena *a, struct node *n)
{
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const struct step *s = &steps[i];
        if ((s->states & IN(c->state)) && node_is(n, s->name, s->ns)) {
            s->take(c, a, n);
            return;
        }
    }
    on_other(c, n);
}

static void on_starttls(struct client *c, struct arena *a, struct node *n)
{
    (void)a;
    (void)n;
    if (c->via->may_starttls && c->via->may_starttls(c)) {
        c->via->starttls(c);
        return;
    }
    client_write(c, SLICE("<failure xmlns='" NS_TLS "'/>")); /* not offered: RFC 6120 5.4.2.2 */
    client_end(c);
}

/* --- the header --- */

bool negotiate_may_login(const struct client *c)
{
    return c->secure || c->trusted;
}

const struct edge_domain *negotiate_domain(const struct client *c)
{
    return c->nego->domain ? edge_domain(c->d->edge, slice_cstr(c->nego->domain)) : NULL;
}

/* A header without `from` would be wrong (RFC 6120 4.7.1): where the client named none of our domains, any is
 * as good. */
static struct slice some_domain(const struct client *c)
{
    size_t at = 0;
    if (c->nego->domain)
        return slice_cstr(c->nego->domain);
    const struct edge_domain *domain = edge_domain_next(c->d->edge, &at);
    return domain ? domain->name : SLICE_NONE;
}

void negotiate_open_stream(struct client *c, struct slice from, struct slice to)
{
    if (!c->nego || c->nego->has_header)
        return;
    c->nego->has_header = true;
    struct arena *a = arena_take(c->d->arenas);
    const struct stream_open open = {
        .content_ns = NS_CLIENT,
        .from = from.len ? from : some_domain(c),
        .to = to,
        .id = secret_token(a, 16),
        .lang = SLICE("en"),
        .version_1 = true,
    };
    c->via->open(c, &open);
    arena_give(c->d->arenas, &a);
    METRIC_INC(c->d->metrics, M_STREAMS);
}

static struct features_auth auth_of(const struct client *c, const struct edge_domain *domain)
{
    struct features_auth auth = {
        .hosted = domain->mechanisms,
        .tls = c->secure,
        .plain = negotiate_may_login(c),
        .exporter = c->secure && c->nego->exporter,
        .end_point = c->secure && c->nego->end_point,
    };
    for (size_t i = 0; i < c->nego->n_cert_jids; i++)
        auth.cert |= slice_eq(jid_domain_in(c->nego->cert_jids[i]), domain->name);
    return auth;
}

struct slice negotiate_mechanisms(const struct client *c, struct arena *a)
{
    const struct edge_domain *domain = negotiate_domain(c);
    if (!domain || !negotiate_may_login(c))
        return SLICE_NONE;
    struct features_auth auth = auth_of(c, domain);
    return features_mechanisms(a, &auth);
}

struct slice negotiate_fast(const struct client *c, struct arena *a)
{
    const struct edge_domain *domain = negotiate_domain(c);
    if (!domain)
        return SLICE_NONE;
    struct features_auth auth = auth_of(c, domain);
    return features_fast(a, &auth);
}

/* XEP-0440 3: types of channel binding without a mechanism that uses them look like an attack to a client. */
static struct slice bindings(const struct client *c, struct slice mechanisms)
{
    struct slice each;
    while (slice_split(&mechanisms, ' ', &each)) {
        if (each.len > 5 && slice_is(slice_from(each, each.len - 5), "-PLUS"))
            return features_bindings(c->secure && c->nego->exporter, c->secure && c->nego->end_point);
    }
    return SLICE_NONE;
}

/* XEP-0478 3: from when on silence has consequences. */
static uint32_t idle_s(const struct clients_conf *conf)
{
    uint32_t ms = conf->probe == PROBE_XMPP ? conf->probe_ms : 0;
    if (conf->idle_ms && (!ms || conf->idle_ms < ms))
        ms = conf->idle_ms;
    return ms / 1000;
}

void negotiate_features(struct client *c, struct arena *a, const struct edge_domain *domain)
{
    const struct clients_conf *conf = c->d->conf;
    struct features f = { .idle_s = idle_s(conf) };
    bool before = c->state == CLIENT_OPEN;
    if (!before) {
        f.bind = c->state == CLIENT_AUTHED;
        f.more = domain->features;
        f.max_bytes = conf->stanza_bytes;
    } else {
        f.starttls = c->via->may_starttls && c->via->may_starttls(c);
        f.starttls_required = !negotiate_may_login(c);
        f.mechanisms = negotiate_mechanisms(c, a);
        f.bindings = bindings(c, f.mechanisms);
        f.sasl2 = conf->sasl2;
        f.fast = negotiate_fast(c, a);
        f.binds = domain->binds;
        f.registration = domain->registration && negotiate_may_login(c);
        f.max_bytes = conf->pre_auth_bytes;
    }
    buf_reset(&c->d->scratch);
    features_write(&c->d->scratch, &f);
    c->nego->version[0] = '\0';
    if (before && f.sasl2 && f.mechanisms.len && conf->pipelining)
        features_seal(&c->d->scratch, 0, c->nego->version);
    client_write(c, buf_get(&c->d->scratch));
}

/* What is wrong with the header for us. False: nothing. */
static bool header_is_bad(const struct client *c, const struct stream_header *h, enum stream_cond *cond,
                          const char **text)
{
    *text = NULL;
    if (!h->version_1) {
        *cond = STREAM_UNSUPPORTED_VERSION; /* RFC 6120 4.9.3.25 */
        return true;
    }
    if (!h->has_to) {
        *cond = STREAM_IMPROPER_ADDRESSING; /* RFC 6120 4.7.2, 4.9.3.7 */
        *text = "the stream header has no 'to'";
        return true;
    }
    if (c->nego->domain && slice_is(h->to.domain, c->nego->domain) && !negotiate_domain(c)) {
        *cond = STREAM_HOST_GONE; /* RFC 6120 4.9.3.5: it was here a moment ago */
        return true;
    }
    if (h->to.local.len || h->to.resource.len || !edge_domain(c->d->edge, h->to.domain)) {
        *cond = STREAM_HOST_UNKNOWN; /* RFC 6120 4.9.3.6 */
        return true;
    }
    if (h->has_from && !slice_eq(h->from.domain, h->to.domain)) {
        *cond = STREAM_INVALID_FROM; /* XEP-0388 2.1, RFC 6120 4.9.3.9 */
        return true;
    }
    if (c->nego->domain && !slice_is(h->to.domain, c->nego->domain)) {
        *cond = STREAM_NOT_AUTHORIZED; /* a login counts for the domain it was made in */
        *text = "'to' must stay the same when the stream is restarted";
        return true;
    }
    return false;
}

void client_header(struct client *c, struct arena *a, const struct node *header)
{
    struct stream_header h;
    enum stream_cond cond = STREAM_BAD_FORMAT;
    memset(&h, 0, sizeof h);
    if (stream_header_read(a, header, NS_CLIENT, &h, &cond) != RC_OK)
        client_fail(c, cond, NULL);
    else
        client_opens(c, a, &h);
}

void client_opens(struct client *c, struct arena *a, const struct stream_header *h)
{
    enum stream_cond cond = STREAM_BAD_FORMAT;
    const char *text = NULL;
    if (header_is_bad(c, h, &cond, &text)) {
        client_fail(c, cond, text);
        return;
    }
    if (c->d->draining) {
        client_shutdown(c);
        return;
    }
    if (!c->nego->domain)
        c->nego->domain = mem_copy(h->to.domain);
    if (!slice_eq(h->lang, esession_lang(&c->session)))
        esession_lang_set(&c->session, h->lang);
    mem_free(c->nego->from);
    c->nego->from = h->has_from && h->from.local.len ? mem_copy(jid_bare(&h->from)) : NULL;
    const struct edge_domain *domain = negotiate_domain(c);
    negotiate_open_stream(c, h->to.domain, h->has_from ? h->from.full : SLICE_NONE);
    negotiate_features(c, a, domain);
}

/* --- the session manager --- */

enum rc negotiate_open(struct client *c, struct arena *a, struct slice key)
{
    struct conn_peer peer;
    struct nego *n = c->nego;
    c->via->peer(c, &peer);
    struct slice mechanisms = negotiate_mechanisms(c, a);
    struct control_open open = {
        .domain = slice_cstr(n->domain),
        .ip = slice_cstr(peer.ip),
        .secure = c->secure,
        .trusted_plain = c->trusted,
        .offered_plus = n->exporter || n->end_point,
        .mechanisms = mechanisms,
        .bindings = bindings(c, mechanisms),
        .cert_jids = n->cert_jids,
        .n_cert_jids = n->n_cert_jids,
    };
    if (n->exporter && c->via->exporter(c, a, &open.cb.exporter) != RC_OK)
        open.cb.exporter = SLICE_NONE;
    if (n->end_point && c->via->end_point(c, a, &open.cb.end_point) != RC_OK)
        open.cb.end_point = SLICE_NONE;
    return esession_open(c->d->edge, &c->session, key, &open);
}
