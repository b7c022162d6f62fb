#include "sessman/push.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/xmpp/form.h"
#include "common/xmpp/xmlout.h"
#include "sessman/account.h"
#include "sessman/session.h"

#define SENT_MAX    10000 /* notifications that are not answered; the oldest are forgotten */
#define SENT_MAX_MS 60000

struct service {
    char *jid, *node, *resource, *options; /* options NULL: none */
    unsigned errors;                       /* in a row */
    uint64_t count;                        /* messages since its client was last connected */
    bool due;                              /* to be told at the end of the interval */
};
struct push {
    struct sessman *sm;
    struct account *a;
    struct timer timer; /* running: the account is held */
    struct service *services;
    size_t n;
    char *sender, *body; /* of the last message that somebody is to be told of; NULL: not told */
};
struct sent {
    struct link link; /* in push_all.order */
    struct slice id;
    int64_t account;
    char *bare, *jid, *node;
    uint64_t until_ms;
    char text[]; /* of id */
};
struct push_all {
    struct map *sent; /* by id; owns them */
    struct link order;
};

/* --- which: pure --- */

bool push_worthy(const struct stanza *st)
{
    if (st->kind != STANZA_MESSAGE || st->type == MESSAGE_ERROR || st->type == MESSAGE_HEADLINE)
        return false;
    for (const struct node *c = node_child(st->node); c; c = node_sibling(c)) {
        if (node_is(c, "body", NS_CLIENT) || node_is(c, "encrypted", NULL) ||
            node_is(c, "propose", NS_JINGLE_MESSAGE) || node_is(c, "x", NS_CONFERENCE) ||
            (node_is(c, "x", NS_MUC_USER) && node_find(c, "invite", NS_MUC_USER)))
            return true;
    }
    return false;
}

/* --- services --- */

static void service_fini(struct service *s)
{
    mem_free(s->jid);
    mem_free(s->node);
    mem_free(s->resource);
    mem_free(s->options);
}

static void service_drop(struct push *p, size_t i)
{
    service_fini(&p->services[i]);
    memmove(&p->services[i], &p->services[i + 1], (--p->n - i) * sizeof *p->services);
}

static struct service *service_find(struct push *p, struct slice jid, struct slice node)
{
    for (size_t i = 0; p && i < p->n; i++)
        if (slice_is(jid, p->services[i].jid) && slice_is(node, p->services[i].node))
            return &p->services[i];
    return NULL;
}

static struct service *service_add(struct sessman *sm, struct account *a, struct slice jid, struct slice node)
{
    struct push *p = a->push;
    if (!p) {
        p = a->push = mem_new(sizeof *p);
        p->sm = sm;
        p->a = a;
    }
    p->services = mem_resize(p->services, (p->n + 1) * sizeof *p->services);
    struct service *s = &p->services[p->n++];
    *s = (struct service){ .jid = mem_copy(jid), .node = mem_copy(node) };
    return s;
}

static void service_set(struct service *s, struct slice resource, struct slice options)
{
    mem_free(s->resource);
    mem_free(s->options);
    s->resource = mem_copy(resource);
    s->options = options.len ? mem_copy(options) : NULL;
    s->errors = 0;
    s->count = 0;
    s->due = false;
}

void push_free(struct push **pp)
{
    struct push *p = *pp;
    if (!p)
        return;
    timer_stop(&p->timer);
    for (size_t i = 0; i < p->n; i++)
        service_fini(&p->services[i]);
    mem_free(p->services);
    mem_free(p->sender);
    mem_free(p->body);
    MEM_FREE(pp);
}

void push_load(struct sessman *sm, struct account *a, const struct store_result *rows)
{
    for (size_t i = 0; i < rows->rows; i++) {
        const struct store_value *v = store_row(rows, i);
        service_set(service_add(sm, a, v[0].s, v[1].s), v[3].s, v[2].s);
    }
}

