/* s2s/reach.c */
#include "s2s/reach.h"

#include "common/base/mem.h"

enum { RESOLVE_SLACK_MS = 5000 };

static void on_connected(void *owner);
static void on_closed(void *owner, enum conn_cause cause, const struct why *why);
static void on_input(void *owner, struct slice bytes)
{
    (void)owner; /* it has another owner by then */
    (void)bytes;
}
static const struct conn_ops ops = { .on_connected = on_connected,
                                     .on_input = on_input,
                                     .on_closed = on_closed };
const struct conn_conf reach_conn_conf = { .ops = &ops };

static const struct s2s_route *route_of(const struct out *o)
{
    for (const struct s2s_route *r = o->w.d->conf->routes; r; r = r->next) {
        if (slice_is(wire_remote(&o->w), r->domain) || strcmp(r->domain, "*") == 0)
            return r;
    }
    return NULL;
}

bool reach_plain(const struct out *o)
{
    const struct s2s_route *r = route_of(o);
    return r && r->tls == ROUTE_NONE;
}

static void put_back(struct out *o, size_t attempt)
{
    if (attempt < OUT_ATTEMPTS)
        o->lost |= (uint64_t)1 << attempt;
}

/* What was not fast enough was not found to be bad: it has its turn when the one that was fails. */
static void cancel_tries(struct out *o)
{
    timer_stop(&o->timer);
    for (size_t i = 0; i < OUT_TRIES; i++) {
        struct out_try *t = o->tries[i];
        if (!t)
            continue;
        o->tries[i] = NULL;
        put_back(o, t->attempt);
        t->out = NULL;
        conn_close(t->conn, CONN_BY_OWNER);
    }
    o->left = 0;
}

void out_free(struct out **op)
{
    struct out *o = *op;
    cancel_tries(o);
    resolve_free(&o->resolve);
    out_leave(o);
    MEM_FREE(op);
}

void reach_done(struct out *o)
{
    o->at = NULL;
    resolve_free(&o->resolve);
}

void reach_give_up(struct out *o)
{
    struct s2s *d = o->w.d;
    cancel_tries(o);
    o->state = OUT_CLOSED;
    out_give_up(o);
    wire_fini(&o->w);
    out_free(&o);
    s2s_wire_gone(d);
}

/* --- addresses --- */

static const struct target_attempt *attempts(const struct out *o, size_t *n)
{
    const struct resolve_answer *answer = o->resolve ? resolve_answer(o->resolve) : NULL;
    *n = answer && answer->rc == RC_OK ? answer->n : 0;
    return answer ? answer->attempts : NULL;
}

void reach_again(struct out *o)
{
    size_t n;
    const struct target_attempt *list = attempts(o, &n);
    if (n && o->at)
        put_back(o, (size_t)(o->at - list));
}

static bool any_left(const struct out *o)
{
    size_t n;
    (void)attempts(o, &n);
    return n && (o->lost || o->next < n);
}

/* The best one that was not tried to its end. */
static size_t take_next(struct out *o)
{
    size_t i = 0;
    if (!o->lost)
        return o->next++;
    while (!(o->lost >> i & 1))
        i++;
    o->lost &= ~((uint64_t)1 << i);
    return i;
}

void reach_no_more(struct out *o)
{
    o->next = SIZE_MAX;
    o->lost = 0;
}

static void try_next(struct out *o);

static void on_head_start(struct timer *t)
{
    try_next(CONTAINER(t, struct out, timer));
}

static void try_next(struct out *o)
{
    struct s2s *d = o->w.d;
    size_t n, slot = 0;
    const struct target_attempt *list = attempts(o, &n);
    char text[DNS_ADDR_TEXT];
    while (slot < OUT_TRIES && o->tries[slot])
        slot++;
    if (!any_left(o) || slot == OUT_TRIES)
        return;
    struct out_try *t = mem_new(sizeof *t);
    t->out = o;
    t->attempt = take_next(o);
    const struct target_attempt *at = &list[t->attempt];
    o->tries[slot] = t;
    o->left++;
    METRIC_INC(d->metrics, M_DIALLED);
    out_trace(o, "connect: %s (" SLICE_FMT "%s)", dns_addr_text(&at->addr, text), SLICE_ARG(at->host),
              at->direct_tls ? ", direct TLS" : "");
    t->conn = conn_dial_tcp(d->loop, &at->addr.sa, &reach_conn_conf, t);
    if (any_left(o))
        loop_timer(d->loop, &o->timer, d->conf->head_start_ms, on_head_start);
}

