/* common/xmpp/xmlchars.c */
#include "common/xmpp/xmlchars.h"

/* Length of the character at p: 1 to 4; 0 if its end is not there yet; -1 if it is none (RFC 3629), or
 * U+0000, U+FFFE or U+FFFF, which XML excludes (XML 1.0 2.2). Other controls are left to libxml2. */
static int char_len(const uint8_t *p, size_t n)
{
    uint8_t low = 0x80, high = 0xBF; /* of the second byte */
    int len;
    if (p[0] < 0x80)
        return p[0] ? 1 : -1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return -1;
    len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] == 0xE0)
        low = 0xA0;
    else if (p[0] == 0xED)
        high = 0x9F;
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F;
    for (int i = 1; i < len; i++, low = 0x80, high = 0xBF) {
        if ((size_t)i == n)
            return 0;
        if (p[i] < low || p[i] > high)
            return -1;
    }
    return len == 3 && p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE ? -1 : len;
}

enum { BLOCK = 32 };

static bool is_ascii_block(const uint8_t *p) /* all of 1 to 127 */
{
    uint8_t bits = 0;
    for (int i = 0; i < BLOCK; i++)
        bits |= (uint8_t)(p[i] - 1) | p[i];
    return !(bits & 0x80);
}

size_t xmlchars_whole(struct slice s, bool *bad)
{
    const uint8_t *p = (const uint8_t *)s.p;
    size_t at = 0;
    *bad = false;
    while (at < s.len) {
        if (s.len - at >= BLOCK && is_ascii_block(p + at)) {
            at += BLOCK;
            continue;
        }
        for (size_t end = s.len - at < BLOCK ? s.len : at + BLOCK; at < end;) { /* at may pass end */
            int len = char_len(p + at, s.len - at);
            *bad = len < 0;
            if (len <= 0)
                return at;
            at += (size_t)len;
        }
    }
    return at;
}
