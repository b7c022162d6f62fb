/* test/fuzz/fuzz_filter.c - path filters, one a line, up to an empty line; behind it the stanza that they
 * look at */
#include "common/base/mem.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlin.h"
#include "sessman/pathfilter.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xmlin_limits limits = {
    .stanza_bytes = 1 << 16, .depth = 64, .elements = 1000, .attrs = 128
};

static void look(const struct pathfilter *f, struct slice xml)
{
    struct arena_pool *arenas = arena_pool_new(4096, 0, 1);
    struct xmlin_pool *pool = xmlin_pool_new(NS_CLIENT, arenas);
    struct arena *a = arena_take(arenas);
    struct node *n;
    if (xmlin_parse(pool, a, xml, &limits, &n, NULL) == RC_OK &&
        pathfilter_match(f, n) != pathfilter_match(f, n))
        abort();
    arena_give(arenas, &a);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data, size), line;
    char *texts[PATHFILTERS_MAX + 2];
    struct pathfilter *f;
    struct why why;
    size_t n = 0;
    while (n < PATHFILTERS_MAX + 2 && slice_split(&rest, '\n', &line) && line.len)
        texts[n++] = mem_copy(line);
    if (pathfilter_new((const char *const *)texts, n, &f, &why) == RC_OK)
        look(f, rest);
    pathfilter_free(&f);
    for (size_t i = 0; i < n; i++)
        mem_free(texts[i]);
    return 0;
}
