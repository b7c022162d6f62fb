/* test/fuzz/fuzz_dialback.c - elements of dialback, as any server may send them: what is read is written and
 * reads the same */
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlin.h"
#include "s2s/dialback.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xmlin_limits limits = { 1 << 16, 8, 64, 32 };

static void there_and_back(struct xmlin_pool *xml, struct arena *a, const struct dialback *d)
{
    struct buf out = BUF_INIT(0);
    struct dialback again;
    struct node *n = NULL;
    dialback_write(&out, d);
    if (xmlin_parse(xml, a, buf_get(&out), &limits, &n, NULL) != RC_OK ||
        dialback_read(a, n, &again, NULL, NULL) != RC_OK)
        __builtin_trap();
    if (again.kind != d->kind || again.type != d->type || !slice_eq(again.from, d->from) ||
        !slice_eq(again.to, d->to) || !slice_eq(again.id, d->id) || !slice_eq(again.key, d->key) ||
        !slice_eq(again.error, d->error))
        __builtin_trap();
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena_pool *arenas = arena_pool_new(4096, 1 << 20, 1);
    struct xmlin_pool *xml = xmlin_pool_new(NS_SERVER, arenas);
    struct arena *a = arena_take(arenas);
    struct dialback d;
    struct node *n = NULL;
    bool flag;
    if (xmlin_parse(xml, a, slice_of((const char *)data, size), &limits, &n, NULL) == RC_OK) {
        if (dialback_read(a, n, &d, &flag, NULL) == RC_OK) {
            if (!d.from.len || !d.to.len || (d.type == DIALBACK_REQUEST) != (d.key.len > 0) ||
                (d.kind == DIALBACK_VERIFY) != (d.id.len > 0))
                __builtin_trap();
            there_and_back(xml, a, &d);
            if (dialback_key_ok(a, SLICE("secret"), d.to, d.from, d.id, d.key))
                __builtin_trap();
        }
        dialback_feature_read(n, &flag);
    }
    arena_give(arenas, &a);
    xmlin_pool_free(&xml);
    arena_pool_free(&arenas);
    return 0;
}
