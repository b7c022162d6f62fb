/* common/xmpp/xmlout.c */
#include "common/xmpp/xmlout.h"

#include "common/xmpp/ns.h"

/* What a byte is written as: in character data 1 is looked at, in attribute values 1 and 2. CR would come
 * back as LF from any parser, TAB and LF in an attribute as a space (XML 1.0 2.11, 3.3.3). */
static const uint8_t special[256] = {
    ['&'] = 1, ['<'] = 1, ['>'] = 1, ['\r'] = 1, ['\''] = 2, ['"'] = 2, ['\t'] = 2, ['\n'] = 2,
};

static struct slice escape_of(char c)
{
    switch (c) {
    case '&':
        return SLICE("&amp;");
    case '<':
        return SLICE("&lt;");
    case '>':
        return SLICE("&gt;");
    case '\'':
        return SLICE("&apos;");
    case '"':
        return SLICE("&quot;");
    case '\r':
        return SLICE("&#13;");
    case '\n':
        return SLICE("&#10;");
    default:
        return SLICE("&#9;");
    }
}

enum { BLOCK = 16 };

typedef uint8_t block __attribute__((vector_size(BLOCK)));

/* True if some of BLOCK bytes may be special. */
static bool has_special(const char *p)
{
    block b;
    uint64_t any[BLOCK / sizeof(uint64_t)];
    memcpy(&b, p, sizeof b);
    block found = (block)(b == '&') | (block)(b == '<') | (block)(b == '>') | (block)(b == '\'') |
                  (block)(b == '"') | (block)(b == '\r') | (block)(b == '\n') | (block)(b == '\t');
    memcpy(any, &found, sizeof any);
    return any[0] | any[1];
}

static inline void escaped(struct buf *out, struct slice s, uint8_t most)
{
    size_t at = 0;
    for (size_t run = 0; run < s.len; run = ++at) {
        while (at < s.len) {
            if (s.len - at >= BLOCK && !has_special(s.p + at)) {
                at += BLOCK;
                continue;
            }
            size_t end = s.len - at < BLOCK ? s.len : at + BLOCK;
            while (at < end && (uint8_t)(special[(uint8_t)s.p[at]] - 1) >= most)
                at++;
            if (at < end)
                break;
        }
        buf_put(out, s.p + run, at - run);
        if (at == s.len)
            return;
        buf_slice(out, escape_of(s.p[at]));
    }
}

void xmlout_text(struct buf *out, struct slice text)
{
    escaped(out, text, 1);
}

void xmlout_value(struct buf *out, struct slice value)
{
    escaped(out, value, 2);
}

static void attribute(struct buf *out, struct slice name, struct slice value)
{
    buf_byte(out, ' ');
    buf_slice(out, name);
    BUF_LIT(out, "='");
    xmlout_value(out, value);
    buf_byte(out, '\'');
}

void xmlout_attr(struct buf *out, const char *name, struct slice value)
{
    attribute(out, slice_cstr(name), value);
}

static bool is_content(struct slice ns)
{
    return slice_eq(ns, SLICE(NS_CLIENT)) || slice_eq(ns, SLICE(NS_SERVER)) ||
           slice_eq(ns, SLICE(NS_COMPONENT_ACCEPT));
}

static inline bool same_ns(struct slice a, struct slice b)
{
    return (a.p == b.p && a.len == b.len) || slice_eq(a, b) || (is_content(a) && is_content(b));
}

/* What one call of xmlout_node writes. */
struct writing {
    struct buf *out;
    const struct node *top;
    struct slice default_ns;
    bool without_to;
};

/* Elements of the streams namespace use the prefix that every stream header declares. */
static bool is_prefixed(const struct writing *w, const struct node *n)
{
    return w->default_ns.len && slice_eq(n->ns, SLICE(NS_STREAM));
}

/* The default namespace in scope inside n's parent. */
static struct slice scope_of(const struct writing *w, const struct node *n)
{
    while (n != w->top) {
        n = n->parent;
        if (!is_prefixed(w, n))
            return n->ns;
    }
    return w->default_ns;
}

/* An attribute in a namespace: its prefix is named for the first attribute of the element in that namespace.
 */
static void attribute_ns(struct buf *out, const struct node *n, const struct attr *at)
{
    if (slice_eq(at->ns, SLICE(NS_XML))) {
        BUF_LIT(out, " xml:");
    } else {
        unsigned number = 0;
        const struct attr *first = n->attrs;
        for (; !slice_eq(first->ns, at->ns); first = first->next)
            number++;
        if (first == at) {
            BUF_LIT(out, " xmlns:a");
            buf_u64(out, number);
            BUF_LIT(out, "='");
            xmlout_value(out, at->ns);
            buf_byte(out, '\'');
        }
        BUF_LIT(out, " a");
        buf_u64(out, number);
        buf_byte(out, ':');
    }
    buf_slice(out, at->name);
    BUF_LIT(out, "='");
    xmlout_value(out, at->value);
    buf_byte(out, '\'');
}

static void tag_name(const struct writing *w, const struct node *n)
{
    if (is_prefixed(w, n))
        BUF_LIT(w->out, "stream:");
    buf_slice(w->out, n->name);
}

/* From '<' to the last attribute. */
static void start(const struct writing *w, const struct node *n)
{
    struct buf *out = w->out;
    buf_byte(out, '<');
    tag_name(w, n);
    if (!is_prefixed(w, n) && !same_ns(n->ns, scope_of(w, n)))
        attribute(out, SLICE("xmlns"), n->ns);
    for (const struct attr *at = n->attrs; at; at = at->next) {
        if (at->ns.len)
            attribute_ns(out, n, at);
        else if (!(w->without_to && n == w->top && slice_eq(at->name, SLICE("to"))))
            attribute(out, at->name, at->value);
    }
}

static void end(const struct writing *w, const struct node *n)
{
    BUF_LIT(w->out, "</");
    tag_name(w, n);
    buf_byte(w->out, '>');
}

/* Writes n without what is below it; true if something is below it. */
static bool opened(const struct writing *w, const struct node *n)
{
    if (n->name.len == 0) {
        xmlout_text(w->out, n->text);
        return false;
    }
    start(w, n);
    if (n->first) {
        buf_byte(w->out, '>');
        return true;
    }
    BUF_LIT(w->out, "/>");
    return false;
}

/* Walks without recursion: a tree that was built, not parsed, has no depth limit. */
static void tree(const struct writing *w)
{
    const struct node *n = w->top;
    for (;;) {
        if (opened(w, n)) {
            n = n->first;
            continue;
        }
        while (n != w->top && !n->next) {
            n = n->parent;
            end(w, n);
        }
        if (n == w->top)
            return;
        n = n->next;
    }
}

void xmlout_node(struct buf *out, const struct node *n, const char *default_ns)
{
    tree(&(struct writing){ out, n, slice_cstr(default_ns), false });
}

void xmlout_node_to(struct buf *out, const struct node *n, const char *default_ns, size_t *to_at)
{
    const struct writing w = { out, n, slice_cstr(default_ns), true };
    *to_at = 1 + (is_prefixed(&w, n) ? strlen("stream:") : 0) + n->name.len;
    tree(&w);
}
