/* s2s/pair.c */
#include "s2s/pair.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "s2s/in.h"
#include "s2s/link.h"
#include "s2s/out.h"
#include "s2s/ssm.h"

enum {
    FORGET_MS = 600000, /* a pair that nobody needs, with its last failure */
    LIVED_MS = 30000,   /* a stream that has lived so long was no failure */
    LOOKED_AT = 64,     /* pairs, of which one may give its place */
};

const char *pair_step_name(enum pair_step s)
{
    static const char *const names[] = {
#define X(id, name) name,
        PAIR_STEPS(X)
#undef X
    };
    return names[s];
}

enum pair_state pair_state(const struct pair *p)
{
    return p->via ? PAIR_READY : p->out ? PAIR_TRYING : PAIR_IDLE;
}

static void log_pair(const struct pair *p, struct log_ctx *log)
{
    *log = (struct log_ctx){ .log = p->d->run->log, .sub = LOG_XMPP, .doing = "pair" };
}

/* --- items --- */

struct item *item_new(struct pair *p, struct slice bytes, uint64_t node, uint64_t mark)
{
    struct item *it = mem_new(sizeof *it + bytes.len);
    it->pair = p;
    it->node = node;
    it->mark = mark;
    it->at_ms = loop_now_ms(p->d->loop);
    it->len = (uint32_t)bytes.len;
    memcpy(it->bytes, bytes.p, bytes.len);
    return it;
}

void item_finish(struct item *it)
{
    if (it->mark)
        link_finished(it->pair->d, it->node, it->mark);
    mem_free(it);
}

static void queued(struct pair *p, const struct item *it, int by)
{
    p->n += (size_t)by;
    p->bytes += by > 0 ? it->len : (size_t)0 - it->len;
    metric_move(p->d->metrics, M_QUEUED, by);
    metric_move(p->d->metrics, M_QUEUED_BYTES, by > 0 ? (int64_t)it->len : -(int64_t)it->len);
}

static struct item *unqueue(struct pair *p)
{
    if (list_empty(&p->queue))
        return NULL;
    struct item *it = CONTAINER(p->queue.next, struct item, link);
    list_unlink(&it->link);
    queued(p, it, -1);
    return it;
}

static void bounce(struct item *it, enum stanza_cond cond, const char *text)
{
    if (!it->pair->d->stopping) { /* else its session manager keeps it */
        link_bounce(it->pair->d, item_bytes(it), cond, text);
        item_finish(it);
    } else {
        mem_free(it);
    }
}

static void bounce_all(struct pair *p, const struct failure *f)
{
    struct link mine; /* a bounce may lead to something new in the queue */
    list_init(&mine);
    for (struct item *it; (it = unqueue(p)) != NULL;)
        list_append(&mine, &it->link);
    LIST_EACH(&mine, at) {
        bounce(CONTAINER(at, struct item, link), f->cond, f->why.text);
    }
}

/* --- pairs --- */

static struct slice key_of(const void *value)
{
    return slice_cstr(((const struct pair *)value)->key);
}

struct pair *pair_find(const struct s2s *d, struct slice local, struct slice remote)
{
    if (!d->pairs)
        return NULL;
    char key[2 * JID_PART_MAX + 1];
    if (local.len > JID_PART_MAX || remote.len > JID_PART_MAX)
        return NULL;
    memcpy(key, local.p, local.len);
    key[local.len] = ' ';
    memcpy(key + local.len + 1, remote.p, remote.len);
    return map_get(d->pairs, slice_of(key, local.len + 1 + remote.len));
}

static void pair_free(struct pair *p)
{
    ssm_kept_drop(&p->resume); /* what it gives back sets the timer */
    timer_stop(&p->timer);
    for (struct item *it; (it = unqueue(p)) != NULL;)
        mem_free(it);
    LIST_EACH(&p->verifies, at) {
        struct verify *v = CONTAINER(at, struct verify, link);
        verify_free(&v);
    }
    mem_free(p->key);
    mem_free(p);
}

static bool busy(const struct pair *p)
{
    return p->out || p->outs || p->via || p->held || p->n || p->resume || !list_empty(&p->verifies);
}

