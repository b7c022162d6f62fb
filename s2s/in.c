/* s2s/in.c - the whole of an incoming stream on one page: state x element -> handler */
#include "s2s/in.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include "s2s/link.h"
#include "s2s/proof.h"
#include "s2s/ssm.h"

#define IN(state) (1u << (state))
enum {
    ASKED_TIMES = 4, /* so many requests for each domain that a connection may prove */
    AUTH_TRIES = 5,  /* RFC 6120 6.4.5 */
};

static void on_starttls(struct wire *w, struct arena *a, struct node *n);
static void on_auth(struct wire *w, struct arena *a, struct node *n);
static void on_dialback(struct wire *w, struct arena *a, struct node *n);

/* clang-format off */
static const struct step {
    unsigned states;
    const char *name, *ns;
    void (*take)(struct wire *w, struct arena *a, struct node *n);
} steps[] = {
    { IN(IN_PLAIN),                 "starttls", NS_TLS,      on_starttls },     /* RFC 6120 5.4.2.1 */
    { IN(IN_PLAIN),                 "auth",     NS_SASL,     on_auth },         /* RFC 6120 6.4.2, XEP-0178 3 */
    { IN(IN_PLAIN),                 "bidi",     NS_BIDI,     bidi_on_request }, /* XEP-0288 2.2 */
    { IN(IN_PLAIN) | IN(IN_PROVEN), "result",   NS_DIALBACK, on_dialback },     /* XEP-0220 2.1.1 */
    { IN(IN_PROVING) | IN(IN_PLAIN) | IN(IN_PROVEN),
                                    "verify",   NS_DIALBACK, on_dialback },     /* XEP-0220 2.1.2 */
    { IN(IN_PROVEN),                "message",  NS_SERVER,   take_stanza },     /* RFC 6120 8 */
    { IN(IN_PROVEN),                "presence", NS_SERVER,   take_stanza },
    { IN(IN_PROVEN),                "iq",       NS_SERVER,   take_stanza },
};
/* clang-format on */

const char *in_state_name(enum in_state s)
{
    static const char *const names[] = { "open", "proving", "plain", "authenticated", "proven", "closed" };
    return names[s];
}

static void on_element(struct wire *w, struct arena *a, struct node *n)
{
    const struct in *in = in_of(w);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if ((steps[i].states & IN(in->state)) && node_is(n, steps[i].name, steps[i].ns)) {
            steps[i].take(w, a, n);
            return;
        }
    }
    if (in->state != IN_PROVEN || !ssm_take(w, a, n))
        take_other(w, n);
}

/* --- taken up --- */

static void pending_over(struct in *in)
{
    if (!in->counted_pending)
        return;
    in->counted_pending = false;
    in->w.d->n_pending--;
    addr_leave(in->w.d->addresses_pending, in->address);
    admit_balance(in->w.d);
}

static const char *refusal(struct s2s *d, const struct in *in)
{
    unsigned all = addr_enter(d->addresses, in->address);
    unsigned pending = addr_enter(d->addresses_pending, in->address);
    if (in->w.trusted)
        return NULL;
    if (all > d->conf->per_address)
        return "too many connections from this address";
    return pending > d->conf->pending_per_address ? "too many unproven connections from this address" : NULL;
}

static const struct wire_ops in_ops;

void in_accept(struct s2s *d, struct conn *conn, bool direct_tls)
{
    struct in *in = mem_new(sizeof *in);
    struct conn_peer peer;
    struct wire_log log;
    conn_peer(conn, &peer);
    in->address = addr_key_of((const struct sockaddr *)(const void *)&peer.addr);
    list_init(&in->pairs);
    wire_init(&in->w, d, &in_ops, true);
    wire_take_conn(&in->w, conn);
    in->counted_pending = true;
    d->n_pending++;
    METRIC_INC(d->metrics, M_ACCEPTED);
    const char *against = refusal(d, in);
    if (against) {
        METRIC_INC(d->metrics, M_LIMIT_ADDRESS);
        LOG_INFO(wire_log(&in->w, &log, LOG_NET, "accept"), "refused", F_STR("why", against));
        conn_close(conn, CONN_BY_OWNER);
    } else {
        if (direct_tls)
            wire_secure_server(&in->w);
        wire_arm(&in->w);
    }
    admit_balance(d);
}

