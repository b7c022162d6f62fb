/* test/bench/scram.c - see scram.h */
#include "scram.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SALT_TEXT_MAX 96 /* base64 */
#define ACCOUNTS_MAX  20000000

struct salted {
    unsigned iterations; /* 0: empty */
    char salt[SALT_TEXT_MAX];
    uint8_t key[SCRAM_KEY_MAX];
};

struct scram_cache {
    struct salted *of[2]; /* SHA-1, SHA-256; by account */
    unsigned accounts;    /* that there is room for */
    bool changed;
};

struct scram_cache *scram_cache_new(void)
{
    struct scram_cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        abort();
    return cache;
}

/* The place of an account, which is made if need be. kind: index in of. */
static struct salted *place(struct scram_cache *cache, unsigned kind, unsigned account)
{
    if (account >= cache->accounts) {
        unsigned room = (account + 1024) / 1024 * 1024 * 2;
        for (int i = 0; i < 2; i++) {
            struct salted *more = realloc(cache->of[i], room * sizeof(*more));
            if (!more)
                abort();
            memset(more + cache->accounts, 0, (room - cache->accounts) * sizeof(*more));
            cache->of[i] = more;
        }
        cache->accounts = room;
    }
    return &cache->of[kind][account];
}

void scram_cache_free(struct scram_cache **cache)
{
    if (!*cache)
        return;
    free((*cache)->of[0]);
    free((*cache)->of[1]);
    free(*cache);
    *cache = NULL;
}

static int from_hex(const char *hex, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sscanf(hex + 2 * i, "%2hhx", &out[i]) != 1)
            return -1;
    return 0;
}

void scram_cache_load(struct scram_cache *cache, const char *path, const char *password)
{
    FILE *f = path ? fopen(path, "r") : NULL;
    char line[512], word[128];
    if (!f)
        return;
    if (fgets(line, sizeof(line), f) && sscanf(line, "password %127s", word) == 1 &&
        strcmp(word, password) == 0) {
        while (fgets(line, sizeof(line), f)) {
            unsigned kind, account, iterations;
            char salt[SALT_TEXT_MAX], hex[2 * SCRAM_KEY_MAX + 1];
            if (sscanf(line, "%u %u %u %95s %64s", &kind, &account, &iterations, salt, hex) != 5 ||
                kind > 1 || account >= ACCOUNTS_MAX || strlen(hex) != sizeof(hex) - 1)
                continue;
            struct salted *s = place(cache, kind, account);
            if (from_hex(hex, s->key, SCRAM_KEY_MAX) == 0) {
                s->iterations = iterations;
                strcpy(s->salt, salt);
            }
        }
    }
    fclose(f);
}

void scram_cache_save(const struct scram_cache *cache, const char *path, const char *password)
{
    char temp[4096];
    if (!path || !cache->changed || snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp))
        return;
    FILE *f = fopen(temp, "w");
    if (!f)
        return;
    fprintf(f, "password %s\n", password);
    for (unsigned kind = 0; kind < 2; kind++) {
        for (unsigned i = 0; i < cache->accounts; i++) {
            const struct salted *s = &cache->of[kind][i];
            if (!s->iterations)
                continue;
            fprintf(f, "%u %u %u %s ", kind, i, s->iterations, s->salt);
            for (int k = 0; k < SCRAM_KEY_MAX; k++)
                fprintf(f, "%02x", s->key[k]);
            putc('\n', f);
        }
    }
    if (fclose(f) == 0)
        rename(temp, path);
}

static bool to_base64(const void *data, size_t len, char *out, size_t out_size)
{
    gnutls_datum_t in = { (unsigned char *)(uintptr_t)data, (unsigned)len }, text = { NULL, 0 };
    bool fits = gnutls_base64_encode2(&in, &text) >= 0 && text.size < out_size;
    if (fits) {
        memcpy(out, text.data, text.size);
        out[text.size] = '\0';
    }
    gnutls_free(text.data);
    return fits;
}

/* Decodes into out and ends it with NUL; the length, or -1. */
static int from_base64(const char *text, size_t len, char *out, size_t out_size)
{
    gnutls_datum_t in = { (unsigned char *)(uintptr_t)text, (unsigned)len }, data = { NULL, 0 };
    int n = -1;
    if (gnutls_base64_decode2(&in, &data) >= 0 && data.size < out_size) {
        memcpy(out, data.data, data.size);
        out[data.size] = '\0';
        n = (int)data.size;
    }
    gnutls_free(data.data);
    return n;
}

