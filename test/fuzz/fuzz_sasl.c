/* test/fuzz/fuzz_sasl.c - messages of a SASL exchange, cut at line ends: first, final, challenge, success,
 * PLAIN
 *
 * No message that was made without the password passes, whatever it says. */
#include "common/base/secret.h"
#include "common/xmpp/bearer.h"
#include "common/xmpp/sasl.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scram_keys keys = {
    .stored = "a stored key nobody can know", .salt = "pepper", .salt_len = 6, .iterations = 4096
};

static void server(struct arena *a, struct slice first, struct slice final, uint8_t how)
{
    struct scram_server s;
    struct slice out;
    const struct sasl_cb cb = { .exporter = SLICE("exported"), .end_point = SLICE("certificate") };
    enum scram_hash h = (enum scram_hash)(how % SCRAM_HASHES);
    if (scram_first(a, h, how & 4, how & 8, first, &cb, &s) != SASL_OK)
        return;
    scram_challenge(a, &s, SLICE("nonce"), &keys, how & 16 ? SLICE("hash") : SLICE_NONE, &out);
    if (scram_final(a, &s, &keys, final, &out) == SASL_OK)
        abort();
}

static void client(struct arena *a, struct slice challenge, struct slice success, uint8_t how)
{
    struct scram_client c;
    struct slice out;
    struct why why;
    (void)scram_client_first(a, &c, (enum scram_hash)(how % SCRAM_HASHES), NULL, SLICE("us,er"),
                             SLICE("abc"));
    if (slice_find(challenge, '9') >= 0) /* many iterations take long */
        return;
    if (scram_client_final(a, &c, SLICE("pencil"), challenge, &out, &why) == RC_OK &&
        scram_client_verify(a, &c, success) == RC_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct arena *a = arena_new(1024, 0);
    struct slice rest = slice_of((const char *)data + 1, size - 1), one = SLICE_NONE, two;
    struct sasl_plain plain;
    enum scram_hash h;
    enum sasl_fail f;
    bool plus;
    (void)!slice_split(&rest, '\n', &one);
    two = rest;
    server(a, one, two, data[0]);
    client(a, one, two, data[0]);
    (void)sasl_plain_read(one, &plain);
    struct ht_first token;
    uint8_t want[HT_HASH_BYTES];
    ht_hash(SLICE("a token nobody can know"), true, two, want);
    /* Not memcmp: the fuzzer looks at what that compares, and then it is no guess. */
    if (ht_first_read(one, &token) == SASL_OK &&
        secret_eq(token.hash, slice_of((const char *)want, sizeof want)))
        abort();
    struct bearer_first bearer;
    struct bearer_token owner;
    if (bearer_first_read(a, one, &bearer) == SASL_OK &&
        bearer_token_read(a, bearer.token, &owner) == RC_OK &&
        !slice_eq(bearer_token_write(a, &owner), bearer.token))
        abort(); /* a token is written in one way */
    (void)scram_parse_name(one, &h, &plus);
    (void)!sasl_fail_parse(one, &f);
    arena_free(&a);
    return 0;
}
