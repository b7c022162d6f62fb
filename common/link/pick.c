/* common/link/pick.c */
#include "common/link/pick.h"

#include <sodium.h>

uint64_t pick_weight(struct slice instance, struct slice key)
{
    static const unsigned char first_key[crypto_shorthash_KEYBYTES] =
        "bulkhead shards"; /* part of the protocol */
    unsigned char second_key[crypto_shorthash_KEYBYTES] = { 0 };
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t weight;
    crypto_shorthash(second_key, (const unsigned char *)instance.p, instance.len, first_key);
    crypto_shorthash(out, (const unsigned char *)key.p, key.len, second_key);
    memcpy(&weight, out, sizeof weight);
    return weight;
}
