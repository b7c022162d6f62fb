/* common/xmpp/slot.c */
#include "common/xmpp/slot.h"

#include "common/base/buf.h"
#include "common/base/secret.h"
#include <gnutls/crypto.h>
#include <stdlib.h>

enum { TOKEN_BYTES = 4 + SLOT_RANDOM_BYTES, HASH_BYTES = 32, HASH_CHARS = 43 };

/* --- URL-safe base64 without padding (RFC 4648 5) --- */

static void put64(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | bytes[i];
        have += 8;
        for (; have >= 6; have -= 6)
            *out++ = digits[bits >> (have - 6) & 63];
    }
    if (have)
        *out = digits[bits << (6 - have) & 63];
}

static int value64(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* --- names and types --- */

/* The code point at the beginning of well-formed s; *n is its length. */
static uint32_t first_of(struct slice s, size_t *n)
{
    const unsigned char c = (unsigned char)s.p[0];
    *n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t u = *n == 1 ? c : c & (0x7fu >> *n);
    for (size_t i = 1; i < *n; i++)
        u = u << 6 | ((unsigned char)s.p[i] & 0x3f);
    return u;
}

static bool is_of_names(uint32_t u)
{
    if (u < 0x20 || (u >= 0x7f && u < 0xa0) || u == '/' || u == '\\')
        return false;
    return u != 0x200e && u != 0x200f && u != 0x61c && !(u >= 0x2028 && u <= 0x202e) &&
           !(u >= 0x2066 && u <= 0x2069);
}

bool slot_name_ok(struct slice name)
{
    if (!name.len || name.len > SLOT_NAME_MAX || !slice_utf8_ok(name) || slice_is(name, ".") ||
        slice_is(name, ".."))
        return false;
    size_t n;
    for (; name.len; name = slice_from(name, n))
        if (!is_of_names(first_of(name, &n)))
            return false;
    return true;
}

static bool is_token_char(char c) /* RFC 9110 5.6.2 */
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

struct slice slot_type_essence(struct slice type)
{
    size_t n = 0;
    while (n < type.len && (is_token_char(type.p[n]) || type.p[n] == '/'))
        n++;
    return slice_to(type, n);
}

bool slot_type_ok(struct slice type)
{
    struct slice essence = slot_type_essence(type), rest = essence, main, sub;
    if (type.len > SLOT_TYPE_MAX || !slice_split(&rest, '/', &main) || !main.len ||
        !slice_split(&rest, '/', &sub) || !sub.len || main.len + 1 + sub.len != essence.len)
        return false;
    struct slice more = slice_from(type, essence.len);
    if (more.len && more.p[0] != ';' && more.p[0] != ' ')
        return false;
    for (size_t i = 0; i < more.len; i++)
        if (more.p[i] < 0x20 || more.p[i] > 0x7e)
            return false;
    return true;
}

/* --- percent-encoding (RFC 3986 2.1, 2.3) --- */

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void put_encoded(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_unreserved(s.p[i]))
            buf_byte(b, s.p[i]);
        else
            buf_fmt(b, "%%%02X", (unsigned char)s.p[i]);
    }
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum rc decode(struct arena *a, struct slice s, size_t max, struct slice *out)
{
    char *p = arena_alloc(a, max + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (n == max)
            return RC_SYNTAX;
        if (c == '%') {
            if (s.len - i < 3 || hex_of(s.p[i + 1]) < 0 || hex_of(s.p[i + 2]) < 0)
                return RC_SYNTAX;
            c = (char)(hex_of(s.p[i + 1]) << 4 | hex_of(s.p[i + 2]));
            i += 2;
        }
        p[n++] = c;
    }
    *out = slice_of(p, n);
    return RC_OK;
}

/* --- paths --- */

struct slice slot_token(struct arena *a, uint32_t keep_s, const uint8_t random[SLOT_RANDOM_BYTES])
{
    uint8_t bytes[TOKEN_BYTES] = { (uint8_t)(keep_s >> 24), (uint8_t)(keep_s >> 16), (uint8_t)(keep_s >> 8),
                                   (uint8_t)keep_s };
    char *text = arena_alloc(a, SLOT_TOKEN_CHARS);
    memcpy(bytes + 4, random, SLOT_RANDOM_BYTES);
    put64(text, bytes, sizeof bytes);
    return slice_of(text, SLOT_TOKEN_CHARS);
}

