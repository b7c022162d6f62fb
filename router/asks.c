/* router/asks.c */
#include "router/asks.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "router/switch.h"

struct ask {
    struct link all; /* router.asks */
    struct router *r;
    uint64_t id; /* ours: what those who are asked know it by */
    uint64_t asker, asker_id;
    struct timer timer;
    uint32_t n_waiting;
    size_t n;
    struct asked {
        uint64_t node;
        enum node_role role;
        bool waiting;
        char *instance;
    } asked[];
};

static const struct {
    enum node_role role;
    const char *what;
} allowed[] = {
    { ROLE_EDGE, "metrics" },    { ROLE_SESSMAN, "metrics" }, { ROLE_SESSMAN, "metrics-json" },
    { ROLE_SESSMAN, "figures" }, { ROLE_SESSMAN, "status" },  { ROLE_SESSMAN, "certs" },
    { ROLE_SESSMAN, "log" }, /* names people and their addresses */
};

static bool may(const struct peer *p, struct slice what)
{
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        if (allowed[i].role == p->role && slice_is(what, allowed[i].what))
            return true;
    }
    return false;
}

/* --- answers --- */

/* One that does not read gets what it has been promised, who has answered, but no text. */
static void tell(struct peer *asker, struct control_told *told)
{
    struct buf out = BUF_INIT(0);
    if (conn_full(asker->conn)) {
        told->failed = true;
        told->text = SLICE("you do not read");
    }
    control_write_told(&out, told);
    switch_control(asker, buf_get(&out));
    buf_fini(&out);
}

static void ask_free(struct ask *k)
{
    list_unlink(&k->all);
    k->r->n_asks--;
    timer_stop(&k->timer);
    for (size_t i = 0; i < k->n; i++)
        mem_free(k->asked[i].instance);
    mem_free(k);
}

/* What node i says, or (text: why) that it says nothing. The ask may be over after it. */
static void pass(struct ask *k, size_t i, bool failed, struct slice text)
{
    struct asked *it = &k->asked[i];
    struct peer *asker = idmap_get(k->r->nodes, k->asker);
    struct control_told told = { .id = k->asker_id,
                                 .failed = failed,
                                 .text = text,
                                 .node = it->node,
                                 .role = slice_cstr(node_role_name(it->role)),
                                 .instance = slice_cstr(it->instance),
                                 .more = k->n_waiting - 1 };
    it->waiting = false;
    k->n_waiting--;
    if (asker)
        tell(asker, &told);
    if (!k->n_waiting)
        ask_free(k);
}

static void fail_rest(struct ask *k, struct slice why)
{
    size_t n = k->n;
    uint32_t left = k->n_waiting;
    for (size_t i = 0; i < n && left; i++) { /* k is gone with the last one */
        if (!k->asked[i].waiting)
            continue;
        left--;
        pass(k, i, true, why);
    }
}

static void on_late(struct timer *t)
{
    fail_rest(CONTAINER(t, struct ask, timer), SLICE("no answer in time"));
}

/* --- asking --- */

static void answer_self(struct peer *p, const struct control_ask *ask, uint32_t more, const char *refused)
{
    struct router *r = p->r;
    struct buf out = BUF_INIT(CONTROL_TOLD_MAX);
    struct why why = { "" };
    struct control_told told = { .id = ask->id,
                                 .node = r->node,
                                 .role = SLICE("router"),
                                 .instance = slice_cstr(r->run->instance),
                                 .more = more };
    if (refused)
        why_set(&why, "%s", refused);
    told.failed = refused || r->run->answer(r->run, ask->what, ask->args, &out, &why) != RC_OK;
    told.text = told.failed ? slice_cstr(why.text) : buf_get(&out);
    tell(p, &told);
    buf_fini(&out);
}

