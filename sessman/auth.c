/* sessman/auth.c */
#include "sessman/auth.h"
#include "sessman/auth_inside.h"
#include "sessman/anonymous.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/xmpp/bearer.h"
#include "sessman/scopes.h"
#include "sessman/users.h"
#include <netinet/in.h>
#include <stdio.h>

enum {
    ATTEMPT_CHUNK_BYTES = 1024,
    MECHANISMS_MAX = 16,
    FAKE_SALT_BYTES = 16,
};

/* --- answers --- */

static void answer_now(struct turn *t);

static void answer(struct auth *a, enum auth_answer what)
{
    a->at->answer = what;
    a->state = AUTH_WORKING;
    loop_at_turn_end(a->sm->loop, &a->later);
}

void auth_answer_fail(struct auth *a, enum sasl_fail cond, const char *text)
{
    a->at->cond = cond;
    a->at->text = text;
    answer(a, AUTH_FAILURE);
}

void auth_answer_refused(struct auth *a, struct slice challenge)
{
    a->at->refused = true;
    a->at->cond = SASL_NOT_AUTHORIZED;
    a->at->data = challenge;
    answer(a, AUTH_CHALLENGE);
}

static void answer_challenge(struct auth *a, struct slice data)
{
    a->at->data = data;
    answer(a, AUTH_CHALLENGE);
}

static void log_failure(struct auth *a)
{
    struct log_ctx log = sessman_log(a->sm, LOG_AUTH);
    char ip[INET6_ADDRSTRLEN];
    if (slice_to_cstr(a->open.ip, ip, sizeof ip) == RC_OK)
        log.ip = ip;
    LOG_INFO(&log, "auth_failed", F_STR("mech", a->at->mechanism), F_SLICE("user", a->at->name),
             F_SLICE("domain", a->open.domain), F_STR("cond", sasl_fail_name(a->at->cond)));
}

static void attempt_free(struct attempt **at)
{
    if (!*at)
        return;
    secret_wipe(&(*at)->keys, sizeof(*at)->keys);
    arena_free(&(*at)->arena);
    MEM_FREE(at);
}

/* Noted once: who is told why it failed need not come back for the failure. */
static void note_failure(struct auth *a)
{
    if (a->at->cond == SASL_NOT_AUTHORIZED || a->at->cond == SASL_INVALID_AUTHZID)
        auth_count_failure(a);
    log_failure(a);
}

/* The owner may free the auth inside, so that is the last thing done with it. */
static void answer_now(struct turn *t)
{
    struct auth *a = CONTAINER(t, struct auth, later);
    struct attempt *at = a->at;
    if (at->answer == AUTH_CHALLENGE) {
        struct slice data = at->data;
        a->state = at->refused ? AUTH_REFUSED : at->scram.server_first.len ? AUTH_FINAL : AUTH_INITIAL;
        at->answer = AUTH_NOT_YET;
        if (at->refused)
            note_failure(a);
        a->ops->on_challenge(a->owner, data);
        return;
    }
    if (at->answer == AUTH_FAILURE && !at->refused)
        note_failure(a);
    a->at = NULL;
    a->state = AUTH_IDLE;
    if (at->answer == AUTH_SUCCESS)
        a->ops->on_success(a->owner, &at->user, at->has_data, at->data);
    else
        a->ops->on_failure(a->owner, at->cond, at->text);
    attempt_free(&at);
}

struct asked *auth_ask(struct auth *a)
{
    a->state = AUTH_WORKING;
    a->asked = mem_new(sizeof *a->asked);
    a->asked->auth = a;
    return a->asked;
}

struct auth *auth_asker(void *ctx)
{
    struct asked *q = ctx;
    struct auth *a = q->auth;
    if (a)
        a->asked = NULL;
    mem_free(q);
    return a;
}

static void ask_drop(struct auth *a)
{
    if (a->asked)
        a->asked->auth = NULL;
    a->asked = NULL;
}

/* --- what all mechanisms share --- */

static void on_ensured(void *ctx, enum rc rc, const struct why *why)
{
    struct auth *a = auth_asker(ctx);
    (void)why;
    if (!a)
        return;
    if (rc == RC_OK)
        answer(a, AUTH_SUCCESS);
    else
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, NULL);
}

static void go_in(struct auth *a)
{
    if (a->sm->auth_backend == &auth_store || a->anonymous)
        answer(a, AUTH_SUCCESS); /* it has found a row */
    else
        users_ensure(a->sm, &a->at->user, on_ensured, auth_ask(a));
}