/* --- what is proven --- */

static struct in_pair *find_pair(const struct in *in, struct slice local, struct slice remote)
{
    for (struct link *it = in->pairs.next; it != &in->pairs; it = it->next) {
        struct in_pair *p = CONTAINER(it, struct in_pair, link);
        if (slice_is(remote, p->remote) && (!p->local || slice_is(local, p->local)))
            return p;
    }
    return NULL;
}

static struct in_pair *add_pair(struct in *in, struct slice local, struct slice remote, enum proof proof)
{
    struct in_pair *p = mem_new(sizeof *p);
    p->local = local.len ? mem_copy(local) : NULL;
    p->remote = mem_copy(remote);
    p->proof = (uint8_t)proof;
    list_append(&in->pairs, &p->link);
    in->n_pairs++;
    return p;
}

void in_pair_free(struct in_pair *p)
{
    mem_free(p->local);
    mem_free(p->remote);
    mem_free(p);
}

static void drop_pair(struct in *in, struct in_pair *p)
{
    list_unlink(&p->link);
    in->n_pairs--;
    in_pair_free(p);
}

void in_drop_questions(struct in *in)
{
    LIST_EACH(&in->pairs, it) {
        struct in_pair *p = CONTAINER(it, struct in_pair, link);
        struct pair *asked = p->proof == PROOF_NONE && p->local
                                 ? pair_find(in->w.d, slice_cstr(p->local), slice_cstr(p->remote))
                                 : NULL;
        if (asked)
            LIST_EACH(&asked->verifies, at) {
                struct verify *v = CONTAINER(at, struct verify, link);
                if (v->in == &in->w)
                    v->in = NULL;
            }
        if (p->proof == PROOF_NONE)
            drop_pair(in, p);
    }
}

/* A new stream on the same connection: keys that were shown on this one are worth nothing on that one
 * (XEP-0220 2.2), and their verdicts must not come between. */
static void restart(struct in *in, enum in_state state)
{
    in_drop_questions(in);
    in->state = (uint8_t)state;
    wire_restart(&in->w);
}

static void proven(struct in *in, struct slice local, struct slice remote, enum proof how)
{
    struct s2s *d = in->w.d;
    struct wire_log log;
    static const int metrics[] = {
        [PROOF_PKIX] = M_AUTH_PKIX, [PROOF_DANE] = M_AUTH_DANE, [PROOF_DIALBACK] = M_AUTH_DIALBACK
    };
    METRIC_INC(d->metrics, (unsigned)metrics[how]);
    LOG_INFO(wire_log(&in->w, &log, LOG_AUTH, NULL), "proven", F_SLICE("local", local),
             F_SLICE("remote", remote), F_STR("how", proof_name(how)));
    in->w.xml.limits = &d->authed;
    pending_over(in);
    wire_arm(&in->w);
}

static enum proof may_send(const struct wire *w, struct slice local, struct slice remote)
{
    const struct in_pair *p = find_pair(in_at(w), local, remote);
    return p ? (enum proof)p->proof : PROOF_NONE;
}

/* --- header and features (RFC 6120 4.3, 4.7) --- */

static struct policy policy_now(const struct in *in)
{
    struct policy p = policy_of(in->w.d->conf, wire_local(&in->w), wire_remote(&in->w));
    if (in->w.trusted)
        p.tls = p.certificate;
    return p;
}

