/* s2s/out.c - the whole of an outgoing stream on one page: state x element -> handler; connecting is in
 * reach.c */
#include "s2s/out.h"

#include "common/base/mem.h"
#include "common/base/text.h"
#include "s2s/in.h"
#include "s2s/proof.h"
#include "s2s/reach.h"
#include "s2s/ssm.h"
#include <stdarg.h>
#include <stdio.h>

#define IN(state) (1u << (state))
/* Where answers to questions about keys may come. */
#define ANSWERS (IN(OUT_OPEN) | IN(OUT_DIALBACK) | IN(OUT_SM) | IN(OUT_READY))

static void on_features(struct wire *w, struct arena *a, struct node *n);
static void on_proceed(struct wire *w, struct arena *a, struct node *n);
static void on_tls_failure(struct wire *w, struct arena *a, struct node *n);
static void on_success(struct wire *w, struct arena *a, struct node *n);
static void on_sasl_failure(struct wire *w, struct arena *a, struct node *n);
static void on_result(struct wire *w, struct arena *a, struct node *n);
static void on_verify(struct wire *w, struct arena *a, struct node *n);
static void on_bidi_stanza(struct wire *w, struct arena *a, struct node *n);
static void ask_all(struct out *o);

/* clang-format off */
static const struct step {
    unsigned states;
    const char *name, *ns;
    void (*take)(struct wire *w, struct arena *a, struct node *n);
} steps[] = {
    { IN(OUT_FEATURES),             "features", NS_STREAM,   on_features },     /* RFC 6120 4.3.2 */
    { IN(OUT_PROCEED),              "proceed",  NS_TLS,      on_proceed },      /* RFC 6120 5.4.2.3 */
    { IN(OUT_PROCEED),              "failure",  NS_TLS,      on_tls_failure },  /* RFC 6120 5.4.2.2 */
    { IN(OUT_SASL),                 "success",  NS_SASL,     on_success },      /* RFC 6120 6.4.6 */
    { IN(OUT_SASL),                 "failure",  NS_SASL,     on_sasl_failure }, /* RFC 6120 6.4.5 */
    { IN(OUT_DIALBACK),             "result",   NS_DIALBACK, on_result },       /* XEP-0220 2.1.1 */
    { ANSWERS,                      "verify",   NS_DIALBACK, on_verify },       /* XEP-0220 2.1.2 */
    { IN(OUT_SM) | IN(OUT_READY),   "message",  NS_SERVER,   on_bidi_stanza },  /* XEP-0288 */
    { IN(OUT_SM) | IN(OUT_READY),   "presence", NS_SERVER,   on_bidi_stanza },
    { IN(OUT_SM) | IN(OUT_READY),   "iq",       NS_SERVER,   on_bidi_stanza },
};
/* clang-format on */

const char *out_state_name(enum out_state s)
{
    static const char *const names[] = { "resolve",  "connect",  "header", "features", "starttls", "open",
                                         "external", "dialback", "sm",     "ready",    "closed" };
    return names[s];
}

static void on_element(struct wire *w, struct arena *a, struct node *n)
{
    const struct out *o = out_of(w);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if ((steps[i].states & IN(o->state)) && node_is(n, steps[i].name, steps[i].ns)) {
            steps[i].take(w, a, n);
            return;
        }
    }
    if (o->state < OUT_SM || !ssm_take(w, a, n))
        take_other(w, n);
}

void out_trace(struct out *o, const char *fmt, ...)
{
    char line[512];
    va_list args;
    if (!o->trace)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    buf_cstr(o->trace, line);
    buf_byte(o->trace, '\n');
}

/* --- how it went --- */

void out_failed(struct out *o, enum pair_step step, enum stanza_cond cond, bool again, const char *text)
{
    o->blamed = true;
    if (!o->failed.wall_ms ||
        step >= o->failed.step) /* how far one address has led tells more than another that is dead */
        pair_failure_set(&o->failed, step, cond, again, text);
    out_trace(o, "%s: failed: %s", pair_step_name(step), text);
}

