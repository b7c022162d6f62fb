/* test/fuzz/fuzz_amp.c - the rules of a message are read, judged and answered; answers are stanzas that we
 * read ourselves */
#include "common/xmpp/amp.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xmlin_limits limits = {
    .stanza_bytes = 1 << 16, .depth = 64, .elements = 1000, .attrs = 128
};

static void check_answer(struct arena *a, struct node *answer)
{
    struct stanza st;
    enum stanza_cond cond;
    if (!answer)
        return;
    if (stanza_read(a, answer, &st, &cond) != RC_OK)
        abort();
    struct buf b = BUF_INIT(0);
    xmlout_node(&b, answer, NS_CLIENT);
    buf_fini(&b);
}

static void judge(struct arena *a, const struct stanza *st)
{
    struct amp amp;
    enum amp_fault fault = amp_read(a, st, 32, &amp);
    if (fault == AMP_ABSENT)
        return;
    if (fault != AMP_FINE) {
        check_answer(a, amp_refusal(a, st, fault, &amp, SLICE("im.example")));
        return;
    }
    if (!amp.n || amp.n > 32)
        abort();
    for (unsigned i = 0; i < 40; i++) {
        const struct amp_outlook o = { (enum amp_deliver)(i % 5), i & 8, i & 16, i & 32 };
        const struct amp_rule *r = amp_met(&amp, &o, 1000);
        if (r)
            check_answer(a, amp_event(a, st, r, SLICE("im.example")));
    }
    amp_stamp(a, amp.node, st);
    if (amp_read(a, st, 32, &amp) != AMP_FINE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena_pool *arenas = arena_pool_new(4096, 0, 1);
    struct xmlin_pool *pool = xmlin_pool_new(NS_CLIENT, arenas);
    struct arena *a = arena_take(arenas);
    struct node *n;
    struct stanza st;
    enum stanza_cond cond;
    if (xmlin_parse(pool, a, slice_of((const char *)data, size), &limits, &n, NULL) == RC_OK &&
        stanza_read(a, n, &st, &cond) == RC_OK && st.kind == STANZA_MESSAGE && st.has_from && st.has_to)
        judge(a, &st);
    arena_give(arenas, &a);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    return 0;
}
