/* common/daemon/flat.c */
#include "common/daemon/flat.h"

enum { DEPTH_MAX = 8, PATH_MAX_BYTES = 96, FIGURES_MAX = 256 };

struct figure {
    char name[PATH_MAX_BYTES];
    size_t len;
    int64_t value;
};
struct reader {
    struct slice rest;
    char path[PATH_MAX_BYTES];
    size_t len; /* of path */
    unsigned depth;
    unsigned arrays; /* we are in so many */
    struct figure all[FIGURES_MAX];
    size_t n;
};

static bool take(struct reader *r, char c)
{
    if (!r->rest.len || r->rest.p[0] != c)
        return false;
    r->rest = slice_from(r->rest, 1);
    return true;
}

/* The text between two quotes, as it stands there. */
static bool take_string(struct reader *r, struct slice *out)
{
    size_t n = 0;
    if (!take(r, '"'))
        return false;
    while (n < r->rest.len && r->rest.p[n] != '"')
        n += r->rest.p[n] == '\\' ? 2 : 1;
    if (n >= r->rest.len)
        return false;
    *out = slice_to(r->rest, n);
    r->rest = slice_from(r->rest, n + 1);
    return true;
}

static bool ends(struct slice s, struct slice with)
{
    return s.len >= with.len && slice_eq(slice_from(s, s.len - with.len), with);
}

static bool adds_up(struct slice path)
{
    return ends(path, SLICE("bytes")) || ends(path, SLICE(".up")) || ends(path, SLICE(".reachable"));
}

static void note(struct reader *r, int64_t value)
{
    struct slice path = slice_of(r->path, r->len);
    size_t i = 0;
    if (!r->len || (r->arrays && !adds_up(path)))
        return;
    while (i < r->n && !slice_eq(slice_of(r->all[i].name, r->all[i].len), path))
        i++;
    if (i == FIGURES_MAX)
        return;
    if (i == r->n) {
        memcpy(r->all[i].name, r->path, r->len);
        r->all[i].len = r->len;
        r->all[i].value = 0;
        r->n++;
    }
    r->all[i].value += value;
}

static bool take_word(struct reader *r)
{
    size_t n = 0;
    int64_t value;
    while (n < r->rest.len && !strchr(",}] \n", r->rest.p[n]))
        n++;
    struct slice word = slice_to(r->rest, n);
    r->rest = slice_from(r->rest, n);
    if (slice_is(word, "true") || slice_is(word, "false"))
        note(r, slice_is(word, "true"));
    else if (slice_i64(word, INT64_MIN, INT64_MAX, &value) == RC_OK)
        note(r, value);
    return n > 0;
}

static bool take_value(struct reader *r);

static bool take_members(struct reader *r)
{
    struct slice name;
    if (take(r, '}'))
        return true;
    do {
        size_t before = r->len;
        if (!take_string(r, &name) || !take(r, ':') || r->len + 1 + name.len >= sizeof r->path)
            return false;
        if (before)
            r->path[r->len++] = '.';
        memcpy(r->path + r->len, name.p, name.len);
        r->len += name.len;
        if (!take_value(r))
            return false;
        r->len = before;
    } while (take(r, ','));
    return take(r, '}');
}

static bool take_elements(struct reader *r)
{
    if (take(r, ']'))
        return true;
    do {
        if (!take_value(r))
            return false;
    } while (take(r, ','));
    return take(r, ']');
}

static bool take_value(struct reader *r) /* of at most DEPTH_MAX */
{
    struct slice text;
    bool ok = r->depth < DEPTH_MAX;
    r->depth++;
    if (ok && take(r, '{')) {
        ok = take_members(r);
    } else if (ok && take(r, '[')) {
        r->arrays++;
        ok = take_elements(r);
        r->arrays--;
    } else if (ok) {
        ok = r->rest.len && r->rest.p[0] == '"' ? take_string(r, &text) : take_word(r);
    }
    r->depth--;
    return ok;
}

void flat_numbers(struct slice json, struct buf *out)
{
    struct reader r = { .rest = json };
    take_value(&r);
    for (size_t i = 0; i < r.n; i++) {
        buf_put(out, r.all[i].name, r.all[i].len);
        buf_byte(out, ' ');
        buf_i64(out, r.all[i].value);
        buf_byte(out, '\n');
    }
}
