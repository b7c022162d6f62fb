/* common/xmpp/scram.c */
#include "common/xmpp/sasl.h"

#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/secret.h"
#include "common/base/text.h"
#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

enum { ITERATIONS_MOST = 10000000 }; /* a client lets no server keep it busy for minutes */

static const struct hash_row {
    const char *name, *plus_name;
    size_t len;
    gnutls_mac_algorithm_t mac;
    gnutls_digest_algorithm_t digest;
} hashes[SCRAM_HASHES] = {
    [SCRAM_SHA1] = { "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", 20, GNUTLS_MAC_SHA1, GNUTLS_DIG_SHA1 },
    [SCRAM_SHA256] = { "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", 32, GNUTLS_MAC_SHA256, GNUTLS_DIG_SHA256 },
    [SCRAM_SHA512] = { "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS", 64, GNUTLS_MAC_SHA512, GNUTLS_DIG_SHA512 },
};

const char *scram_name(enum scram_hash h, bool plus)
{
    return plus ? hashes[h].plus_name : hashes[h].name;
}

size_t scram_key_len(enum scram_hash h)
{
    return hashes[h].len;
}

bool scram_parse_name(struct slice mech, enum scram_hash *h, bool *plus)
{
    for (unsigned i = 0; i < SCRAM_HASHES; i++) {
        bool is_plus = slice_is(mech, hashes[i].plus_name);
        if (is_plus || slice_is(mech, hashes[i].name)) {
            *h = (enum scram_hash)i;
            *plus = is_plus;
            return true;
        }
    }
    return false;
}

/* Hashing. It cannot fail but for lack of memory. */

static void hmac(enum scram_hash h, const uint8_t *key, struct slice text, uint8_t *out)
{
    if (gnutls_hmac_fast(hashes[h].mac, key, hashes[h].len, text.p, text.len, out) < 0)
        abort();
}

static void digest(enum scram_hash h, struct slice text, uint8_t *out)
{
    if (gnutls_hash_fast(hashes[h].digest, text.p, text.len, out) < 0)
        abort();
}

static struct slice bytes_of(const uint8_t *p, size_t len)
{
    return slice_of((const char *)p, len);
}

