/* s2s/lookup.c
 *
 * A lookup waits in a list until the end of the turn, or until others are done; then libunbound has it. There
 * it cannot be taken back: its thread goes on until it has an answer or has lost patience, which takes longer
 * than ours. So a lookup that was cancelled or timed out stays behind as an orphan, and orphans are bounded
 * too. */
#include "s2s/lookup.h"

#include "common/base/list.h"
#include "common/base/mem.h"
#include <stdio.h>
#include <unbound.h>
#include <unistd.h>

enum { ORPHANS_PER_PLACE = 10 }; /* for each lookup at once: that many whose end nobody waits for */

struct resolver {
    struct loop *loop;
    struct ub_ctx *ub;
    struct watch *watch;
    struct turn turn;    /* starts what waits */
    struct link waiting; /* owns them, first in, first out */
    struct link asked;   /* owns them: with libunbound, or orphans */
    unsigned orphans;
    unsigned at_once, waiting_max;
    uint32_t timeout_ms;
    struct resolver_stats stats;
};

enum place { WAITING, REFUSED, ASKED, ANSWERED, ORPHAN };

struct lookup {
    struct link link;
    struct resolver *r;
    struct timer timer;
    enum place place;
    enum dns_type type;
    char *name;
    void (*done)(void *ctx, const struct lookup_answer *answer);
    void *ctx;
};

/* --- answers --- */

static void lookup_free(struct lookup *l)
{
    list_unlink(&l->link);
    timer_stop(&l->timer);
    mem_free(l->name);
    mem_free(l);
}

/* What is with libunbound stays there, without anybody who waits for it. */
static void let_go(struct lookup *l)
{
    struct resolver *r = l->r;
    timer_stop(&l->timer);
    if (l->place == ASKED) {
        l->place = ORPHAN;
        r->stats.under_way--;
        r->orphans++;
        loop_at_turn_end(r->loop, &r->turn);
        return;
    }
    if (l->place == WAITING)
        r->stats.waiting--;
    lookup_free(l);
}

static void count(struct resolver_stats *s, enum rc rc)
{
    switch (rc) {
    case RC_OK:
    case RC_NOTFOUND:
        s->answered++;
        break;
    case RC_CONFLICT:
        s->bogus++;
        break;
    case RC_TIMEOUT:
        s->timeouts++;
        break;
    case RC_LIMIT:
        s->refused++;
        break;
    default:
        s->failed++;
    }
}

/* Lets go of it first: the callback may do what it likes with the others. */
static void finish(struct lookup *l, struct lookup_answer *answer)
{
    void (*done)(void *, const struct lookup_answer *) = l->done;
    void *ctx = l->ctx;
    count(&l->r->stats, answer->rc);
    let_go(l);
    done(ctx, answer);
}

static void fail(struct lookup *l, enum rc rc, const char *text)
{
    struct lookup_answer answer = { .rc = rc };
    why_set(&answer.why, "%s of %s: %s", dns_type_name(l->type), l->name, text);
    finish(l, &answer);
}

static void answer_rc(const struct lookup *l, const struct ub_result *res, struct lookup_answer *answer)
{
    enum { RCODE_OK = 0, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };
    const char *type = dns_type_name(l->type);
    answer->secure = res->secure;
    answer->no_name = res->nxdomain;
    answer->ttl_s = res->ttl > 0 ? (uint32_t)res->ttl : 0;
    if (res->bogus) {
        answer->rc = RC_CONFLICT;
        why_set(&answer->why, "%s of %s: bogus: %s", type, l->name,
                res->why_bogus ? res->why_bogus : "no reason given");
    } else if (res->rcode == RCODE_OK && res->havedata) {
        answer->rc = RC_OK;
    } else if (res->rcode == RCODE_OK || res->rcode == RCODE_NXDOMAIN) {
        answer->rc = RC_NOTFOUND;
        why_set(&answer->why, "%s of %s: %s", type, l->name,
                res->rcode == RCODE_OK ? "there is none" : "no such name");
    } else {
        answer->rc = RC_IO;
        why_set(&answer->why, "%s of %s: %s (%d)", type, l->name,
                res->rcode == RCODE_REFUSED ? "refused" : "server failure", res->rcode);
    }
}

static void tell(struct lookup *l, const struct ub_result *res)
{
    struct lookup_answer answer = { 0 };
    struct slice *rdata = NULL;
    size_t n = 0;
    answer_rc(l, res, &answer);
    while (answer.rc == RC_OK && res->data[n])
        n++;
    if (n)
        rdata = mem_array(n, sizeof *rdata);
    for (size_t i = 0; i < n; i++)
        rdata[i] = slice_of(res->data[i], (size_t)res->len[i]);
    answer.rdata = rdata;
    answer.n = n;
    finish(l, &answer);
    mem_free(rdata);
}

