/* common/base/secret.h - randomness, comparing and forgetting secrets (libsodium) */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "common/base/arena.h"

MUST_USE enum rc secret_init(struct why *why); /* once per process, before anything else of this header */
void secret_random(void *out, size_t n);
uint64_t secret_random_u64(void);
uint32_t secret_random_below(uint32_t n); /* uniform in [0, n) */
struct slice secret_token(struct arena *a, size_t bytes); /* URL-safe base64 of so many random bytes */
bool secret_eq(struct slice a, struct slice b); /* constant time in the content (not in the length) */
void secret_wipe(void *p, size_t n);

#endif
