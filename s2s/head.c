/* s2s/head.c */
#include "s2s/head.h"

enum { LABEL_MAX = 63, DOMAIN_MAX = 255 };

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Labels of RFC 1123 2.1 in lower case, none of which is an A-label: such a name is prepared as it stands. */
static bool is_domain(struct slice s)
{
    size_t label = 0; /* where it begins */
    if (!s.len || s.len > DOMAIN_MAX)
        return false;
    for (size_t i = 0; i <= s.len; i++) {
        if (i < s.len && (is_plain((unsigned char)s.p[i]) || s.p[i] == '-'))
            continue;
        if ((i < s.len && s.p[i] != '.') || i == label || i - label > LABEL_MAX || s.p[label] == '-' ||
            s.p[i - 1] == '-' || (i - label > 3 && memcmp(s.p + label + 2, "--", 2) == 0))
            return false;
        label = i + 1;
    }
    return true;
}

/* The domain of an address that was canonical already. */
static bool domain_of(struct slice jid, struct slice *out)
{
    const char *slash = memchr(jid.p, '/', jid.len);
    struct slice bare = slash ? slice_to(jid, (size_t)(slash - jid.p)) : jid;
    const char *at = memchr(bare.p, '@', bare.len);
    if (memchr(jid.p, '&', jid.len) || (slash && slash + 1 == jid.p + jid.len) || at == bare.p)
        return false;
    *out = at ? slice_from(bare, (size_t)(at + 1 - bare.p)) : bare;
    return is_domain(*out);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One attribute, with the blank before it. False: something else is there. */
static bool attribute(struct slice *s, struct slice *name, struct slice *value)
{
    const char *p = s->p, *end = s->p + s->len, *quote, *equals;
    if (p == end || *p != ' ')
        return false;
    equals = memchr(p, '=', s->len);
    if (!equals || end - equals < 3 || equals[1] != '\'' ||
        (quote = memchr(equals + 2, '\'', (size_t)(end - equals - 2))) == NULL)
        return false;
    *name = slice_of(p + 1, (size_t)(equals - p - 1));
    *value = slice_of(equals + 2, (size_t)(quote - equals - 2));
    *s = slice_of(quote + 1, (size_t)(end - quote - 1));
    for (size_t i = 0; i < name->len; i++)
        if (is_space(name->p[i]) || name->p[i] == '>' || name->p[i] == '/')
            return false;
    return true;
}

bool head_read(struct slice stanza, struct head *out)
{
    static const struct slice starts[] = { { "<message", 8 }, { "<presence", 9 }, { "<iq", 3 } };
    struct slice from = SLICE_NONE, to = SLICE_NONE, name, value, rest = SLICE("");
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (slice_starts(stanza, starts[i]))
            rest = slice_from(stanza, starts[i].len);
    while (attribute(&rest, &name, &value)) {
        if (slice_is(name, "from") && !from.len)
            from = value;
        else if (slice_is(name, "to") && !to.len)
            to = value;
        else if (slice_is(name, "xmlns")) /* of whom else */
            return false;
    }
    if (!rest.len || (rest.p[0] != '>' && !slice_starts(rest, SLICE("/>"))) || !from.len || !to.len)
        return false;
    return domain_of(from, &out->from) && domain_of(to, &out->to);
}