static void write_limits(struct buf *out, const struct s2s_conf *conf) /* XEP-0478 */
{
    buf_fmt(out, "<limits xmlns='" NS_STREAM_LIMITS "'><max-bytes>%zu</max-bytes>", conf->stanza_bytes);
    if (conf->idle_ms)
        buf_fmt(out, "<idle-seconds>%u</idle-seconds>", (unsigned)(conf->idle_ms / 1000));
    BUF_LIT(out, "</limits>");
}

static void features(struct in *in)
{
    struct wire *w = &in->w;
    const struct s2s_conf *conf = w->d->conf;
    struct policy p = policy_now(in);
    struct buf out = BUF_INIT(0);
    bool plain_ok = w->secure || !p.tls, again = in->state == IN_AUTHED;
    BUF_LIT(&out, "<stream:features>");
    if (!w->secure && certs_tls(w->d->certs)) {
        BUF_LIT(&out, "<starttls xmlns='" NS_TLS "'>");
        if (p.tls)
            BUF_LIT(&out, "<required/>");
        BUF_LIT(&out, "</starttls>");
    }
    in->external = plain_ok && !again && w->proof != PROOF_NONE;
    if (in->external)
        BUF_LIT(&out, "<mechanisms xmlns='" NS_SASL "'><mechanism>EXTERNAL</mechanism></mechanisms>");
    if (plain_ok && !again && conf->bidi)
        BUF_LIT(&out, "<bidi xmlns='" NS_BIDI_FEATURE "'/>");
    if (plain_ok && conf->dialback)
        dialback_feature_write(&out);
    if (plain_ok && conf->sm)
        ssm_feature_write(&out);
    if (plain_ok)
        write_limits(&out, conf);
    BUF_LIT(&out, "</stream:features>");
    in->state = again ? IN_PROVEN : IN_PLAIN;
    wire_write(w, buf_get(&out));
    wire_write(w, buf_get(&in->later));
    buf_fini(&in->later);
    buf_fini(&out);
    if (again) /* now, for nothing may stand between <success/> and the new header */
        bidi_proven(in, wire_local(w), wire_remote(w));
}

/* DANE: the peer's certificate, compared with what its domain says of its hosts. */
static void on_resolved(void *ctx, struct resolve *r)
{
    struct in *in = ctx;
    const struct resolve_answer *answer = resolve_answer(r);
    struct arena *a = arena_take(in->w.d->arenas);
    struct why why = { "" };
    bool binding;
    for (size_t i = 0; answer->rc == RC_OK && i < answer->n && in->w.proof == PROOF_NONE; i++) {
        if (answer->attempts[i].tlsa_n &&
            proof_of(&in->w, a, wire_remote(&in->w), &answer->attempts[i], &binding, &why) == PROOF_DANE)
            in->w.proof = PROOF_DANE;
    }
    arena_give(in->w.d->arenas, &a);
    resolve_free(&in->resolve);
    in->w.hold = false;
    if (in->state != IN_PROVING)
        return;
    features(in);
    if (!in->w.over)
        wire_pace(&in->w);
}

/* Features come once it is known what the certificate proves. */
static void look_at_certificate(struct in *in, struct arena *a)
{
    struct wire *w = &in->w;
    struct wire_log log;
    struct why why = { "" };
    bool binding;
    in->state = IN_PROVING;
    if (w->secure && w->remote && w->proof == PROOF_NONE) {
        w->proof = (uint8_t)proof_of(w, a, wire_remote(w), NULL, &binding, &why);
        if (w->proof == PROOF_NONE && proof_has_cert(w, a)) {
            LOG_INFO(wire_log(w, &log, LOG_TLS, NULL), "certificate_proves_not", F_STR("remote", w->remote),
                     F_WHY(&why));
            if (w->d->conf->dane)
                in->resolve = resolve_domain(w->d->resolver, &w->d->resolve, wire_remote(w), on_resolved, in);
        }
    }
    if (!in->resolve)
        features(in);
    else
        w->hold = true;
}