static void on_disabled(void *ctx, const struct store_result *r)
{
    struct auth *a = auth_asker(ctx);
    if (!a)
        return;
    if (r->rc != RC_OK)
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, NULL);
    else if (r->rows && store_row(r, 0)->i)
        auth_answer_fail(a, SASL_ACCOUNT_DISABLED,
                         NULL); /* RFC 6120 6.5.1: told to who has the password alone */
    else
        go_in(a);
}

/* Where no account is disabled, as almost everywhere, nothing is asked. */
void auth_succeed(struct auth *a)
{
    const struct jid *user = &a->at->user;
    if (a->sm->disabled_any)
        store_run(a->sm->store, STMT_ACCOUNT_DISABLED,
                  STORE_VALUES(STORE_T(user->domain), STORE_T(user->local)), on_disabled, auth_ask(a));
    else
        go_in(a);
}

/* Names the user, if it may be one, and if the other identity that he asks for is his own (RFC 6120 6.3.8).
 */
bool auth_take_user(struct auth *a, struct slice name, struct slice authzid)
{
    struct attempt *at = a->at;
    struct jid other;
    at->name = arena_copy(at->arena, name);
    if (!name.len || jid_make(at->arena, at->name, a->open.domain, SLICE_NONE, &at->user, NULL) != RC_OK) {
        auth_answer_fail(a, SASL_NOT_AUTHORIZED, NULL); /* no such account: as for any other */
        return false;
    }
    if (authzid.len && (jid_parse(at->arena, arena_copy(at->arena, authzid), &other, NULL) != RC_OK ||
                        !jid_eq(&other, &at->user))) {
        auth_answer_fail(a, SASL_INVALID_AUTHZID, NULL);
        return false;
    }
    if (authzid.len && at->from.len && !slice_eq(at->from, jid_bare(&at->user))) {
        auth_answer_fail(a, SASL_INVALID_AUTHZID, NULL); /* XEP-0388 2.3 */
        return false;
    }
    if (auth_over_rate(a)) {
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, "too many failed attempts");
        return false;
    }
    return true;
}

/* --- PLAIN (RFC 4616) --- */

static void on_checked(void *ctx, enum rc rc)
{
    struct auth *a = auth_asker(ctx);
    if (!a)
        return;
    if (rc == RC_OK)
        auth_succeed(a);
    else if (rc == RC_DENIED || rc == RC_NOTFOUND || rc == RC_SYNTAX || rc == RC_LIMIT)
        auth_answer_fail(a, SASL_NOT_AUTHORIZED, NULL);
    else
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, NULL);
}

static void plain_first(struct auth *a, struct slice message)
{
    struct sasl_plain p;
    enum sasl_fail fail = sasl_plain_read(message, &p);
    if (fail != SASL_OK) {
        auth_answer_fail(a, fail, NULL);
        return;
    }
    if (auth_take_user(a, p.user, p.authzid))
        a->sm->auth_backend->check(a->sm->auth_state, &a->at->user, p.password, on_checked, auth_ask(a));
}

/* --- SCRAM (RFC 5802) --- */

/* The same for the same name every time, and not to be told from a real one without the secret. */
static void fake_keys(const struct auth *a, struct scram_keys *k)
{
    uint8_t hash[32];
    memset(k, 0, sizeof *k);
    auth_keyed_hash(a->sm, (char)('0' + (int)a->at->scram.hash), jid_bare(&a->at->user), hash);
    memcpy(k->salt, hash, FAKE_SALT_BYTES);
    k->salt_len = FAKE_SALT_BYTES;
    k->iterations = a->sm->conf->scram_iterations;
    secret_random(k->stored, sizeof k->stored);
    secret_random(k->server, sizeof k->server);
}

static size_t split(struct slice list, struct slice *out)
{
    size_t n = 0;
    struct slice word;
    while (n < MECHANISMS_MAX && slice_split(&list, ' ', &word))
        if (word.len)
            out[n++] = word;
    return n;
}

static struct slice downgrade_hash(const struct auth *a)
{
    struct slice mechs[MECHANISMS_MAX], bindings[MECHANISMS_MAX];
    size_t n_mechs = split(a->open.mechanisms, mechs), n_bindings = split(a->open.bindings, bindings);
    if (!n_mechs)
        return SLICE_NONE;
    return scram_ssdp(a->at->arena, a->at->scram.hash, mechs, n_mechs, bindings, n_bindings);
}

