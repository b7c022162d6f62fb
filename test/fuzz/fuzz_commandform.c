/* test/fuzz/fuzz_commandform.c - submitted forms of commands: one that passes has what its table wants */
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlin.h"
#include "sessman/commandform.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct command_option options[] = { { "red", "Red" }, { "blue", NULL }, { 0 } };
static const struct command_field fields[] = {
    { .var = "jid", .type = FIELD_JID, .required = true },
    { .var = "jids", .type = FIELD_JIDS },
    { .var = "n", .integer = true, .least = -1, .most = 9 },
    { .var = "list", .type = FIELD_LIST, .options = options },
    { .var = "lists", .type = FIELD_LISTS, .options = options, .open = true },
    { .var = "flag", .type = FIELD_BOOLEAN },
    { .var = "lines", .type = FIELD_TEXTS },
    { .var = "secret", .type = FIELD_SECRET },
    { 0 },
};

static void check(struct arena *a, const struct node *form)
{
    enum stanza_cond cond;
    struct why why = { "" };
    struct jid jid;
    int64_t n;
    if (commandform_check(a, fields, form, &cond, &why) != RC_OK) {
        if (!why.text[0] || !stanza_cond_name(cond)[0])
            abort();
        return;
    }
    struct slice number = form_get(a, form, "n"), list = form_get(a, form, "list");
    if (jid_parse(a, form_get(a, form, "jid"), &jid, NULL) != RC_OK)
        abort();
    if (number.len && slice_i64(number, -1, 9, &n) != RC_OK)
        abort();
    if (list.len && !slice_is(list, "red") && !slice_is(list, "blue"))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct xmlin_limits limits = {
        .stanza_bytes = 65536, .depth = 16, .elements = 4000, .attrs = 32
    };
    struct arena *a = arena_new(4096, 0);
    struct arena_pool *arenas = arena_pool_new(4096, 0, 1);
    struct xmlin_pool *pool = xmlin_pool_new(NS_CLIENT, arenas);
    struct node *n;
    if (xmlin_parse(pool, a, slice_of((const char *)data, size), &limits, &n, NULL) == RC_OK)
        check(a, n);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    arena_free(&a);
    return 0;
}
