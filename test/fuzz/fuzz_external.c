/* test/fuzz/fuzz_external.c - certificates of peers (DER), and names that may stand in them
 *
 * Input: a certificate; or, with a first byte of 0, 1 or 2, a name of that kind. */
#include "s2s/external.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the names are, these they do not prove. */
static void check(struct arena *a, const struct peercert_name *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!names[i].text.len || slice_find(names[i].text, '\0') >= 0)
            __builtin_trap();
    }
    external_names_prove(a, names, n, SLICE("one.example"));
    external_names_prove(a, names, n, SLICE("a.b.one.example"));
    if (external_names_prove(a, names, n, SLICE("192.0.2.1")) ||
        external_names_prove(a, names, n, SLICE("[2001:db8::1]")))
        __builtin_trap();
}

static void certificate(struct arena *a, struct slice der)
{
    struct peercert_name names[16];
    struct external_dane out;
    struct dns_tlsa tlsa[] = { { 3, 1, 1, SLICE_INIT("0123456789abcdef0123456789abcdef") },
                               { 2, 0, 0, SLICE_INIT("x") } };
    struct slice chain[] = { der, der };
    struct external_peer peer = { .chain = chain, .chain_n = 2, .domain = SLICE("one.example") };
    size_t n;
    if (peercert_names(a, der, names, 16, &n) == RC_OK)
        check(a, names, n);
    if (external_dane(a, NULL, &peer, tlsa, 2, &out, NULL) == RC_OK ||
        external_pkix(a, NULL, &peer, NULL) == RC_OK)
        __builtin_trap();
    tlsa[0] = (struct dns_tlsa){ 3, 0, 0, der };
    if (der.len && external_dane(a, NULL, &peer, tlsa, 1, &out, NULL) != RC_OK)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096, 1 << 20);
    struct slice in = slice_of((const char *)data, size);
    if (in.len > 1 && in.p[0] >= 0 && in.p[0] <= PEERCERT_XMPPADDR) {
        struct peercert_name name = { (enum peercert_kind)in.p[0], slice_from(in, 1) };
        if (slice_find(name.text, '\0') < 0 && slice_utf8_ok(name.text))
            check(a, &name, 1);
    } else {
        certificate(a, in);
    }
    arena_free(&a);
    return 0;
}
