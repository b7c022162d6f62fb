#include "sessman/pathfilter.h"

#include "common/base/mem.h"
#include <assert.h>

struct step {
    struct slice name, ns; /* len 0: any */
};
struct path {
    bool yes;
    uint8_t n;
    struct step steps[PATHFILTER_STEPS_MAX];
};
struct pathfilter {
    size_t n;
    char *text; /* of all of them: the steps point into it */
    struct path paths[];
};

static bool is_name_byte(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && !strchr("/[]<>&'\"=", c);
}

/* One step at the beginning of *rest, and the / behind it. */
static enum rc step_read(struct slice *rest, struct step *out, struct why *why)
{
    size_t n = 0;
    while (n < rest->len && is_name_byte(rest->p[n]))
        n++;
    out->name = slice_to(*rest, n);
    out->ns = SLICE_NONE;
    *rest = slice_from(*rest, n);
    if (!n) {
        why_set(why, "an element's name or * is expected after /");
        return RC_SYNTAX;
    }
    if (slice_is(out->name, "*"))
        out->name = SLICE_NONE;
    if (slice_starts(*rest, SLICE("["))) {
        ptrdiff_t end = slice_find(*rest, ']');
        if (end < 2) {
            why_set(why, end < 0 ? "a [ without ]" : "an empty namespace");
            return RC_SYNTAX;
        }
        out->ns = slice_of(rest->p + 1, (size_t)end - 1);
        *rest = slice_from(*rest, (size_t)end + 1);
    }
    if (rest->len && rest->p[0] != '/') {
        why_set(why, "\"%c\" where / or the end is expected", rest->p[0]);
        return RC_SYNTAX;
    }
    return RC_OK;
}

static enum rc path_read(struct slice text, struct path *out, struct why *why)
{
    out->yes = !slice_starts(text, SLICE("-"));
    if (slice_starts(text, SLICE("-")) || slice_starts(text, SLICE("+")))
        text = slice_from(text, 1);
    if (!slice_starts(text, SLICE("/"))) {
        why_set(why, "a path begins with /, behind - or +");
        return RC_SYNTAX;
    }
    for (out->n = 0; text.len; out->n++) {
        if (out->n == PATHFILTER_STEPS_MAX) {
            why_set(why, "more than %d steps", PATHFILTER_STEPS_MAX);
            return RC_LIMIT;
        }
        text = slice_from(text, 1);
        enum rc rc = step_read(&text, &out->steps[out->n], why);
        if (rc != RC_OK)
            return rc;
    }
    if (out->steps[0].name.len && !slice_is(out->steps[0].name, "message")) {
        why_set(why, "the first element is message: nothing else is kept");
        return RC_SYNTAX;
    }
    return RC_OK;
}

static enum rc path_new(struct slice text, struct path *out, struct why *why)
{
    struct why reason = { "" };
    enum rc rc = path_read(text, out, &reason);
    if (rc != RC_OK)
        why_set(why, "\"" SLICE_FMT "\": %s", SLICE_ARG(slice_to(text, 100)), reason.text);
    return rc;
}

enum rc pathfilter_new(const char *const *texts, size_t n, struct pathfilter **out, struct why *why)
{
    size_t len = 0;
    *out = NULL;
    if (n > PATHFILTERS_MAX) {
        why_set(why, "%zu filters; at most %d", n, PATHFILTERS_MAX);
        return RC_LIMIT;
    }
    if (!n)
        return RC_OK;
    for (size_t i = 0; i < n; i++)
        len += strlen(texts[i]);
    struct pathfilter *f = mem_new(sizeof *f + n * sizeof f->paths[0]);
    f->text = mem_array(len + 1, 1);
    f->n = n;
    len = 0;
    for (size_t i = 0; i < n; i++) {
        struct slice text = slice_of(f->text + len, strlen(texts[i]));
        memcpy(f->text + len, texts[i], text.len);
        len += text.len;
        enum rc rc = path_new(text, &f->paths[i], why);
        if (rc != RC_OK) {
            pathfilter_free(&f);
            return rc;
        }
    }
    *out = f;
    return RC_OK;
}

void pathfilter_free(struct pathfilter **fp)
{
    if (!*fp)
        return;
    mem_free((*fp)->text);
    MEM_FREE(fp);
}

static bool step_matches(const struct step *s, const struct node *n)
{
    return n->name.len && (!s->name.len || slice_eq(s->name, n->name)) &&
           (!s->ns.len || slice_eq(s->ns, n->ns));
}

/* As deep as a path has steps; each element is looked at once a filter. */
static bool finds(const struct path *p, size_t at, const struct node *n)
{
    if (!step_matches(&p->steps[at], n))
        return false;
    if (at + 1u == p->n)
        return true;
    for (const struct node *c = node_child(n); c; c = node_sibling(c))
        if (finds(p, at + 1, c))
            return true;
    return false;
}

enum pathfilter_says pathfilter_match(const struct pathfilter *f, const struct node *stanza)
{
    for (size_t i = 0; f && i < f->n; i++)
        if (finds(&f->paths[i], 0, stanza))
            return f->paths[i].yes ? PATHFILTER_YES : PATHFILTER_NO;
    return PATHFILTER_NOTHING;
}
