/* test/fuzz/fuzz_formjson.c - bodies of the API: what is taken can be written as XML and is read back as it
 * was; forms as JSON */
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include "httpgw/formjson.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xmlin_limits limits = { 1 << 20, 96, 100000, 512 };

/* JSON → form → XML → form: nothing of it may be refused there, or be something else. */
static void submitted(struct xmlin_pool *xml, struct arena *a, struct slice bytes)
{
    json_t *object;
    struct node *form, *again;
    struct buf first = BUF_INIT(0), second = BUF_INIT(0);
    struct why why;
    if (formjson_read(bytes, &object, &why) != RC_OK)
        return;
    if (formjson_submit(a, object, &form, &why) == RC_OK) {
        xmlout_node(&first, form, NULL);
        if (xmlin_parse(xml, a, buf_get(&first), &limits, &again, NULL) != RC_OK)
            abort();
        xmlout_node(&second, again, NULL);
        if (!slice_eq(buf_get(&first), buf_get(&second)))
            abort();
        json_decref(formjson_result(a, again));
    }
    formjson_forget(object);
    buf_fini(&first);
    buf_fini(&second);
}

static void is_json(json_t *it)
{
    char *text = json_dumps(it, JSON_COMPACT);
    json_t *again = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!again)
        abort();
    json_decref(again);
    json_decref(it);
    free(text);
}

static void described(struct xmlin_pool *xml, struct arena *a, struct slice bytes)
{
    struct node *form;
    if (xmlin_parse(xml, a, bytes, &limits, &form, NULL) != RC_OK)
        return;
    is_json(formjson_form(a, form));
    is_json(formjson_result(a, form));
    is_json(formjson_schema(a, form));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena_pool *arenas = arena_pool_new(4096, 0, 1);
    struct xmlin_pool *xml = xmlin_pool_new("", arenas);
    struct arena *a = arena_take(arenas);
    struct slice bytes = slice_of((const char *)data, size);
    submitted(xml, a, bytes);
    described(xml, a, bytes);
    arena_give(arenas, &a);
    xmlin_pool_free(&xml);
    arena_pool_free(&arenas);
    return 0;
}
