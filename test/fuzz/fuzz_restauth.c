/* test/fuzz/fuzz_restauth.c - the Authorization header of an API call: what is taken is a first message of
 * SASL */
#include "common/xmpp/sasl.h"
#include "httpgw/restauth.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(1024, 0);
    struct restauth who;
    struct sasl_plain plain;
    if (restauth_read(a, slice_of((const char *)data, size), SLICE("im.example"), &who) == RC_OK) {
        if (!who.user.local.len || who.user.resource.len || !who.initial.len)
            abort();
        if (slice_is(slice_cstr(who.mechanism), "PLAIN") &&
            (sasl_plain_read(who.initial, &plain) != SASL_OK || !slice_eq(plain.user, who.user.local)))
            abort();
    }
    restauth_wipe(&who);
    restauth_wipe(&who);
    arena_free(&a);
    return 0;
}
