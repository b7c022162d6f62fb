/* sessman/adhoc.c */
#include "sessman/adhoc.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "sessman/account.h"
#include "sessman/audit.h"
#include "sessman/apisession.h"
#include "sessman/dispatch.h"
#include "sessman/scopes.h"
#include "sessman/session.h"

enum { SESSION_ID_BYTES = 15 };

struct adhoc_session {
    struct link all; /* in sm->adhoc->sessions, the longest unused first */
    char *jid, *id;
    const struct command *cmd;
    uint64_t used_ms;
};
struct adhoc_sessions {
    struct sessman *sm;
    struct link sessions;
    unsigned n;
    struct timer expiry;
};
struct adhoc {
    struct incoming *in;
    const struct command *cmd;
    struct adhoc_session *session; /* the step's while it runs; NULL: the first step */
    const struct node *form;
    struct audit_entry by; /* for the record: who, as far as it is known before it runs */
    bool by_token;
    bool running, finished; /* run has not returned yet; it has been answered */
};

/* --- sessions --- */

static void session_free(struct adhoc_session *s)
{
    mem_free(s->jid);
    mem_free(s->id);
    mem_free(s);
}

static void session_take(struct adhoc_sessions *all, struct adhoc_session *s)
{
    list_unlink(&s->all);
    all->n--;
}

static void session_drop(struct adhoc_sessions *all, struct adhoc_session *s)
{
    session_take(all, s);
    session_free(s);
}

static void on_expiry(struct timer *t)
{
    struct adhoc_sessions *all = CONTAINER(t, struct adhoc_sessions, expiry);
    uint64_t now = loop_now_ms(all->sm->loop);
    while (!list_empty(&all->sessions)) {
        struct adhoc_session *oldest = CONTAINER(all->sessions.next, struct adhoc_session, all);
        if (now - oldest->used_ms < ADHOC_IDLE_MS) {
            loop_timer(all->sm->loop, t, ADHOC_IDLE_MS - (now - oldest->used_ms), on_expiry);
            return;
        }
        session_drop(all, oldest);
    }
}

static struct adhoc_sessions *sessions(struct sessman *sm)
{
    if (!sm->adhoc) {
        sm->adhoc = mem_new(sizeof *sm->adhoc);
        sm->adhoc->sm = sm;
        list_init(&sm->adhoc->sessions);
    }
    return sm->adhoc;
}

void adhoc_fini(struct sessman *sm)
{
    if (!sm->adhoc)
        return;
    timer_stop(&sm->adhoc->expiry);
    while (!list_empty(&sm->adhoc->sessions))
        session_drop(sm->adhoc, CONTAINER(sm->adhoc->sessions.next, struct adhoc_session, all));
    MEM_FREE(&sm->adhoc);
}

static struct slice bare_of(struct slice jid)
{
    struct slice bare = SLICE_NONE;
    (void)!slice_split(&jid, '/', &bare);
    return bare;
}

/* One more of jid goes in: the oldest of its own goes, of its account, or of all. */
static void make_room(struct adhoc_sessions *all, struct slice jid)
{
    struct adhoc_session *oldest = NULL, *oldest_of_account = NULL;
    unsigned own = 0, of_account = 0;
    LIST_EACH(&all->sessions, it) {
        struct adhoc_session *s = CONTAINER(it, struct adhoc_session, all);
        if (!slice_eq(bare_of(jid), bare_of(slice_cstr(s->jid))))
            continue;
        of_account++;
        oldest_of_account = oldest_of_account ? oldest_of_account : s;
        if (!slice_is(jid, s->jid))
            continue;
        own++;
        oldest = oldest ? oldest : s;
    }
    if (own >= ADHOC_PER_JID)
        session_drop(all, oldest);
    else if (of_account >= ADHOC_PER_ACCOUNT)
        session_drop(all, oldest_of_account);
    else if (all->n >= ADHOC_MOST)
        session_drop(all, CONTAINER(all->sessions.next, struct adhoc_session, all));
}

static void session_put(struct adhoc_sessions *all, struct adhoc_session *s)
{
    make_room(all, slice_cstr(s->jid));
    list_append(&all->sessions, &s->all);
    all->n++;
    s->used_ms = loop_now_ms(all->sm->loop);
    if (!timer_running(&all->expiry))
        loop_timer(all->sm->loop, &all->expiry, ADHOC_IDLE_MS, on_expiry);
}

static struct adhoc_session *session_new(struct incoming *in, const struct command *cmd)
{
    struct adhoc_session *s = mem_new(sizeof *s);
    s->jid = mem_copy(in->st.from.full);
    s->id = mem_copy(secret_token(in->a, SESSION_ID_BYTES));
    s->cmd = cmd;
    return s;
}