static void on_keys(void *ctx, enum rc rc, const struct auth_keys *k)
{
    struct auth *a = auth_asker(ctx);
    struct slice out;
    if (!a)
        return;
    struct attempt *at = a->at;
    if (rc != RC_OK) {
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, NULL);
        return;
    }
    at->unknown = !k->found || !k->has[at->scram.hash];
    if (at->unknown)
        fake_keys(a, &at->keys);
    else
        at->keys = k->keys[at->scram.hash];
    scram_challenge(at->arena, &at->scram, secret_token(at->arena, SCRAM_NONCE_BYTES), &at->keys,
                    downgrade_hash(a), &out);
    answer_challenge(a, out);
}

static void scram_begin(struct auth *a, struct slice message)
{
    struct attempt *at = a->at;
    enum sasl_fail fail = scram_first(at->arena, at->scram.hash, at->plus, a->open.offered_plus,
                                      arena_copy(at->arena, message), &a->open.cb, &at->scram);
    if (fail != SASL_OK) {
        auth_answer_fail(a, fail, NULL);
        return;
    }
    if (auth_take_user(a, at->scram.user, at->scram.authzid))
        a->sm->auth_backend->get_keys(a->sm->auth_state, &at->user, on_keys, auth_ask(a));
}

static void scram_end(struct auth *a, struct slice message)
{
    struct attempt *at = a->at;
    enum sasl_fail fail =
        scram_final(at->arena, &at->scram, &at->keys, arena_copy(at->arena, message), &at->data);
    if (fail == SASL_OK && at->unknown)
        fail = SASL_NOT_AUTHORIZED;
    at->has_data = true;
    if (fail == SASL_OK)
        auth_succeed(a);
    else
        auth_answer_fail(a, fail, NULL);
}

/* --- who is in a row, or in a certificate --- */

static void on_exists(void *ctx, enum rc rc)
{
    struct auth *a = auth_asker(ctx);
    if (!a)
        return;
    if (rc == RC_OK)
        auth_succeed(a);
    else
        auth_answer_fail(
            a, rc == RC_NOTFOUND || rc == RC_DENIED ? SASL_NOT_AUTHORIZED : SASL_TEMPORARY_AUTH_FAILURE,
            NULL);
}

void auth_succeed_by_row(struct auth *a)
{
    if (a->sm->auth_backend == &auth_store || a->anonymous)
        auth_succeed(a);
    else
        a->sm->auth_backend->exists(a->sm->auth_state, &a->at->user, on_exists, auth_ask(a));
}

/* --- EXTERNAL (XEP-0178 3) --- */

/* An address of the certificate that is an account of this domain. */
static bool cert_jid(struct auth *a, struct slice text, struct jid *out)
{
    return jid_parse(a->at->arena, text, out, NULL) == RC_OK && out->local.len && !out->resource.len &&
           slice_eq(out->domain, a->open.domain);
}

static void external_first(struct auth *a, struct slice message)
{
    struct attempt *at = a->at;
    struct jid asked = { 0 }, jid, found = { 0 };
    unsigned n = 0;
    at->name = arena_copy(at->arena, message);
    if (message.len && jid_parse(at->arena, at->name, &asked, NULL) != RC_OK) {
        auth_answer_fail(a, SASL_INVALID_AUTHZID, NULL);
        return;
    }
    for (size_t i = 0; i < a->open.n_cert_jids; i++)
        if (cert_jid(a, a->open.cert_jids[i], &jid) && (!message.len || jid_eq(&jid, &asked))) {
            if (!n || !jid_eq(&jid, &found))
                n++;
            found = jid;
        }
    if (n != 1) { /* none, or several and the client did not choose */
        auth_answer_fail(a, message.len ? SASL_INVALID_AUTHZID : SASL_NOT_AUTHORIZED, NULL);
        return;
    }
    at->user = found;
    if (auth_over_rate(a))
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, "too many failed attempts");
    else
        a->sm->auth_backend->exists(a->sm->auth_state, &at->user, on_exists, auth_ask(a));
}

/* --- ANONYMOUS (RFC 4505, XEP-0175) --- */

