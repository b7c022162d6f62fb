/* test/fuzz/fuzz_bosh.c - BOSH: the window under any sequence of requests, and bodies before they are parsed
 */
#include "common/xmpp/xmlin.h"
#include "httpgw/boshin.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Two bytes a step: what happens, and to whom. */
static void window(const uint8_t *data, size_t size)
{
    static char requests[8];
    struct boshwin w;
    uint64_t first = size > 1 && data[0] & 1 ? BOSHWIN_RID_MAX - 20 : 1, expected;
    boshwin_init(&w, first, 1 + (size ? data[0] >> 1 : 0) % BOSHWIN_REQUESTS_MAX);
    expected = first;
    for (size_t i = 1; i + 1 < size; i += 2) {
        struct slice replay = SLICE_NONE;
        void *old = NULL, *request = &requests[data[i] >> 5];
        uint64_t rid = w.top + data[i + 1] % 32 - 12;
        if (data[i] % 4 == 0 && boshwin_held(&w))
            boshwin_answer(&w, slice_of((const char *)data, i), data[i + 1] & 1, (uint32_t)i);
        else if (data[i] % 4 == 1)
            boshwin_forget(&w, request);
        else if (data[i] % 4 == 2)
            boshwin_acked(&w, rid);
        else if (boshwin_arrive(&w, rid, data[i + 1] >> 5, request, &old, &replay) == BOSHWIN_REPLAY &&
                 rid > w.answered)
            abort();
        while (boshwin_next(&w)) {
            if (w.top != ++expected || w.top > BOSHWIN_RID_MAX)
                abort();
        }
        if (w.arrived > w.answered || w.answered > w.top || boshwin_held(&w) > w.requests + 1)
            abort();
    }
    while (boshwin_pop(&w)) {
    }
    boshwin_fini(&w);
}

static void body(struct slice bytes)
{
    static const struct xmlin_limits limits = { 1 << 16, 16, 256, 64 };
    struct arena_pool *arenas = arena_pool_new(4096, 1 << 20, 1);
    struct xmlin_pool *xml = xmlin_pool_new("", arenas);
    struct arena *a = arena_take(arenas);
    struct boshkey key;
    struct node *n = NULL;
    struct slice sid = boshreq_sid(bytes);
    if (sid.len && (sid.p < bytes.p || sid.p + sid.len > bytes.p + bytes.len))
        abort();
    if (xmlin_parse(xml, a, bytes, &limits, &n, NULL) == RC_OK &&
        boshkey_begin(&key, node_attr(n, "newkey")) == RC_OK && key.next[0] &&
        boshkey_check(&key, node_attr(n, "newkey"), SLICE_NONE) == RC_OK)
        abort(); /* a key that hashes to itself */
    arena_give(arenas, &a);
    xmlin_pool_free(&xml);
    arena_pool_free(&arenas);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    window(data, size);
    body(slice_of((const char *)data, size));
    return 0;
}
