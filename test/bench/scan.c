/* test/bench/scan.c - see scan.h */
#include "scan.h"

#include <string.h>

/* Position after the ">" that ends the tag begun at i, quotes respected; 0 if it is not there yet. */
static size_t tag_end(const char *p, size_t n, size_t i)
{
    while (i < n) {
        char c = p[i++];
        if (c == '>')
            return i;
        if (c == '"' || c == '\'') {
            const char *q = memchr(p + i, c, n - i);
            if (!q)
                return 0;
            i = (size_t)(q - p) + 1;
        }
    }
    return 0;
}

/* Position after the next occurrence of end, 0 if it is not there yet. */
static size_t after(const char *p, size_t n, size_t i, const char *end)
{
    size_t len = strlen(end);
    const char *q = i < n ? memmem(p + i, n - i, end, len) : NULL;
    return q ? (size_t)(q - p) + len : 0;
}

/* Position after a comment, CDATA section or processing instruction at i; 0 if incomplete. */
static size_t markup_end(const char *p, size_t n, size_t i)
{
    if (p[i + 1] == '?')
        return after(p, n, i + 2, "?>");
    if (n - i >= 4 && memcmp(p + i, "<!--", 4) == 0)
        return after(p, n, i + 4, "-->");
    if (n - i >= 9 && memcmp(p + i, "<![CDATA[", 9) == 0)
        return after(p, n, i + 9, "]]>");
    return n - i >= 9 ? tag_end(p, n, i + 2) : 0;
}

static void name_of(struct element *e)
{
    const char *s = e->p + 1, *end = e->p + e->head;
    const char *q = s;
    while (q < end && *q != ' ' && *q != '>' && *q != '/' && *q != '\t' && *q != '\n' && *q != '\r') {
        if (*q == ':')
            s = q + 1;
        q++;
    }
    e->name = s;
    e->name_len = (size_t)(q - s);
}

/* e->head is known and the element is not empty: looks for its end. */
static enum scan_kind element_end(const char *p, size_t n, struct element *e)
{
    size_t i = e->head, depth = 1;
    while (depth > 0) {
        const char *lt = i < n ? memchr(p + i, '<', n - i) : NULL;
        if (!lt || (size_t)(lt - p) + 1 >= n)
            return SCAN_MORE;
        i = (size_t)(lt - p);
        size_t end;
        if (p[i + 1] == '!' || p[i + 1] == '?') {
            end = markup_end(p, n, i);
        } else {
            end = tag_end(p, n, i + 1);
            if (end && p[i + 1] == '/')
                depth--;
            else if (end && p[end - 2] != '/')
                depth++;
        }
        if (!end)
            return SCAN_MORE;
        i = end;
    }
    e->len = i;
    return SCAN_ELEMENT;
}

enum scan_kind scan_next(const char *p, size_t n, bool in_stream, struct element *out)
{
    size_t i = 0;
    while (i < n && p[i] != '<') {
        if (p[i] != ' ' && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
            return SCAN_BAD;
        i++;
    }
    *out = (struct element){ .p = p, .len = i };
    if (i > 0)
        return SCAN_SKIP;
    if (n < 2)
        return SCAN_MORE;
    if (p[1] == '?' || p[1] == '!') {
        out->len = markup_end(p, n, 0);
        return out->len ? SCAN_SKIP : SCAN_MORE;
    }
    out->head = out->len = tag_end(p, n, 1);
    if (!out->head)
        return SCAN_MORE;
    name_of(out);
    if (p[1] == '/')
        return SCAN_CLOSE;
    if (!in_stream)
        return SCAN_HEADER;
    if (p[out->head - 2] == '/')
        return SCAN_ELEMENT;
    return element_end(p, n, out);
}

bool element_is(const struct element *e, const char *name)
{
    return strlen(name) == e->name_len && memcmp(e->name, name, e->name_len) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

const char *element_attr(const struct element *e, const char *name, size_t *len)
{
    size_t want = strlen(name);
    const char *q = e->name + e->name_len, *end = e->p + e->head;
    while (q < end) {
        while (q < end && is_space(*q))
            q++;
        const char *key = q;
        while (q < end && *q != '=' && *q != '>')
            q++;
        size_t key_len = (size_t)(q - key);
        while (key_len > 0 && is_space(key[key_len - 1]))
            key_len--;
        while (q < end && *q != '"' && *q != '\'' && *q != '>')
            q++;
        if (q >= end || *q == '>')
            return NULL;
        const char *value = q + 1;
        q = memchr(value, *q, (size_t)(end - value));
        if (!q)
            return NULL;
        if (key_len == want && memcmp(key, name, want) == 0) {
            *len = (size_t)(q - value);
            return value;
        }
        q++;
    }
    return NULL;
}

bool element_attr_is(const struct element *e, const char *name, const char *value)
{
    size_t len;
    const char *v = element_attr(e, name, &len);
    return v && len == strlen(value) && memcmp(v, value, len) == 0;
}

const char *element_find(const struct element *e, const char *text)
{
    return memmem(e->p, e->len, text, strlen(text));
}

bool element_tag(const struct element *e, const char *from, const char *name, struct element *out)
{
    size_t want = strlen(name);
    const char *end = e->p + e->len;
    for (const char *lt = from; (lt = memchr(lt, '<', (size_t)(end - lt))) != NULL; lt++) {
        *out = (struct element){ .p = lt, .head = tag_end(lt, (size_t)(end - lt), 1) };
        if (!out->head)
            return false;
        name_of(out);
        out->len = out->head;
        if (lt[1] != '/' && out->name_len == want && memcmp(out->name, name, want) == 0)
            return true;
    }
    return false;
}

const char *element_text(const struct element *e, size_t *len)
{
    const char *s = e->p + e->head;
    const char *lt = memchr(s, '<', e->len - e->head);
    *len = lt ? (size_t)(lt - s) : 0;
    return s;
}
