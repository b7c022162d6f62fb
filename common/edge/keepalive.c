/* common/edge/keepalive.c - a client's one timer: time to log in, pauses of the rates, silence (RFC 6120 4.6,
 * XEP-0199)
 *
 * The timer is set once and looks at the clock when it fires, so that input costs it nothing. */
#include "common/edge/client.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* When something is to be done about a bound client's silence; UINT64_MAX: never. */
static uint64_t silence_due(const struct client *c)
{
    const struct clients_conf *conf = c->d->conf;
    uint64_t due = UINT64_MAX;
    if (conf->idle_ms)
        due = c->last_in_ms + conf->idle_ms;
    if (c->probe)
        due = least(due, c->probe_ms + conf->probe_wait_ms);
    else if (conf->probe_ms && c->via->nudge)
        due = least(due, most(c->last_in_ms, c->probe_ms) + conf->probe_ms);
    return due;
}

static void on_timer(struct timer *t);

void keepalive_arm(struct client *c)
{
    uint64_t now = loop_now_ms(c->d->loop), due = UINT64_MAX;
    if (c->state == CLIENT_BOUND)
        due = silence_due(c);
    else if (c->nego)
        due = c->nego->accepted_ms + c->d->conf->auth_ms;
    if (c->rate_until_ms)
        due = least(due, c->rate_until_ms);
    if (due != UINT64_MAX)
        loop_timer(c->d->loop, &c->timer, due > now ? due - now : 0, on_timer);
}

static void probe(struct client *c, uint64_t now)
{
    METRIC_INC(c->d->metrics, M_PROBES);
    c->probe_ms = now;
    if (c->d->conf->probe == PROBE_WHITESPACE) { /* RFC 6120 4.6.1 */
        c->via->nudge(c);
        return;
    }
    if (smstream_probe(c)) { /* anything that comes after it shows that it was answered */
        c->probe = (uint32_t)(++c->d->last_probe | 1);
        return;
    }
    struct slice full = esession_jid(&c->session);
    struct buf *out = &c->d->scratch;
    c->probe = (uint32_t)(++c->d->last_probe | 1);
    buf_reset(out);
    buf_fmt(out, "<iq type='get' id='ping-%08x'", (unsigned)c->probe);
    xmlout_attr(out, "from", jid_domain_in(full));
    xmlout_attr(out, "to", full);
    BUF_LIT(out, "><ping xmlns='" NS_PING "'/></iq>");
    client_write(c, buf_get(out));
}

static void check_silence(struct client *c, uint64_t now)
{
    const struct clients_conf *conf = c->d->conf;
    if (c->via->paused(c))
        c->last_in_ms = now; /* it is we who do not read */
    bool unanswered = c->probe && now >= c->probe_ms + conf->probe_wait_ms;
    if (c->probe && c->last_in_ms > c->probe_ms) { /* anything at all shows that it is alive */
        c->probe = 0;
        unanswered = false;
    }
    if (unanswered || (conf->idle_ms && now >= c->last_in_ms + conf->idle_ms)) {
        METRIC_INC(c->d->metrics, M_IDLE_CLOSED);
        client_fail_lost(c, STREAM_CONNECTION_TIMEOUT, "nothing was heard for too long");
        return;
    }
    if (!c->probe && conf->probe_ms && c->via->nudge &&
        now >= most(c->last_in_ms, c->probe_ms) + conf->probe_ms)
        probe(c, now);
}

static void on_timer(struct timer *t)
{
    struct client *c = CONTAINER(t, struct client, timer);
    uint64_t now = loop_now_ms(c->d->loop);
    if (c->rate_until_ms && now >= c->rate_until_ms) {
        c->rate_until_ms = 0;
        client_pace(c);
    }
    if (c->state == CLIENT_BOUND) {
        check_silence(c, now);
    } else if (c->nego && now >= c->nego->accepted_ms + c->d->conf->auth_ms) {
        METRIC_INC(c->d->metrics, M_LIMIT_AUTH_TIME);
        client_fail(c, STREAM_CONNECTION_TIMEOUT, "not logged in in time");
    }
    if (c->state != CLIENT_CLOSED)
        keepalive_arm(c);
}

bool keepalive_takes(struct client *c, const struct stanza *s)
{
    char id[16];
    if (!c->probe || (s->type != IQ_RESULT && s->type != IQ_ERROR))
        return false;
    struct buf text = { id, 0, sizeof id, sizeof id, false };
    buf_fmt(&text, "ping-%08x", (unsigned)c->probe);
    if (!slice_eq(s->id, buf_get(&text)))
        return false;
    c->probe = 0;
    return true;
}
