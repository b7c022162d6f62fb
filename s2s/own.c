/* s2s/own.c */
#include "s2s/own.h"

#include <ifaddrs.h>

static bool is_any(const union dns_addr *addr)
{
    return addr->sa.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr)
                                          : !addr->in.sin_addr.s_addr;
}

static bool stands_for(const union dns_addr *listening, const struct sockaddr *sa)
{
    bool is_6 = listening->sa.sa_family == AF_INET6; /* "::" takes IPv4 too */
    return sa && (sa->sa_family == AF_INET || (is_6 && sa->sa_family == AF_INET6));
}

size_t own_addresses(struct arena *a, const union dns_addr *listening, size_t n, union dns_addr **out)
{
    struct ifaddrs *all = NULL;
    size_t count = 0, used = 0;
    if (getifaddrs(&all) < 0)
        all = NULL;
    for (struct ifaddrs *at = all; at; at = at->ifa_next)
        count++;
    *out = ARENA_ARRAY(a, n * (count + 1) + 1, union dns_addr);
    for (size_t i = 0; i < n; i++) {
        bool is_6 = listening[i].sa.sa_family == AF_INET6;
        uint16_t port = ntohs(is_6 ? listening[i].in6.sin6_port : listening[i].in.sin_port);
        (*out)[used++] = listening[i];
        for (struct ifaddrs *at = is_any(&listening[i]) ? all : NULL; at; at = at->ifa_next) {
            if (!stands_for(&listening[i], at->ifa_addr))
                continue;
            union dns_addr *own = &(*out)[used++];
            if (at->ifa_addr->sa_family == AF_INET6)
                memcpy(&own->in6, at->ifa_addr, sizeof own->in6);
            else
                memcpy(&own->in, at->ifa_addr, sizeof own->in);
            dns_addr_port(own, port);
        }
    }
    if (all)
        freeifaddrs(all);
    return used;
}
