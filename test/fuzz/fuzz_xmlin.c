/* test/fuzz/fuzz_xmlin.c - bytes of a peer to xmlin, and back through the canonical writer
 *
 * The first byte chooses how the rest is cut into pieces. What must hold: pieces of any size say the same as
 * all at once; what is written is parsed to the same tree; the canonical form of the canonical form is
 * itself. */
#include "test/unit/xmlrecord.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xmlin_limits limits = { .stanza_bytes = 2048, .depth = 16, .elements = 100, .attrs = 16 };

static enum rc feed_in_pieces(struct record *r, struct slice text, uint8_t seed)
{
    uint32_t random = seed;
    while (text.len) {
        random = random * 1103515245 + 12345;
        size_t n = seed == 0 ? text.len : seed == 1 ? 1 : 1 + (random >> 16) % (2u * seed);
        enum rc rc = record_feed(r, slice_to(text, n));
        if (rc != RC_OK)
            return rc;
        text = slice_from(text, n);
    }
    return RC_OK;
}

/* What was said before the error, if one is the last line. */
static struct slice before_error(struct slice said, enum rc rc)
{
    return rc == RC_OK ? said : slice_to(said, said.len - strlen(rc_name(rc)) - 1);
}

/* At once and in pieces: the same stanzas. Which error is seen first may differ, and libxml2 may wait for
 * another tag before it tells. */
static void check_pieces(struct slice text, uint8_t seed)
{
    struct record *whole = record_new(limits), *cut = record_new(limits);
    enum rc rc_whole = feed_in_pieces(whole, text, 0), rc_cut = feed_in_pieces(cut, text, seed);
    if (!slice_eq(before_error(buf_get(&whole->said), rc_whole), before_error(buf_get(&cut->said), rc_cut)))
        abort();
    record_free(whole);
    record_free(cut);
}

/* An element, its canonical form, and the canonical form of that. */
static void check_round_trip(struct slice text)
{
    struct record *r = record_new(limits);
    struct arena *a = arena_new(4096, 0);
    struct node *n, *again;
    struct buf once = BUF_INIT(0), twice = BUF_INIT(0);
    const struct xmlin_limits wide = { .stanza_bytes = 1 << 20, .depth = 16, .elements = 100, .attrs = 1000 };
    if (xmlin_parse(r->pool, a, text, &limits, &n, NULL) == RC_OK) {
        xmlout_node(&once, n, NS_CLIENT);
        if (xmlin_parse(r->pool, a, buf_get(&once), &wide, &again, NULL) != RC_OK)
            abort();
        xmlout_node(&twice, again, NS_CLIENT);
        if (!slice_eq(buf_get(&once), buf_get(&twice)))
            abort();
        struct node *copy = node_copy(a, n);
        buf_reset(&twice);
        xmlout_node(&twice, copy, NS_CLIENT);
        if (!slice_eq(buf_get(&once), buf_get(&twice)))
            abort();
    }
    buf_fini(&once);
    buf_fini(&twice);
    arena_free(&a);
    record_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice text = slice_of((const char *)data + 1, size - 1);
    check_pieces(text, data[0]);
    check_round_trip(text);
    return 0;
}
