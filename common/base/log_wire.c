/* common/base/log_wire.c - what went over the wire, without its secrets
 *
 * Works on whatever pieces the socket gave, without a memory of the piece before: text in front of the first
 * tag may be the rest of a secret and is masked, and so is everything from a secret element that does not end
 * in the piece. A start tag that speaks of a password (<field var='password'/>) counts as one. */
#include "common/base/log.h"

#include "common/base/buf.h"

static struct slice until(struct slice s, const char *stops)
{
    size_t n = 0;
    while (n < s.len && !(s.p[n] && strchr(stops, s.p[n])))
        n++;
    return slice_to(s, n);
}

/* The tag s begins with, up to and with its '>', which is not one inside an attribute's value. */
static struct slice tag_of(struct slice s)
{
    char quote = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (quote)
            quote = s.p[i] == quote ? (char)0 : quote;
        else if (s.p[i] == '"' || s.p[i] == '\'')
            quote = s.p[i];
        else if (s.p[i] == '>')
            return slice_to(s, i + 1);
    }
    return s;
}

static struct slice name_of(struct slice tag)
{
    return until(slice_from(tag, 1), " \t\r\n/>");
}

static bool is_secret(struct slice tag)
{
    static const struct slice names[] = {
        SLICE_INIT("auth"),      SLICE_INIT("response"),         SLICE_INIT("challenge"),
        SLICE_INIT("success"),   SLICE_INIT("initial-response"), SLICE_INIT("additional-data"),
        SLICE_INIT("handshake"), SLICE_INIT("digest"),           SLICE_INIT("task-data"),
    };
    struct slice name = name_of(tag);
    ptrdiff_t colon = slice_find(name, ':');
    struct slice local = slice_from(name, (size_t)(colon + 1));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_eq(local, names[i]))
            return true;
    }
    for (size_t i = 0; i + 8 <= tag.len; i++) {
        if (slice_eq_nocase(slice_of(tag.p + i, 8), SLICE("password")))
            return true;
    }
    return false;
}

/* Where "</name" begins in s; the length of s: nowhere. */
static size_t end_tag(struct slice s, struct slice name)
{
    for (size_t i = 0; i + name.len + 2 <= s.len; i++) {
        if (s.p[i] == '<' && s.p[i + 1] == '/' && slice_starts(slice_from(s, i + 2), name))
            return i;
    }
    return s.len;
}

static void mask(struct slice s, struct buf *out)
{
    struct slice head = until(s, "<");
    if (slice_trim(head).len)
        BUF_LIT(out, "***");
    else
        buf_slice(out, head); /* white space keeps connections alive */
    s = slice_from(s, head.len);
    while (s.len) {
        struct slice tag = tag_of(s);
        bool whole = tag.p[tag.len - 1] == '>';
        s = slice_from(s, tag.len);
        if (tag.len > 1 && tag.p[1] != '/' && is_secret(tag)) {
            if (whole)
                buf_slice(out, tag);
            if (whole && tag.p[tag.len - 2] == '/')
                continue;
            size_t n = end_tag(s, name_of(tag));
            if (n || !whole)
                BUF_LIT(out, "***");
            s = slice_from(s, n);
            continue;
        }
        buf_slice(out, tag);
        struct slice text = until(s, "<");
        buf_slice(out, text);
        s = slice_from(s, text.len);
    }
}

/* The next piece of s: at most LOG_LONG_MAX, and no character is torn. */
static struct slice piece_of(struct slice s)
{
    size_t n = s.len;
    if (n > LOG_LONG_MAX) {
        n = LOG_LONG_MAX;
        while (n > LOG_LONG_MAX - 4 && ((unsigned char)s.p[n] & 0xC0U) == 0x80U)
            n--;
    }
    return slice_to(s, n);
}

void log_wire(const struct log_ctx *ctx, bool out, struct slice bytes)
{
    struct log_ctx wire = *ctx;
    wire.sub = LOG_WIRE;
    if (!log_wants(wire.log, LOG_WIRE, LOG_LEVEL_DEBUG))
        return;
    struct buf masked = BUF_INIT(0);
    mask(bytes, &masked);
    for (struct slice rest = buf_get(&masked), piece; rest.len; rest = slice_from(rest, piece.len)) {
        piece = piece_of(rest);
        LOG_DEBUG(&wire, out ? "sent" : "received", F_UINT("len", bytes.len), F_LONG("xml", piece));
    }
    buf_fini(&masked);
}