void out_leave(struct out *o)
{
    if (o->pair)
        o->pair->outs--;
    o->pair = NULL;
}

void outs_leave(struct s2s *d, const struct pair *p)
{
    LIST_EACH(&d->wires, it) {
        struct wire *w = CONTAINER(it, struct wire, link);
        if (p->outs && !w->incoming && out_of(w)->pair == p) {
            out_of(w)->told = true;
            out_leave(out_of(w));
        }
    }
}

/* The pair is told, once; it may begin anew. The out is nobody's then. */
void out_give_up(struct out *o)
{
    struct pair *p = o->pair;
    if (o->told)
        return;
    o->told = true;
    out_leave(o);
    out_trace(o, "done: failed");
    o->trace = NULL;
    if (p && p->out == o) {
        p->out = NULL;
        pair_failed(p, &o->failed);
    }
}

/* This address is no good, for what failed says; perhaps the next one is. */
static void fail(struct out *o, enum stream_cond cond)
{
    wire_fail(&o->w, cond, o->failed.why.text);
}

static void refuse(struct out *o, enum pair_step step, const char *text)
{
    out_failed(o, step, COND_REMOTE_SERVER_TIMEOUT, false, text);
    if (step == STEP_EXTERNAL || step == STEP_DIALBACK)
        reach_no_more(o); /* other addresses are the same server */
    wire_end(&o->w);
}

/* --- stream --- */

static struct policy policy_now(const struct out *o)
{
    struct policy p = policy_of(o->w.d->conf, wire_local(&o->w), wire_remote(&o->w));
    if (o->w.trusted || reach_plain(o))
        p.tls = p.certificate;
    return p;
}

/* What goes without waiting for their header and features saves a round trip: where nothing is said in plain
 * text the only thing that may follow is <starttls/>, and a question about a key needs nothing of this
 * stream's. Everything else has to wait: an answer to what they offer (RFC 6120 4.3.2), a key of ours is made
 * of the stream's id (XEP-0185). */
void out_begin_stream(struct out *o)
{
    struct wire *w = &o->w;
    o->state = OUT_HEADER;
    wire_open(w, wire_local(w), wire_remote(w), SLICE_NONE);
    o->asked_tls = !w->secure && policy_now(o).tls;
    if (o->asked_tls)
        wire_write(w, SLICE("<starttls xmlns='" NS_TLS "'/>"));
    else if (w->secure && !o->accepted)
        ask_all(o);
}

static void on_header(struct wire *w, struct arena *a, const struct node *header)
{
    struct out *o = out_of(w);
    struct stream_header h = { 0 };
    enum stream_cond cond = STREAM_BAD_FORMAT;
    if (stream_header_read(a, header, NS_SERVER, &h, &cond) != RC_OK ||
        (h.has_from && !slice_is(h.from.domain, w->remote))) {
        out_failed(o, STEP_STREAM, COND_REMOTE_SERVER_TIMEOUT, true,
                   "a stream header that is not one of this server");
        fail(o, h.has_from ? STREAM_INVALID_FROM : cond);
        return;
    }
    mem_free(w->id);
    w->id = mem_copy(h.id);
    if (o->state == OUT_HEADER)
        o->state = OUT_FEATURES;
    if (h.version_1)
        return;
    if (policy_now(o).tls && !w->secure) {
        refuse(o, STEP_TLS, "the server does not offer TLS");
        return;
    }
    o->dialback = true; /* of old: that is all there is */
    o->state = OUT_OPEN;
    out_settle(o);
}

/* The stream is as far as it goes without being accepted: questions are asked; and, where stanzas wait, more.
 */
void out_settle(struct out *o)
{
    struct pair *p = o->pair;
    if (!p)
        return;
    ask_all(o);
    if (o->state == OUT_OPEN && (pair_wants(p) || o->trace))
        out_want(o);
    else
        wire_arm(&o->w);
}