enum rc push_enable(struct sessman *sm, struct account *a, const struct push_service *service,
                    struct slice resource, uint64_t *ticket)
{
    struct service *s = service_find(a->push, service->jid, service->node);
    if (!s && a->push && a->push->n >= sm->conf->push_services_max)
        return RC_LIMIT;
    if (!s)
        s = service_add(sm, a, service->jid, service->node);
    service_set(s, resource, service->options);
    *ticket =
        store_run(sm->store, STMT_PUSH_SET,
                  STORE_VALUES(STORE_I(a->id), STORE_T(service->jid), STORE_T(service->node),
                               service->options.len ? STORE_T(service->options) : STORE_N, STORE_T(resource)),
                  NULL, NULL);
    return RC_OK;
}

static uint64_t row_delete(struct sessman *sm, int64_t account, struct slice jid, struct slice node)
{
    return store_run(sm->store, STMT_PUSH_DEL, STORE_VALUES(STORE_I(account), STORE_T(jid), STORE_T(node)),
                     NULL, NULL);
}

size_t push_disable(struct sessman *sm, struct account *a, struct slice jid, const struct slice *node,
                    uint64_t *ticket)
{
    struct push *p = a->push;
    size_t found = 0;
    for (size_t i = 0; p && i < p->n;) {
        const struct service *s = &p->services[i];
        if (!slice_is(jid, s->jid) || (node && !slice_is(*node, s->node))) {
            i++;
            continue;
        }
        *ticket = row_delete(sm, a->id, jid, slice_cstr(s->node));
        service_drop(p, i);
        found++;
    }
    return found;
}

/* Its client needs no telling: it is there. */
static bool connected(const struct account *a, const struct service *s)
{
    const struct session *c = account_session(a, slice_cstr(s->resource));
    return c && c->edge;
}

/* --- one notification (XEP-0357 7) --- */

static struct slice sent_key(const void *value)
{
    return ((const struct sent *)value)->id;
}

static void sent_drop(struct push_all *all, struct sent *s)
{
    map_remove(all->sent, s->id);
    list_unlink(&s->link);
    mem_free(s->bare);
    mem_free(s->jid);
    mem_free(s->node);
    mem_free(s);
}

static void sent_note(struct push *p, const struct service *to, struct slice id)
{
    struct sessman *sm = p->sm;
    uint64_t now = loop_now_ms(sm->loop);
    if (!sm->push) {
        sm->push = mem_new(sizeof *sm->push);
        sm->push->sent = map_new(sent_key);
        list_init(&sm->push->order);
    }
    struct push_all *all = sm->push;
    while (!list_empty(&all->order)) {
        struct sent *oldest = CONTAINER(all->order.next, struct sent, link);
        if (oldest->until_ms > now && map_count(all->sent) < SENT_MAX)
            break;
        sent_drop(all, oldest);
    }
    struct sent *s = mem_new(sizeof *s + id.len);
    memcpy(s->text, id.p, id.len);
    s->id = slice_of(s->text, id.len);
    s->account = p->a->id;
    s->bare = mem_copy(account_bare(p->a));
    s->jid = mem_copy(slice_cstr(to->jid));
    s->node = mem_copy(slice_cstr(to->node));
    s->until_ms = now + SENT_MAX_MS;
    list_append(&all->order, &s->link);
    map_put(all->sent, s);
}

static uint64_t requests_pending(const struct account *a)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < a->roster.n; i++)
        n += (a->roster.items[i]->state & SUB_IN) != 0;
    return n;
}