static void on_result(void *ctx, int err, struct ub_result *res)
{
    struct lookup *l = ctx;
    struct resolver *r = l->r;
    loop_at_turn_end(r->loop, &r->turn); /* there is room for one more */
    if (l->place == ORPHAN) {
        r->orphans--;
        lookup_free(l);
    } else {
        l->place = ANSWERED;
        r->stats.under_way--;
        if (err)
            fail(l, RC_IO, ub_strerror(err));
        else
            tell(l, res);
    }
    ub_resolve_free(res);
}

static void on_readable(void *ctx)
{
    struct resolver *r = ctx;
    ub_process(r->ub);
}

/* --- asking --- */

static void on_timeout(struct timer *t)
{
    fail(CONTAINER(t, struct lookup, timer), RC_TIMEOUT, "no answer in time");
}

static void ask(struct lookup *l)
{
    enum { CLASS_IN = 1 };
    struct resolver *r = l->r;
    int id, err = 0;
    if (!dns_name_ok(slice_cstr(l->name))) {
        fail(l, RC_SYNTAX, "not a name for DNS");
        return;
    }
    err = ub_resolve_async(r->ub, l->name, (int)l->type, CLASS_IN, l, on_result, &id);
    if (err) {
        fail(l, RC_IO, ub_strerror(err));
        return;
    }
    list_unlink(&l->link);
    list_append(&r->asked, &l->link);
    l->place = ASKED;
    r->stats.waiting--;
    r->stats.under_way++;
    r->stats.asked++;
}

static void on_turn(struct turn *t)
{
    struct resolver *r = CONTAINER(t, struct resolver, turn);
    while (!list_empty(&r->waiting)) {
        struct lookup *l = CONTAINER(r->waiting.next, struct lookup, link);
        if (l->place == REFUSED)
            fail(l, RC_LIMIT, "too many lookups are waiting");
        else if (r->stats.under_way < r->at_once && r->orphans < r->at_once * ORPHANS_PER_PLACE)
            ask(l);
        else
            break;
    }
}

struct lookup *lookup_start(struct resolver *r, struct slice name, enum dns_type type,
                            void (*done)(void *ctx, const struct lookup_answer *answer), void *ctx)
{
    struct lookup *l = mem_new(sizeof *l);
    l->r = r;
    l->type = type;
    l->name = mem_copy(name);
    l->done = done;
    l->ctx = ctx;
    if (r->stats.waiting >= r->waiting_max) {
        l->place = REFUSED;
        list_prepend(&r->waiting, &l->link);
    } else {
        list_append(&r->waiting, &l->link);
        r->stats.waiting++;
        loop_timer(r->loop, &l->timer, r->timeout_ms, on_timeout);
    }
    loop_at_turn_end(r->loop, &r->turn);
    return l;
}

void lookup_cancel(struct lookup **l)
{
    if (*l)
        let_go(*l);
    *l = NULL;
}

/* --- the resolver --- */

static enum rc option(struct ub_ctx *ub, const char *name, const char *value, struct why *why)
{
    int err = ub_ctx_set_option(ub, name, value);
    if (!err)
        return RC_OK;
    why_set(why, "libunbound: %s %s: %s", name, value, ub_strerror(err));
    return RC_IO;
}

static enum rc number(struct ub_ctx *ub, const char *name, uint32_t value, struct why *why)
{
    char text[16];
    snprintf(text, sizeof text, "%lu", (unsigned long)value);
    return option(ub, name, text, why);
}

static enum rc set_options(struct ub_ctx *ub, const struct lookup_conf *conf, struct why *why)
{
    enum { DAY_S = 86400, NEGATIVE_S = 300, SOCKETS = 256 };
    static const char *const fixed[][2] = {
        { "msg-cache-size:", "2m" },
        { "rrset-cache-size:", "4m" },
        { "key-cache-size:", "1m" },
        { "qname-minimisation:", "yes" },
    };
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < sizeof fixed / sizeof *fixed; i++)
        rc = option(ub, fixed[i][0], fixed[i][1], why);
    if (rc == RC_OK)
        rc = number(ub, "outgoing-range:", SOCKETS, why);
    if (rc == RC_OK)
        rc = number(ub, "cache-min-ttl:", conf->ttl_least_s, why);
    if (rc == RC_OK)
        rc = number(ub, "cache-max-ttl:", conf->ttl_most_s ? conf->ttl_most_s : DAY_S, why);
    if (rc == RC_OK)
        rc = number(ub, "cache-max-negative-ttl:", conf->negative_most_s ? conf->negative_most_s : NEGATIVE_S,
                    why);
    return rc;
}

