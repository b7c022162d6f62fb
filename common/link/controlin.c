/* common/link/controlin.c */
#include "common/link/controlin.h"

#include "common/xmpp/jid.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"

void controlin_start(struct buf *out, const char *name)
{
    buf_byte(out, '<');
    buf_cstr(out, name);
    BUF_LIT(out, " xmlns='" NS_CONTROL "'");
}

void controlin_end(struct buf *out, const char *name)
{
    BUF_LIT(out, "</");
    buf_cstr(out, name);
    buf_byte(out, '>');
}

void controlin_put_flag(struct buf *out, const char *name, bool set)
{
    if (set)
        xmlout_attr(out, name, SLICE("1"));
}

void controlin_put_count(struct buf *out, const char *name, uint32_t n)
{
    buf_fmt(out, " %s='%lu'", name, (unsigned long)n);
}

void controlin_put_u64(struct buf *out, const char *name, uint64_t n)
{
    buf_fmt(out, " %s='%llu'", name, (unsigned long long)n);
}

void controlin_put_text_element(struct buf *out, const char *name, struct slice text)
{
    buf_byte(out, '<');
    buf_cstr(out, name);
    buf_byte(out, '>');
    xmlout_text(out, text);
    controlin_end(out, name);
}

/* <failure/>, <bind-refused/>, <close/>: a condition and a text. */
void controlin_write_cond(struct buf *out, const char *name, const char *cond, struct slice text)
{
    controlin_start(out, name);
    xmlout_attr(out, "cond", slice_cstr(cond));
    buf_byte(out, '>');
    xmlout_text(out, text);
    controlin_end(out, name);
}

enum rc controlin_bad(const struct node *n, const char *what, struct why *why)
{
    why_set(why, "<" SLICE_FMT "/>: %s", SLICE_ARG(n->name), what);
    return RC_SYNTAX;
}

enum rc controlin_get_flag(const struct node *n, const char *name, bool *out, struct why *why)
{
    struct slice text = node_attr(n, name);
    if (node_has(n, name) && !slice_is(text, "1") && !slice_is(text, "0"))
        return controlin_bad(n, name, why);
    *out = slice_is(text, "1");
    return RC_OK;
}

enum rc controlin_get_count(const struct node *n, const char *name, uint32_t *out, struct why *why)
{
    uint64_t number;
    if (slice_u64(node_attr(n, name), UINT32_MAX, &number) != RC_OK)
        return controlin_bad(n, name, why);
    *out = (uint32_t)number;
    return RC_OK;
}

enum rc controlin_get_u64(const struct node *n, const char *name, uint64_t most, uint64_t *out,
                          struct why *why)
{
    return slice_u64(node_attr(n, name), most, out) == RC_OK ? RC_OK : controlin_bad(n, name, why);
}

/* A domain as our own side writes it: prepared already. */
enum rc controlin_check_domain(struct arena *a, const struct node *n, struct slice domain, const char *what,
                               struct why *why)
{
    struct slice prepared;
    if (jid_prepare_domain(a, domain, &prepared, NULL) != RC_OK || !slice_eq(prepared, domain))
        return controlin_bad(n, what, why);
    return RC_OK;
}

/* Texts of n's children called name, in order. */
enum rc controlin_get_texts(struct arena *a, const struct node *n, const char *name, const struct slice **out,
                            size_t *count, struct why *why)
{
    size_t total = 0, at = 0;
    for (const struct node *c = node_find(n, name, NS_CONTROL); c; c = node_find_next(c, name, NS_CONTROL))
        total++;
    if (total > CONTROL_NAMES_MAX) {
        why_set(why, "<" SLICE_FMT "/>: %zu of %s", SLICE_ARG(n->name), total, name);
        return RC_LIMIT;
    }
    struct slice *texts = ARENA_ARRAY(a, total + 1, struct slice);
    for (const struct node *c = node_find(n, name, NS_CONTROL); c; c = node_find_next(c, name, NS_CONTROL))
        texts[at++] = node_text(a, c);
    *out = texts;
    *count = total;
    return RC_OK;
}

enum rc controlin_get_cond(const struct node *n, enum stanza_cond *out, struct why *why)
{
    struct slice name = node_attr(n, "cond");
    for (int c = 0; c <= COND_UNEXPECTED_REQUEST; c++) {
        if (slice_is(name, stanza_cond_name((enum stanza_cond)c))) {
            *out = (enum stanza_cond)c;
            return RC_OK;
        }
    }
    return controlin_bad(n, "cond", why);
}
