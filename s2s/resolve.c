/* s2s/resolve.c */
#include "s2s/resolve.h"

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/xmpp/jid.h"

enum { SERVICES = 2, PLAIN = 0, DIRECT = 1 };
enum { ADDRS_MAX = 32, TLSA_MAX = 32 }; /* of one host: more are left out */

/* The SRV records of one service. */
struct service {
    struct resolve *resolve;
    struct lookup *lookup; /* NULL: answered */
    enum rc rc;
    bool secure;
    struct dns_srv *srv;
    size_t n;
    struct why why;
};

/* A target and what becomes known of it. */
struct host {
    struct resolve *resolve;
    struct target target;
    bool secure;               /* the way to it, and its addresses */
    struct lookup *lookups[3]; /* A, AAAA, TLSA; NULL: answered, or not asked for */
    union dns_addr addrs[ADDRS_MAX];
    size_t n;
    enum rc tlsa_rc;
    struct dns_tlsa tlsa[TLSA_MAX];
    size_t tlsa_n;
    enum rc rc; /* what went wrong: the gravest */
    struct why why;
};
enum { AT_A, AT_AAAA, AT_TLSA };

struct resolve {
    struct resolver *resolver;
    const struct resolve_conf *conf;
    struct arena *a;
    struct slice domain, name; /* as in addresses; as in DNS */
    void (*done)(void *ctx, struct resolve *resolve);
    void *ctx;
    struct service services[SERVICES];
    struct host *hosts;
    size_t hosts_n;
    struct turn turn;   /* answers what needs no DNS */
    struct timer grace; /* something can be tried: the rest had better hurry */
    struct buf trace;
    struct target_rules rules;
    struct resolve_answer answer;
};

/* --- the end --- */

static void stop_all(struct resolve *r)
{
    timer_stop(&r->grace);
    loop_turn_drop(resolver_loop(r->resolver), &r->turn);
    for (unsigned i = 0; i < SERVICES; i++)
        lookup_cancel(&r->services[i].lookup);
    for (size_t i = 0; i < r->hosts_n; i++) {
        for (unsigned j = 0; j < 3; j++)
            lookup_cancel(&r->hosts[i].lookups[j]);
    }
}

/* The last thing that is done with r: its owner may free it. */
static void finish(struct resolve *r, enum rc rc, const char *text)
{
    stop_all(r);
    r->answer.rc = rc;
    if (rc != RC_OK) {
        why_set(&r->answer.why, "%s", text);
        buf_fmt(&r->trace, "failed: %s\n", r->answer.why.text);
    }
    r->answer.trace = buf_get(&r->trace);
    r->done(r->ctx, r);
}

/* --- attempts --- */

/* Of several failures the one that tells most. */
static void blame(struct host *h, enum rc rc, const struct why *why)
{
    if (rc == RC_OK || (h->rc != RC_OK && h->rc != RC_NOTFOUND && rc != RC_CONFLICT))
        return;
    h->rc = rc;
    h->why = *why;
}

/* NULL: its addresses may be tried as things stand. Else why not. */
static const char *left_out(const struct host *h)
{
    if (h->rc == RC_CONFLICT)
        return "bogus";
    if (!h->n)
        return h->lookups[AT_A] || h->lookups[AT_AAAA] ? "no answer in time" : "no address";
    if (h->lookups[AT_TLSA])
        return "no answer about TLSA in time";
    /* RFC 7673 3.4: whoever hides TLSA records shall not win anything by it. */
    return h->secure && h->tlsa_rc != RC_OK && h->tlsa_rc != RC_NOTFOUND ? "its TLSA records are not known"
                                                                         : NULL;
}

