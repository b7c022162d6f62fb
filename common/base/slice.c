/* common/base/slice.c */
#include "common/base/slice.h"

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int diff = len ? memcmp(a.p, b.p, len) : 0;
    if (diff == 0)
        return a.len < b.len ? -1 : a.len > b.len;
    return diff < 0 ? -1 : 1;
}

ptrdiff_t slice_find(struct slice s, char c)
{
    const char *at = s.len ? memchr(s.p, c, s.len) : NULL;
    return at ? at - s.p : -1;
}

bool slice_split(struct slice *rest, char sep, struct slice *out)
{
    if (rest->len == 0)
        return false;
    ptrdiff_t at = slice_find(*rest, sep);
    if (at < 0) {
        *out = *rest;
        *rest = slice_from(*rest, rest->len);
    } else {
        *out = slice_to(*rest, (size_t)at);
        *rest = slice_from(*rest, (size_t)at + 1);
    }
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.len && is_space(s.p[0]))
        s = slice_from(s, 1);
    while (s.len && is_space(s.p[s.len - 1]))
        s.len--;
    return s;
}

enum rc slice_u64(struct slice s, uint64_t max, uint64_t *out)
{
    if (s.len == 0)
        return RC_SYNTAX;
    uint64_t n = 0;
    bool over = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return RC_SYNTAX;
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            over = true;
        else
            n = n * 10 + digit;
    }
    if (over || n > max)
        return RC_LIMIT;
    *out = n;
    return RC_OK;
}

enum rc slice_i64(struct slice s, int64_t min, int64_t max, int64_t *out)
{
    bool minus = s.len && s.p[0] == '-';
    uint64_t n = 0;
    if (s.len && (minus || s.p[0] == '+'))
        s = slice_from(s, 1);
    enum rc rc = slice_u64(s, (uint64_t)INT64_MAX + (minus ? 1 : 0), &n);
    if (rc != RC_OK)
        return rc;
    int64_t value = !minus ? (int64_t)n : n == 0 ? 0 : -(int64_t)(n - 1) - 1;
    if (value < min || value > max)
        return RC_LIMIT;
    *out = value;
    return RC_OK;
}

/* Length of the well-formed multi-byte character at p, of at most len bytes, or 0: the table of RFC 3629 4.
 */
static size_t utf8_character(const unsigned char *p, size_t len)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t need;
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        need = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        need = 3;
        if (p[0] == 0xE0)
            low = 0xA0;
        else if (p[0] == 0xED)
            high = 0x9F; /* no surrogates */
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        need = 4;
        if (p[0] == 0xF0)
            low = 0x90;
        else if (p[0] == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (len < need || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    }
    return need;
}

bool slice_utf8_ok(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t at = 0;
    while (at < s.len) {
        uint64_t eight;
        if (s.len - at >= sizeof eight) { /* most text is ASCII: eight bytes at a time */
            memcpy(&eight, p + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        if (p[at] < 0x80) {
            at++;
            continue;
        }
        size_t n = utf8_character(p + at, s.len - at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

enum rc slice_to_cstr(struct slice s, char *out, size_t size)
{
    if (slice_find(s, '\0') >= 0)
        return RC_SYNTAX;
    if (s.len >= size)
        return RC_LIMIT;
    if (s.len)
        memcpy(out, s.p, s.len);
    out[s.len] = '\0';
    return RC_OK;
}

struct slice slice_utf8_cut(struct slice s, size_t max)
{
    if (s.len <= max)
        return s;
    while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return slice_to(s, max);
}
