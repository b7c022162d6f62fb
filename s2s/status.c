/* s2s/status.c - what is told to bulkheadctl: status, connections, pairs, certificates, draining */
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/xmpp/delay.h"
#include "s2s/link.h"
#include "s2s/ssm.h"

/* clang-format off */
const struct metric_def s2s_metrics[] = {
#define X(id, name, kind, help) [M_##id] = { "bulkhead_s2s_" name, METRIC_##kind, help },
    S2S_METRICS(X)
#undef X
#define X(id, name) [M_STREAM_ERRORS + STREAM_##id] = { "bulkhead_s2s_stream_error_" name, METRIC_COUNTER, "Streams ended with <" name "/>" },
    STREAM_CONDITIONS(X)
#undef X
};
/* clang-format on */

enum { SCRATCH_KEPT = 64 * 1024 };

void status_tick(struct s2s *d)
{
    struct s2s_rates *r = &d->rates;
    uint64_t now = loop_now_ms(d->loop), span = now - r->at_ms;
    uint64_t seen[4] = { (uint64_t)metric_value(d->metrics, M_STANZAS_IN),
                         (uint64_t)metric_value(d->metrics, M_STANZAS_OUT), d->totals.in_bytes,
                         d->totals.out_bytes };
    if (span == 0)
        return;
    metric_add(d->metrics, M_BYTES_IN, seen[2] - r->last[2]);
    metric_add(d->metrics, M_BYTES_OUT, seen[3] - r->last[3]);
    for (size_t i = 0; i < 4; i++) {
        r->per_s[i] = (seen[i] - r->last[i]) * 1000 / span;
        r->last[i] = seen[i];
    }
    r->at_ms = now;
    if (d->scratch.cap > SCRATCH_KEPT) /* one large stanza is no reason to keep its size */
        buf_fini(&d->scratch);
    if (list_empty(&d->wires))
        xmlin_pool_drop(d->xml);
    addr_sweep(d->addresses, now);
    addr_sweep(d->addresses_pending, now);
}

/* --- JSON --- */

static void text(struct buf *out, const char *name, struct slice value)
{
    buf_fmt(out, ",\"%s\":", name);
    text_json(out, value);
}

static void number(struct buf *out, const char *name, uint64_t n)
{
    buf_fmt(out, ",\"%s\":%llu", name, (unsigned long long)n);
}

static void failure_json(struct buf *out, const struct failure *f)
{
    struct arena *a = arena_new(256, 0);
    BUF_LIT(out, ",\"failure\":{\"at\":");
    text_json(out, time_write(a, f->wall_ms));
    text(out, "step", slice_cstr(pair_step_name(f->step)));
    text(out, "error", slice_cstr(stanza_cond_name(f->cond)));
    text(out, "why", slice_cstr(f->why.text));
    buf_byte(out, '}');
    arena_free(&a);
}

static void domains_json(const struct wire *w, struct buf *out)
{
    const struct in *in = in_at(w);
    BUF_LIT(out, ",\"domains\":[");
    for (struct link *it = in->pairs.next; it != &in->pairs; it = it->next) {
        const struct in_pair *p = CONTAINER(it, struct in_pair, link);
        BUF_LIT(out, "{\"remote\":");
        text_json(out, slice_cstr(p->remote));
        if (p->local)
            text(out, "local", slice_cstr(p->local));
        text(out, "auth", slice_cstr(proof_name((enum proof)p->proof)));
        BUF_LIT(out, "}");
        if (it->next != &in->pairs)
            buf_byte(out, ',');
    }
    buf_byte(out, ']');
}

static const char *auth_of(const struct wire *w)
{
    if (!w->incoming) {
        const struct out *o = out_at(w);
        return !o->accepted ? "none" : o->how == PROOF_DIALBACK ? "dialback" : "external";
    }
    const struct in *in = in_at(w);
    enum proof best = PROOF_NONE;
    for (struct link *it = in->pairs.next; it != &in->pairs; it = it->next) {
        const struct in_pair *p = CONTAINER(it, struct in_pair, link);
        if (p->proof != PROOF_NONE && (best == PROOF_NONE || p->proof < best))
            best = (enum proof)p->proof;
    }
    return proof_name(best);
}

static void sm_json(const struct wire *w, struct buf *out)
{
    const struct ssm *sm = w->sm;
    if (!sm)
        return;
    buf_fmt(out, ",\"sm\":{\"resumable\":%s", sm->id ? "true" : "false");
    number(out, "in", sm->in.taken);
    number(out, "in_committed", sm->in.done);
    number(out, "out", sm->out);
    number(out, "out_acknowledged", sm->acked);
    buf_byte(out, '}');
}