static struct adhoc_session *session_find(struct incoming *in, struct slice id)
{
    LIST_EACH(&sessions(in->sm)->sessions, it) {
        struct adhoc_session *s = CONTAINER(it, struct adhoc_session, all);
        if (slice_is(id, s->id) && slice_is(in->st.from.full, s->jid))
            return s;
    }
    return NULL;
}

/* --- answers --- */

static struct node *answer(struct adhoc *c, const char *status)
{
    struct arena *a = c->in->a;
    struct node *n = node_new(a, "command", NS_COMMANDS);
    node_set(a, n, "node", slice_cstr(c->cmd->node));
    struct slice id =
        c->session ? arena_copy(a, slice_cstr(c->session->id)) : secret_token(a, SESSION_ID_BYTES);
    node_set(a, n, "sessionid", id);
    node_set(a, n, "status", slice_cstr(status));
    return n;
}

static void end_session(struct adhoc *c)
{
    if (c->session)
        session_free(c->session);
    c->session = NULL;
}

/* Whom it was about: the form's first address, or its domain. */
static struct slice addressee(const struct adhoc *c)
{
    for (const struct command_field *f = c->form ? c->cmd->fields : NULL; f && f->var; f++)
        if (f->type == FIELD_JID || f->type == FIELD_JIDS)
            return adhoc_value(c, f->var);
    return SLICE_NONE;
}

/* What is told of it waits for the row. */
static void record(struct adhoc *c, const char *outcome)
{
    c->by.whom = addressee(c);
    c->by.outcome = slice_cstr(outcome);
    c->by.changes = c->cmd->effect == ADHOC_CHANGES;
    in_wrote(c->in, audit_put(c->in->sm, &c->by));
}

/* The step has been answered. c lives in the stanza's arena, so as long as its handler runs, or is held. */
static void finish(struct adhoc *c)
{
    c->finished = true;
    if (!c->running)
        in_done(c->in);
}

/* XEP-0050 3.2. c->session: the one that it goes on, or NULL. */
static void ask(struct adhoc *c)
{
    struct arena *a = c->in->a;
    if (!c->session)
        c->session = session_new(c->in, c->cmd);
    struct node *n = answer(c, "executing");
    struct node *actions = node_add(a, n, "actions", NS_COMMANDS);
    node_set(a, actions, "execute", SLICE("complete"));
    node_add(a, actions, "complete", NS_COMMANDS);
    node_append(n, adhoc_form_new(a, c->cmd));
    session_put(sessions(c->in->sm), c->session);
    in_result(c->in, n);
}

void adhoc_done(struct adhoc *c, struct node *result_form, const char *note)
{
    struct arena *a = c->in->a;
    struct node *n = answer(c, "completed");
    if (result_form)
        node_append(n, result_form);
    if (note) {
        struct node *text = node_add(a, n, "note", NS_COMMANDS);
        node_set(a, text, "type", SLICE("info"));
        node_add_text(a, text, arena_copy(a, slice_cstr(note)));
    }
    end_session(c);
    record(c, "done");
    in_result(c->in, n);
    finish(c);
}

void adhoc_fail(struct adhoc *c, enum stanza_cond cond, const char *text)
{
    end_session(c);
    record(c, stanza_cond_name(cond));
    in_error(c->in, cond, text);
    finish(c);
}

/* --- for a command's run --- */

const struct command *adhoc_command(const struct adhoc *c)
{
    return c->cmd;
}

struct sessman *adhoc_sessman(const struct adhoc *c)
{
    return c->in->sm;
}

struct arena *adhoc_arena(const struct adhoc *c)
{
    return c->in->a;
}

const struct jid *adhoc_from(const struct adhoc *c)
{
    return &c->in->st.from;
}

const struct jid *adhoc_to(const struct adhoc *c)
{
    return &c->in->st.to;
}

const struct node *adhoc_form(const struct adhoc *c)
{
    return c->form;
}

/* --- a step --- */

static bool is_admin(const struct incoming *in)
{
    const struct account *account = in->session ? in->session->account : NULL;
    return in->admin || (account && account->admin);
}

bool adhoc_by_admin(const struct adhoc *c)
{
    return is_admin(c->in);
}

bool adhoc_by_token(const struct adhoc *c)
{
    return c->by_token;
}