static void add_summary(struct arena *a, struct node *notification, const struct push *p,
                        const struct service *to)
{
    struct node *x = form_new(a, notification, FORM_SUBMIT, NS_PUSH_SUMMARY);
    uint64_t asked = requests_pending(p->a);
    form_field(a, x, "message-count", NULL, NULL, arena_fmt(a, "%llu", (unsigned long long)to->count));
    if (asked)
        form_field(a, x, "pending-subscription-count", NULL, NULL,
                   arena_fmt(a, "%llu", (unsigned long long)asked));
    if (to->count && p->sender)
        form_field(a, x, "last-message-sender", NULL, NULL, slice_cstr(p->sender));
    if (to->count && p->body)
        form_field(a, x, "last-message-body", NULL, NULL, slice_cstr(p->body));
}

static void add_options(struct sessman *sm, struct arena *a, struct node *pubsub, const struct service *to)
{
    struct node *form;
    if (!to->options ||
        xmlin_parse(sm->xml, a, slice_cstr(to->options), &sm->xml_limits, &form, NULL) != RC_OK)
        return;
    node_append(node_add(a, pubsub, "publish-options", NULL), form);
}

static void publish(struct push *p, const struct service *to, uint64_t ticket)
{
    struct sessman *sm = p->sm;
    struct arena *a = arena_take(sm->arenas);
    struct slice id = secret_token(a, 15);
    struct node *iq = node_new(a, "iq", NS_CLIENT);
    node_set(a, iq, "from", account_domain(p->a));
    node_set(a, iq, "to", slice_cstr(to->jid));
    node_set(a, iq, "type", SLICE("set"));
    node_set(a, iq, "id", id);
    struct node *pubsub = node_add(a, iq, "pubsub", NS_PUBSUB);
    struct node *publish = node_add(a, pubsub, "publish", NULL);
    if (to->node[0])
        node_set(a, publish, "node", slice_cstr(to->node));
    add_summary(a, node_add(a, node_add(a, publish, "item", NULL), "notification", NS_PUSH), p, to);
    add_options(sm, a, pubsub, to);
    sent_note(p, to, id);
    metric_add(sm->metrics, M_PUSHES, 1);
    dispatch_stanza(sm, iq, ticket);
    arena_give(sm->arenas, &a);
}

/* --- when --- */

/* To all that are due and whose client has not come meanwhile. False: there was none. */
static bool send_due(struct push *p, uint64_t ticket)
{
    bool any = false;
    for (size_t i = 0; i < p->n; i++) {
        struct service *s = &p->services[i];
        if (s->due && !connected(p->a, s)) {
            publish(p, s, ticket);
            any = true;
        }
        s->due = false;
    }
    return any;
}

static void on_timer(struct timer *t)
{
    struct push *p = CONTAINER(t, struct push, timer);
    if (!p->a->gone && send_due(p, 0))
        loop_timer(p->sm->loop, t, p->sm->conf->push_ms, on_timer);
    else
        account_release(p->sm, p->a); /* p may be gone */
}

static void start_timer(struct push *p, uint64_t ms)
{
    account_hold(p->sm, p->a);
    loop_timer(p->sm->loop, &p->timer, ms, on_timer);
}

/* One more message for it, or (count 0) something else. True: it is to be told. */
static bool note(struct push *p, struct service *s, unsigned count)
{
    if (connected(p->a, s)) {
        s->count = 0;
        return false;
    }
    s->count += count;
    s->due = true;
    return true;
}

static void remember(struct push *p, const struct incoming *in)
{
    enum push_summary summary = (enum push_summary)p->sm->conf->push_summary;
    const struct node *body = node_find(in->st.node, "body", NS_CLIENT);
    MEM_FREE(&p->sender);
    MEM_FREE(&p->body);
    if (summary >= PUSH_SENDER)
        p->sender = mem_copy(in->st.from.full);
    if (summary >= PUSH_BODY && body && !node_find(in->st.node, "encrypted", NULL))
        p->body = mem_copy(slice_utf8_cut(node_text(in->a, body), PUSH_BODY_MAX));
}