static void wire_json(const struct wire *w, struct buf *out)
{
    uint64_t now = loop_now_ms(w->d->loop);
    struct conn_tls tls = { 0 };
    struct conn_peer peer = { .ip = "" };
    size_t queued = 0, bytes = 0;
    for (struct link *it = w->pairs.next; it != &w->pairs; it = it->next) {
        queued += CONTAINER(it, struct pair, on_wire)->n;
        bytes += CONTAINER(it, struct pair, on_wire)->bytes;
    }
    if (w->conn) {
        conn_peer(w->conn, &peer);
        conn_tls_info(w->conn, &tls);
    }
    buf_fmt(out, "{\"direction\":\"%s\"", w->incoming ? "in" : "out");
    number(out, "connection", w->number);
    text(out, "local", wire_local(w));
    text(out, "remote", wire_remote(w));
    if (w->incoming)
        domains_json(w, out);
    text(out, "address", slice_cstr(peer.ip));
    number(out, "port", peer.port);
    text(out, "state", slice_cstr(w->ops->state(w)));
    text(out, "auth", slice_cstr(auth_of(w)));
    text(out, "certificate", slice_cstr(proof_name((enum proof)w->proof)));
    text(out, "tls", slice_cstr(w->secure ? tls.version : "none"));
    text(out, "cipher", slice_cstr(w->secure ? tls.cipher : "none"));
    buf_fmt(out, ",\"bidi\":%s", w->bidi ? "true" : "false");
    number(out, "age_s", (now - w->since_ms) / 1000);
    number(out, "idle_s", (now - w->busy_ms) / 1000);
    number(out, "stanzas_in", w->stanzas_in);
    number(out, "stanzas_out", w->stanzas_out);
    number(out, "bytes_in", w->bytes_in);
    number(out, "bytes_out", w->bytes_out);
    number(out, "queue", queued + w->n_sent);
    number(out, "queue_bytes", bytes + w->sent_bytes);
    sm_json(w, out);
    buf_byte(out, '}');
}

static void pair_json(const struct pair *p, struct buf *out)
{
    static const char *const states[PAIR_STATES] = { "idle", "trying", "ready" };
    uint64_t now = loop_now_ms(p->d->loop);
    BUF_LIT(out, "{\"local\":");
    text_json(out, p->local);
    text(out, "remote", p->remote);
    text(out, "state", slice_cstr(states[pair_state(p)]));
    number(out, "queue", p->n);
    number(out, "queue_bytes", p->bytes);
    number(out, "failures", p->failures);
    number(out, "retry_in_ms", p->retry_ms > now ? p->retry_ms - now : 0);
    if (p->last.wall_ms)
        failure_json(out, &p->last);
    buf_byte(out, '}');
}

static bool concerns(const struct wire *w, struct slice domain)
{
    if (slice_eq(wire_remote(w), domain))
        return true;
    const struct in *in = in_at(w);
    for (struct link *it = w->incoming ? in->pairs.next : NULL; it && it != &in->pairs; it = it->next) {
        if (slice_is(domain, CONTAINER(it, struct in_pair, link)->remote))
            return true;
    }
    return false;
}

static enum rc cmd_s2s(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    const struct s2s *d = run->ctx;
    size_t at = 0;
    bool some = false;
    struct arena *a = arena_take(d->arenas);
    struct slice domain = SLICE_NONE; /* all */
    enum rc rc = args.len ? jid_prepare_domain(a, args, &domain, why) : RC_OK;
    if (rc != RC_OK) {
        arena_give(d->arenas, &a);
        return rc;
    }
    BUF_LIT(out, "{\"connections\":[");
    for (struct link *it = d->wires.next; it != &d->wires; it = it->next) {
        const struct wire *w = CONTAINER(it, struct wire, link);
        if (domain.len && !concerns(w, domain))
            continue;
        if (some)
            buf_byte(out, ',');
        wire_json(w, out);
        some = true;
    }
    some = false;
    BUF_LIT(out, "],\"pairs\":[");
    for (const struct pair *p; d->pairs && (p = map_next(d->pairs, &at)) != NULL;) {
        if (p->via || (domain.len && !slice_eq(p->remote, domain))) /* its connection is above */
            continue;
        if (some)
            buf_byte(out, ',');
        pair_json(p, out);
        some = true;
    }
    BUF_LIT(out, "]}\n");
    arena_give(d->arenas, &a);
    return RC_OK;
}

