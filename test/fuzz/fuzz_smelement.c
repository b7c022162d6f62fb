/* test/fuzz/fuzz_smelement.c - the elements of stream management, as any client may send them */
#include "common/edge/smelement.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct xmlin_limits limits = { 1 << 16, 8, 64, 32 };
    struct arena_pool *arenas = arena_pool_new(4096, 1 << 20, 1);
    struct xmlin_pool *xml = xmlin_pool_new(NS_CLIENT, arenas);
    struct arena *a = arena_take(arenas);
    struct control_sm_enable enable;
    struct control_resume resume;
    struct node *n = NULL;
    uint32_t h;
    if (xmlin_parse(xml, a, slice_of((const char *)data, size), &limits, &n, NULL) == RC_OK) {
        if (smelement_read_enable(n, &enable) == RC_OK && enable.resume && !node_has(n, "resume"))
            __builtin_trap();
        if (smelement_read_resume(n, &resume) == RC_OK && !resume.previd.len)
            __builtin_trap();
        if (smelement_read_a(n, &h) == RC_OK && !node_has(n, "h"))
            __builtin_trap();
    }
    arena_give(arenas, &a);
    xmlin_pool_free(&xml);
    arena_pool_free(&arenas);
    return 0;
}