void push_message(struct incoming *in, const struct session *match)
{
    struct account *a = in->target;
    struct push *p = a->push;
    bool any = false;
    if (!p || !in->st.has_from || !push_worthy(&in->st) || slice_eq(jid_bare(&in->st.from), account_bare(a)))
        return;
    for (size_t i = 0; i < p->n; i++) {
        struct service *s = &p->services[i];
        /* What a room says is for the resource that is in it. */
        if (in->st.type != MESSAGE_GROUPCHAT || (match && slice_is(session_resource(match), s->resource)))
            any |= note(p, s, 1);
    }
    if (!any)
        return;
    remember(p, in);
    if (timer_running(&p->timer))
        return;
    send_due(p, in->ticket);
    start_timer(p, p->sm->conf->push_ms);
}

void push_subscription(struct sessman *sm, struct account *a)
{
    struct push *p = a->push;
    bool any = false;
    (void)sm;
    for (size_t i = 0; p && i < p->n; i++)
        any |= note(p, &p->services[i], 0);
    if (any && !timer_running(&p->timer))
        start_timer(p, 1); /* when the request is in the roster */
}

/* --- what the service says --- */

/* Conditions that may pass: the service, or the way to it, is not there now. */
static bool may_pass(const struct node *iq)
{
    static const enum stanza_cond passing[] = { COND_REMOTE_SERVER_NOT_FOUND, COND_REMOTE_SERVER_TIMEOUT,
                                                COND_SERVICE_UNAVAILABLE,     COND_RESOURCE_CONSTRAINT,
                                                COND_INTERNAL_SERVER_ERROR,   COND_RECIPIENT_UNAVAILABLE };
    const struct node *error = node_find(iq, "error", NS_CLIENT);
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (node_find(error, stanza_cond_name(passing[i]), NS_STANZA_ERROR))
            return true;
    return slice_is(node_attr(error, "type"), "wait");
}

static void failed(struct sessman *sm, const struct sent *s, struct account *a, const struct node *iq)
{
    struct service *service = a ? service_find(a->push, slice_cstr(s->jid), slice_cstr(s->node)) : NULL;
    struct log_ctx log = sessman_log(sm, LOG_MODULE);
    bool passing = may_pass(iq);
    metric_add(sm->metrics, M_PUSH_FAILED, 1);
    if (passing && (!service || ++service->errors < sm->conf->push_errors_max))
        return;
    metric_add(sm->metrics, M_PUSH_DISABLED, 1);
    LOG_INFO(&log, "push_disabled", F_STR("account", s->bare), F_STR("service", s->jid),
             F_STR("why", passing ? "too many errors in a row" : "the service refuses"));
    row_delete(sm, s->account, slice_cstr(s->jid), slice_cstr(s->node));
    if (service)
        service_drop(a->push, (size_t)(service - a->push->services));
}

bool push_answer(struct incoming *in)
{
    struct sessman *sm = in->sm;
    struct sent *s = sm->push ? map_get(sm->push->sent, in->st.id) : NULL;
    if (!s || !in->st.has_from || !slice_is(in->st.from.full, s->jid))
        return false; /* not asked, or of somebody else */
    struct account *a = account_find(sm, slice_cstr(s->bare));
    if (a && a->id != s->account)
        a = NULL; /* it was made anew */
    struct service *service = a ? service_find(a->push, slice_cstr(s->jid), slice_cstr(s->node)) : NULL;
    if (in->st.type == IQ_ERROR)
        failed(sm, s, a, in->st.node);
    else if (service)
        service->errors = 0;
    sent_drop(sm->push, s);
    return true;
}

void push_fini(struct sessman *sm)
{
    struct push_all *all = sm->push;
    const struct account *a;
    for (size_t at = 0; (a = map_next(sm->accounts, &at)) != NULL;)
        if (a->push)
            timer_stop(&a->push->timer);
    if (!all)
        return;
    while (!list_empty(&all->order))
        sent_drop(all, CONTAINER(all->order.next, struct sent, link));
    map_free(&all->sent);
    MEM_FREE(&sm->push);
}