static bool header_is_bad(struct in *in, const struct stream_header *h, enum stream_cond *cond,
                          const char **text)
{
    struct s2s *d = in->w.d;
    if (!h->has_to) {
        *cond = STREAM_IMPROPER_ADDRESSING;
        *text = "the stream header has no 'to'";
    } else if (h->to.local.len || h->to.resource.len || link_ours(d, h->to.domain) == OURS_NOT) {
        METRIC_INC(d->metrics, M_TO_REFUSED);
        *cond = STREAM_HOST_UNKNOWN; /* RFC 6120 4.9.3.6 */
    } else if (h->has_from &&
               (h->from.local.len || h->from.resource.len || link_ours(d, h->from.domain) != OURS_NOT)) {
        *cond = STREAM_INVALID_FROM; /* nobody else is one of ours */
    } else if (h->has_from && policy_of(d->conf, h->to.domain, h->from.domain).blocked) {
        METRIC_INC(d->metrics, M_BLOCKED);
        *cond = STREAM_POLICY_VIOLATION;
        *text = "connections with this domain are not allowed here";
    } else if (in->w.local && !slice_is(h->to.domain, in->w.local)) {
        *cond = STREAM_NOT_AUTHORIZED;
        *text = "'to' must stay the same when the stream is restarted";
    } else if (in->w.remote && in->w.proof != PROOF_NONE && h->has_from &&
               !slice_is(h->from.domain, in->w.remote)) {
        *cond = STREAM_INVALID_FROM; /* the certificate was looked at for another */
    } else {
        return false;
    }
    return true;
}

static void on_header(struct wire *w, struct arena *a, const struct node *header)
{
    struct in *in = in_of(w);
    struct stream_header h = { 0 };
    enum stream_cond cond = STREAM_BAD_FORMAT;
    const char *text = NULL;
    mem_free(w->id);
    w->id = mem_copy(secret_token(a, 16));
    if (stream_header_read(a, header, NS_SERVER, &h, &cond) != RC_OK || header_is_bad(in, &h, &cond, &text)) {
        if (h.has_to && link_ours(w->d, h.to.domain) != OURS_NOT && !w->local)
            w->local = mem_copy(h.to.domain);
        wire_fail(w, cond, text);
        return;
    }
    if (!w->local)
        w->local = mem_copy(h.to.domain);
    if (h.has_from && in->state != IN_AUTHED) {
        mem_free(w->remote);
        w->remote = mem_copy(h.from.domain);
    }
    if (w->d->draining || w->d->stopping) {
        wire_fail(w, STREAM_SYSTEM_SHUTDOWN, NULL);
        return;
    }
    wire_open(w, wire_local(w), wire_remote(w), slice_cstr(w->id));
    if (!h.version_1) { /* of old: there are no features, dialback is all there is */
        in->state = IN_PLAIN;
        return;
    }
    if (in->state == IN_AUTHED)
        features(in);
    else
        look_at_certificate(in, a);
}

/* --- STARTTLS (RFC 6120 5) --- */

static void on_starttls(struct wire *w, struct arena *a, struct node *n)
{
    (void)a;
    (void)n;
    if (w->secure || !certs_tls(w->d->certs)) { /* not offered: RFC 6120 5.4.2.2 */
        wire_write(w, SLICE("<failure xmlns='" NS_TLS "'/>"));
        wire_end(w);
        return;
    }
    wire_write(w, SLICE("<proceed xmlns='" NS_TLS "'/>"));
    conn_flush(w->conn);
    restart(in_of(w), IN_OPEN);
    w->bidi = false; /* what was said in plain text was never said: RFC 6120 5.4.3.3 */
    MEM_FREE(&w->local);
    MEM_FREE(&w->remote);
    wire_secure_server(w);
}

static void on_secure(struct wire *w)
{
    (void)w; /* the header comes next */
}

/* --- SASL EXTERNAL (XEP-0178 3) --- */