static void on_anonymous(void *ctx, enum rc rc, const struct jid *user)
{
    struct auth *a = auth_asker(ctx);
    if (!a)
        return; /* its account goes with the next sweep */
    if (rc == RC_OK) {
        a->at->user = jid_copy(a->at->arena, user);
        a->anonymous = true;
        auth_succeed(a);
    } else if (rc == RC_NOTFOUND) {
        auth_answer_fail(a, SASL_INVALID_MECHANISM, NULL);
    } else {
        auth_answer_fail(a, SASL_TEMPORARY_AUTH_FAILURE, rc == RC_LIMIT ? "too many anonymous logins" : NULL);
    }
}

/* RFC 4505 3: what the client says of itself is for the log. */
static void anonymous_first(struct auth *a, struct slice message)
{
    enum { TRACE_MAX = 255 * 4 };
    if (message.len > TRACE_MAX || !slice_utf8_ok(message)) {
        auth_answer_fail(a, SASL_MALFORMED_REQUEST, NULL);
        return;
    }
    a->at->name = arena_copy(a->at->arena, message);
    anonymous_create(a->sm, a->open.domain, a->addr, !a->open.trusted_plain, on_anonymous, auth_ask(a));
}

/* --- the edge's side --- */

static bool offered(const struct auth *a, struct slice mechanism)
{
    struct slice mechs[MECHANISMS_MAX];
    size_t n = split(a->open.mechanisms, mechs);
    for (size_t i = 0; i < n; i++)
        if (slice_eq(mechs[i], mechanism))
            return true;
    return n == 0; /* the edge did not say */
}

/* A session of the HTTP API: what needs one step, and what only it may use. Nothing that it could gain a
 * client's session by. */
static enum sasl_fail choose_api(struct auth *a, struct slice mechanism)
{
    if (slice_is(mechanism, "PLAIN"))
        a->at->first = plain_first;
    else if (slice_is(mechanism, BEARER) && a->sm->conf->api_tokens)
        a->at->first = auth_bearer_first;
    else
        return SASL_INVALID_MECHANISM;
    return a->open.secure || a->open.trusted_plain ? SASL_OK : SASL_ENCRYPTION_REQUIRED;
}

/* SASL_OK and at->first, or why not. */
static enum sasl_fail choose(struct auth *a, struct slice mechanism)
{
    struct attempt *at = a->at;
    enum ht_binding token;
    if (a->open.api)
        return choose_api(a, mechanism);
    if (ht_parse_name(mechanism, &token))
        return auth_fast_choose(a, token);
    if (slice_is(mechanism, "PLAIN")) {
        at->first = plain_first;
        if (!a->open.secure && !a->open.trusted_plain)
            return SASL_ENCRYPTION_REQUIRED;
    } else if (slice_is(mechanism, "ANONYMOUS")) {
        at->first = anonymous_allowed(a->sm, a->open.domain) ? anonymous_first : NULL;
    } else if (slice_is(mechanism, "EXTERNAL")) {
        at->first = a->open.n_cert_jids ? external_first : NULL;
    } else if (scram_parse_name(mechanism, &at->scram.hash, &at->plus)) {
        at->first = a->sm->auth_backend->scram ? scram_begin : NULL;
    }
    return at->first && offered(a, mechanism) ? SASL_OK : SASL_INVALID_MECHANISM;
}

struct auth *auth_new(struct sessman *sm, const struct control_open *open, const struct auth_ops *ops,
                      void *owner)
{
    struct auth *a = mem_new(sizeof *a);
    struct arena *m = arena_new(512, 0);
    a->sm = sm;
    a->ops = ops;
    a->owner = owner;
    a->arena = m;
    a->open = *open;
    a->open.domain = arena_copy(m, open->domain);
    a->open.ip = arena_copy(m, open->ip);
    a->open.mechanisms = arena_copy(m, open->mechanisms);
    a->open.bindings = arena_copy(m, open->bindings);
    a->open.cb.exporter = arena_copy(m, open->cb.exporter);
    a->open.cb.end_point = arena_copy(m, open->cb.end_point);
    struct slice *jids = ARENA_ARRAY(m, open->n_cert_jids, struct slice);
    for (size_t i = 0; i < open->n_cert_jids; i++)
        jids[i] = arena_copy(m, open->cert_jids[i]);
    a->open.cert_jids = jids;
    a->addr = addr_key_of_text(a->open.ip);
    a->later.fn = answer_now;
    return a;
}