static void add_host(struct resolve *r, const struct host *h, struct target_attempts *list)
{
    struct target_attempt what = { .host = h->target.host,
                                   .direct_tls = h->target.direct_tls,
                                   .secure = h->secure };
    const char *reason = left_out(h);
    if (reason) {
        buf_fmt(&r->trace, "left out: " SLICE_FMT ": %s\n", SLICE_ARG(h->target.host), reason);
        return;
    }
    if (h->secure && h->tlsa_n) {
        what.tlsa = h->tlsa;
        what.tlsa_n = h->tlsa_n;
    }
    target_add(list, &r->rules, &what, h->target.port, h->addrs, h->n);
}

/* True where add_host would find something. */
static bool has_a_way(const struct resolve *r, const struct host *h)
{
    bool any = false;
    for (size_t i = 0; i < h->n && !any && !left_out(h); i++) {
        union dns_addr addr = h->addrs[i];
        dns_addr_port(&addr, h->target.port);
        any = !target_refusal(&r->rules, &addr);
    }
    return any;
}

static void trace_attempts(struct resolve *r, const struct target_attempts *list)
{
    char text[DNS_ADDR_TEXT];
    for (size_t i = 0; i < list->n; i++) {
        const struct target_attempt *t = &list->at[i];
        buf_fmt(&r->trace, "try %s " SLICE_FMT " %s%s%s\n", dns_addr_text(&t->addr, text), SLICE_ARG(t->host),
                t->direct_tls ? "direct-tls" : "starttls", t->secure ? " secure" : "",
                t->tlsa_n ? " dane" : "");
    }
    if (list->left_out)
        buf_fmt(&r->trace, "%zu addresses left out%s%s\n", list->left_out,
                list->refused ? ", the last one: " : "", list->refused ? list->refused : "");
}

static void conclude(struct resolve *r)
{
    struct target_attempts list;
    struct why why;
    enum rc rc = RC_NOTFOUND;
    target_attempts_init(r->a, &r->rules, &list);
    why_set(&why, "no address of " SLICE_FMT " was found", SLICE_ARG(r->domain));
    for (size_t i = 0; i < r->hosts_n; i++) {
        struct host *h = &r->hosts[i];
        add_host(r, h, &list);
        if (h->rc != RC_OK && (rc == RC_NOTFOUND || h->rc == RC_CONFLICT)) {
            rc = h->rc;
            why = h->why;
        }
    }
    trace_attempts(r, &list);
    if (rc == RC_NOTFOUND && list.refused)
        why_set(&why, "no address of " SLICE_FMT " may be connected to: %s", SLICE_ARG(r->domain),
                list.refused);
    r->answer.attempts = list.at;
    r->answer.n = list.n;
    finish(r, list.n ? RC_OK : rc, why.text);
}

static void on_grace(struct timer *t)
{
    struct resolve *r = CONTAINER(t, struct resolve, grace);
    conclude(r);
}

static void hurry(struct resolve *r, void (*fire)(struct timer *))
{
    enum { GRACE_MS = 500 };
    if (!timer_running(&r->grace))
        loop_timer(resolver_loop(r->resolver), &r->grace, r->conf->grace_ms ? r->conf->grace_ms : GRACE_MS,
                   fire);
}

/* --- hosts --- */

static bool is_done(const struct host *h)
{
    return !h->lookups[AT_A] && !h->lookups[AT_AAAA] && !h->lookups[AT_TLSA];
}

static void host_answered(struct resolve *r)
{
    bool all = true, any = false;
    for (size_t i = 0; i < r->hosts_n; i++) {
        all = all && is_done(&r->hosts[i]);
        any = any || has_a_way(r, &r->hosts[i]);
    }
    if (all)
        conclude(r);
    else if (any)
        hurry(r, on_grace);
}

static void trace_lookup(struct resolve *r, const char *what, struct slice name,
                         const struct lookup_answer *answer)
{
    if (answer->rc == RC_OK)
        buf_fmt(&r->trace, "%s of " SLICE_FMT ": %zu found%s\n", what, SLICE_ARG(name), answer->n,
                answer->secure ? ", secure" : "");
    else
        buf_fmt(&r->trace, "%s%s\n", answer->why.text, answer->secure ? ", secure" : "");
}