static void read_features(struct out *o, struct arena *a, const struct node *n)
{
    const struct node *mechanisms = node_find(n, "mechanisms", NS_SASL);
    bool errors;
    o->starttls = node_find(n, "starttls", NS_TLS) != NULL;
    o->dialback = dialback_feature_read(n, &errors);
    o->bidi = node_find(n, "bidi", NS_BIDI_FEATURE) != NULL && o->w.d->conf->bidi;
    o->sm = node_find(n, "sm", NS_SM) != NULL && ssm_may_enable(o->w.d);
    o->external = false;
    for (const struct node *m = node_find(mechanisms, "mechanism", NS_SASL); m;
         m = node_find_next(m, "mechanism", NS_SASL))
        o->external = o->external || slice_is(slice_trim(node_text(a, m)), "EXTERNAL");
    out_trace(o, "features:%s%s%s%s%s", o->starttls ? " starttls" : "", o->external ? " external" : "",
              o->dialback ? " dialback" : "", o->bidi ? " bidi" : "", o->sm ? " sm" : "");
}

static void on_features(struct wire *w, struct arena *a, struct node *n)
{
    struct out *o = out_of(w);
    bool secure = w->secure;
    read_features(o, a, n);
    if (!secure && o->starttls && !reach_plain(o)) {
        o->state = OUT_PROCEED;
        if (!o->asked_tls)
            wire_write(w, SLICE("<starttls xmlns='" NS_TLS "'/>"));
    } else if (!secure && policy_now(o).tls) { /* whoever took the feature out: nothing goes in plain text */
        refuse(o, STEP_TLS, "the server does not offer TLS");
    } else if (o->accepted) {
        ssm_begin(o);
    } else {
        o->state = OUT_OPEN;
        out_settle(o);
    }
}

/* --- TLS --- */

static void on_proceed(struct wire *w, struct arena *a, struct node *n)
{
    (void)a;
    (void)n;
    wire_restart(w);
    out_of(w)->state = OUT_HEADER;
    wire_secure_client(w, false);
}

static void on_tls_failure(struct wire *w, struct arena *a, struct node *n)
{
    (void)a;
    (void)n;
    refuse(out_of(w), STEP_TLS, "the server offers TLS and does not begin it");
}

static void on_secure(struct wire *w)
{
    struct out *o = out_of(w);
    struct arena *a = arena_take(w->d->arenas);
    struct why why = { "" };
    struct conn_tls tls;
    conn_tls_info(w->conn, &tls);
    bool binding;
    w->proof = (uint8_t)proof_of(w, a, wire_remote(w), o->at, &binding, &why);
    arena_give(w->d->arenas, &a);
    out_trace(o, "tls: %s %s", tls.version, tls.cipher);
    out_trace(o, "certificate: %s%s%s", proof_name((enum proof)w->proof), why.text[0] ? ": " : "", why.text);
    if (w->proof == PROOF_NONE) {
        struct wire_log log;
        METRIC_INC(w->d->metrics, M_CERT_BAD);
        LOG_INFO(wire_log(w, &log, LOG_TLS, NULL), "certificate_proves_not", F_STR("remote", w->remote),
                 F_WHY(&why));
        if (binding || policy_now(o).certificate) {
            struct why all = { "" };
            why_set(&all, "TLS certificate: %s", why.text);
            refuse(o, STEP_CERTIFICATE, all.text);
            return;
        }
    }
    out_begin_stream(o);
}

/* --- being accepted --- */

static void begin_dialback(struct out *o)
{
    struct wire *w = &o->w;
    if (!w->d->conf->dialback) {
        refuse(o, STEP_EXTERNAL, "the server does not accept our certificate, and dialback is off");
        return;
    }
    struct arena *a = arena_take(w->d->arenas);
    struct buf out = BUF_INIT(0);
    struct dialback d = { .kind = DIALBACK_RESULT, .from = wire_local(w), .to = wire_remote(w) };
    d.key = dialback_key(a, s2s_secret(w->d), d.to, d.from, slice_cstr(w->id));
    dialback_write(&out, &d);
    o->state = OUT_DIALBACK;
    wire_write(w, buf_get(&out));
    buf_fini(&out);
    arena_give(w->d->arenas, &a);
    out_trace(o, "dialback: asked to be accepted");
}

