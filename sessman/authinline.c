/* sessman/authinline.c */
#include "sessman/authinline.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/edge/smelement.h"
#include "common/xmpp/delay.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/bindstate.h"
#include "sessman/module.h"
#include "sessman/out.h"
#include "sessman/resume.h"
#include "sessman/tokens.h"
#include "sessman/restore.h"
#include <gnutls/crypto.h>

enum {
    RANDOM_BYTES = 9, /* of a resource: 12 characters */
    TAG_MAX = 256,    /* bytes of what a client may put before that */
};

/* A token is being written, or an account looked at. What asked for it may be gone when that is done. */
struct waiting {
    struct authinline *of; /* NULL: gone */
    struct sessman *sm;
};
struct authinline {
    struct login *l;
    struct arena *a;
    struct control_authenticate asked;
    struct jid user;
    bool has_data;
    struct slice data;
    struct slice token; /* given; empty: none */
    int64_t expires_ms;
    struct waiting *waiting;
    struct slice metadata; /* of the archive, before binding */
    bool tried;            /* to resume */
    struct slice failed;   /* what came of it: <failed/>; empty: it was not asked for */
};

static void go_on(struct authinline *i);

struct authinline *authinline_new(struct login *l, const struct node *n)
{
    struct authinline *i = mem_new(sizeof *i);
    i->l = l;
    i->a = arena_new(2048, 0);
    if (control_read_authenticate(i->a, node_copy(i->a, n), &i->asked, NULL) != RC_OK)
        authinline_free(&i);
    return i;
}

void authinline_free(struct authinline **ip)
{
    struct authinline *i = *ip;
    if (!i)
        return;
    if (i->waiting)
        i->waiting->of = NULL;
    arena_free(&i->a);
    MEM_FREE(ip);
}

const struct control_authenticate *authinline_request(const struct authinline *i)
{
    return &i->asked;
}

/* Sessions know the client that bound them by this alone (XEP-0386 3.2). Never 0. */
static uint64_t agent_hash(const struct authinline *i)
{
    uint8_t hash[32];
    uint64_t out;
    struct slice agent = i->asked.request.agent;
    if (!agent.len)
        return 0;
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, i->l->sm->secret, sizeof i->l->sm->secret, agent.p, agent.len, hash);
    memcpy(&out, hash, sizeof out);
    return out | 1;
}

/* --- the answer --- */

static void write_token(struct buf *out, const struct authinline *i)
{
    BUF_LIT(out, "<token xmlns='" NS_FAST "'");
    xmlout_attr(out, "expiry", time_write(i->a, i->expires_ms));
    xmlout_attr(out, "token", i->token);
    BUF_LIT(out, "/>");
}

/* The rest of c is what the caller knows; more: what goes with it. */
static void write_answer(struct buf *out, const struct authinline *i, struct control_authenticated *c,
                         struct slice element)
{
    struct buf more = BUF_INIT(0);
    if (i->token.len)
        write_token(&more, i);
    buf_slice(&more, element);
    c->has_data = i->has_data;
    c->data = i->data;
    c->user = jid_bare(&i->user);
    c->more = buf_get(&more);
    control_write_authenticated(out, c);
    buf_fini(&more);
}

static void answer(struct authinline *i, struct slice full, struct slice bound)
{
    struct login *l = i->l;
    struct buf b = BUF_INIT(0);
    struct control_authenticated c = { .full = full, .bound = bound, .sm = l->s->sm != NULL };
    write_answer(&b, i, &c, i->failed);
    out_control(l->sm, 0, l->s, buf_get(&b));
    buf_fini(&b);
    authinline_free(&l->asked);
}

/* --- a resource --- */

/* XEP-0386 3.2.1: the client's tag and what nobody can guess. Without a tag that can be part of one, that
 * alone. */
static struct slice resource_of(struct authinline *i)
{
    struct slice tag = slice_trim(i->asked.request.tag), unique = secret_token(i->a, RANDOM_BYTES), out;
    if (!tag.len || tag.len > TAG_MAX)
        return unique;
    struct slice both = arena_fmt(i->a, SLICE_FMT "/" SLICE_FMT, SLICE_ARG(tag), SLICE_ARG(unique));
    return jid_prepare_resource(i->a, both, &out, NULL) == RC_OK ? out : unique;
}

void authinline_make_room(struct authinline *i, struct account *a)
{
    uint64_t agent = agent_hash(i);
    struct session *same;
    do {
        same = NULL;
        LIST_EACH(&a->sessions, it) {
            struct session *s = CONTAINER(it, struct session, in_account);
            if (agent && s->agent == agent)
                same = s;
        }
        if (same)
            session_close(i->l->sm, same, STREAM_CONFLICT, "replaced by a new connection of the same client");
    } while (same);
}

