/* common/xmpp/stanza.c */
#include "common/xmpp/stanza.h"

#include "common/base/limits.h"

static const struct cond_row {
    const char *name, *type;
} conds[] = {
#define X(id, name, type) { name, type },
    STANZA_CONDITIONS(X)
#undef X
};

const char *stanza_cond_name(enum stanza_cond c)
{
    return conds[c].name;
}

const char *stanza_cond_type(enum stanza_cond c)
{
    return conds[c].type;
}

enum stanza_cond stanza_cond_of(enum rc rc)
{
    switch (rc) {
    case RC_AGAIN:
    case RC_LIMIT:
        return COND_RESOURCE_CONSTRAINT;
    case RC_SYNTAX:
        return COND_BAD_REQUEST;
    case RC_NOTFOUND:
        return COND_ITEM_NOT_FOUND;
    case RC_EXISTS:
    case RC_CONFLICT:
        return COND_CONFLICT;
    case RC_DENIED:
        return COND_FORBIDDEN;
    case RC_UNSUPPORTED:
        return COND_FEATURE_NOT_IMPLEMENTED;
    case RC_TIMEOUT:
        return COND_REMOTE_SERVER_TIMEOUT;
    case RC_CLOSED:
        return COND_SERVICE_UNAVAILABLE;
    case RC_OK:
    case RC_IO:
        break;
    }
    return COND_INTERNAL_SERVER_ERROR;
}

static const struct type_row {
    enum stanza_kind kind;
    const char *name; /* NULL: the type without an attribute */
} types[] = {
    [MESSAGE_NORMAL] = { STANZA_MESSAGE, NULL },
    [MESSAGE_CHAT] = { STANZA_MESSAGE, "chat" },
    [MESSAGE_GROUPCHAT] = { STANZA_MESSAGE, "groupchat" },
    [MESSAGE_HEADLINE] = { STANZA_MESSAGE, "headline" },
    [MESSAGE_ERROR] = { STANZA_MESSAGE, "error" },
    [PRESENCE_AVAILABLE] = { STANZA_PRESENCE, NULL },
    [PRESENCE_UNAVAILABLE] = { STANZA_PRESENCE, "unavailable" },
    [PRESENCE_SUBSCRIBE] = { STANZA_PRESENCE, "subscribe" },
    [PRESENCE_SUBSCRIBED] = { STANZA_PRESENCE, "subscribed" },
    [PRESENCE_UNSUBSCRIBE] = { STANZA_PRESENCE, "unsubscribe" },
    [PRESENCE_UNSUBSCRIBED] = { STANZA_PRESENCE, "unsubscribed" },
    [PRESENCE_PROBE] = { STANZA_PRESENCE, "probe" },
    [PRESENCE_ERROR] = { STANZA_PRESENCE, "error" },
    [IQ_GET] = { STANZA_IQ, "get" },
    [IQ_SET] = { STANZA_IQ, "set" },
    [IQ_RESULT] = { STANZA_IQ, "result" },
    [IQ_ERROR] = { STANZA_IQ, "error" },
};

const char *stanza_type_name(enum stanza_type t)
{
    return types[t].name;
}

static bool kind_of(const struct node *n, enum stanza_kind *out)
{
    bool ours = slice_eq(n->ns, SLICE(NS_CLIENT)) || slice_eq(n->ns, SLICE(NS_SERVER)) ||
                slice_eq(n->ns, SLICE(NS_COMPONENT_ACCEPT));
    if (!ours)
        return false;
    if (slice_eq(n->name, SLICE("message")))
        *out = STANZA_MESSAGE;
    else if (slice_eq(n->name, SLICE("presence")))
        *out = STANZA_PRESENCE;
    else if (slice_eq(n->name, SLICE("iq")))
        *out = STANZA_IQ;
    else
        return false;
    return true;
}

/* False for a type that the kind does not have; *out is what it would have without one (of an iq: get). */
static bool type_of(enum stanza_kind kind, const struct attr *type, enum stanza_type *out)
{
    static const enum stanza_type first[] = { MESSAGE_NORMAL, PRESENCE_AVAILABLE, IQ_GET };
    *out = first[kind];
    if (!type)
        return kind != STANZA_IQ;
    for (unsigned t = first[kind]; t <= IQ_ERROR && types[t].kind == kind; t++) {
        if (types[t].name && slice_is(type->value, types[t].name)) {
            *out = (enum stanza_type)t;
            return true;
        }
    }
    return kind == STANZA_MESSAGE; /* RFC 6121 5.2.2: an unknown type is normal */
}

struct top_attrs {
    const struct attr *to, *from, *id, *type;
};

