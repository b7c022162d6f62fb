/* common/base/text.c */
#include "common/base/text.h"

#include <sodium.h>

/* libsodium 1.0.18 takes some bytes over 0x7f for base64 characters (its comparisons want them unsigned). */
static bool is_ascii(struct slice s)
{
    unsigned char all = 0;
    for (size_t i = 0; i < s.len; i++)
        all |= (unsigned char)s.p[i];
    return all < 0x80;
}

static enum rc decode(struct arena *a, struct slice text, int variant, struct slice *out)
{
    size_t room = text.len / 4 * 3 + 3, len = 0;
    if (!is_ascii(text))
        return RC_SYNTAX;
    unsigned char *bytes = arena_alloc(a, room);
    if (sodium_base642bin(bytes, room, text.len ? text.p : "", text.len, NULL, &len, NULL, variant) != 0)
        return RC_SYNTAX;
    *out = slice_of((char *)bytes, len);
    return RC_OK;
}

static struct slice encode(struct arena *a, struct slice bytes, int variant)
{
    size_t size = sodium_base64_encoded_len(bytes.len, variant); /* with NUL */
    char *text = arena_alloc(a, size);
    sodium_bin2base64(text, size, (const unsigned char *)bytes.p, bytes.len, variant);
    return slice_of(text, size - 1);
}

enum rc base64_decode(struct arena *a, struct slice text, struct slice *out)
{
    return text.len % 4 ? RC_SYNTAX : decode(a, text, sodium_base64_VARIANT_ORIGINAL, out);
}

struct slice base64_encode(struct arena *a, struct slice bytes)
{
    return encode(a, bytes, sodium_base64_VARIANT_ORIGINAL);
}

enum rc base64url_decode(struct arena *a, struct slice text, struct slice *out)
{
    return decode(a, text, sodium_base64_VARIANT_URLSAFE_NO_PADDING, out);
}

struct slice base64url_encode(struct arena *a, struct slice bytes)
{
    return encode(a, bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

struct slice hex_encode(struct arena *a, struct slice bytes)
{
    size_t size = bytes.len * 2 + 1;
    char *text = arena_alloc(a, size);
    sodium_bin2hex(text, size, (const unsigned char *)bytes.p, bytes.len);
    return slice_of(text, size - 1);
}

enum rc hex_decode(struct arena *a, struct slice text, struct slice *out)
{
    size_t room = text.len / 2 + 1, len = 0;
    unsigned char *bytes = arena_alloc(a, room);
    if (sodium_hex2bin(bytes, room, text.len ? text.p : "", text.len, NULL, &len, NULL) != 0 ||
        len * 2 != text.len)
        return RC_SYNTAX;
    *out = slice_of((char *)bytes, len);
    return RC_OK;
}

enum rc hex_u64(struct slice text, uint64_t *out)
{
    uint64_t n = 0;
    if (text.len == 0 || text.len > 16)
        return RC_SYNTAX;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return RC_SYNTAX;
        n = n << 4 | digit;
    }
    *out = n;
    return RC_OK;
}

/* Length of the well-formed character that s, not empty, begins with; 0: none. */
static size_t character(struct slice s)
{
    for (size_t n = 1; n <= 4 && n <= s.len; n++) {
        if (slice_utf8_ok(slice_to(s, n)))
            return n;
    }
    return 0;
}

static void json_escape(struct buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        BUF_LIT(out, "\\\"");
        break;
    case '\\':
        BUF_LIT(out, "\\\\");
        break;
    case '\n':
        BUF_LIT(out, "\\n");
        break;
    case '\r':
        BUF_LIT(out, "\\r");
        break;
    case '\t':
        BUF_LIT(out, "\\t");
        break;
    default:
        buf_fmt(out, "\\u%04x", c);
    }
}

void text_json(struct buf *out, struct slice s)
{
    buf_byte(out, '"');
    while (s.len) {
        unsigned char c = (unsigned char)s.p[0];
        size_t n = c < 0x80 ? 1 : character(s);
        if (c < 0x20 || c == '"' || c == '\\')
            json_escape(out, c);
        else if (n)
            buf_put(out, s.p, n);
        else
            BUF_LIT(out, "\xEF\xBF\xBD"); /* U+FFFD */
        s = slice_from(s, n ? n : 1);
    }
    buf_byte(out, '"');
}