struct derived { /* RFC 5802 3 */
    uint8_t client[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
};

static enum rc derive(enum scram_hash h, struct slice password, struct slice salt, uint32_t iterations,
                      struct derived *out)
{
    uint8_t salted[SCRAM_KEY_MAX];
    /* GnuTLS does not write through these. */
    const gnutls_datum_t key = { (unsigned char *)(uintptr_t)password.p, (unsigned)password.len };
    const gnutls_datum_t with = { (unsigned char *)(uintptr_t)salt.p, (unsigned)salt.len };
    if (iterations == 0 || salt.len == 0 || password.len == 0)
        return RC_SYNTAX;
    if (gnutls_pbkdf2(hashes[h].mac, &key, &with, iterations, salted, hashes[h].len) < 0)
        return RC_IO;
    hmac(h, salted, SLICE("Client Key"), out->client);
    hmac(h, salted, SLICE("Server Key"), out->server);
    digest(h, bytes_of(out->client, hashes[h].len), out->stored);
    secret_wipe(salted, sizeof salted);
    return RC_OK;
}

enum rc scram_derive(enum scram_hash h, struct slice password, struct slice salt, uint32_t iterations,
                     struct scram_keys *out)
{
    struct derived d;
    if (salt.len > sizeof out->salt)
        return RC_LIMIT;
    enum rc rc = derive(h, password, salt, iterations, &d);
    if (rc != RC_OK)
        return rc;
    *out = (struct scram_keys){ .salt_len = (uint8_t)salt.len, .iterations = iterations };
    memcpy(out->salt, salt.p, salt.len);
    memcpy(out->stored, d.stored, hashes[h].len);
    memcpy(out->server, d.server, hashes[h].len);
    secret_wipe(&d, sizeof d);
    return RC_OK;
}

bool scram_check_password(enum scram_hash h, struct slice password, const struct scram_keys *keys)
{
    struct derived d;
    if (derive(h, password, bytes_of(keys->salt, keys->salt_len), keys->iterations, &d) != RC_OK)
        return false;
    bool same = secret_eq(bytes_of(d.stored, hashes[h].len), bytes_of(keys->stored, hashes[h].len));
    secret_wipe(&d, sizeof d);
    return same;
}

/* Messages are attributes separated by commas, in a fixed order: "n=user,r=nonce" (RFC 5802 7). */

/* The next attribute if it is `name`; *rest stays where it is otherwise. */
static bool attr_take(struct slice *rest, char name, struct slice *value)
{
    struct slice left = *rest, attr;
    if (!slice_split(&left, ',', &attr) || attr.len < 2 || attr.p[0] != name || attr.p[1] != '=')
        return false;
    if (left.len == 0 && attr.len < rest->len) /* a comma with nothing behind it */
        return false;
    *value = slice_from(attr, 2);
    *rest = left;
    return true;
}

/* Extensions are a letter and a value; none is known, all but the mandatory "m" may be ignored (RFC
 * 5802 5.1). */
static bool extension_ok(struct slice attr)
{
    char c = attr.len > 2 ? attr.p[0] : '\0';
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter && c != 'm' && attr.p[1] == '=';
}

static bool extensions_ok(struct slice rest)
{
    struct slice attr;
    if (rest.len && rest.p[rest.len - 1] == ',')
        return false;
    while (slice_split(&rest, ',', &attr)) {
        if (!extension_ok(attr))
            return false;
    }
    return true;
}

static bool nonce_ok(struct slice nonce)
{
    for (size_t i = 0; i < nonce.len; i++) {
        if (nonce.p[i] < 0x21 || nonce.p[i] > 0x7E || nonce.p[i] == ',')
            return false;
    }
    return nonce.len > 0;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, no other use of '='. */
static bool name_unescape(struct arena *a, struct slice in, struct slice *out)
{
    char *p = arena_alloc(a, in.len + 1);
    size_t len = 0;
    if (in.len == 0 || !slice_utf8_ok(in) || slice_find(in, '\0') >= 0)
        return false;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.p[i];
        if (c == '=') {
            struct slice code = slice_to(slice_from(in, i + 1), 2);
            if (slice_eq(code, SLICE("2C")))
                c = ',';
            else if (!slice_eq(code, SLICE("3D")))
                return false;
            i += 2;
        }
        p[len++] = c;
    }
    *out = slice_of(p, len);
    return true;
}

static struct slice name_escape(struct arena *a, struct slice in)
{
    char *p = arena_alloc(a, 3 * in.len + 1);
    char *at = p;
    for (size_t i = 0; i < in.len; i++) {
        bool special = in.p[i] == ',' || in.p[i] == '=';
        memcpy(at, special ? (in.p[i] == ',' ? "=2C" : "=3D") : in.p + i, special ? 3 : 1);
        at += special ? 3 : 1;
    }
    return slice_of(p, (size_t)(at - p));
}

/* Server */

/* RFC 5802 6: what the flag in front says about channel binding, against what there is. */
static enum sasl_fail binding_check(struct slice flag, bool offered_plus, const struct sasl_cb *cb,
                                    struct scram_server *s)
{
    bool bound = slice_starts(flag, SLICE("p="));
    if (!bound && !slice_eq(flag, SLICE("n")) && !slice_eq(flag, SLICE("y")))
        return SASL_MALFORMED_REQUEST;
    if (bound != s->plus)
        return SASL_MALFORMED_REQUEST;
    if (!bound)
        return *flag.p == 'y' && offered_plus ? SASL_MALFORMED_REQUEST
                                              : SASL_OK; /* not a guess at a password */
    struct slice type = slice_from(flag, 2);
    if (cb && slice_eq(type, SLICE("tls-exporter")))
        s->cb_data = cb->exporter;
    else if (cb && slice_eq(type, SLICE("tls-server-end-point")))
        s->cb_data = cb->end_point;
    return s->cb_data.len ? SASL_OK : SASL_MALFORMED_REQUEST;
}

static struct slice optional_copy(struct arena *a, struct slice s)
{
    return s.len ? arena_copy(a, s) : SLICE_NONE;
}

enum sasl_fail scram_first(struct arena *a, enum scram_hash h, bool plus, bool offered_plus,
                           struct slice message, const struct sasl_cb *cb, struct scram_server *out)
{
    struct scram_server s = { .hash = h, .plus = plus };
    struct slice text = arena_copy(a, message), rest = text, flag, authzid;
    if (!slice_split(&rest, ',', &flag) || !slice_split(&rest, ',', &authzid))
        return SASL_MALFORMED_REQUEST;
    s.client_first_bare = rest;
    s.gs2_header = slice_to(text, text.len - rest.len);
    enum sasl_fail fail = binding_check(flag, offered_plus, cb, &s);
    if (fail != SASL_OK)
        return fail;
    s.cb_data = optional_copy(a, s.cb_data);
    if (authzid.len &&
        (!slice_starts(authzid, SLICE("a=")) || !name_unescape(a, slice_from(authzid, 2), &s.authzid)))
        return SASL_MALFORMED_REQUEST;
    struct slice user;
    if (!attr_take(&rest, 'n', &user) || !name_unescape(a, user, &s.user) ||
        !attr_take(&rest, 'r', &s.nonce) || !nonce_ok(s.nonce) || !extensions_ok(rest))
        return SASL_MALFORMED_REQUEST;
    *out = s;
    return SASL_OK;
}

void scram_challenge(struct arena *a, struct scram_server *s, struct slice server_nonce,
                     const struct scram_keys *keys, struct slice ssdp, struct slice *out)
{
    assert(nonce_ok(server_nonce));
    s->nonce = arena_join(a, s->nonce, server_nonce);
    struct slice salt = base64_encode(a, bytes_of(keys->salt, keys->salt_len));
    s->server_first =
        arena_fmt(a, "r=" SLICE_FMT ",s=" SLICE_FMT ",i=%u%s" SLICE_FMT, SLICE_ARG(s->nonce), SLICE_ARG(salt),
                  (unsigned)keys->iterations, ssdp.len ? ",h=" : "", SLICE_ARG(ssdp));
    *out = s->server_first;
}

static int by_bytes(const void *a, const void *b) /* i;octet, RFC 4790 9.3 */
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void put_sorted(struct arena *a, struct buf *out, const struct slice *list, size_t n)
{
    struct slice *sorted = ARENA_ARRAY(a, n + 1, struct slice);
    if (n)
        memcpy(sorted, list, n * sizeof *list);
    qsort(sorted, n, sizeof *sorted, by_bytes);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_byte(out, '\x1E');
        buf_slice(out, sorted[i]);
    }
}