static void take_addrs(struct host *h, enum dns_type type, const struct lookup_answer *answer)
{
    trace_lookup(h->resolve, dns_type_name(type), h->target.host, answer);
    blame(h, answer->rc, &answer->why);
    if (answer->rc == RC_OK)
        h->secure = h->secure && answer->secure;
    /* Half of the room for each, so that one family cannot displace the other. */
    for (size_t i = 0; i < answer->n && i < ADDRS_MAX / 2; i++) {
        if (dns_addr_read(type, answer->rdata[i], &h->addrs[h->n]) == RC_OK)
            h->n++;
    }
    host_answered(h->resolve);
}

static void on_a(void *ctx, const struct lookup_answer *answer)
{
    struct host *h = ctx;
    h->lookups[AT_A] = NULL;
    take_addrs(h, DNS_A, answer);
}

static void on_aaaa(void *ctx, const struct lookup_answer *answer)
{
    struct host *h = ctx;
    h->lookups[AT_AAAA] = NULL;
    take_addrs(h, DNS_AAAA, answer);
}

static void on_tlsa(void *ctx, const struct lookup_answer *answer)
{
    struct host *h = ctx;
    h->lookups[AT_TLSA] = NULL;
    h->tlsa_rc = answer->rc;
    trace_lookup(h->resolve, "TLSA", h->target.host, answer);
    if (answer->rc != RC_OK && answer->rc != RC_NOTFOUND)
        blame(h, answer->rc == RC_CONFLICT ? RC_IO : answer->rc,
              &answer->why); /* bogus is not the host itself */
    for (size_t i = 0; i < answer->n && h->tlsa_n < TLSA_MAX && answer->secure; i++) {
        struct dns_tlsa *tlsa = &h->tlsa[h->tlsa_n];
        if (dns_tlsa_read(answer->rdata[i], tlsa) != RC_OK)
            continue;
        tlsa->data = arena_copy(h->resolve->a, tlsa->data);
        h->tlsa_n++;
    }
    host_answered(h->resolve);
}

static void host_start(struct resolve *r, struct host *h, const struct target *target, bool secure)
{
    *h = (struct host){ .resolve = r, .target = *target, .secure = secure, .tlsa_rc = RC_NOTFOUND };
    h->target.host = slice_of(arena_cstr(r->a, target->host), target->host.len); /* with its NUL */
    if (dns_addr_parse(h->target.host, 0, &h->addrs[0]) == RC_OK) {              /* of a route */
        h->n = 1;
        return;
    }
    if (!r->rules.no_ipv6)
        h->lookups[AT_AAAA] = lookup_start(r->resolver, h->target.host, DNS_AAAA, on_aaaa, h);
    if (!r->rules.no_ipv4)
        h->lookups[AT_A] = lookup_start(r->resolver, h->target.host, DNS_A, on_a, h);
    if (secure) { /* RFC 7673 3.1: else nobody knows whose records they are */
        struct slice name =
            arena_fmt(r->a, "_%u._tcp." SLICE_FMT, (unsigned)h->target.port, SLICE_ARG(h->target.host));
        h->lookups[AT_TLSA] = lookup_start(r->resolver, name, DNS_TLSA, on_tlsa, h);
    }
}

static void on_turn(struct turn *t)
{
    struct resolve *r = CONTAINER(t, struct resolve, turn);
    if (r->answer.rc == RC_OK)
        host_answered(r);
    else
        finish(r, r->answer.rc, arena_cstr(r->a, slice_cstr(r->answer.why.text)));
}

/* --- SRV --- */

