/* s2s/target.c */
#include "s2s/target.h"

#include <arpa/inet.h>

/* --- which hosts, in which order --- */

/* A record in the draw. */
struct lot {
    const struct dns_srv *srv;
    bool direct_tls, drawn;
};

/* RFC 2782: "." as the only target: the service is decidedly not available. */
static bool says_no(const struct dns_srv *srv, size_t n)
{
    return n == 1 && !srv->host.len;
}

static size_t lots_of(struct lot *out, const struct dns_srv *srv, size_t n, bool direct_tls)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (srv[i].host.len && srv[i].port)
            out[used++] = (struct lot){ &srv[i], direct_tls, false };
    }
    return used;
}

/* RFC 2782, "Weight": of those with the lowest priority that is left, one by lot; those without weight stand
 * first, so that they have a small chance. */
static struct lot *draw(struct lot *lots, size_t n, const struct target_random *random)
{
    uint32_t priority = UINT32_MAX, sum = 0, at = 0;
    struct lot *last = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!lots[i].drawn && lots[i].srv->priority < priority)
            priority = lots[i].srv->priority;
    }
    for (size_t i = 0; i < n; i++) {
        if (!lots[i].drawn && lots[i].srv->priority == priority)
            sum += lots[i].srv->weight; /* an answer holds fewer than 2^16 records: no overflow */
    }
    uint32_t number = random->below(random->ctx, sum + 1);
    for (unsigned weighty = 0; weighty < 2; weighty++) {
        for (size_t i = 0; i < n; i++) {
            struct lot *l = &lots[i];
            if (l->drawn || l->srv->priority != priority || (l->srv->weight > 0) != (weighty > 0))
                continue;
            at += l->srv->weight;
            last = l;
            if (at >= number)
                return l;
        }
    }
    return last;
}

static void the_domain_itself(struct arena *a, struct slice domain, struct target_list *out)
{
    *out = (struct target_list){ ARENA_NEW(a, struct target), 1, 0 };
    out->at[0] = (struct target){ domain, TARGET_PORT, false };
}

enum rc target_order(struct arena *a, struct slice domain, const struct target_answers *in, size_t max,
                     const struct target_random *random, struct target_list *out, struct why *why)
{
    bool no_plain = says_no(in->plain, in->plain_n), no_direct = says_no(in->direct, in->direct_n);
    if (!in->plain_n && (!in->direct_n || no_direct)) {
        the_domain_itself(a, domain, out);
        return RC_OK;
    }
    if ((no_plain || !in->plain_n) && (no_direct || !in->direct_n)) {
        why_set(why, "the SRV record of " SLICE_FMT " says that there is no XMPP service", SLICE_ARG(domain));
        return RC_DENIED;
    }
    struct lot *lots = ARENA_ARRAY(a, in->plain_n + in->direct_n, struct lot);
    size_t n = lots_of(lots, in->plain, in->plain_n, false);
    n += lots_of(lots + n, in->direct, in->direct_n, true);
    if (!n) {
        why_set(why, "no SRV record of " SLICE_FMT " has a host and a port", SLICE_ARG(domain));
        return RC_NOTFOUND;
    }
    struct target_list list = { ARENA_ARRAY(a, n < max ? n : max, struct target), 0, 0 };
    while (list.n < n && list.n < max) {
        struct lot *l = draw(lots, n, random);
        l->drawn = true;
        list.at[list.n++] = (struct target){ l->srv->host, l->srv->port, l->direct_tls };
    }
    list.left_out = n - list.n;
    *out = list;
    return RC_OK;
}

/* --- which addresses --- */