void out_want(struct out *o)
{
    struct wire *w = &o->w;
    if (o->state != OUT_OPEN)
        return;
    o->due_ms = loop_now_ms(w->d->loop) + w->d->conf->negotiate_ms;
    if (o->bidi && w->secure) { /* XEP-0288 2.2: before we are accepted */
        wire_write(w, SLICE("<bidi xmlns='" NS_BIDI "'/>"));
        w->bidi = true;
    }
    if (!o->external || o->tried_external || !s2s_has_cert(w->d)) {
        begin_dialback(o);
    } else {
        struct arena *a = arena_take(w->d->arenas);
        struct buf out = BUF_INIT(0);
        o->tried_external = true;
        o->state = OUT_SASL;
        BUF_LIT(&out, "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>");
        buf_slice(&out, base64_encode(a, wire_local(w))); /* XEP-0178 3: which of our domains we are */
        BUF_LIT(&out, "</auth>");
        wire_write(w, buf_get(&out));
        buf_fini(&out);
        arena_give(w->d->arenas, &a);
        out_trace(o, "external: offered our certificate");
    }
    wire_arm(w);
}

static void accepted(struct out *o, enum proof how)
{
    o->accepted = true;
    o->how = (uint8_t)how;
    o->w.xml.limits = &o->w.d->authed;
    METRIC_INC(o->w.d->metrics, how == PROOF_PKIX ? M_OUT_EXTERNAL : M_OUT_DIALBACK);
    out_trace(o, "%s: accepted", how == PROOF_PKIX ? "external" : "dialback");
}

static void on_success(struct wire *w, struct arena *a, struct node *n)
{
    struct out *o = out_of(w);
    (void)a;
    (void)n;
    accepted(o, PROOF_PKIX);
    wire_restart(w);
    out_begin_stream(o);
}

static void on_sasl_failure(struct wire *w, struct arena *a, struct node *n)
{
    struct out *o = out_of(w);
    const struct node *cond = node_child(n);
    struct wire_log log;
    (void)a;
    LOG_INFO(wire_log(w, &log, LOG_AUTH, NULL), "certificate_refused", F_STR("local", w->local),
             F_STR("remote", w->remote), F_SLICE("cond", cond ? cond->name : SLICE_NONE));
    out_trace(o, "external: refused");
    if (w->d->conf->dialback && !o->external_refused) { /* should it end the stream: on a new one */
        o->external_refused = true;
        reach_again(o);
    }
    begin_dialback(o); /* as deployed: it is the same stream still (RFC 6120 6.4.5) */
}

static void on_result(struct wire *w, struct arena *a, struct node *n)
{
    struct out *o = out_of(w);
    struct dialback d;
    struct why why = { "" };
    if (dialback_read(a, n, &d, NULL, &why) != RC_OK || !slice_is(d.from, w->remote) ||
        !slice_is(d.to, w->local) || d.type == DIALBACK_REQUEST) {
        out_failed(o, STEP_DIALBACK, COND_REMOTE_SERVER_TIMEOUT, true,
                   "a dialback answer that belongs to nothing");
        fail(o, STREAM_BAD_FORMAT);
    } else if (d.type == DIALBACK_VALID) {
        accepted(o, PROOF_DIALBACK);
        ssm_begin(o);
    } else {
        why_set(&why, "dialback: the server does not accept us: " SLICE_FMT "%s" SLICE_FMT,
                SLICE_ARG(d.type == DIALBACK_ERROR ? d.error : SLICE("invalid")), d.text.len ? ": " : "",
                SLICE_ARG(d.text));
        refuse(o, STEP_DIALBACK, why.text);
    }
}