static void hosts_of_list(struct resolve *r, const struct target_list *list)
{
    const struct service *plain = &r->services[PLAIN], *direct = &r->services[DIRECT];
    r->hosts = ARENA_ARRAY(r->a, list->n, struct host);
    r->hosts_n = list->n;
    if (list->left_out)
        buf_fmt(&r->trace, "%zu SRV records left out\n", list->left_out);
    for (size_t i = 0; i < list->n; i++) {
        const struct target *t = &list->at[i];
        host_start(r, &r->hosts[i], t, t->direct_tls ? direct->secure : plain->secure);
    }
    loop_at_turn_end(resolver_loop(r->resolver), &r->turn); /* where none had to be asked for */
}

static uint32_t below(void *ctx, uint32_t n)
{
    (void)ctx;
    return secret_random_below(n);
}

static bool failed(const struct service *s)
{
    return s->rc != RC_OK && s->rc != RC_NOTFOUND;
}

static void services_known(struct resolve *r)
{
    enum { TARGETS_MAX = 8 };
    const struct service *plain = &r->services[PLAIN], *direct = &r->services[DIRECT];
    const struct target_answers answers = { plain->srv, direct->srv, plain->n, direct->n };
    const struct target_random random = { below, NULL };
    struct target_list list;
    struct why why;
    timer_stop(&r->grace);
    for (unsigned i = 0; i < SERVICES; i++) {
        if (r->services[i].rc == RC_CONFLICT) {
            finish(r, RC_CONFLICT, r->services[i].why.text);
            return;
        }
    }
    if (failed(plain) && (!direct->n || !direct->srv[0].host.len)) { /* unknown is not absent */
        finish(r, plain->rc, plain->why.text);
        return;
    }
    enum rc rc =
        target_order(r->a, r->name, &answers, r->conf->targets_max ? r->conf->targets_max : TARGETS_MAX,
                     &random, &list, &why);
    if (rc == RC_OK)
        hosts_of_list(r, &list);
    else
        finish(r, rc, why.text);
}

static void on_service_grace(struct timer *t)
{
    struct resolve *r = CONTAINER(t, struct resolve, grace);
    for (unsigned i = 0; i < SERVICES; i++) {
        struct service *s = &r->services[i];
        if (!s->lookup)
            continue;
        lookup_cancel(&s->lookup);
        s->rc = RC_TIMEOUT;
        why_set(&s->why, "SRV of " SLICE_FMT ": no answer in time", SLICE_ARG(r->name));
        buf_fmt(&r->trace, "%s\n", s->why.text);
    }
    services_known(r);
}

static void on_srv(void *ctx, const struct lookup_answer *answer)
{
    struct service *s = ctx;
    struct resolve *r = s->resolve;
    s->lookup = NULL;
    s->rc = answer->rc;
    s->why = answer->why;
    s->secure = answer->secure;
    trace_lookup(r, s == &r->services[PLAIN] ? "SRV of _xmpp-server._tcp" : "SRV of _xmpps-server._tcp",
                 r->name, answer);
    s->srv = ARENA_ARRAY(r->a, answer->n + 1, struct dns_srv);
    for (size_t i = 0; i < answer->n; i++) {
        if (dns_srv_read(r->a, answer->rdata[i], &s->srv[s->n]) == RC_OK)
            s->n++;
    }
    if (answer->rc == RC_OK && !s->n) { /* present, so the domain itself is not to be tried */
        s->rc = RC_IO;
        why_set(&s->why, "SRV of " SLICE_FMT ": no record that can be read", SLICE_ARG(r->name));
    }
    if (!r->services[PLAIN].lookup && !r->services[DIRECT].lookup)
        services_known(r);
    else if (s->n)
        hurry(r, on_service_grace);
}

static void ask_srv(struct resolve *r)
{
    static const char *const prefixes[SERVICES] = {
        [PLAIN] = "_xmpp-server._tcp.", [DIRECT] = "_xmpps-server._tcp."
    };
    for (unsigned i = 0; i < SERVICES; i++) {
        struct slice name = arena_join(r->a, slice_cstr(prefixes[i]), r->name);
        r->services[i].resolve = r;
        r->services[i].lookup = lookup_start(r->resolver, name, DNS_SRV, on_srv, &r->services[i]);
    }
}