static void bind_inline(struct sessman *sm, struct session *s, struct arena *a, const struct node *bind,
                        struct buf *out)
{
    for (const struct node *n = node_child(bind); n; n = node_sibling(n))
        for (size_t m = 0; modules[m]; m++)
            for (const struct bind_inline *b = modules[m]->binds; b && b->ns; b++)
                if (node_is(n, b->name, b->ns))
                    b->bind(sm, s, a, n, out);
}

void authinline_bound(struct authinline *i)
{
    struct session *s = i->l->s;
    struct buf bound = BUF_INIT(0);
    s->agent = agent_hash(i);
    buf_slice(&bound, i->metadata);
    session_dirty(i->l->sm, s);
    bind_inline(i->l->sm, s, i->a, i->asked.request.bind, &bound);
    answer(i, session_jid(s), buf_get(&bound));
    buf_fini(&bound);
}

static struct waiting *wait(struct authinline *i)
{
    i->waiting = mem_new(sizeof *i->waiting);
    *i->waiting = (struct waiting){ i, i->l->sm };
    return i->waiting;
}

/* Who waited, or NULL if he is gone. */
static struct authinline *waited(void *ctx)
{
    struct waiting *w = ctx;
    struct authinline *i = w->of;
    mem_free(w);
    if (i)
        i->waiting = NULL;
    return i;
}

static void on_state(void *ctx, struct slice metadata)
{
    struct authinline *i = waited(ctx);
    if (!i)
        return;
    i->metadata = arena_copy(i->a, metadata);
    login_bind(i->l, resource_of(i));
}

static void on_account(void *ctx, struct account *a)
{
    struct sessman *sm = ((struct waiting *)ctx)->sm;
    struct authinline *i = waited(ctx);
    if (i && a)
        bindstate_start(sm, a, on_state, wait(i));
    else if (i)
        login_fail(i->l, SASL_NOT_AUTHORIZED, NULL); /* gone since */
    if (a)
        account_release(sm, a);
}

void authinline_refused(struct authinline *i, enum stanza_cond cond, const char *text)
{
    bool gone = cond == COND_NOT_ALLOWED; /* the account, since */
    login_fail(i->l, gone ? SASL_NOT_AUTHORIZED : SASL_TEMPORARY_AUTH_FAILURE, text);
}

/* --- an earlier session (XEP-0198 9.2) --- */

static void on_resumed(void *ctx, const struct control_resumed *r, struct buf *out)
{
    struct authinline *i = ctx;
    struct buf element = BUF_INIT(0);
    struct control_authenticated c = {
        .full = r->full.full, .resumed = true, .sm = true, .in = r->in, .out = r->out
    };
    smelement_write_resumed(&element, r);
    write_answer(out, i, &c, buf_get(&element));
    buf_fini(&element);
}

static void on_resume_failed(void *ctx, const struct control_resume_failed *f)
{
    struct authinline *i = ctx;
    struct buf element = BUF_INIT(0);
    smelement_write_failed(&element, f->cond, f->has_h && !f->too_high ? &f->h : NULL);
    i->failed = arena_copy(i->a, buf_get(&element));
    buf_fini(&element);
    go_on(i);
}

static void resume(struct authinline *i)
{
    static const struct resume_words words = { on_resumed, on_resume_failed };
    const struct control_resume c = { i->asked.request.previd, i->asked.request.h };
    i->tried = true;
    resume_start_inline(i->l->sm, i->l->s, &c, &words, i);
}

static void go_on(struct authinline *i)
{
    if (i->asked.request.resume && !i->tried)
        resume(i);
    else if (i->asked.request.bind)
        account_load(i->l->sm, &i->user, on_account, wait(i));
    else
        answer(i, SLICE_NONE, SLICE_NONE);
}

/* --- a token --- */

static void on_given(void *ctx, enum rc rc)
{
    struct authinline *i = waited(ctx);
    if (!i)
        return;
    if (rc != RC_OK)
        i->token = SLICE_NONE;
    go_on(i);
}

/* Whether it gets one: because it asks, or because the one it has used is old (XEP-0484 3.2, 3.5). */
static bool wants_token(const struct authinline *i, enum ht_binding *binding)
{
    const struct sasl2_request *r = &i->asked.request;
    if (!r->agent.len)
        return false;
    if (r->token_for.len)
        return ht_parse_name(r->token_for, binding) && auth_token_fits(i->l->auth, *binding);
    return auth_token_due(i->l->auth, binding);
}

void authinline_go(struct authinline *i, const struct jid *user, bool has_data, struct slice data)
{
    enum ht_binding binding;
    i->user = jid_copy(i->a, user);
    i->has_data = has_data;
    i->data = arena_copy(i->a, data);
    login_succeeded(i->l, user);
    if (!wants_token(i, &binding)) {
        go_on(i);
        return;
    }
    tokens_give(i->l->sm, i->a, &i->user, auth_is_anonymous(i->l->auth), i->asked.request.agent, binding,
                &i->token, &i->expires_ms, on_given, wait(i));
}
