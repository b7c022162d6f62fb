/* common/link/service.c - tables to answers; connections are in servicerun.c */
#include "common/link/service.h"

#include "common/base/mem.h"
#include "common/xmpp/ns.h"

struct service {
    const struct service_def *def;
    char *name;
    void (*send)(void *host, struct node *n);
    void *host;
};

struct service *service_new(const struct service_def *def, struct slice name,
                            void (*send)(void *host, struct node *n), void *host)
{
    struct service *s = mem_new(sizeof *s);
    *s = (struct service){ .def = def, .name = mem_copy(name), .send = send, .host = host };
    return s;
}

void service_free(struct service **s)
{
    if (!*s)
        return;
    mem_free((*s)->name);
    MEM_FREE(s);
}

void *service_ctx(const struct service *s)
{
    return s->def->ctx;
}

struct slice service_name(const struct service *s)
{
    return slice_cstr(s->name);
}

void service_send(struct service *s, struct node *n)
{
    s->send(s->host, n);
}

struct node *service_answer(struct arena *a, const struct stanza *st)
{
    struct slice name = st->node->name;
    struct node *n = node_new(a, arena_cstr(a, name), NS_CLIENT);
    const char *type = stanza_type_name(st->type);
    if (st->has_from)
        node_set(a, n, "to", st->from.full);
    if (st->has_to)
        node_set(a, n, "from", st->to.full);
    if (st->id.len)
        node_set(a, n, "id", st->id);
    if (type)
        node_set(a, n, "type", slice_cstr(type));
    return n;
}

void service_result(struct service *s, struct arena *a, const struct stanza *st, struct node *payload)
{
    struct node *n = stanza_reply(a, st);
    if (payload)
        node_append(n, payload);
    service_send(s, n);
}

void service_error(struct service *s, struct arena *a, const struct stanza *st, enum stanza_cond cond,
                   const char *text)
{
    struct node *n = stanza_error(a, st, cond, text);
    if (n)
        service_send(s, n);
}

/* --- what every service answers --- */

static void feature(struct arena *a, struct node *query, const char *var)
{
    node_set(a, node_add(a, query, "feature", NS_DISCO_INFO), "var", slice_cstr(var));
}

static bool named_before(const struct service_handler *first, const struct service_handler *h)
{
    for (; first != h; first++) {
        if (first->ns && strcmp(first->ns, h->ns) == 0)
            return true;
    }
    return false;
}

static void disco_info(struct service *s, struct arena *a, const struct stanza *st)
{
    const struct service_def *def = s->def;
    struct node *query = node_new(a, "query", NS_DISCO_INFO), *identity;
    if (node_has(st->payload, "node")) {
        service_error(s, a, st, COND_ITEM_NOT_FOUND, NULL);
        return;
    }
    identity = node_add(a, query, "identity", NS_DISCO_INFO);
    node_set(a, identity, "category", slice_cstr(def->category));
    node_set(a, identity, "type", slice_cstr(def->type));
    node_set(a, identity, "name", slice_cstr(def->title));
    feature(a, query, NS_DISCO_INFO);
    feature(a, query, NS_PING);
    for (const struct service_handler *h = def->handlers; h->on; h++) {
        if (h->ns && (h->on == SERVICE_IQ_GET || h->on == SERVICE_IQ_SET) && !named_before(def->handlers, h))
            feature(a, query, h->ns);
    }
    for (const char *const *f = def->features; f && *f; f++)
        feature(a, query, *f);
    service_result(s, a, st, query);
}

static void unhandled(struct service *s, struct arena *a, const struct stanza *st)
{
    if (st->type != IQ_GET && st->type != IQ_SET)
        return; /* messages and presence that nobody wants are not answered */
    if (st->type == IQ_GET && node_is(st->payload, "query", NS_DISCO_INFO))
        disco_info(s, a, st);
    else if (st->type == IQ_GET && node_is(st->payload, "ping", NS_PING))
        service_result(s, a, st, NULL);
    else
        service_error(s, a, st, COND_SERVICE_UNAVAILABLE, NULL);
}

static enum service_on on_of(const struct stanza *st)
{
    if (st->kind == STANZA_MESSAGE)
        return SERVICE_MESSAGE;
    if (st->kind == STANZA_PRESENCE)
        return SERVICE_PRESENCE;
    return st->type == IQ_GET ? SERVICE_IQ_GET : st->type == IQ_SET ? SERVICE_IQ_SET : SERVICE_IQ_ANSWER;
}

void service_take(struct service *s, struct arena *a, struct node *n)
{
    struct stanza st;
    enum stanza_cond cond;
    enum rc rc = stanza_read(a, n, &st, &cond);
    if (rc == RC_UNSUPPORTED)
        return;
    if (rc != RC_OK) {
        service_error(s, a, &st, cond, NULL);
        return;
    }
    enum service_on on = on_of(&st);
    for (const struct service_handler *h = s->def->handlers; h->on; h++) {
        bool fits = h->on == on && (!h->ns || (st.payload && slice_is(st.payload->ns, h->ns))) &&
                    (!h->name || (st.payload && slice_is(st.payload->name, h->name)));
        if (fits) {
            h->fn(s, a, &st);
            return;
        }
    }
    unhandled(s, a, &st);
}
