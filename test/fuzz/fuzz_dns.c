/* test/fuzz/fuzz_dns.c - rdata of SRV, TLSA and addresses, and the order that is made of them
 *
 * Input: records, each a byte of type and flags, a byte of length, rdata. */
#include "s2s/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 64, TARGETS = 8, ATTEMPTS = 12 };

struct seen {
    struct dns_srv srv[2][MAX];
    size_t n[2];
    union dns_addr addrs[MAX];
    size_t addrs_n;
    uint32_t random;
};

static uint32_t below(void *ctx, uint32_t n)
{
    struct seen *s = ctx;
    s->random = s->random * 1664525 + 1013904223;
    return n ? s->random % n : 0;
}

static void take(struct arena *a, struct seen *s, uint8_t kind, struct slice rdata)
{
    unsigned service = kind >> 7;
    struct dns_tlsa tlsa;
    struct dns_srv srv;
    if (dns_srv_read(a, rdata, &srv) == RC_OK) {
        if (srv.host.len && !dns_name_ok(srv.host))
            __builtin_trap();
        if (s->n[service] < MAX)
            s->srv[service][s->n[service]++] = srv;
    }
    if (dns_tlsa_read(rdata, &tlsa) == RC_OK && (!tlsa.data.len || tlsa.data.len + 3 != rdata.len))
        __builtin_trap();
    if (s->addrs_n < MAX &&
        dns_addr_read(kind & 1 ? DNS_A : DNS_AAAA, rdata, &s->addrs[s->addrs_n]) == RC_OK) {
        char text[DNS_ADDR_TEXT];
        dns_addr_text(&s->addrs[s->addrs_n++], text);
    }
    union dns_addr parsed;
    if (dns_addr_parse(rdata, 1, &parsed) == RC_OK && s->addrs_n < MAX)
        s->addrs[s->addrs_n++] = parsed;
}

static void order(struct arena *a, struct seen *s)
{
    const struct target_answers in = { s->srv[0], s->srv[1], s->n[0], s->n[1] };
    const struct target_random random = { below, s };
    const struct target_rules rules = { .attempts_max = ATTEMPTS };
    struct target_attempts list;
    struct target_list targets;
    if (target_order(a, SLICE("example.net"), &in, TARGETS, &random, &targets, NULL) != RC_OK)
        return;
    if (!targets.n || targets.n > TARGETS)
        __builtin_trap();
    target_attempts_init(a, &rules, &list);
    for (size_t i = 0; i < targets.n; i++) {
        struct target_attempt what = { .host = targets.at[i].host, .direct_tls = targets.at[i].direct_tls };
        if (!what.host.len || !targets.at[i].port)
            __builtin_trap();
        target_add(&list, &rules, &what, targets.at[i].port, s->addrs, s->addrs_n);
    }
    if (list.n > ATTEMPTS)
        __builtin_trap();
    for (size_t i = 0; i < list.n; i++) {
        if (target_refusal(&rules, &list.at[i].addr))
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096, 1 << 20);
    struct seen s = { .random = (uint32_t)size };
    struct slice rest = slice_of((const char *)data, size);
    while (rest.len >= 2) {
        uint8_t kind = (uint8_t)rest.p[0];
        size_t len = (uint8_t)rest.p[1];
        rest = slice_from(rest, 2);
        take(a, &s, kind, slice_to(rest, len));
        rest = slice_from(rest, len);
    }
    order(a, &s);
    arena_free(&a);
    return 0;
}
