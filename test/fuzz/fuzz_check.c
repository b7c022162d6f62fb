/* test/fuzz/fuzz_check.c - what an edge lets pass reads the same to whoever reads it behind the edge
 *
 * The element is checked and written in canonical form; what was written is read and checked again. It must
 * pass again and give the same bytes: there is no second reading in which another stanza could hide (DESIGN
 * 2). */
#include "common/edge/check.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xmlin_limits limits = {
    .stanza_bytes = 1 << 16, .depth = 64, .elements = 1000, .attrs = 128
};
/* Escaping makes bytes more: what was within the limits is not to fail for its size. */
static const struct xmlin_limits wider = {
    .stanza_bytes = 1 << 20, .depth = 64, .elements = 1000, .attrs = 1000
};
static const struct check_session who = { SLICE_INIT("romeo@im.example/balcony"), 16, SLICE_INIT("en") };

/* The bytes that are sent on; false: it does not pass. */
static bool sent_on(struct xmlin_pool *pool, struct arena *a, struct slice bytes,
                    const struct xmlin_limits *max, struct buf *out)
{
    struct node *n;
    struct check check;
    if (xmlin_parse(pool, a, bytes, max, &n, NULL) != RC_OK)
        return false;
    enum check_verdict verdict = check_element(a, n, &who, &check);
    if (verdict == CHECK_ANSWER && check.answer)
        xmlout_node(out, check.answer, NS_CLIENT);
    if (verdict != CHECK_PASS)
        return false;
    buf_reset(out);
    xmlout_node(out, n, NS_CLIENT);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena_pool *arenas = arena_pool_new(4096, 0, 2);
    struct xmlin_pool *pool = xmlin_pool_new(NS_CLIENT, arenas);
    struct arena *a = arena_take(arenas);
    struct buf once = BUF_INIT(0), twice = BUF_INIT(0);
    if (sent_on(pool, a, slice_of((const char *)data, size), &limits, &once)) {
        if (!sent_on(pool, a, buf_get(&once), &wider, &twice) || !slice_eq(buf_get(&once), buf_get(&twice)))
            abort();
    }
    buf_fini(&once);
    buf_fini(&twice);
    arena_give(arenas, &a);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    return 0;
}