void auth_free(struct auth **at)
{
    struct auth *a = *at;
    if (!a)
        return;
    loop_turn_drop(a->sm->loop, &a->later);
    ask_drop(a);
    attempt_free(&a->at);
    arena_free(&a->arena);
    MEM_FREE(at);
}

static void start(struct auth *a, const struct control_auth *step, const struct control_authenticate *c)
{
    if (a->state == AUTH_WORKING)
        return;  /* the edge is wrong; the answer to the step before is still due, and is the only one */
    if (a->at) { /* RFC 6120 6.4: an attempt is ended before another is begun */
        auth_answer_fail(a, SASL_MALFORMED_REQUEST, NULL);
        return;
    }
    a->at = mem_new(sizeof *a->at);
    a->at->arena = arena_new(ATTEMPT_CHUNK_BYTES, 0);
    a->at->request = c ? &c->request : NULL;
    a->at->from = c ? c->from : SLICE_NONE;
    a->token_due = a->anonymous = false;
    a->grant = (struct auth_grant){ .scopes = SLICE(SCOPES_ALL), .epoch = a->sm->api_epoch };
    snprintf(a->at->mechanism, sizeof a->at->mechanism, SLICE_FMT, SLICE_ARG(slice_to(step->mechanism, 31)));
    enum sasl_fail fail = choose(a, step->mechanism);
    if (fail != SASL_OK)
        auth_answer_fail(a, fail, NULL);
    else if (step->has_initial)
        a->at->first(a, step->initial);
    else
        answer_challenge(a, SLICE_NONE);
}

void auth_start(struct auth *a, const struct control_auth *step)
{
    start(a, step, NULL);
}

void auth_authenticate(struct auth *a, const struct control_authenticate *c)
{
    const struct control_auth step = { c->request.mechanism, c->request.has_initial, c->request.initial };
    start(a, &step, c);
}

bool auth_token_due(const struct auth *a, enum ht_binding *binding)
{
    *binding = a->token;
    return a->token_due;
}

const struct auth_grant *auth_grant(const struct auth *a)
{
    return &a->grant;
}

bool auth_is_anonymous(const struct auth *a)
{
    return a->anonymous;
}

bool auth_token_fits(const struct auth *a, enum ht_binding binding)
{
    bool has =
        binding == HT_NONE || (binding == HT_EXPR ? a->open.cb.exporter.len : a->open.cb.end_point.len);
    return a->sm->conf->tokens && a->open.secure && has && (binding == HT_NONE || a->sm->auth_backend->scram);
}

void auth_response(struct auth *a, struct slice data)
{
    switch (a->state) {
    case AUTH_INITIAL:
        a->at->first(a, data);
        break;
    case AUTH_FINAL:
        scram_end(a, data);
        break;
    case AUTH_IDLE:
        a->at = mem_new(sizeof *a->at);
        a->at->arena = arena_new(ATTEMPT_CHUNK_BYTES, 0);
        auth_answer_fail(a, SASL_MALFORMED_REQUEST, NULL);
        break;
    case AUTH_REFUSED:
        auth_answer_fail(a, SASL_NOT_AUTHORIZED, NULL);
        break;
    case AUTH_WORKING:
        break;
    }
}

void auth_abort(struct auth *a)
{
    if (!a->at)
        return;
    ask_drop(a);
    auth_answer_fail(a, SASL_ABORTED, NULL);
}

struct slice auth_mechanisms(const struct sessman *sm, const struct domain *d)
{
#define BY_KEYS     "EXTERNAL SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN"
#define BY_PASSWORD "EXTERNAL PLAIN"
#define BY_TOKEN    " HT-SHA-256"
#define BY_NOTHING  " ANONYMOUS"
    static const struct slice lists[2][2][2] = {
        /* keys, tokens, anonymous */
        { { SLICE_INIT(BY_PASSWORD), SLICE_INIT(BY_PASSWORD BY_NOTHING) },
          { SLICE_INIT(BY_PASSWORD BY_TOKEN), SLICE_INIT(BY_PASSWORD BY_TOKEN BY_NOTHING) } },
        { { SLICE_INIT(BY_KEYS), SLICE_INIT(BY_KEYS BY_NOTHING) },
          { SLICE_INIT(BY_KEYS BY_TOKEN), SLICE_INIT(BY_KEYS BY_TOKEN BY_NOTHING) } },
    };
    return lists[sm->auth_backend->scram][sm->conf->tokens][d->anonymous];
}