struct slice scram_ssdp(struct arena *a, enum scram_hash h, const struct slice *mechs, size_t n_mechs,
                        const struct slice *bindings, size_t n_bindings)
{
    uint8_t sum[SCRAM_KEY_MAX];
    struct buf s = BUF_INIT(0);
    put_sorted(a, &s, mechs, n_mechs);
    if (n_bindings) {
        buf_byte(&s, '\x1F');
        put_sorted(a, &s, bindings, n_bindings);
    }
    digest(h, buf_get(&s), sum);
    buf_fini(&s);
    return base64_encode(a, bytes_of(sum, hashes[h].len));
}

static struct slice auth_message(struct arena *a, struct slice first_bare, struct slice server_first,
                                 struct slice without_proof)
{
    struct slice one = arena_join(a, first_bare, SLICE(","));
    struct slice two = arena_join(a, server_first, SLICE(","));
    return arena_join(a, arena_join(a, one, two), without_proof);
}

static struct slice signature(struct arena *a, enum scram_hash h, const uint8_t *key, struct slice message)
{
    uint8_t *sum = arena_alloc(a, SCRAM_KEY_MAX);
    hmac(h, key, message, sum);
    return bytes_of(sum, hashes[h].len);
}

/* Cuts ",p=…" off, which is the last attribute. */
static bool proof_take(struct slice message, struct slice *without, struct slice *proof)
{
    size_t at = message.len;
    while (at > 0 && message.p[at - 1] != ',')
        at--;
    struct slice last = slice_from(message, at);
    if (at == 0 || !slice_starts(last, SLICE("p=")))
        return false;
    *without = slice_to(message, at - 1);
    *proof = slice_from(last, 2);
    return true;
}