static void sasl_refuse(struct wire *w, const char *cond, const char *text)
{
    struct wire_log log;
    struct buf out = BUF_INIT(0);
    METRIC_INC(w->d->metrics, M_AUTH_FAILED);
    LOG_INFO(wire_log(w, &log, LOG_AUTH, NULL), "auth_failed", F_STR("cond", cond),
             F_STR("remote", w->remote), F_STR("why", text));
    buf_fmt(&out, "<failure xmlns='" NS_SASL "'><%s/></failure>", cond);
    wire_write(w, buf_get(&out));
    buf_fini(&out);
    if (++in_of(w)->n_failed >= AUTH_TRIES)
        wire_fail(w, STREAM_POLICY_VIOLATION, "too many attempts");
}

static void on_auth(struct wire *w, struct arena *a, struct node *n)
{
    struct in *in = in_of(w);
    struct slice text = slice_trim(node_text(a, n)), name = SLICE_NONE;
    struct jid jid;
    if (!slice_is(node_attr(n, "mechanism"), "EXTERNAL")) {
        sasl_refuse(w, "invalid-mechanism", NULL);
    } else if (!slice_is(text, "=") && text.len && base64_decode(a, text, &name) != RC_OK) {
        sasl_refuse(w, "incorrect-encoding", NULL);
    } else if (!in->external || !w->remote) {
        sasl_refuse(w, "not-authorized", "the certificate proves nothing");
    } else if (name.len && (jid_parse(a, name, &jid, NULL) != RC_OK || jid.local.len || jid.resource.len ||
                            !slice_is(jid.domain, w->remote))) {
        sasl_refuse(w, "invalid-authzid", "another domain than the stream is from");
    } else {
        wire_write(w, SLICE("<success xmlns='" NS_SASL "'/>"));
        add_pair(in, SLICE_NONE, wire_remote(w), (enum proof)w->proof);
        proven(in, wire_local(w), wire_remote(w), (enum proof)w->proof);
        restart(in, IN_AUTHED);
    }
}

/* --- dialback (XEP-0220) --- */

/* A question about a key may come right behind their header; nothing is read meanwhile but what came with it.
 */
static void say(struct wire *w, const struct dialback *d)
{
    struct in *in = in_of(w);
    struct buf out = BUF_INIT(0);
    if (in->state == IN_PROVING) {
        dialback_write(&in->later, d);
        return;
    }
    dialback_write(&out, d);
    wire_write(w, buf_get(&out));
    buf_fini(&out);
}

static void refuse(struct in *in, const struct dialback *d, const char *error, const char *text)
{
    struct wire_log log;
    struct dialback no = dialback_answer(d, DIALBACK_ERROR, error);
    no.text = slice_cstr(text);
    if (d->kind == DIALBACK_RESULT)
        METRIC_INC(in->w.d->metrics, M_AUTH_FAILED);
    LOG_INFO(wire_log(&in->w, &log, LOG_AUTH, NULL), "dialback_refused", F_SLICE("local", d->to),
             F_SLICE("remote", d->from), F_STR("error", error), F_STR("why", text));
    say(&in->w, &no);
}

/* We are the authoritative server: did we make this key? XEP-0220 2.1.2. */
static void answer_verify(struct in *in, struct arena *a, const struct dialback *d)
{
    struct s2s *s = in->w.d;
    METRIC_INC(s->metrics, M_VERIFY_IN);
    if (link_ours(s, d->to) == OURS_NOT) {
        refuse(in, d, "item-not-found", "no domain of ours");
        return;
    }
    bool ok = dialback_key_ok(a, s2s_secret(s), d->from, d->to, d->id, d->key);
    struct dialback answer = dialback_answer(d, ok ? DIALBACK_VALID : DIALBACK_INVALID, NULL);
    if (!ok) {
        struct wire_log log;
        METRIC_INC(s->metrics, M_VERIFY_INVALID);
        LOG_WARN(wire_log(&in->w, &log, LOG_AUTH, NULL), "key_not_ours", F_SLICE("local", d->to),
                 F_SLICE("remote", d->from));
    }
    say(&in->w, &answer);
}