/* --- the beginning --- */

static bool is_for(const struct resolve *r, const struct resolve_route *route)
{
    struct slice domain = slice_cstr(route->domain);
    return slice_eq_nocase(domain, r->domain) || slice_eq_nocase(domain, r->name);
}

/* The static routes of the domain, or else those of "*". */
static bool take_routes(struct resolve *r)
{
    const struct resolve_conf *conf = r->conf;
    struct target_list list = { ARENA_ARRAY(r->a, conf->routes_n + 1, struct target), 0, 0 };
    for (unsigned any = 0; any < 2 && !list.n; any++) {
        for (size_t i = 0; i < conf->routes_n; i++) {
            const struct resolve_route *route = &conf->routes[i];
            uint16_t port = route->direct_tls ? TARGET_PORT_TLS : TARGET_PORT;
            if (any ? strcmp(route->domain, "*") != 0 : !is_for(r, route))
                continue;
            buf_fmt(&r->trace, "static route: %s\n", route->host);
            list.at[list.n++] = (struct target){ arena_copy(r->a, slice_cstr(route->host)),
                                                 route->port ? route->port : port, route->direct_tls };
        }
    }
    if (list.n)
        hosts_of_list(r, &list);
    return list.n > 0;
}

static bool take_address(struct resolve *r)
{
    struct slice text = r->domain;
    union dns_addr addr;
    struct target_list list = { ARENA_NEW(r->a, struct target), 1, 0 };
    if (text.len > 2 && text.p[0] == '[')
        text = slice_of(text.p + 1, text.len - 2);
    if (dns_addr_parse(text, TARGET_PORT, &addr) != RC_OK)
        return false;
    list.at[0] = (struct target){ text, TARGET_PORT, false };
    hosts_of_list(r, &list);
    return true;
}

static const union dns_addr *own_copy(struct arena *a, const struct target_rules *rules)
{
    union dns_addr *own = ARENA_ARRAY(a, rules->own_n + 1, union dns_addr);
    if (rules->own_n)
        memcpy(own, rules->own, rules->own_n * sizeof *own);
    return own;
}

struct resolve *resolve_domain(struct resolver *resolver, const struct resolve_conf *conf,
                               struct slice domain, void (*done)(void *ctx, struct resolve *resolve),
                               void *ctx)
{
    enum { ARENA_BYTES = 4096, ATTEMPTS_MAX = 16, TRACE_MAX = 16384 };
    struct resolve *r = mem_new(sizeof *r);
    r->resolver = resolver;
    r->conf = conf;
    r->a = arena_new(ARENA_BYTES, 0); /* a DNS message is not larger than 64 KiB */
    r->domain = r->name = arena_copy(r->a, domain);
    r->done = done;
    r->ctx = ctx;
    r->turn.fn = on_turn;
    r->trace = BUF_INIT(TRACE_MAX);
    r->rules = conf->rules;
    r->rules.own = own_copy(r->a, &conf->rules); /* a reload makes all this anew */
    if (!r->rules.attempts_max)
        r->rules.attempts_max = ATTEMPTS_MAX;
    enum rc rc = jid_domain_ascii(r->a, r->domain, &r->name, &r->answer.why);
    if (take_routes(r) || take_address(r))
        return r;
    if (rc == RC_OK) {
        ask_srv(r);
    } else {
        r->answer.rc = RC_SYNTAX;
        loop_at_turn_end(resolver_loop(resolver), &r->turn);
    }
    return r;
}

void resolve_free(struct resolve **at)
{
    struct resolve *r = *at;
    if (!r)
        return;
    stop_all(r);
    buf_fini(&r->trace);
    arena_free(&r->a);
    MEM_FREE(at);
}

const struct resolve_answer *resolve_answer(const struct resolve *r)
{
    return &r->answer;
}
