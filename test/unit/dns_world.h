/* test/unit/dns_world.h - a loop, a resolver, and a DNS server on loopback that answers from a table */
#ifndef TEST_DNS_WORLD_H
#define TEST_DNS_WORLD_H

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/net/inside.h"
#include "s2s/lookup.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <unistd.h>

enum { DNS_PATIENCE_MS = 20000, T_CNAME = 5, T_SOA = 6, T_RRSIG = 46, T_NSEC = 47, T_DNSKEY = 48 };
enum dns_how { DNS_ANSWER, DNS_SILENT = 100, DNS_FAILS, DNS_NO_NAME };

/* A record of the server's; of several of one name and type all are sent, with the RRSIG that covers them. A name and type
 * that is not in the table: no such record. */
struct dns_row {
    const char *name;
    uint16_t type;
    uint32_t ttl;
    struct slice rdata;
    enum dns_how how;
};

struct dns_world {
    struct loop *loop;
    struct resolver *resolver;
    struct arena *a;
    int fd;
    struct watch *watch;
    const struct dns_row *rows;
    size_t n;
    unsigned packets;      /* questions that arrived … */
    char last[256];        /* … and the last one's name */
    char server[32];
    const char *servers[2];
    struct timer guard;
};

/* "a.b" → "\1a\1b\0" */
static inline struct slice dns_wire(struct arena *a, const char *name)
{
    struct buf out = BUF_INIT(0);
    struct slice rest = slice_cstr(name), label;
    while (slice_split(&rest, '.', &label)) {
        buf_byte(&out, (char)label.len);
        buf_slice(&out, label);
    }
    buf_byte(&out, '\0');
    struct slice wire = arena_copy(a, buf_get(&out));
    buf_fini(&out);
    return wire;
}

static inline void dns_u16(struct buf *out, unsigned n)
{
    buf_byte(out, (char)(n >> 8));
    buf_byte(out, (char)n);
}

static inline struct slice dns_srv(struct arena *a, unsigned priority, unsigned weight, unsigned port, const char *host)
{
    struct buf out = BUF_INIT(0);
    dns_u16(&out, priority);
    dns_u16(&out, weight);
    dns_u16(&out, port);
    buf_slice(&out, dns_wire(a, host));
    struct slice rdata = arena_copy(a, buf_get(&out));
    buf_fini(&out);
    return rdata;
}

static inline void dns_record(struct buf *out, struct slice owner, unsigned type, uint32_t ttl, struct slice rdata)
{
    buf_slice(out, owner);
    dns_u16(out, type);
    dns_u16(out, 1);
    dns_u16(out, ttl >> 16);
    dns_u16(out, ttl & 0xFFFF);
    dns_u16(out, (unsigned)rdata.len);
    buf_slice(out, rdata);
}

/* All rows of name and type, with their signatures. */
static inline unsigned dns_rows(struct dns_world *w, struct buf *out, const char *name, unsigned type, enum dns_how *how)
{
    unsigned count = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct dns_row *row = &w->rows[i];
        bool covers = row->type == T_RRSIG && row->rdata.len > 2 && (uint8_t)row->rdata.p[1] == type;
        if (strcmp(row->name, name) != 0 || (row->type != type && !covers))
            continue;
        if (row->how != DNS_ANSWER) {
            *how = row->how;
            return 0;
        }
        dns_record(out, dns_wire(w->a, name), row->type, row->ttl, row->rdata);
        count++;
    }
    return count;
}

/* The SOA of the zone that the table has for name; else that of the root. */
static inline unsigned dns_soa(struct dns_world *w, struct buf *out, const char *name)
{
    for (const char *zone = name; zone; zone = strchr(zone, '.') ? strchr(zone, '.') + 1 : NULL) {
        unsigned n = dns_rows(w, out, zone, T_SOA, &(enum dns_how){ DNS_ANSWER });
        if (n)
            return n;
    }
    dns_record(out, SLICE("\0"), T_SOA, 60, SLICE("\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\74"));
    return 1;
}

static inline void dns_question(struct slice packet, char name[256], unsigned *type, size_t *end)
{
    size_t at = 12, len = 0;
    while (at < packet.len && packet.p[at]) {
        size_t label = (uint8_t)packet.p[at++];
        if (len)
            name[len++] = '.';
        memcpy(name + len, packet.p + at, label);
        len += label;
        at += label;
    }
    name[len] = '\0';
    *type = (unsigned)(uint8_t)packet.p[at + 1] << 8 | (uint8_t)packet.p[at + 2];
    *end = at + 5;
}