/* Whether the certificate proves this domain, too (XEP-0344 2.4): on a stream for several each is looked for
 * in it. Of DANE it is known for the stream's own. */
static enum proof certified(struct in *in, struct arena *a, struct slice domain)
{
    struct wire *w = &in->w;
    struct why why = { "" };
    bool binding;
    if (w->remote && slice_is(domain, w->remote))
        return (enum proof)w->proof;
    return w->secure ? proof_of(w, a, domain, NULL, &binding, &why) : PROOF_NONE;
}

/* What stands against a request; NULL: nothing. */
static const char *against(const struct in *in, const struct dialback *d, enum proof cert, const char **text)
{
    const struct s2s *s = in->w.d;
    struct policy p = policy_of(s->conf, d->to, d->from);
    *text = NULL;
    if (link_ours(s, d->to) == OURS_NOT)
        return "item-not-found";
    if (p.blocked || link_ours(s, d->from) != OURS_NOT) {
        *text = "connections with this domain are not allowed here";
        return "forbidden";
    }
    if (p.tls && !in->w.secure && !(in->w.trusted && !p.certificate)) {
        *text = "TLS is required";
        return "policy-violation";
    }
    if (p.certificate && cert == PROOF_NONE) {
        *text = "a TLS certificate for the domain is required";
        return "not-authorized";
    }
    if (!s->conf->dialback)
        return "not-allowed";
    return NULL;
}

static void take_result(struct in *in, struct arena *a, const struct dialback *d)
{
    struct s2s *s = in->w.d;
    enum proof cert = certified(in, a, d->from);
    const char *text, *no = against(in, d, cert, &text);
    struct in_pair *known = no ? NULL : find_pair(in, d->to, d->from);
    struct dialback yes = dialback_answer(d, DIALBACK_VALID, NULL);
    if (no) {
        METRIC_INC(s->metrics, strcmp(no, "forbidden") == 0 ? M_BLOCKED : M_AUTH_FAILED);
        refuse(in, d, no, text);
    } else if (known) {
        if (known->proof != PROOF_NONE)
            say(&in->w, &yes);
    } else if (in->n_pairs >= s->conf->domains_per_connection) {
        METRIC_INC(s->metrics, M_LIMIT_DOMAINS);
        refuse(in, d, "resource-constraint", "too many domains on one connection");
    } else if (cert != PROOF_NONE) { /* has said it already: nobody is asked (XEP-0344 2.5) */
        add_pair(in, d->to, d->from, cert);
        in->state = IN_PROVEN;
        proven(in, d->to, d->from, cert);
        say(&in->w, &yes);
        bidi_proven(in, d->to, d->from);
    } else {
        struct pair *p = pair_get(s, d->to, d->from);
        if (!p) {
            refuse(in, d, "resource-constraint", NULL);
            return;
        }
        struct verify *v = mem_new(sizeof *v);
        v->in = &in->w;
        v->id = mem_copy(slice_cstr(in->w.id));
        v->key = mem_copy(d->key);
        add_pair(in, d->to, d->from, PROOF_NONE);
        pair_ask(p, v);
    }
}

static void on_dialback(struct wire *w, struct arena *a, struct node *n)
{
    struct in *in = in_of(w);
    struct dialback d;
    bool addressing;
    struct why why = { "" };
    enum rc rc = dialback_read(a, n, &d, &addressing, &why);
    if (rc != RC_OK) {
        wire_fail(w,
                  addressing       ? STREAM_IMPROPER_ADDRESSING
                  : rc == RC_LIMIT ? STREAM_POLICY_VIOLATION
                                   : STREAM_BAD_FORMAT,
                  why.text);
    } else if (d.type != DIALBACK_REQUEST) { /* an answer to what nobody asked here */
        METRIC_INC(w->d->metrics, M_AUTH_FAILED);
        wire_fail(w, STREAM_NOT_AUTHORIZED, "an answer that nobody has asked for");
    } else if (!w->secure && policy_now(in).tls && d.kind == DIALBACK_VERIFY) {
        wire_fail(w, STREAM_POLICY_VIOLATION, "TLS is required");
    } else if (d.kind == DIALBACK_VERIFY) {
        answer_verify(in, a, &d);
    } else if (in->n_asked++ >=
               ASKED_TIMES * w->d->conf->domains_per_connection) { /* each is work for others, too */
        METRIC_INC(w->d->metrics, M_LIMIT_DOMAINS);
        wire_fail(w, STREAM_POLICY_VIOLATION, "too many requests of dialback");
    } else {
        take_result(in, a, &d);
    }
}