/* The table is full: a pair that nothing waits for gives its place, so that nobody can fill it with what does
 * not exist. Some are looked at, each time others. */
static bool make_room(struct s2s *d)
{
    for (unsigned i = 0; i < LOOKED_AT; i++) {
        struct pair *p = map_next(d->pairs, &d->pairs_at);
        if (!p) {
            d->pairs_at = 0;
        } else if (!busy(p)) {
            map_remove(d->pairs, key_of(p));
            pair_free(p);
            return true;
        }
    }
    METRIC_INC(d->metrics, M_LIMIT_PAIRS);
    return false;
}

struct pair *pair_get(struct s2s *d, struct slice local, struct slice remote)
{
    struct pair *p = pair_find(d, local, remote);
    if (!d->pairs)
        d->pairs = map_new(key_of);
    if (!p && map_count(d->pairs) >= d->conf->pairs && !make_room(d))
        return NULL;
    if (!p) {
        struct buf key = BUF_INIT(0);
        size_t len;
        p = mem_new(sizeof *p);
        p->d = d;
        buf_fmt(&key, SLICE_FMT " " SLICE_FMT, SLICE_ARG(local), SLICE_ARG(remote));
        buf_byte(&key, '\0');
        p->key = buf_take(&key, &len);
        p->local = slice_of(p->key, local.len);
        p->remote = slice_of(p->key + local.len + 1, remote.len);
        list_init(&p->queue);
        list_init(&p->verifies);
        map_put(d->pairs, p);
        metric_set(d->metrics, M_PAIRS, (int64_t)map_count(d->pairs));
    }
    p->used_ms = loop_now_ms(d->loop);
    return p;
}

/* --- the timer: the next attempt, and the age of what waits --- */

bool pair_wants(const struct pair *p)
{
    return p->n > 0 || (p->resume && !list_empty(&p->resume->sent));
}

static void on_timer(struct timer *t);

/* When to look whether a stream is to be begun, or used; UINT64_MAX: something else will say. */
static uint64_t look_at(const struct pair *p)
{
    bool open = p->out && (p->out->state == OUT_OPEN || p->out->state == OUT_READY);
    bool wants =
        pair_wants(p) && !p->via && (open || !p->held); /* what is on a wire that ends comes back first */
    bool stays = p->n && p->via &&
                 wire_may_send(p->via); /* given back by another wire; else that one says when it has room */
    if ((wants && open) || stays)
        return 0;
    return !p->out && (wants || !list_empty(&p->verifies)) ? p->retry_ms : UINT64_MAX;
}

static void arm(struct pair *p)
{
    uint64_t now = loop_now_ms(p->d->loop), due = look_at(p);
    if (!list_empty(&p->queue)) {
        uint64_t old = CONTAINER(p->queue.next, struct item, link)->at_ms + p->d->conf->queue_age_ms;
        due = old < due ? old : due;
    }
    if (!list_empty(&p->verifies)) {
        uint64_t old = CONTAINER(p->verifies.next, struct verify, link)->since_ms + p->d->conf->negotiate_ms;
        due = old < due ? old : due;
    }
    if (due == UINT64_MAX)
        timer_stop(&p->timer);
    else
        loop_timer(p->d->loop, &p->timer, due > now ? due - now : 0, on_timer);
}

/* What has waited too long is answered with what has gone wrong. */
static void age(struct pair *p, uint64_t now)
{
    struct failure f = p->last;
    if (!f.wall_ms || !p->failures)
        pair_failure_set(&f, STEP_CONNECT, COND_REMOTE_SERVER_TIMEOUT, true,
                         p->via ? "the server reads too slowly" : "no connection in time");
    while (!list_empty(&p->queue)) {
        struct item *it = CONTAINER(p->queue.next, struct item, link);
        if (it->at_ms + p->d->conf->queue_age_ms > now)
            break;
        METRIC_INC(p->d->metrics, M_QUEUE_AGED);
        bounce(unqueue(p), f.cond, f.why.text);
    }
}

/* However often the question was asked: who showed the key does not wait for ever, nor do we call for ever.
 */