bool adhoc_may(const struct incoming *in, const struct command *cmd)
{
    const struct account *account = in->session ? in->session->account : NULL;
    const struct apisession *api = in->session ? in->session->api : NULL;
    if (api && !scopes_run(api->grant.scopes, slice_cstr(cmd->node), cmd->effect == ADHOC_CHANGES))
        return false;
    switch (cmd->scope) {
    case ADHOC_ADMIN:
        return is_admin(in);
    case ADHOC_USER:
        return account && !account->anonymous;
    case ADHOC_PERSON:
        return account && !account->anonymous && !(api && api->grant.token);
    case ADHOC_ANYONE:
        return true;
    }
    return false;
}

struct node *adhoc_form_new(struct arena *a, const struct command *cmd)
{
    return cmd->fields ? commandform_new(a, cmd->title, cmd->fields) : NULL;
}

/* XEP-0050 4.4: bad-request with a condition of the commands' own. text may be NULL. */
static void refuse(struct incoming *in, const char *condition, const char *text)
{
    struct node *reply = stanza_error(in->a, &in->st, COND_BAD_REQUEST, text);
    struct node *error = node_find(reply, "error", NULL);
    if (error)
        node_add(in->a, error, condition, NS_COMMANDS);
    if (reply)
        in_reply(in, reply);
}

static void run(struct adhoc *c)
{
    c->running = true;
    c->cmd->run(c);
    c->running = false;
    if (!c->finished)
        in_hold(c->in);
}

/* The form is not good: the command goes on as if it had not come. */
static void refuse_form(struct adhoc *c, enum stanza_cond cond, const char *text)
{
    if (c->session)
        session_put(sessions(c->in->sm), c->session);
    if (cond == COND_BAD_REQUEST)
        refuse(c->in, "bad-payload", text);
    else
        in_error(c->in, cond, text);
}

static void execute(struct incoming *in, const struct command *cmd, struct adhoc_session *s,
                    const struct node *form)
{
    struct adhoc *c = ARENA_NEW(in->a, struct adhoc);
    enum stanza_cond cond;
    struct why why;
    c->in = in;
    c->cmd = cmd;
    c->session = s;
    c->form = cmd->fields ? form : NULL;
    c->by_token = in->session && in->session->api && in->session->api->grant.token;
    c->by = audit_by(in, slice_cstr(cmd->node));
    if (cmd->fields && !form && cmd->effect != ADHOC_SHOWS)
        ask(c);
    else if (c->form && commandform_check(in->a, cmd->fields, form, &cond, &why) != RC_OK)
        refuse_form(c, cond, why.text);
    else
        run(c);
}

static void cancel(struct incoming *in, const struct command *cmd, struct adhoc_session *s)
{
    struct adhoc c = { .in = in, .cmd = cmd, .session = s };
    struct node *n = answer(&c, "canceled");
    end_session(&c);
    in_result(in, n);
}

static void step(struct incoming *in, const struct command *cmd, struct adhoc_session *s, bool is_cancel,
                 const struct node *form)
{
    if (s)
        session_take(in->sm->adhoc, s);
    if (is_cancel)
        cancel(in, cmd, s);
    else
        execute(in, cmd, s, form);
}

enum action { EXECUTE, COMPLETE, NEXT, PREV, CANCEL, UNKNOWN };

static enum action action_of(struct slice text)
{
    static const char *const names[] = { "execute", "complete", "next", "prev", "cancel" };
    if (!text.len)
        return EXECUTE;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is(text, names[i]))
            return (enum action)i;
    return UNKNOWN;
}

void adhoc_iq(struct incoming *in, const struct command *cmd)
{
    const struct node *n = in->st.payload;
    const struct node *form = form_of(n);
    enum action action = action_of(node_attr(n, "action"));
    struct slice id = node_attr(n, "sessionid");
    if (!cmd) {
        in_error(in, COND_ITEM_NOT_FOUND, "no such command");
        return;
    }
    if (!adhoc_may(in, cmd)) {
        struct audit_entry e = audit_by(in, slice_cstr(cmd->node));
        e.outcome = SLICE("forbidden");
        in_wrote(in, audit_put(in->sm, &e));
        in_error(in, COND_FORBIDDEN, NULL);
        return;
    }
    struct adhoc_session *s = id.len ? session_find(in, id) : NULL;
    if (action == UNKNOWN)
        refuse(in, "malformed-action", NULL);
    else if (id.len && (!s || s->cmd != cmd))
        refuse(in, "bad-sessionid", NULL);
    else if (action == NEXT || action == PREV || (action == CANCEL && !s))
        refuse(in, "bad-action", NULL); /* no command has more than one form to go to */
    else if (form && !form_type_is(form, "submit") && !form_type_is(form, "cancel"))
        refuse(in, "bad-payload", NULL);
    else
        step(in, cmd, s, action == CANCEL || form_type_is(form, "cancel"), form);
}
