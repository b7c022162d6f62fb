/* test/fuzz/fuzz_jid.c - addresses and passwords: what is prepared is valid, and prepared again stays the
 * same */
#include "common/base/limits.h"
#include "common/xmpp/jid.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void check_whole(struct arena *a, struct slice text)
{
    struct jid j, again, made;
    struct why why;
    if (jid_parse(a, text, &j, &why) != RC_OK)
        return;
    CHECK(j.local.len <= JID_PART_MAX && j.domain.len <= JID_PART_MAX && j.resource.len <= JID_PART_MAX);
    CHECK(j.domain.len && j.full.len <= JID_MAX && slice_utf8_ok(j.full));
    CHECK(jid_parse(a, j.full, &again, &why) == RC_OK);
    CHECK(jid_eq(&j, &again) && j.bare_len == again.bare_len && slice_eq(j.local, again.local));
    CHECK(jid_make(a, j.local, j.domain, j.resource, &made, &why) == RC_OK);
    CHECK(jid_eq(&j, &made) && j.bare_len == made.bare_len);
    struct jid copy = jid_copy(a, &j);
    CHECK(slice_eq(copy.resource, j.resource) && slice_eq(copy.domain, j.domain));
}

static void check_part(struct arena *a, struct slice text,
                       enum rc (*prepare)(struct arena *, struct slice, struct slice *, struct why *))
{
    struct slice once, twice;
    if (prepare(a, text, &once, NULL) != RC_OK)
        return;
    CHECK(once.len && slice_utf8_ok(once));
    CHECK(prepare(a, once, &twice, NULL) == RC_OK && slice_eq(once, twice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(1024, 0);
    struct slice text = slice_of((const char *)data, size);
    check_whole(a, text);
    check_part(a, text, jid_prepare_local);
    check_part(a, text, jid_prepare_domain);
    check_part(a, text, jid_prepare_resource);
    check_part(a, text, jid_prepare_password);
    arena_free(&a);
    return 0;
}