static bool is_loopback(const union dns_addr *addr)
{
    if (addr->sa.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
    return ntohl(addr->in.sin_addr.s_addr) >> 24 == 127;
}

static bool is_any(const union dns_addr *addr)
{
    if (addr->sa.sa_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
    return addr->in.sin_addr.s_addr == 0;
}

static uint16_t port_of(const union dns_addr *addr)
{
    return addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_port : addr->in.sin_port;
}

/* A listener on every address is reached at loopback ones too, and "::" takes IPv4 as well. */
static bool is_own(const struct target_rules *rules, const union dns_addr *addr)
{
    for (size_t i = 0; i < rules->own_n; i++) {
        const union dns_addr *own = &rules->own[i];
        if (dns_addr_eq(own, addr) || (is_any(own) && is_loopback(addr) && port_of(own) == port_of(addr)))
            return true;
    }
    return false;
}

static const char *refusal_4(uint32_t ip)
{
    if (ip >> 24 == 0)
        return "not an address"; /* "this host", RFC 1122 3.2.1.3 */
    if (ip >> 28 == 0xE)
        return "multicast";
    return ip >> 28 == 0xF ? "reserved" : NULL;
}

static const char *refusal_6(const struct in6_addr *ip)
{
    if (IN6_IS_ADDR_UNSPECIFIED(ip))
        return "not an address";
    if (IN6_IS_ADDR_MULTICAST(ip))
        return "multicast";
    if (IN6_IS_ADDR_V4MAPPED(ip) || (IN6_IS_ADDR_V4COMPAT(ip) && !IN6_IS_ADDR_LOOPBACK(ip)))
        return "an IPv4 address in disguise";               /* 127.0.0.1 among them */
    return IN6_IS_ADDR_LINKLOCAL(ip) ? "link-local" : NULL; /* DNS cannot name the link */
}

const char *target_refusal(const struct target_rules *rules, const union dns_addr *addr)
{
    bool is_6 = addr->sa.sa_family == AF_INET6;
    const char *refusal = is_6 ? refusal_6(&addr->in6.sin6_addr) : refusal_4(ntohl(addr->in.sin_addr.s_addr));
    if (refusal)
        return refusal;
    if (is_6 ? rules->no_ipv6 : rules->no_ipv4)
        return is_6 ? "IPv6 is off" : "IPv4 is off";
    if (is_own(rules, addr))
        return "our own";
    return is_loopback(addr) && !rules->allow_loopback ? "loopback" : NULL;
}

void target_attempts_init(struct arena *a, const struct target_rules *rules, struct target_attempts *list)
{
    *list = (struct target_attempts){ .at = ARENA_ARRAY(a, rules->attempts_max, struct target_attempt) };
}

static void add_one(struct target_attempts *list, const struct target_rules *rules,
                    const struct target_attempt *what)
{
    const char *refusal = target_refusal(rules, &what->addr);
    for (size_t i = 0; i < list->n; i++) {
        if (list->at[i].direct_tls == what->direct_tls && dns_addr_eq(&list->at[i].addr, &what->addr))
            return;
    }
    if (refusal)
        list->refused = refusal;
    if (refusal || list->n >= rules->attempts_max)
        list->left_out++;
    else
        list->at[list->n++] = *what;
}

/* The next address of a family from *at on; false when there is none. */
static bool next_of(const union dns_addr *addrs, size_t n, sa_family_t family, size_t *at,
                    union dns_addr *out)
{
    while (*at < n && addrs[*at].sa.sa_family != family)
        ++*at;
    if (*at >= n)
        return false;
    *out = addrs[(*at)++];
    return true;
}

void target_add(struct target_attempts *list, const struct target_rules *rules,
                const struct target_attempt *what, uint16_t port, const union dns_addr *addrs, size_t n)
{
    struct target_attempt next = *what;
    size_t at_6 = 0, at_4 = 0;
    bool more_6 = true, more_4 = true;
    while (more_6 || more_4) {
        more_6 = next_of(addrs, n, AF_INET6, &at_6, &next.addr);
        if (more_6) {
            dns_addr_port(&next.addr, port);
            add_one(list, rules, &next);
        }
        more_4 = next_of(addrs, n, AF_INET, &at_4, &next.addr);
        if (more_4) {
            dns_addr_port(&next.addr, port);
            add_one(list, rules, &next);
        }
    }
}