void out_ready(struct out *o)
{
    struct wire_log log;
    struct pair *p = o->pair;
    o->state = OUT_READY;
    reach_done(o);
    LOG_INFO(wire_log(&o->w, &log, LOG_XMPP, NULL), "connected", F_STR("local", o->w.local),
             F_STR("remote", o->w.remote), F_STR("how", o->how == PROOF_DIALBACK ? "dialback" : "external"),
             F_STR("certificate", proof_name((enum proof)o->w.proof)), F_UINT("sm", o->w.sm != NULL));
    if (o->trace) {
        out_trace(o, "done: ok");
        o->trace = NULL;
        wire_end(&o->w);
        return;
    }
    o->at = NULL; /* an idle stream owns little */
    resolve_free(&o->resolve);
    wire_arm(&o->w);
    if (!p)
        return;
    if (!p->via)
        pair_via(p, &o->w);
    out_settle(o);
}

static void on_bidi_stanza(struct wire *w, struct arena *a, struct node *n)
{
    take_stanza(w, a, n); /* may_send says whether it was agreed on */
}

static enum proof may_send(const struct wire *w, struct slice local, struct slice remote)
{
    const struct out *o = out_at(w);
    if (!w->bidi || !o->accepted || !slice_is(local, w->local) || !slice_is(remote, w->remote))
        return PROOF_NONE;
    return w->proof != PROOF_NONE ? (enum proof)w->proof : PROOF_DIALBACK; /* we looked it up and called it */
}

/* --- asking about keys --- */

static bool ask(struct out *o, struct verify *v)
{
    if (o->w.over)
        return false;
    struct buf out = BUF_INIT(0);
    const struct dialback d = { .kind = DIALBACK_VERIFY,
                                .from = wire_local(&o->w),
                                .to = wire_remote(&o->w),
                                .id = slice_cstr(v->id),
                                .key = slice_cstr(v->key) };
    dialback_write(&out, &d);
    wire_write(&o->w, buf_get(&out));
    buf_fini(&out);
    v->at_ms = loop_now_ms(o->w.d->loop);
    return true;
}

static void ask_all(struct out *o)
{
    for (struct link *it = o->pair ? o->pair->verifies.next : NULL; it && it != &o->pair->verifies;
         it = it->next) {
        struct verify *v = CONTAINER(it, struct verify, link);
        v->asked = v->asked || ask(o, v);
    }
}

bool out_ask(struct out *o, struct verify *v)
{
    return (IN(o->state) & ANSWERS) && ask(o, v);
}

static struct verify *asked(const struct pair *p, struct slice id)
{
    for (struct link *it = p->verifies.next; it != &p->verifies; it = it->next) {
        struct verify *v = CONTAINER(it, struct verify, link);
        if (v->asked && slice_is(id, v->id))
            return v;
    }
    return NULL;
}

static void on_verify(struct wire *w, struct arena *a, struct node *n)
{
    struct out *o = out_of(w);
    struct dialback d;
    struct why why = { "" };
    struct verify *v = NULL;
    if (dialback_read(a, n, &d, NULL, &why) == RC_OK && d.type != DIALBACK_REQUEST &&
        slice_is(d.from, w->remote) && slice_is(d.to, w->local) && o->pair)
        v = asked(o->pair, d.id);
    if (!v) {
        struct wire_log log;
        LOG_INFO(wire_log(w, &log, LOG_AUTH, NULL), "answer_dropped", F_STR("remote", w->remote),
                 F_WHY(&why));
        return;
    }
    struct why text = { "" };
    why_set(&text, SLICE_FMT, SLICE_ARG(d.text));
    const char *error = d.type == DIALBACK_ERROR ? "remote-server-timeout" : NULL;
    in_verified(v, o->pair, d.type, error, text.text);
    verify_free(&v);
}

/* --- time, and the end --- */

enum { UNUSED_MS = 30000 }; /* a stream that was for questions only */

static bool no_questions(const struct out *o)
{
    return !o->pair || list_empty(&o->pair->verifies);
}

static uint64_t due(const struct wire *w)
{
    const struct out *o = out_at(w);
    uint64_t at = UINT64_MAX;
    if (o->state != OUT_OPEN && o->state != OUT_READY)
        at = o->due_ms;
    else if (o->state == OUT_OPEN && no_questions(o))
        at = w->last_in_ms + UNUSED_MS;
    for (struct link *it = o->pair ? o->pair->verifies.next : NULL; it && it != &o->pair->verifies;
         it = it->next) {
        const struct verify *v = CONTAINER(it, struct verify, link);
        if (v->asked && v->at_ms + w->d->conf->negotiate_ms < at)
            at = v->at_ms + w->d->conf->negotiate_ms;
    }
    return at;
}