static bool proof_holds(struct arena *a, const struct scram_server *s, const struct scram_keys *keys,
                        struct slice message, struct slice proof)
{
    uint8_t key[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
    size_t len = hashes[s->hash].len;
    struct slice client_signature = signature(a, s->hash, keys->stored, message);
    for (size_t i = 0; i < len; i++)
        key[i] = (uint8_t)(proof.p[i] ^ client_signature.p[i]);
    digest(s->hash, bytes_of(key, len), stored);
    secret_wipe(key, sizeof key);
    return secret_eq(bytes_of(stored, len), bytes_of(keys->stored, len));
}

enum sasl_fail scram_final(struct arena *a, const struct scram_server *s, const struct scram_keys *keys,
                           struct slice message, struct slice *out)
{
    struct slice without, proof64, proof, binding64, binding, nonce;
    if (!proof_take(message, &without, &proof64))
        return SASL_MALFORMED_REQUEST;
    struct slice rest = without;
    if (!attr_take(&rest, 'c', &binding64) || !attr_take(&rest, 'r', &nonce) || !extensions_ok(rest) ||
        base64_decode(a, binding64, &binding) != RC_OK || base64_decode(a, proof64, &proof) != RC_OK ||
        proof.len != hashes[s->hash].len)
        return SASL_MALFORMED_REQUEST;
    if (!slice_eq(nonce, s->nonce) || !secret_eq(binding, arena_join(a, s->gs2_header, s->cb_data)))
        return SASL_NOT_AUTHORIZED;
    struct slice all = auth_message(a, s->client_first_bare, s->server_first, without);
    if (!proof_holds(a, s, keys, all, proof))
        return SASL_NOT_AUTHORIZED;
    *out = arena_join(a, SLICE("v="), base64_encode(a, signature(a, s->hash, keys->server, all)));
    return SASL_OK;
}

/* Client */

struct slice scram_client_first(struct arena *a, struct scram_client *c, enum scram_hash h,
                                const struct sasl_cb *cb, struct slice user, struct slice nonce)
{
    *c = (struct scram_client){ .hash = h, .gs2_header = SLICE("n,,") };
    assert(nonce_ok(nonce));
    if (cb && cb->exporter.len) {
        c->gs2_header = SLICE("p=tls-exporter,,");
        c->cb_data = arena_copy(a, cb->exporter);
    } else if (cb && cb->end_point.len) {
        c->gs2_header = SLICE("p=tls-server-end-point,,");
        c->cb_data = arena_copy(a, cb->end_point);
    }
    c->plus = c->cb_data.len != 0;
    struct slice name = arena_join(a, SLICE("n="), name_escape(a, user));
    c->client_first_bare = arena_join(a, name, arena_join(a, SLICE(",r="), nonce));
    return arena_join(a, c->gs2_header, c->client_first_bare);
}

struct challenge { /* what server-first says */
    struct slice nonce, salt;
    uint64_t iterations;
};

static enum rc challenge_read(struct arena *a, struct slice server_first, struct challenge *out,
                              struct why *why)
{
    struct slice rest = server_first, salt64, iterations;
    if (!attr_take(&rest, 'r', &out->nonce) || !nonce_ok(out->nonce) || !attr_take(&rest, 's', &salt64) ||
        base64_decode(a, salt64, &out->salt) != RC_OK || out->salt.len == 0 ||
        !attr_take(&rest, 'i', &iterations) || slice_u64(iterations, UINT32_MAX, &out->iterations) != RC_OK ||
        !extensions_ok(rest)) {
        why_set(why, "malformed server-first message");
        return RC_SYNTAX;
    }
    if (out->iterations < SCRAM_ITERATIONS_LEAST || out->iterations > ITERATIONS_MOST) {
        why_set(why, "%u iterations are too %s", (unsigned)out->iterations,
                out->iterations > ITERATIONS_MOST ? "many" : "few");
        return RC_DENIED;
    }
    return RC_OK;
}

/* The server's nonce starts with ours, and is longer. */
static bool nonce_is_ours(const struct scram_client *c, struct slice nonce)
{
    struct slice rest = c->client_first_bare, name, ours;
    return attr_take(&rest, 'n', &name) && attr_take(&rest, 'r', &ours) && slice_starts(nonce, ours) &&
           nonce.len > ours.len;
}

enum rc scram_client_final(struct arena *a, struct scram_client *c, struct slice password,
                           struct slice server_first, struct slice *out, struct why *why)
{
    struct challenge ch;
    struct derived d;
    enum rc rc = challenge_read(a, server_first, &ch, why);
    if (rc != RC_OK)
        return rc;
    if (!nonce_is_ours(c, ch.nonce)) {
        why_set(why, "the server's nonce does not continue ours");
        return RC_DENIED;
    }
    rc = derive(c->hash, password, ch.salt, (uint32_t)ch.iterations, &d);
    if (rc != RC_OK) {
        why_set(why, "no key can be derived from this password");
        return rc;
    }
    struct slice binding = base64_encode(a, arena_join(a, c->gs2_header, c->cb_data));
    struct slice without =
        arena_join(a, arena_join(a, SLICE("c="), binding), arena_join(a, SLICE(",r="), ch.nonce));
    c->auth_message = auth_message(a, c->client_first_bare, server_first, without);
    struct slice client_signature = signature(a, c->hash, d.stored, c->auth_message);
    for (size_t i = 0; i < hashes[c->hash].len; i++)
        d.client[i] = (uint8_t)(d.client[i] ^ client_signature.p[i]);
    struct slice proof = base64_encode(a, bytes_of(d.client, hashes[c->hash].len));
    memcpy(c->server_key, d.server, sizeof c->server_key);
    secret_wipe(&d, sizeof d);
    *out = arena_join(a, without, arena_join(a, SLICE(",p="), proof));
    return RC_OK;
}

enum rc scram_client_verify(struct arena *a, const struct scram_client *c, struct slice server_final)
{
    struct slice rest = server_final, value, theirs;
    if (attr_take(&rest, 'e', &value))
        return RC_DENIED;
    if (!attr_take(&rest, 'v', &value) || !extensions_ok(rest) || base64_decode(a, value, &theirs) != RC_OK)
        return RC_SYNTAX;
    return secret_eq(theirs, signature(a, c->hash, c->server_key, c->auth_message)) ? RC_OK : RC_DENIED;
}