static inline void dns_reply(struct dns_world *w, struct slice packet, struct buf *out)
{
    enum dns_how how = DNS_ANSWER;
    struct buf answers = BUF_INIT(0), authority = BUF_INIT(0);
    unsigned type, n, n_authority = 0;
    size_t end;
    dns_question(packet, w->last, &type, &end);
    n = dns_rows(w, &answers, w->last, type, &how);
    if (!n && how == DNS_ANSWER)
        n = dns_rows(w, &answers, w->last, T_CNAME, &how);
    if (!n && (how == DNS_ANSWER || how == DNS_NO_NAME)) {
        n_authority = dns_rows(w, &authority, w->last, T_NSEC, &(enum dns_how){ DNS_ANSWER });
        n_authority += dns_soa(w, &authority, w->last);
    }
    if (how != DNS_SILENT) {
        buf_slice(out, slice_to(packet, 2));
        dns_u16(out, 0x8580 | (how == DNS_FAILS ? 2 : how == DNS_NO_NAME ? 3 : 0));
        dns_u16(out, 1);
        dns_u16(out, n);
        dns_u16(out, n_authority);
        dns_u16(out, 0);
        buf_slice(out, slice_from(slice_to(packet, end), 12));
        buf_slice(out, buf_get(&answers));
        buf_slice(out, buf_get(&authority));
    }
    buf_fini(&answers);
    buf_fini(&authority);
}

static inline void dns_readable(void *ctx)
{
    struct dns_world *w = ctx;
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    char packet[2048];
    struct buf out = BUF_INIT(0);
    ssize_t n = recvfrom(w->fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &size);
    if (n < 17)
        return;
    w->packets++;
    dns_reply(w, slice_of(packet, (size_t)n), &out);
    if (out.len && sendto(w->fd, out.p, out.len, 0, (struct sockaddr *)&from, size) < 0)
        fail_msg("the DNS server cannot send");
    buf_fini(&out);
}

static inline void dns_guard(struct timer *t)
{
    struct dns_world *w = CONTAINER(t, struct dns_world, guard);
    loop_timer(w->loop, t, 50, dns_guard); /* so that a poll ends now and then */
}

/* Turns until cond holds. */
#define DNS_UNTIL(w, cond)                                                                                            \
    do {                                                                                                              \
        uint64_t until_ = clock_mono_ms() + DNS_PATIENCE_MS;                                                          \
        while (!(cond)) {                                                                                             \
            uv_run(&(w)->loop->uv, UV_RUN_ONCE);                                                                      \
            if (clock_mono_ms() > until_)                                                                             \
                fail_msg("never came: %s", #cond);                                                                    \
        }                                                                                                             \
    } while (0)

static inline struct dns_world *dns_world_new(void)
{
    struct dns_world *w = mem_new(sizeof *w);
    struct sockaddr_in sa = { .sin_family = AF_INET };
    socklen_t size = sizeof sa;
    struct why why = { "" };
    w->loop = loop_new();
    w->a = arena_new(4096, 0);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    w->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (w->fd < 0 || bind(w->fd, (struct sockaddr *)&sa, size) < 0 || getsockname(w->fd, (struct sockaddr *)&sa, &size) < 0)
        fail_msg("no UDP socket");
    if (watch_new(w->loop, w->fd, dns_readable, w, &w->watch, &why) != RC_OK)
        fail_msg("%s", why.text);
    snprintf(w->server, sizeof w->server, "127.0.0.1@%u", (unsigned)ntohs(sa.sin_port));
    w->servers[0] = w->server;
    loop_timer(w->loop, &w->guard, 50, dns_guard);
    return w;
}

/* conf without servers; rows are the server's from now on. */
static inline void dns_world_resolver(struct dns_world *w, struct lookup_conf conf, const struct dns_row *rows, size_t n)
{
    struct why why = { "" };
    w->rows = rows;
    w->n = n;
    conf.servers = w->servers;
    if (!conf.anchor_file)
        conf.anchor_file = "";
    resolver_free(&w->resolver);
    if (resolver_new(w->loop, &conf, &w->resolver, &why) != RC_OK)
        fail_msg("%s", why.text);
}

static inline void dns_world_free(struct dns_world *w)
{
    resolver_free(&w->resolver);
    watch_free(&w->watch);
    timer_stop(&w->guard);
    loop_stop(w->loop);
    loop_run(w->loop);
    loop_free(&w->loop);
    close(w->fd);
    arena_free(&w->a);
    mem_free(w);
}

#endif