static struct top_attrs attrs_of(const struct node *n)
{
    struct top_attrs t = { 0 };
    for (const struct attr *at = n->attrs; at; at = at->next) {
        if (at->ns.len)
            continue;
        if (slice_eq(at->name, SLICE("to")))
            t.to = at;
        else if (slice_eq(at->name, SLICE("from")))
            t.from = at;
        else if (slice_eq(at->name, SLICE("id")))
            t.id = at;
        else if (slice_eq(at->name, SLICE("type")))
            t.type = at;
    }
    return t;
}

static void take_first(enum rc *first, enum stanza_cond *cond, enum stanza_cond found)
{
    if (*first == RC_OK) {
        *first = RC_SYNTAX;
        *cond = found;
    }
}

static bool address(struct arena *a, const struct attr *at, bool *has, struct jid *out)
{
    *has = at && jid_parse(a, at->value, out, NULL) == RC_OK;
    return !at || *has;
}

enum rc stanza_read(struct arena *a, struct node *n, struct stanza *out, enum stanza_cond *cond)
{
    enum rc rc = RC_OK;
    *out = (struct stanza){ .node = n };
    if (!kind_of(n, &out->kind)) {
        *cond = COND_FEATURE_NOT_IMPLEMENTED;
        return RC_UNSUPPORTED;
    }
    const struct top_attrs top = attrs_of(n);
    if (!type_of(out->kind, top.type, &out->type))
        take_first(&rc, cond, COND_BAD_REQUEST);
    if (!address(a, top.to, &out->has_to, &out->to))
        take_first(&rc, cond, COND_JID_MALFORMED);
    if (!address(a, top.from, &out->has_from, &out->from))
        take_first(&rc, cond, COND_JID_MALFORMED);
    if (top.id && top.id->value.len <= STANZA_ID_MAX)
        out->id = top.id->value;
    else if (top.id)
        take_first(&rc, cond, COND_BAD_REQUEST);
    if (out->kind == STANZA_IQ && out->id.len == 0) /* RFC 6120 8.1.3 */
        take_first(&rc, cond, COND_BAD_REQUEST);
    if (out->type == IQ_GET || out->type == IQ_SET) { /* RFC 6120 8.2.3 */
        out->payload = node_child(n);
        if (!out->payload || node_sibling(out->payload))
            take_first(&rc, cond, COND_BAD_REQUEST);
    }
    return rc;
}

static const char *const kind_names[] = { "message", "presence", "iq" };

/* The head of an answer: namespace and id kept, to and from swapped. */
static struct node *answer(struct arena *a, const struct stanza *s, const char *type)
{
    struct node *n = node_new(a, kind_names[s->kind], NULL);
    n->ns = s->node->ns;
    if (s->has_from)
        node_set(a, n, "to", s->from.full);
    if (s->has_to)
        node_set(a, n, "from", s->to.full);
    if (s->id.len)
        node_set(a, n, "id", s->id);
    node_set(a, n, "type", slice_cstr(type));
    return n;
}

struct node *stanza_reply(struct arena *a, const struct stanza *s)
{
    return answer(a, s, "result");
}

static void add_error(struct arena *a, struct node *n, enum stanza_cond cond, const char *text)
{
    struct node *error = node_add(a, n, "error", NULL);
    node_set(a, error, "type", slice_cstr(stanza_cond_type(cond)));
    node_add(a, error, stanza_cond_name(cond), NS_STANZA_ERROR);
    if (text) {
        struct node *t = node_add(a, error, "text", NS_STANZA_ERROR);
        node_set_ns(a, t, "lang", NS_XML, SLICE("en"));
        node_add_text(a, t, slice_cstr(text));
    }
}

struct node *stanza_error(struct arena *a, const struct stanza *s, enum stanza_cond cond, const char *text)
{
    if (stanza_is_error(s) || s->type == IQ_RESULT)
        return NULL;
    struct node *n = answer(a, s, "error");
    add_error(a, n, cond, text);
    return n;
}

struct node *stanza_bounce(struct arena *a, struct node *n, enum stanza_cond cond, const char *text)
{
    struct attr *to = NULL, *from = NULL;
    for (struct attr *at = n->attrs; at; at = at->next) {
        if (at->ns.len == 0 && slice_eq(at->name, SLICE("to")))
            to = at;
        else if (at->ns.len == 0 && slice_eq(at->name, SLICE("from")))
            from = at;
    }
    if (to)
        to->name = SLICE("from");
    if (from)
        from->name = SLICE("to");
    node_set(a, n, "type", SLICE("error"));
    n->first = n->last = NULL;
    add_error(a, n, cond, text);
    return n;
}