enum rc slot_token_read(struct slice token, uint32_t *keep_s)
{
    uint64_t bits = 0;
    if (token.len != SLOT_TOKEN_CHARS)
        return RC_SYNTAX;
    for (size_t i = 0; i < token.len; i++) {
        int v = value64(token.p[i]);
        if (v < 0)
            return RC_SYNTAX;
        if (i < 6) /* 36 bits; the time is the first 32 */
            bits = bits << 6 | (uint64_t)v;
    }
    *keep_s = (uint32_t)(bits >> 4);
    return RC_OK;
}

struct slice slot_path(struct arena *a, struct slice token, struct slice name)
{
    struct buf b = BUF_INIT(0);
    buf_slice(&b, token);
    buf_byte(&b, '/');
    put_encoded(&b, name);
    struct slice out = arena_copy(a, buf_get(&b));
    buf_fini(&b);
    return out;
}

enum rc slot_path_read(struct arena *a, struct slice path, struct slice *token, struct slice *name)
{
    struct slice decoded;
    uint32_t keep_s;
    if (path.len < SLOT_TOKEN_CHARS + 2 || path.p[SLOT_TOKEN_CHARS] != '/' ||
        slot_token_read(slice_to(path, SLOT_TOKEN_CHARS), &keep_s) != RC_OK ||
        decode(a, slice_from(path, SLOT_TOKEN_CHARS + 1), SLOT_NAME_MAX, &decoded) != RC_OK ||
        !slot_name_ok(decoded))
        return RC_SYNTAX;
    *token = slice_to(path, SLOT_TOKEN_CHARS);
    *name = decoded;
    return RC_OK;
}

/* --- signatures --- */

/* No part can hold a line feed, so no two slots have the same text. */
static void sign(struct slice key, const struct slot *s, char out[HASH_CHARS])
{
    uint8_t hash[HASH_BYTES];
    struct buf b = BUF_INIT(0);
    BUF_LIT(&b, "bulkhead upload 1\n");
    buf_slice(&b, s->token);
    buf_byte(&b, '\n');
    buf_slice(&b, s->name);
    buf_fmt(&b, "\n%llu\n%lld\n", (unsigned long long)s->size, (long long)s->until_s);
    buf_slice(&b, s->type);
    if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.p, key.len, b.p, b.len, hash) < 0)
        abort(); /* out of memory for something small */
    put64(out, hash, sizeof hash);
    buf_fini(&b);
}

struct slice slot_sign(struct arena *a, struct slice key, const struct slot *slot)
{
    char hash[HASH_CHARS];
    struct buf b = BUF_INIT(0);
    sign(key, slot, hash);
    buf_fmt(&b, "u=%lld&s=%llu&t=", (long long)slot->until_s, (unsigned long long)slot->size);
    put_encoded(&b, slot->type);
    BUF_LIT(&b, "&h=");
    buf_put(&b, hash, sizeof hash);
    struct slice out = arena_copy(a, buf_get(&b));
    buf_fini(&b);
    return out;
}

/* The next part of the query, which must be this one. */
static bool part(struct slice *query, const char *name, struct slice *out)
{
    struct slice each;
    if (!slice_split(query, '&', &each) || each.len < 2 || each.p[0] != name[0] || each.p[1] != '=')
        return false;
    *out = slice_from(each, 2);
    return true;
}

static enum rc read_query(struct arena *a, struct slice query, struct slot *s, struct slice *hash)
{
    struct slice until, size, type;
    if (!part(&query, "u", &until) || !part(&query, "s", &size) || !part(&query, "t", &type) ||
        !part(&query, "h", hash) || query.len)
        return RC_SYNTAX;
    if (slice_i64(until, 0, INT64_MAX, &s->until_s) != RC_OK ||
        slice_u64(size, SLOT_SIZE_MAX, &s->size) != RC_OK ||
        decode(a, type, SLOT_TYPE_MAX, &s->type) != RC_OK || (s->type.len && !slot_type_ok(s->type)))
        return RC_SYNTAX;
    return RC_OK;
}

enum rc slot_check(struct arena *a, struct slice key, struct slice path, struct slice query, int64_t now_s,
                   struct slot *out)
{
    struct slot s = { .size = 0 };
    struct slice hash;
    char ours[HASH_CHARS];
    enum rc rc = slot_path_read(a, path, &s.token, &s.name);
    if (rc == RC_OK)
        rc = read_query(a, query, &s, &hash);
    if (rc != RC_OK)
        return rc;
    if (!key.len)
        return RC_DENIED;
    sign(key, &s, ours);
    if (!secret_eq(hash, slice_of(ours, sizeof ours)))
        return RC_DENIED;
    if (s.until_s < now_s)
        return RC_TIMEOUT;
    *out = s;
    return RC_OK;
}