static void age_verifies(struct pair *p, uint64_t now)
{
    while (!list_empty(&p->verifies)) {
        struct verify *v = CONTAINER(p->verifies.next, struct verify, link);
        if (v->since_ms + p->d->conf->negotiate_ms > now)
            break;
        list_unlink(&v->link);
        in_verified(v, p, DIALBACK_ERROR, "remote-server-timeout", "no answer about a dialback key");
        verify_free(&v);
    }
}

static void on_timer(struct timer *t)
{
    struct pair *p = CONTAINER(t, struct pair, timer);
    age(p, loop_now_ms(p->d->loop));
    age_verifies(p, loop_now_ms(p->d->loop));
    pair_need(p);
}

/* --- stanzas of ours --- */

static bool definite(const struct pair *p)
{
    return !p->out && !p->via && p->hopeless && loop_now_ms(p->d->loop) < p->retry_ms;
}

void pair_send(struct pair *p, struct item *it)
{
    const struct s2s_conf *conf = p->d->conf;
    p->used_ms = it->at_ms;
    p->wanted = true;
    if (p->via && list_empty(&p->queue) && wire_may_send(p->via)) {
        wire_send(p->via, it);
    } else if (definite(p)) {
        bounce(it, p->last.cond, p->last.why.text);
    } else if (p->n >= conf->queue_stanzas || p->bytes + it->len > conf->queue_bytes) {
        METRIC_INC(p->d->metrics, M_LIMIT_QUEUE);
        bounce(it, COND_RESOURCE_CONSTRAINT, "too much waits for this server already");
    } else {
        list_append(&p->queue, &it->link);
        queued(p, it, 1);
        pair_need(p);
    }
}

void pair_flush(struct pair *p)
{
    bool some = false;
    while (p->via && !list_empty(&p->queue) && wire_may_send(p->via)) {
        wire_send(p->via, unqueue(p));
        some = true;
    }
    if (some)
        arm(p);
}

void pair_back(struct pair *p, struct item *it)
{
    it->at_ms = loop_now_ms(p->d->loop); /* its wait begins anew */
    list_prepend(&p->queue, &it->link);
    queued(p, it, 1);
    arm(p);
}

void pair_ask(struct pair *p, struct verify *v)
{
    if (definite(p)) {
        in_verified(v, p, DIALBACK_ERROR, stanza_cond_name(p->last.cond), p->last.why.text);
        verify_free(&v);
        return;
    }
    v->since_ms = v->at_ms = loop_now_ms(p->d->loop);
    list_append(&p->verifies, &v->link);
    METRIC_INC(p->d->metrics, M_VERIFY_OUT);
    if (p->out)
        v->asked = out_ask(p->out, v);
    else
        pair_need(p);
}

/* --- the stream --- */

void pair_failure_set(struct failure *f, enum pair_step step, enum stanza_cond cond, bool again,
                      const char *text)
{
    struct why why = { "" };
    why_set(&why, "%s", text); /* text may be of *f */
    *f = (struct failure){
        .step = step, .cond = cond, .again = again, .wall_ms = clock_wall_ms(), .why = why
    };
}

static void begin(struct pair *p)
{
    struct s2s *d = p->d;
    if (p->out && p->out->state == OUT_READY && !p->via)
        pair_via(p, &p->out->w);
    else if (p->out && !p->via && pair_wants(p))
        out_want(p->out);
    LIST_EACH(&p->verifies, it) { /* who asked may have gone */
        struct verify *v = CONTAINER(it, struct verify, link);
        if (!v->in && !v->asked)
            verify_free(&v);
    }
    bool needs = (pair_wants(p) && !p->via) || !list_empty(&p->verifies);
    if (p->out || !needs || (p->held && list_empty(&p->verifies)) || loop_now_ms(d->loop) < p->retry_ms)
        return;
    struct policy policy = policy_of(d->conf, p->local, p->remote);
    if (policy.blocked) {
        struct failure f;
        METRIC_INC(d->metrics, M_BLOCKED);
        pair_failure_set(&f, STEP_POLICY, COND_NOT_ALLOWED, false,
                         "connections with this domain are not allowed here");
        pair_failed(p, &f);
        return;
    }
    p->out = out_new(p, NULL);
}

void pair_need(struct pair *p)
{
    if (p->d->stopping)
        return;
    pair_flush(p);
    begin(p);
    arm(p);
}

