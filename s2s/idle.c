/* s2s/idle.c
 *
 * The timer is set once and looks at the clock when it fires, so that input costs it nothing. */
#include "s2s/idle.h"

#include "s2s/ping.h"
#include "s2s/ssm.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static const int limit_metrics[LIMIT_RULES] = {
    [LIMIT_STANZAS_MINUTE] = M_LIMIT_STANZAS,
    [LIMIT_BYTES_MINUTE] = M_LIMIT_BYTES,
    [LIMIT_STANZAS_LIFE] = M_LIMIT_STANZAS,
    [LIMIT_BYTES_LIFE] = M_LIMIT_BYTES,
    [LIMIT_DOMAIN_STANZAS_MINUTE] = M_LIMIT_DOMAIN_STANZAS,
    [LIMIT_DOMAIN_BYTES_MINUTE] = M_LIMIT_DOMAIN_BYTES,
};

void idle_limit(struct wire *w, const struct limit_verdict *v)
{
    struct wire_log log;
    bool is_new = v->action != LIMIT_PAUSE || !w->pause_until_ms;
    if (is_new) {
        metric_add(w->d->metrics, (unsigned)limit_metrics[v->kind], 1);
        LOG_INFO(wire_log(w, &log, LOG_XMPP, NULL), "limit", F_STR("option", limit_options[v->kind]),
                 F_STR("action", limit_action_name(v->action)), F_STR("local", w->local),
                 F_STR("remote", w->remote));
    }
    if (v->action == LIMIT_DISCONNECT)
        wire_fail(w, STREAM_POLICY_VIOLATION, "more than a server may send here");
    else if (v->action == LIMIT_PAUSE)
        w->pause_until_ms = most(w->pause_until_ms, w->last_in_ms + v->wait_ms);
}

static uint64_t silence_due(const struct wire *w)
{
    const struct s2s_conf *conf = w->d->conf;
    uint64_t due = UINT64_MAX;
    if (conf->idle_ms)
        due = w->busy_ms + conf->idle_ms;
    if (w->probing)
        due = least(due, w->probe_ms + conf->probe_wait_ms);
    else if (conf->probe_ms)
        due = least(due, most(w->last_in_ms, w->probe_ms) + conf->probe_ms);
    return due;
}

static void on_timer(struct timer *t);

void wire_arm(struct wire *w)
{
    uint64_t now = loop_now_ms(w->d->loop), due = w->ops->due(w);
    if (due == UINT64_MAX)
        due = silence_due(w);
    if (w->pause_until_ms)
        due = least(due, w->pause_until_ms);
    if (due != UINT64_MAX && !w->over)
        loop_timer(w->d->loop, &w->timer, due > now ? due - now : 0, on_timer);
}

static void probe(struct wire *w, uint64_t now)
{
    METRIC_INC(w->d->metrics, M_PROBES);
    w->probe_ms = now;
    if (ssm_probe(w) || ping_send(w)) /* anything that comes after it shows that it was answered */
        w->probing = true;
    else
        wire_write(w, SLICE(" ")); /* RFC 6120 4.6.1: if it does not arrive, conn_patience tells */
}

static void check_silence(struct wire *w, uint64_t now)
{
    const struct s2s_conf *conf = w->d->conf;
    if (conn_paused(w->conn))
        w->last_in_ms = now; /* it is we who do not read */
    if (w->probing && now >= w->probe_ms + conf->probe_wait_ms) {
        METRIC_INC(w->d->metrics, M_DEAD_CLOSED);
        wire_cut(w, "no answer to a ping");
    } else if (conf->idle_ms && now >= w->busy_ms + conf->idle_ms && !w->n_sent) {
        METRIC_INC(w->d->metrics, M_IDLE_CLOSED);
        wire_end(w);
    } else if (!w->probing && conf->probe_ms && now >= most(w->last_in_ms, w->probe_ms) + conf->probe_ms) {
        probe(w, now);
    }
}

static void on_timer(struct timer *t)
{
    struct wire *w = CONTAINER(t, struct wire, timer);
    uint64_t now = loop_now_ms(w->d->loop), due = w->ops->due(w);
    if (w->pause_until_ms && now >= w->pause_until_ms) {
        w->pause_until_ms = 0;
        wire_pace(w);
    }
    if (due == UINT64_MAX)
        check_silence(w, now);
    else if (now >= due)
        w->ops->on_due(w); /* may have freed it, where it had no connection yet */
    else
        wire_arm(w);
    if (due == UINT64_MAX && !w->over)
        wire_arm(w);
}

void idle_tick(struct s2s *d)
{
    uint64_t now = loop_now_ms(d->loop);
    LIST_EACH(&d->wires, it) {
        struct wire *w = CONTAINER(it, struct wire, link);
        if (!w->conn || w->over || w->handshaking)
            continue;
        if (w->n_sent || w->stuck_ms)
            wire_taken(w);
        if (w->sm)
            ssm_tick(w, now);
        if (w->stuck_ms && now >= w->stuck_ms + d->conf->probe_wait_ms) {
            METRIC_INC(d->metrics, M_DEAD_CLOSED);
            wire_cut(w, "the peer does not read");
        }
    }
}
