/* test/fuzz/fuzz_head.c - what the start tag of a stanza says of its domains is what parsing it says */
#include "common/xmpp/ns.h"
#include "common/xmpp/stanza.h"
#include "common/xmpp/xmlin.h"
#include "s2s/head.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xmlin_limits limits = {
    .stanza_bytes = 1 << 16, .depth = 64, .elements = 1000, .attrs = 128
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct head h;
    struct node *n;
    struct stanza s = { 0 };
    enum stanza_cond cond;
    if (!head_read(text, &h))
        return 0;
    struct arena_pool *arenas = arena_pool_new(4096, 0, 1);
    struct xmlin_pool *pool = xmlin_pool_new(NS_SERVER, arenas);
    struct arena *a = arena_take(arenas);
    if (xmlin_parse(pool, a, text, &limits, &n, NULL) == RC_OK &&
        stanza_read(a, n, &s, &cond) != RC_UNSUPPORTED && s.has_from && s.has_to &&
        (!slice_eq(s.from.domain, h.from) || !slice_eq(s.to.domain, h.to)))
        abort(); /* what no session manager writes need not parse */
    arena_give(arenas, &a);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    return 0;
}