static void on_due(struct wire *w)
{
    struct out *o = out_of(w);
    struct why why = { "" };
    if (o->state == OUT_OPEN && no_questions(o)) {
        wire_end(w);
        return;
    }
    if (o->state == OUT_OPEN || o->state == OUT_READY) { /* a question about a key was not answered */
        out_failed(o, STEP_DIALBACK, COND_REMOTE_SERVER_TIMEOUT, true, "no answer about a dialback key");
        wire_end(w);
        return;
    }
    why_set(&why, "no answer in time (%s)", out_state_name((enum out_state)o->state));
    out_failed(o,
               o->state <= OUT_FEATURES  ? STEP_STREAM
               : o->state == OUT_PROCEED ? STEP_TLS
                                         : STEP_DIALBACK,
               COND_REMOTE_SERVER_TIMEOUT, true, why.text);
    if (w->conn)
        wire_fail(w, STREAM_CONNECTION_TIMEOUT, why.text);
    else
        reach_give_up(o);
}

/* Where it is not the domain's server at all, waiting does not help. */
static void on_refused(struct wire *w, struct slice cond, const char *text)
{
    struct out *o = out_of(w);
    bool none = slice_is(cond, "host-unknown") || slice_is(cond, "host-gone");
    if (o->state != OUT_READY)
        out_failed(o, o->state == OUT_DIALBACK ? STEP_DIALBACK : STEP_STREAM,
                   none ? COND_REMOTE_SERVER_NOT_FOUND : COND_REMOTE_SERVER_TIMEOUT, !none, text);
}

/* Questions that were asked here have to be asked again, elsewhere. */
static void ask_again(struct pair *p)
{
    LIST_EACH(&p->verifies, it) {
        CONTAINER(it, struct verify, link)->asked = false;
    }
}

static void on_over(struct wire *w, bool lost, const char *text)
{
    struct out *o = out_of(w);
    struct pair *p = o->pair;
    bool ready = o->state == OUT_READY, was_ready = ready || (o->state == OUT_OPEN && !o->blamed);
    (void)lost;
    if (!was_ready && !o->blamed) {
        struct why why = { "" };
        why_set(&why, "the stream ended%s%s", text ? ": " : "", text ? text : "");
        out_failed(o,
                   w->handshaking             ? STEP_TLS
                   : o->state == OUT_DIALBACK ? STEP_DIALBACK
                                              : STEP_STREAM,
                   COND_REMOTE_SERVER_TIMEOUT, true, why.text);
    }
    o->state = OUT_CLOSED;
    if (!p)
        return;
    ask_again(p);
    if (!was_ready || p->out != o)
        return;
    o->told = true; /* it had worked */
    p->out = NULL;
    pair_ended(p, ready ? loop_now_ms(w->d->loop) - w->since_ms : UINT64_MAX, text != NULL, text);
}

static void on_gone(struct wire *w, enum conn_cause cause, const struct why *why)
{
    struct out *o = out_of(w);
    struct s2s *d = w->d;
    struct pair *p = o->pair;
    (void)cause;
    (void)why;
    if (!o->told && reach_next(o)) /* another address */
        return;
    out_give_up(o);
    wire_fini(w); /* what it carried is in the pair's queue now */
    out_free(&o);
    if (p)
        pair_need(p);
    s2s_wire_gone(d);
}

static const char *state(const struct wire *w)
{
    return out_state_name((enum out_state)out_at(w)->state);
}

const struct wire_ops out_wire_ops = {
    .on_header = on_header,
    .on_element = on_element,
    .on_secure = on_secure,
    .on_over = on_over,
    .on_gone = on_gone,
    .due = due,
    .on_due = on_due,
    .may_send = may_send,
    .on_refused = on_refused,
    .state = state,
};
