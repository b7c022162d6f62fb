/* sessman/apisession.c */
#include "sessman/apisession.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "sessman/audit.h"
#include "sessman/scopes.h"
#include "sessman/session.h"

struct apisession *apisession_new(const struct auth_grant *g)
{
    struct apisession *a = mem_new(sizeof *a);
    a->grant = *g;
    a->grant.scopes = slice_of(mem_copy(g->scopes), g->scopes.len);
    return a;
}

void apisession_free(struct apisession **ap)
{
    struct apisession *a = *ap;
    if (!a)
        return;
    mem_free((char *)(uintptr_t)a->grant.scopes.p);
    MEM_FREE(ap);
}

static bool is_over(const struct incoming *in, const struct auth_grant *g)
{
    return g->epoch != in->sm->api_epoch || (g->expires_ms && g->expires_ms <= (int64_t)clock_wall_ms());
}

/* What may be asked of the domain, and nobody else. */
static bool admits_iq(const struct incoming *in, struct slice scopes)
{
    static const struct {
        enum stanza_type type;
        const char *name, *ns, *node; /* node NULL: any */
    } rows[] = {
        { IQ_SET, "command", NS_COMMANDS, NULL },
        { IQ_GET, "commands", NS_DESCRIPTIONS, NULL },
        { IQ_GET, "query", NS_DISCO_ITEMS, NS_COMMANDS },
    };
    const struct node *p = in->st.payload;
    if (in->to != TO_DOMAIN || !p)
        return false;
    if (in->st.type == IQ_GET && node_is(p, "ping", NS_PING))
        return true; /* what came before it has been dealt with when it is answered */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (in->st.type == rows[i].type && node_is(p, rows[i].name, rows[i].ns) &&
            (!rows[i].node || slice_is(node_attr(p, "node"), rows[i].node)))
            return scopes_see_commands(scopes);
    return false;
}

static bool admits_message(const struct incoming *in, struct slice scopes)
{
    bool kind =
        in->st.type == MESSAGE_CHAT || in->st.type == MESSAGE_NORMAL || in->st.type == MESSAGE_HEADLINE;
    return kind && in->st.has_to && scopes_message(scopes);
}

/* What is not a command: that is noted where it runs. */
static void note(struct incoming *in, const char *outcome)
{
    bool message = in->st.kind == STANZA_MESSAGE;
    const struct node *p = in->st.payload;
    struct audit_entry e = audit_by(in, message ? SLICE("message") : p ? p->name : SLICE("stanza"));
    e.whom = in->st.has_to ? jid_bare(&in->st.to) : SLICE_NONE;
    e.outcome = slice_cstr(outcome);
    e.admin = e.admin && !message;
    e.changes = message && strcmp(outcome, "done") == 0;
    in_wrote(in, audit_put(in->sm, &e));
}

static bool admits(const struct incoming *in, struct slice scopes)
{
    return in->st.kind == STANZA_IQ ? admits_iq(in, scopes)
                                    : in->st.kind == STANZA_MESSAGE && admits_message(in, scopes);
}

bool apisession_admits(struct incoming *in)
{
    const struct auth_grant *g = &in->session->api->grant;
    enum stanza_cond cond = is_over(in, g) ? COND_NOT_AUTHORIZED : COND_FORBIDDEN;
    if (cond == COND_FORBIDDEN && admits(in, g->scopes)) {
        if (!node_is(in->st.payload, "command", NS_COMMANDS) && !node_is(in->st.payload, "ping", NS_PING))
            note(in, "done");
        return true;
    }
    metric_add(in->sm->metrics, M_API_REFUSED, 1);
    note(in, stanza_cond_name(cond));
    if (in->st.kind == STANZA_PRESENCE)
        return false; /* nobody asks for an answer */
    in_error(in, cond, cond == COND_FORBIDDEN ? "not with this login" : "this login is over: log in again");
    return false;
}
