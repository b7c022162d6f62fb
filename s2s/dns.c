/* s2s/dns.c */
#include "s2s/dns.h"

#include <arpa/inet.h>
#include <stdio.h>

const char *dns_type_name(enum dns_type type)
{
    switch (type) {
    case DNS_A:
        return "A";
    case DNS_AAAA:
        return "AAAA";
    case DNS_SRV:
        return "SRV";
    case DNS_TLSA:
        return "TLSA";
    }
    return "?";
}

/* --- rdata --- */

static uint16_t u16(struct slice s, size_t at)
{
    return (uint16_t)((uint8_t)s.p[at] << 8 | (uint8_t)s.p[at + 1]);
}

/* What may stand in a host's name; '_' since some have it there, whatever RFC 952 says. Anything else (dots,
 * NUL) would be another name once it is text. Lower case, or 0. */
static char host_char(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ? c : '\0';
}

bool dns_name_ok(struct slice text)
{
    size_t label = 0;
    if (!text.len || text.len > DNS_NAME_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_dot = text.p[i] == '.';
        if (is_dot ? label == 0 : !host_char(text.p[i]))
            return false;
        label = is_dot ? 0 : label + 1;
        if (label > DNS_LABEL_MAX)
            return false;
    }
    return label > 0;
}

/* RFC 1035 3.1: labels, each with its length before it, up to an empty one, which must be the end. */
MUST_USE static enum rc name_read(struct arena *a, struct slice wire, struct slice *out)
{
    char text[DNS_NAME_MAX + 1];
    size_t len = 0, at = 0;
    while (at < wire.len && wire.p[at]) {
        size_t label = (uint8_t)wire.p[at++];
        if (label > DNS_LABEL_MAX || label > wire.len - at || len + label + (len > 0) > DNS_NAME_MAX)
            return RC_SYNTAX;
        if (len)
            text[len++] = '.';
        for (size_t end = at + label; at < end; at++) {
            text[len] = host_char(wire.p[at]);
            if (!text[len++])
                return RC_SYNTAX;
        }
    }
    if (at + 1 != wire.len)
        return RC_SYNTAX;
    *out = len ? arena_copy(a, slice_of(text, len)) : SLICE_NONE;
    return RC_OK;
}

enum rc dns_addr_read(enum dns_type type, struct slice rdata, union dns_addr *out)
{
    union dns_addr addr = { 0 };
    if (type == DNS_A && rdata.len == sizeof addr.in.sin_addr) {
        addr.in.sin_family = AF_INET;
        memcpy(&addr.in.sin_addr, rdata.p, rdata.len);
    } else if (type == DNS_AAAA && rdata.len == sizeof addr.in6.sin6_addr) {
        addr.in6.sin6_family = AF_INET6;
        memcpy(&addr.in6.sin6_addr, rdata.p, rdata.len);
    } else {
        return RC_SYNTAX;
    }
    *out = addr;
    return RC_OK;
}

enum rc dns_srv_read(struct arena *a, struct slice rdata, struct dns_srv *out)
{
    enum { FIXED = 6 };
    struct slice host;
    if (rdata.len <= FIXED || name_read(a, slice_from(rdata, FIXED), &host) != RC_OK)
        return RC_SYNTAX;
    *out = (struct dns_srv){ u16(rdata, 0), u16(rdata, 2), u16(rdata, 4), host };
    return RC_OK;
}

enum rc dns_tlsa_read(struct slice rdata, struct dns_tlsa *out)
{
    enum { FIXED = 3 };
    if (rdata.len <= FIXED)
        return RC_SYNTAX;
    *out = (struct dns_tlsa){ (uint8_t)rdata.p[0], (uint8_t)rdata.p[1], (uint8_t)rdata.p[2],
                              slice_from(rdata, FIXED) };
    return RC_OK;
}

/* --- addresses --- */

enum rc dns_addr_parse(struct slice text, uint16_t port, union dns_addr *out)
{
    char cstr[INET6_ADDRSTRLEN];
    union dns_addr addr = { 0 };
    if (slice_to_cstr(text, cstr, sizeof cstr) != RC_OK)
        return RC_SYNTAX;
    if (inet_pton(AF_INET, cstr, &addr.in.sin_addr) == 1) {
        addr.sa.sa_family = AF_INET;
    } else {
        addr = (union dns_addr){ 0 };
        if (inet_pton(AF_INET6, cstr, &addr.in6.sin6_addr) != 1)
            return RC_SYNTAX;
        addr.sa.sa_family = AF_INET6;
    }
    dns_addr_port(&addr, port);
    *out = addr;
    return RC_OK;
}

const char *dns_addr_text(const union dns_addr *addr, char out[DNS_ADDR_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    if (addr->sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &addr->in6.sin6_addr, ip, sizeof ip);
        snprintf(out, DNS_ADDR_TEXT, "[%s]:%u", ip, (unsigned)ntohs(addr->in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &addr->in.sin_addr, ip, sizeof ip);
        snprintf(out, DNS_ADDR_TEXT, "%s:%u", ip, (unsigned)ntohs(addr->in.sin_port));
    }
    return out;
}

void dns_addr_port(union dns_addr *addr, uint16_t port)
{
    if (addr->sa.sa_family == AF_INET6)
        addr->in6.sin6_port = htons(port);
    else
        addr->in.sin_port = htons(port);
}

bool dns_addr_eq(const union dns_addr *a, const union dns_addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    if (a->sa.sa_family == AF_INET6)
        return a->in6.sin6_port == b->in6.sin6_port &&
               memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof a->in6.sin6_addr) == 0;
    return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}
