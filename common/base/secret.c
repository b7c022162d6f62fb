/* common/base/secret.c */
#include "common/base/secret.h"

#include <sodium.h>

enum rc secret_init(struct why *why)
{
    if (sodium_init() < 0) {
        why_set(why, "libsodium cannot be initialised: no source of randomness");
        return RC_IO;
    }
    return RC_OK;
}

void secret_random(void *out, size_t n)
{
    randombytes_buf(out, n);
}

uint64_t secret_random_u64(void)
{
    uint64_t n;
    randombytes_buf(&n, sizeof n);
    return n;
}

uint32_t secret_random_below(uint32_t n)
{
    return randombytes_uniform(n);
}

struct slice secret_token(struct arena *a, size_t bytes)
{
    unsigned char *raw = arena_alloc(a, bytes);
    size_t size = sodium_base64_encoded_len(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING); /* with NUL */
    char *text = arena_alloc(a, size);
    randombytes_buf(raw, bytes);
    sodium_bin2base64(text, size, raw, bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(raw, bytes);
    return slice_of(text, size - 1);
}

bool secret_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.p, b.p, a.len) == 0);
}

void secret_wipe(void *p, size_t n)
{
    if (n)
        sodium_memzero(p, n);
}