static enum rc cmd_close(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    struct s2s *d = run->ctx;
    struct arena *a = arena_take(d->arenas);
    struct slice domain;
    unsigned n = 0;
    enum rc rc = jid_prepare_domain(a, args, &domain, why);
    LIST_EACH(&d->wires, it) {
        struct wire *w = CONTAINER(it, struct wire, link);
        if (rc != RC_OK || !w->conn || w->over || !concerns(w, domain))
            continue;
        wire_end(w);
        n++;
    }
    if (rc == RC_OK) {
        pairs_forgive(d, domain);
        buf_fmt(out, "%u connections closed\n", n);
    }
    arena_give(d->arenas, &a);
    return rc;
}

static enum rc cmd_probe(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    return probe_command(run->ctx, args, out, why);
}

void status_measure(struct daemon_run *run)
{
    const struct s2s *d = run->ctx;
    struct rlink_queues q = rlink_queues(d->link);
    metric_set(d->metrics, M_LINK_UNACKED, (int64_t)q.unacked);
    metric_set(d->metrics, M_LINK_WAITING, (int64_t)q.waiting);
}

void status_json(struct daemon_run *run, struct buf *json)
{
    const struct s2s *d = run->ctx;
    struct xmlin_pool_stats xml = xmlin_pool_stats(d->xml);
    struct resolver_stats dns = resolver_stats(d->resolver);
    size_t at = 0;
    buf_fmt(
        json,
        "\"connections\":%zu,\"connections_in\":%zu,\"connections_out\":%zu,\"pending\":%zu,\"pairs\":%zu",
        d->n_in + d->n_out, d->n_in, d->n_out, d->n_pending, d->pairs ? map_count(d->pairs) : 0);
    number(json, "queued", (uint64_t)metric_value(d->metrics, M_QUEUED));
    number(json, "in_custody", link_held(d));
    buf_fmt(json, ",\"accepting\":%s,\"draining\":%s", d->paused ? "false" : "true",
            d->draining ? "true" : "false");
    buf_fmt(json,
            ",\"per_second\":{\"stanzas_in\":%llu,\"stanzas_out\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu}",
            (unsigned long long)d->rates.per_s[0], (unsigned long long)d->rates.per_s[1],
            (unsigned long long)d->rates.per_s[2], (unsigned long long)d->rates.per_s[3]);
    buf_fmt(json, ",\"parsers\":{\"alive\":%u,\"idle\":%u}", xml.contexts, xml.idle);
    buf_fmt(json,
            ",\"dns\":{\"asked\":%llu,\"failed\":%llu,\"bogus\":%llu,\"timeouts\":%llu,\"under_way\":%u}",
            (unsigned long long)dns.asked, (unsigned long long)dns.failed, (unsigned long long)dns.bogus,
            (unsigned long long)dns.timeouts, dns.under_way);
    BUF_LIT(json, ",\"domains\":[");
    struct slice domain;
    for (bool first = true; (domain = link_domain(d, &at)).len; first = false) {
        if (!first)
            buf_byte(json, ',');
        text_json(json, domain);
    }
    BUF_LIT(json, "],\"links\":");
    rlink_status(d->link, json);
    BUF_LIT(json, ",\"certificates\":");
    certs_json(d->certs, json);
}

static enum rc cmd_certs(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    const struct s2s *d = run->ctx;
    return certs_command(d->certs, args, out, why);
}

static enum rc cmd_drain(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    const struct daemon_run *run = ctx;
    struct s2s *d = run->ctx;
    bool drain = !slice_is(slice_trim(args), "off");
    enum rc rc = doors_shut(d->doors, drain, why); /* what calls now is better off elsewhere */
    if (rc != RC_OK)
        return rc;
    d->draining = drain;
    admit_balance(d);
    buf_fmt(out, "%s, %zu connections\n", d->draining ? "draining" : "accepting", d->n_in + d->n_out);
    return RC_OK;
}

const struct ctl_command s2s_commands[] = {
    { "s2s", "s2s [DOMAIN]: connections, and pairs of domains that are not connected (JSON)", cmd_s2s },
    { "s2s-close", "s2s-close DOMAIN: ends the connections with a server; the next stanza makes a new one",
      cmd_close },
    { "s2s-probe",
      "s2s-probe DOMAIN [FROM]: begins a test of a server, says its number; s2s-probe NUMBER: its steps so "
      "far",
      cmd_probe },
    { "certs", CERTS_HELP, cmd_certs },
    { "drain", "drain [off]: accept no more connections", cmd_drain },
    { NULL, NULL, NULL },
};