bool scram_begin(struct scram *s, enum mech mech, const char *user, const char *password, char *out,
                 size_t out_size)
{
    char message[320];
    int n;
    s->mech = mech;
    if (mech == MECH_PLAIN) {
        n = snprintf(message, sizeof(message), "%c%s%c%s", 0, user, 0, password);
    } else {
        uint8_t random[12];
        if (gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof(random)) < 0)
            return false;
        for (size_t i = 0; i < sizeof(random); i++)
            snprintf(s->nonce + 2 * i, 3, "%02x", random[i]);
        snprintf(s->first_bare, sizeof(s->first_bare), "n=%s,r=%s", user, s->nonce);
        n = snprintf(message, sizeof(message), "n,,%s", s->first_bare);
    }
    return n > 0 && n < (int)sizeof(message) && to_base64(message, (size_t)n, out, out_size);
}

static const struct salted *salted(struct scram_cache *cache, enum mech mech, unsigned account,
                                   const char *password, const char *salt_text, unsigned iterations)
{
    struct salted *s = place(cache, mech == MECH_SCRAM256, account);
    if (s->iterations == iterations && strcmp(s->salt, salt_text) == 0)
        return s;
    char salt[SALT_TEXT_MAX];
    int salt_len = from_base64(salt_text, strlen(salt_text), salt, sizeof(salt));
    if (salt_len <= 0)
        return NULL;
    bool wide = mech == MECH_SCRAM256;
    gnutls_datum_t key = { (unsigned char *)(uintptr_t)password, (unsigned)strlen(password) };
    gnutls_datum_t seed = { (unsigned char *)salt, (unsigned)salt_len };
    memset(s->key, 0, sizeof(s->key));
    if (gnutls_pbkdf2(wide ? GNUTLS_MAC_SHA256 : GNUTLS_MAC_SHA1, &key, &seed, iterations, s->key,
                      wide ? 32 : 20) < 0)
        return NULL;
    s->iterations = iterations;
    strcpy(s->salt, salt_text);
    cache->changed = true;
    return s;
}

/* ClientProof and ServerSignature (RFC 5802 3). */
static bool proof(struct scram *s, const struct salted *salted, const char *auth, uint8_t *out)
{
    bool wide = s->mech == MECH_SCRAM256;
    gnutls_mac_algorithm_t mac = wide ? GNUTLS_MAC_SHA256 : GNUTLS_MAC_SHA1;
    gnutls_digest_algorithm_t hash = wide ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA1;
    size_t len = wide ? 32 : 20;
    uint8_t client_key[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX], server_key[SCRAM_KEY_MAX];
    if (gnutls_hmac_fast(mac, salted->key, len, "Client Key", 10, client_key) < 0 ||
        gnutls_hash_fast(hash, client_key, len, stored) < 0 ||
        gnutls_hmac_fast(mac, stored, len, auth, strlen(auth), out) < 0 ||
        gnutls_hmac_fast(mac, salted->key, len, "Server Key", 10, server_key) < 0 ||
        gnutls_hmac_fast(mac, server_key, len, auth, strlen(auth), s->server_signature) < 0)
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] ^= client_key[i];
    return true;
}

bool scram_step(struct scram *s, struct scram_cache *cache, unsigned account, const char *password,
                const char *challenge, size_t challenge_len, char *out, size_t out_size)
{
    char first[512], nonce[256], salt[SALT_TEXT_MAX], final[512], auth[1280], text[64];
    uint8_t client_proof[SCRAM_KEY_MAX];
    unsigned iterations;
    if (from_base64(challenge, challenge_len, first, sizeof(first)) <= 0)
        return false;
    if (sscanf(first, "r=%255[^,],s=%95[^,],i=%u", nonce, salt, &iterations) != 3 || iterations == 0 ||
        strncmp(nonce, s->nonce, strlen(s->nonce)) != 0)
        return false;
    const struct salted *key = salted(cache, s->mech, account, password, salt, iterations);
    snprintf(final, sizeof(final), "c=biws,r=%s", nonce); /* biws is "n,,": RFC 5802 7 */
    snprintf(auth, sizeof(auth), "%s,%s,%s", s->first_bare, first, final);
    if (!key || !proof(s, key, auth, client_proof) ||
        !to_base64(client_proof, s->mech == MECH_SCRAM256 ? 32 : 20, text, sizeof(text)))
        return false;
    size_t n = strlen(final);
    snprintf(final + n, sizeof(final) - n, ",p=%s", text);
    return to_base64(final, strlen(final), out, out_size);
}

bool scram_done(const struct scram *s, const char *data, size_t len)
{
    char last[256], want[64];
    if (s->mech == MECH_PLAIN)
        return true;
    if (from_base64(data, len, last, sizeof(last)) <= 2 || strncmp(last, "v=", 2) != 0)
        return false;
    return to_base64(s->server_signature, s->mech == MECH_SCRAM256 ? 32 : 20, want, sizeof(want)) &&
           strcmp(last + 2, want) == 0;
}