static void forget(struct out *o, const struct out_try *t)
{
    for (size_t i = 0; i < OUT_TRIES; i++) {
        if (o->tries[i] == t) {
            o->tries[i] = NULL;
            o->left--;
        }
    }
}

static void on_connected(void *owner)
{
    struct out_try *t = owner;
    struct out *o = t->out;
    struct conn *conn = t->conn;
    size_t n;
    char text[DNS_ADDR_TEXT];
    if (!o)
        return;
    o->at = &attempts(o, &n)[t->attempt];
    forget(o, t);
    mem_free(t);
    cancel_tries(o);
    out_trace(o, "connected: %s", dns_addr_text(&o->at->addr, text));
    wire_take_conn(&o->w, conn);
    o->blamed = false;
    o->external = o->sm = o->bidi = o->dialback = o->accepted = false;
    o->tried_external = o->external_refused;
    o->w.bidi = false;
    o->due_ms = loop_now_ms(o->w.d->loop) + o->w.d->conf->negotiate_ms;
    o->state = OUT_HEADER;
    if (o->at->direct_tls)
        wire_secure_client(&o->w, true);
    else
        out_begin_stream(o);
    wire_arm(&o->w);
}

static void on_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    struct out_try *t = owner;
    struct out *o = t->out;
    char addr[DNS_ADDR_TEXT];
    struct why text = { "" };
    size_t n;
    (void)cause;
    if (!o) {
        mem_free(t);
        return;
    }
    const struct target_attempt *at = &attempts(o, &n)[t->attempt];
    METRIC_INC(o->w.d->metrics, M_DIAL_FAILED);
    why_set(&text, "%s: %s", dns_addr_text(&at->addr, addr), why && why->text[0] ? why->text : "closed");
    out_failed(o, STEP_CONNECT, COND_REMOTE_SERVER_TIMEOUT, true, text.text);
    forget(o, t);
    mem_free(t);
    timer_stop(&o->timer);
    try_next(o);
    if (!o->left)
        reach_give_up(o);
}

bool reach_next(struct out *o)
{
    struct s2s *d = o->w.d;
    if (d->stopping || !o->pair || !any_left(o))
        return false;
    o->state = OUT_DIAL;
    o->due_ms = loop_now_ms(d->loop) + d->conf->dial_ms;
    o->w.over = false;
    try_next(o);
    wire_arm(&o->w);
    return true;
}

/* --- the lookup --- */

static void lookup_failed(struct out *o, const struct resolve_answer *answer)
{
    bool again = answer->rc == RC_TIMEOUT || answer->rc == RC_LIMIT || answer->rc == RC_IO;
    METRIC_INC(o->w.d->metrics, M_LOOKUP_FAILED);
    out_failed(o, STEP_RESOLVE, again ? COND_REMOTE_SERVER_TIMEOUT : COND_REMOTE_SERVER_NOT_FOUND, again,
               answer->why.text);
    reach_give_up(o);
}

static void on_resolved(void *ctx, struct resolve *r)
{
    struct out *o = ctx;
    const struct resolve_answer *answer = resolve_answer(r);
    if (o->trace)
        buf_slice(o->trace, answer->trace);
    if (answer->rc != RC_OK) {
        lookup_failed(o, answer);
        return;
    }
    o->state = OUT_DIAL;
    o->due_ms = loop_now_ms(o->w.d->loop) + o->w.d->conf->dial_ms;
    try_next(o);
    wire_arm(&o->w);
}

struct out *out_new(struct pair *p, struct buf *trace)
{
    struct s2s *d = p->d;
    struct out *o = mem_new(sizeof *o);
    o->pair = p;
    p->outs++;
    o->trace = trace;
    wire_init(&o->w, d, &out_wire_ops, false);
    o->w.local = mem_copy(p->local);
    o->w.remote = mem_copy(p->remote);
    o->state = OUT_RESOLVE;
    o->due_ms = loop_now_ms(d->loop) + d->conf->lookup_ms + RESOLVE_SLACK_MS;
    METRIC_INC(d->metrics, M_LOOKUPS);
    out_trace(o, "probe: " SLICE_FMT " from " SLICE_FMT, SLICE_ARG(p->remote), SLICE_ARG(p->local));
    o->resolve = resolve_domain(d->resolver, &d->resolve, p->remote, on_resolved, o);
    wire_arm(&o->w);
    return o;
}

void out_drop(struct out **op)
{
    struct out *o = *op;
    *op = NULL;
    if (!o)
        return;
    out_leave(o);
    o->told = true;
    o->trace = NULL;
    if (o->w.conn)
        wire_end(&o->w);
    else
        reach_give_up(o);
}