static struct ask *ask_new(struct peer *p, const struct control_ask *from)
{
    struct router *r = p->r;
    struct peer *other;
    struct ask *k = mem_new(sizeof *k + idmap_count(r->nodes) * sizeof k->asked[0]);
    k->r = r;
    k->id = secret_random_u64();
    k->asker = p->id;
    k->asker_id = from->id;
    for (size_t at = 0; (other = idmap_next(r->nodes, &at));) {
        if (other == p || other->going || conn_closing(other->conn))
            continue;
        k->asked[k->n++] = (struct asked){ .node = other->id,
                                           .role = other->role,
                                           .waiting = true,
                                           .instance = mem_copy(slice_cstr(other->instance)) };
    }
    k->n_waiting = (uint32_t)k->n;
    list_append(&r->asks, &k->all);
    r->n_asks++;
    return k;
}

static void send_all(const struct ask *k, const struct control_ask *from)
{
    struct buf out = BUF_INIT(0);
    control_write_ask(&out, &(struct control_ask){ .id = k->id, .what = from->what, .args = from->args });
    for (size_t i = 0; i < k->n; i++) {
        struct peer *to = idmap_get(k->r->nodes, k->asked[i].node);
        if (to && !conn_full(to->conn)) /* else its time is over without an answer */
            switch_control(to, buf_get(&out));
    }
    buf_fini(&out);
}

static unsigned under_way(const struct peer *p)
{
    unsigned n = 0;
    LIST_EACH(&p->r->asks, at)
        n += CONTAINER(at, struct ask, all)->asker == p->id;
    return n;
}

enum rc asks_take(struct peer *p, const struct control_ask *ask, struct why *why)
{
    static const struct rate_limit limit = { ASKS_RATE, ASKS_RATE };
    struct router *r = p->r;
    if (!may(p, ask->what)) {
        why_set(why, "it may not ask for " SLICE_FMT, SLICE_ARG(slice_to(ask->what, 64)));
        return RC_DENIED;
    }
    METRIC_INC(r->run->metrics, METRIC_ASKS);
    if (conn_full(p->conn))
        return RC_OK;
    if (!rate_try(&p->asks, &limit, loop_now_ms(r->run->loop), 1) || r->n_asks >= ASKS_MOST ||
        under_way(p) >= ASKS_PER_PEER || r->stopping) {
        METRIC_INC(r->run->metrics, METRIC_ASKS_REFUSED);
        answer_self(p, ask, 0, "too much is asked at once");
        return RC_OK;
    }
    struct ask *k = ask_new(p, ask);
    answer_self(p, ask, k->n_waiting, NULL);
    if (!k->n) {
        ask_free(k);
        return RC_OK;
    }
    loop_timer(r->run->loop, &k->timer, ASKS_MS, on_late);
    send_all(k, ask);
    return RC_OK;
}

/* --- what comes back --- */

static struct ask *find(const struct router *r, uint64_t id)
{
    LIST_EACH(&r->asks, at) {
        struct ask *k = CONTAINER(at, struct ask, all);
        if (k->id == id)
            return k;
    }
    return NULL;
}

static struct asked *asked_of(struct ask *k, const struct peer *p)
{
    for (size_t i = 0; i < k->n; i++) {
        if (k->asked[i].node == p->id)
            return &k->asked[i];
    }
    return NULL;
}

enum rc asks_told(struct peer *p, const struct control_told *told, struct why *why)
{
    struct ask *k = find(p->r, told->id);
    struct asked *it = k ? asked_of(k, p) : NULL;
    if (k && !it) {
        why_set(why, "it was not asked");
        return RC_DENIED;
    }
    if (it && it->waiting)
        pass(k, (size_t)(it - k->asked), told->failed, told->text);
    else
        METRIC_INC(p->r->run->metrics, METRIC_DROPPED);
    return RC_OK;
}

void asks_forget(struct peer *p)
{
    LIST_EACH(&p->r->asks, at) {
        struct ask *k = CONTAINER(at, struct ask, all);
        struct asked *it = asked_of(k, p);
        if (k->asker == p->id)
            ask_free(k);
        else if (it && it->waiting)
            pass(k, (size_t)(it - k->asked), true, SLICE("it has gone"));
    }
}

void asks_stop(struct router *r)
{
    LIST_EACH(&r->asks, at)
        ask_free(CONTAINER(at, struct ask, all));
}