void verify_free(struct verify **v)
{
    list_unlink(&(*v)->link);
    mem_free((*v)->id);
    mem_free((*v)->key);
    MEM_FREE(v);
}

void in_verified(struct verify *v, const struct pair *p, enum dialback_type type, const char *error,
                 const char *text)
{
    if (!v->in || v->in->over)
        return;
    struct in *in = in_of(v->in);
    struct in_pair *mine = find_pair(in, p->local, p->remote);
    if (!mine || mine->proof != PROOF_NONE)
        return;
    const struct dialback request = { .kind = DIALBACK_RESULT, .from = p->remote, .to = p->local };
    if (type == DIALBACK_VALID) {
        struct dialback yes = dialback_answer(&request, DIALBACK_VALID, NULL);
        mine->proof = PROOF_DIALBACK;
        in->state = IN_PROVEN;
        proven(in, p->local, p->remote, PROOF_DIALBACK);
        say(v->in, &yes);
        bidi_proven(in, p->local, p->remote);
        return;
    }
    drop_pair(in, mine);
    if (type == DIALBACK_ERROR) {
        refuse(in, &request, error, text);
        return;
    }
    struct dialback no = dialback_answer(&request, DIALBACK_INVALID, NULL);
    struct wire_log log;
    METRIC_INC(in->w.d->metrics, M_AUTH_FAILED);
    LOG_WARN(wire_log(v->in, &log, LOG_AUTH, NULL), "key_refused", F_SLICE("local", p->local),
             F_SLICE("remote", p->remote));
    say(v->in, &no);
    if (!in->n_pairs) /* XEP-0220 2.1.1: who cannot prove its only domain has nothing to do here */
        wire_end(v->in);
}

/* --- time, and the end --- */

static uint64_t due(const struct wire *w)
{
    const struct in *in = in_at(w);
    return in->counted_pending ? w->since_ms + w->d->conf->auth_ms : UINT64_MAX;
}

static void on_due(struct wire *w)
{
    METRIC_INC(w->d->metrics, M_LIMIT_AUTH_TIME);
    wire_fail(w, STREAM_CONNECTION_TIMEOUT, "no domain was proven in time");
}

static void on_over(struct wire *w, bool lost, const char *text)
{
    struct in *in = in_of(w);
    (void)lost;
    (void)text;
    in->state = IN_CLOSED;
    resolve_free(&in->resolve);
    in_drop_questions(in);
    pending_over(in);
}

static void on_gone(struct wire *w, enum conn_cause cause, const struct why *why)
{
    struct in *in = in_of(w);
    struct s2s *d = w->d;
    (void)cause;
    (void)why;
    while (!list_empty(&in->pairs))
        drop_pair(in, CONTAINER(in->pairs.next, struct in_pair, link));
    addr_leave(d->addresses, in->address);
    buf_fini(&in->later);
    wire_fini(w);
    mem_free(in);
    s2s_wire_gone(d);
}

static const char *state(const struct wire *w)
{
    return in_state_name((enum in_state)in_at(w)->state);
}

static const struct wire_ops in_ops = {
    .on_header = on_header,
    .on_element = on_element,
    .on_secure = on_secure,
    .on_over = on_over,
    .on_gone = on_gone,
    .due = due,
    .on_due = on_due,
    .may_send = may_send,
    .state = state,
};