static enum rc said(int err, const char *what, const char *name, struct why *why)
{
    if (!err)
        return RC_OK;
    why_set(why, "%s %s: %s", what, name, ub_strerror(err));
    return err == UB_SYNTAX ? RC_SYNTAX : RC_IO;
}

static enum rc set_servers(struct ub_ctx *ub, const struct lookup_conf *conf, struct why *why)
{
    enum rc rc = RC_OK;
    if (conf->iterate)
        return RC_OK;
    if (!conf->servers)
        return said(ub_ctx_resolvconf(ub, NULL), "resolver", "/etc/resolv.conf", why);
    for (const char *const *at = conf->servers; rc == RC_OK && *at; at++)
        rc = said(ub_ctx_set_fwd(ub, *at), "resolver", *at, why);
    return rc;
}

/* libunbound reads the file later, and then says nothing of it. */
static enum rc set_anchors(struct ub_ctx *ub, const char *file, struct why *why)
{
    if (!file)
        file = access(LOOKUP_ANCHOR_DEFAULT, R_OK) == 0 ? LOOKUP_ANCHOR_DEFAULT : "";
    if (!file[0])
        return RC_OK;
    if (access(file, R_OK) < 0) {
        why_set(why, "trust anchors %s: cannot be read", file);
        return RC_IO;
    }
    return said(ub_ctx_add_ta_file(ub, file), "trust anchors", file, why);
}

/* The first of these calls ends the configuration: files are read, and what is wrong with them comes out. */
static enum rc set_records(struct ub_ctx *ub, const struct lookup_conf *conf, struct why *why)
{
    /* RFC 6761 6.2: a resolver keeps "test." to itself unless it is told otherwise; whoever uses it has
     * servers for it. */
    int err = ub_ctx_zone_add(ub, "test.", "transparent");
    if (err) {
        const char *file = conf->anchor_file ? conf->anchor_file : LOOKUP_ANCHOR_DEFAULT;
        why_set(why, "the resolver cannot start: %s; are there trust anchors in %s?", ub_strerror(err), file);
        return RC_IO;
    }
    enum rc rc = RC_OK;
    for (const char *const *at = conf->records; rc == RC_OK && at && *at; at++)
        rc = said(ub_ctx_data_add(ub, *at), "record", *at, why);
    return rc;
}

enum rc resolver_new(struct loop *loop, const struct lookup_conf *conf, struct resolver **out,
                     struct why *why)
{
    enum { AT_ONCE = 256, WAITING_MAX = 10000, TIMEOUT_MS = 10000 };
    struct resolver *r = mem_new(sizeof *r);
    r->loop = loop;
    r->turn.fn = on_turn;
    list_init(&r->waiting);
    list_init(&r->asked);
    r->at_once = conf->at_once ? conf->at_once : AT_ONCE;
    r->waiting_max = conf->waiting_max ? conf->waiting_max : WAITING_MAX;
    r->timeout_ms = conf->timeout_ms ? conf->timeout_ms : TIMEOUT_MS;
    r->ub = ub_ctx_create();
    enum rc rc = r->ub ? RC_OK : RC_IO;
    if (rc == RC_OK)
        rc = said(ub_ctx_debugout(r->ub, NULL), "libunbound", "log", why);
    if (rc == RC_OK)
        rc = said(ub_ctx_async(r->ub, 1), "libunbound", "thread", why);
    if (rc == RC_OK)
        rc = set_options(r->ub, conf, why);
    if (rc == RC_OK)
        rc = set_servers(r->ub, conf, why);
    if (rc == RC_OK && conf->hosts_file)
        rc = said(ub_ctx_hosts(r->ub, conf->hosts_file), "hosts", conf->hosts_file, why);
    if (rc == RC_OK)
        rc = set_anchors(r->ub, conf->anchor_file, why);
    if (rc == RC_OK)
        rc = set_records(r->ub, conf, why);
    if (rc == RC_OK)
        rc = watch_new(loop, ub_fd(r->ub), on_readable, r, &r->watch, why);
    if (rc != RC_OK)
        resolver_free(&r);
    else
        *out = r;
    return rc;
}

static void drop_all(struct link *head)
{
    LIST_EACH(head, at)
        lookup_free(CONTAINER(at, struct lookup, link));
}

void resolver_free(struct resolver **at)
{
    struct resolver *r = *at;
    if (!r)
        return;
    watch_free(&r->watch);
    loop_turn_drop(r->loop, &r->turn);
    if (r->ub)
        ub_ctx_delete(r->ub); /* waits for its thread, which ends at once */
    drop_all(&r->waiting);
    drop_all(&r->asked);
    MEM_FREE(at);
}

struct resolver_stats resolver_stats(const struct resolver *r)
{
    return r->stats;
}

struct loop *resolver_loop(const struct resolver *r)
{
    return r->loop;
}