void pair_via(struct pair *p, struct wire *w)
{
    pair_off(p);
    p->via = w;
    list_append(&w->pairs, &p->on_wire);
    pair_flush(p);
}

void pair_off(struct pair *p)
{
    list_unlink(&p->on_wire);
    p->via = NULL;
}

/* Full jitter: between half of the pause and all of it. */
static uint64_t pause_of(const struct pair *p)
{
    uint64_t ms = p->d->conf->retry_ms;
    for (uint32_t i = 1; i < p->failures && ms < p->d->conf->retry_max_ms; i++)
        ms *= 2;
    if (ms > p->d->conf->retry_max_ms)
        ms = p->d->conf->retry_max_ms;
    return ms / 2 + secret_random_below((uint32_t)(ms / 2) + 1);
}

static void tell_verifies(struct pair *p, const struct failure *f)
{
    struct link mine;
    list_init(&mine);
    while (!list_empty(&p->verifies)) {
        struct link *it = p->verifies.next;
        list_unlink(it);
        list_append(&mine, it);
    }
    LIST_EACH(&mine, it) {
        struct verify *v = CONTAINER(it, struct verify, link);
        list_unlink(it);
        in_verified(v, p, DIALBACK_ERROR, stanza_cond_name(f->cond), f->why.text);
        verify_free(&v);
    }
}

void pair_failed(struct pair *p, const struct failure *f)
{
    struct log_ctx log;
    log_pair(p, &log);
    p->failures++;
    p->last = *f;
    p->hopeless = !f->again;
    p->retry_ms = loop_now_ms(p->d->loop) + pause_of(p);
    METRIC_INC(p->d->metrics, M_OUT_FAILED);
    LOG_INFO(&log, "not_connected", F_SLICE("local", p->local), F_SLICE("remote", p->remote),
             F_STR("step", pair_step_name(f->step)), F_WHY(&f->why), F_UINT("failures", p->failures),
             F_UINT("waiting", p->n), F_UINT("retry_in_ms", p->retry_ms - loop_now_ms(p->d->loop)));
    tell_verifies(p, f);
    if (!f->again && !p->via) {
        ssm_kept_drop(&p->resume);
        bounce_all(p, f);
    }
    arm(p);
}

void pair_ended(struct pair *p, uint64_t lived_ms, bool refused, const char *text)
{
    struct failure f;
    p->hopeless = false;
    if (lived_ms >= LIVED_MS)
        p->failures = 0;
    else if (refused || ++p->failures > 1)
        p->retry_ms = loop_now_ms(p->d->loop) + pause_of(p);
    if (text) {
        pair_failure_set(&f, STEP_OPEN, COND_REMOTE_SERVER_TIMEOUT, true, text);
        p->last = f;
    }
    pair_need(p);
}

void pairs_forgive(struct s2s *d, struct slice remote)
{
    size_t at = 0;
    for (struct pair *p; d->pairs && (p = map_next(d->pairs, &at)) != NULL;) {
        if (!slice_eq(p->remote, remote))
            continue;
        p->retry_ms = 0;
        p->failures = 0;
        p->hopeless = false;
        ssm_kept_drop(&p->resume);
        arm(p);
    }
}

/* --- once a second --- */

static bool stays(void *value, void *ctx)
{
    struct pair *p = value;
    const uint64_t *now = ctx;
    if (p->resume && !p->out && *now >= p->resume->until_ms)
        ssm_kept_drop(&p->resume);
    if (busy(p) || (p->wanted && *now < p->used_ms + FORGET_MS) || *now < p->retry_ms)
        return true;
    pair_free(p);
    return false;
}

void pairs_tick(struct s2s *d)
{
    uint64_t now = loop_now_ms(d->loop);
    if (!d->pairs)
        return;
    map_each(d->pairs, stays, &now);
    metric_set(d->metrics, M_PAIRS, (int64_t)map_count(d->pairs));
}

static bool none_stays(void *value, void *ctx)
{
    (void)ctx;
    pair_free(value);
    return false;
}

void pair_free_all(struct s2s *d)
{
    if (d->pairs)
        map_each(d->pairs, none_stays, NULL);
    map_free(&d->pairs);
}
