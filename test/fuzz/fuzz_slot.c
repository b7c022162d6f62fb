/* test/fuzz/fuzz_slot.c - a URL that was put to (path, '?', query): what is let in was signed, and is what
 * its path says */
#include "common/xmpp/slot.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY SLICE("a key of two daemons")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096, 0);
    struct slice rest = slice_of((const char *)data, size), path = SLICE_NONE, token, name, t2, n2;
    struct slot slot = { .size = 0 };
    uint32_t keep_s;
    (void)slice_split(&rest, '?', &path);
    if (slot_path_read(a, path, &token, &name) == RC_OK) {
        struct slice again = slot_path(a, token, name);
        if (!slot_name_ok(name) || slice_find(name, '/') >= 0 || slot_token_read(token, &keep_s) != RC_OK ||
            slot_path_read(a, again, &t2, &n2) != RC_OK || !slice_eq(t2, token) || !slice_eq(n2, name))
            abort();
        slot = (struct slot){ token, name, size, SLICE_NONE, 5 };
        if (slot_check(a, KEY, again, slot_sign(a, KEY, &slot), 5, &slot) != RC_OK || slot.size != size)
            abort();
    }
    if (slot_check(a, KEY, path, rest, 0, &slot) == RC_OK &&
        (slot.size > SLOT_SIZE_MAX || (slot.type.len && !slot_type_ok(slot.type)) ||
         !slot_name_ok(slot.name)))
        abort();
    (void)slot_type_ok(rest);
    arena_free(&a);
    return 0;
}
