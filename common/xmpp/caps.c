/* common/xmpp/caps.c */
#include "common/xmpp/caps.h"

#include "common/base/buf.h"
#include "common/base/text.h"
#include "common/xmpp/ns.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

enum { SHA1_BYTES = 20, KEYS = 4 };

/* One line to be sorted: by its keys in turn (XEP-0115 5.1 2, 4, 6, 7). Of identities category, type, lang,
 * name; of features, values, fields and forms only the first. */
struct line {
    struct slice key[KEYS];
    const struct node *node;
};

struct lines {
    struct line *p;
    size_t n;
};

static int by_keys(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = 0;
    for (int i = 0; i < KEYS && order == 0; i++)
        order = slice_cmp(x->key[i], y->key[i]);
    return order;
}

/* The children of this name as lines, without keys yet. */
static struct lines lines_of(struct arena *a, const struct node *parent, const char *name, const char *ns)
{
    struct lines l = { ARENA_ARRAY(a, node_children(parent) + 1, struct line), 0 };
    for (struct node *n = node_find(parent, name, ns); n; n = node_find_next(n, name, ns))
        l.p[l.n++].node = n;
    return l;
}

/* Sorts; RC_SYNTAX if two are the same. */
static enum rc sort(struct lines *l)
{
    qsort(l->p, l->n, sizeof *l->p, by_keys);
    for (size_t i = 1; i < l->n; i++) {
        if (by_keys(&l->p[i - 1], &l->p[i]) == 0)
            return RC_SYNTAX;
    }
    return RC_OK;
}

static void put(struct buf *s, struct slice text)
{
    buf_slice(s, text);
    buf_byte(s, '<');
}

static enum rc put_identities(struct arena *a, struct buf *s, const struct node *query)
{
    struct lines l = lines_of(a, query, "identity", NS_DISCO_INFO);
    for (size_t i = 0; i < l.n; i++) {
        const struct node *n = l.p[i].node;
        l.p[i].key[0] = node_attr(n, "category");
        l.p[i].key[1] = node_attr(n, "type");
        l.p[i].key[2] = node_attr_ns(n, "lang", NS_XML);
        l.p[i].key[3] = node_attr(n, "name");
    }
    enum rc rc = sort(&l);
    for (size_t i = 0; i < l.n; i++) {
        for (int k = 0; k < KEYS; k++) {
            buf_slice(s, l.p[i].key[k]);
            buf_byte(s, k + 1 < KEYS ? '/' : '<');
        }
    }
    return rc;
}

static enum rc put_features(struct arena *a, struct buf *s, const struct node *query)
{
    struct lines l = lines_of(a, query, "feature", NS_DISCO_INFO);
    for (size_t i = 0; i < l.n; i++)
        l.p[i].key[0] = node_attr(l.p[i].node, "var");
    enum rc rc = sort(&l);
    for (size_t i = 0; i < l.n; i++)
        put(s, l.p[i].key[0]);
    return rc;
}

static void put_values(struct arena *a, struct buf *s, const struct node *field)
{
    struct lines l = lines_of(a, field, "value", NS_FORM);
    for (size_t i = 0; i < l.n; i++)
        l.p[i].key[0] = node_text(a, l.p[i].node);
    qsort(l.p, l.n, sizeof *l.p, by_keys);
    for (size_t i = 0; i < l.n; i++)
        put(s, l.p[i].key[0]);
}

static void put_form(struct arena *a, struct buf *s, const struct line *form)
{
    struct lines l = lines_of(a, form->node, "field", NS_FORM);
    put(s, form->key[0]);
    for (size_t i = 0; i < l.n; i++)
        l.p[i].key[0] = node_attr(l.p[i].node, "var");
    qsort(l.p, l.n, sizeof *l.p, by_keys);
    for (size_t i = 0; i < l.n; i++) {
        if (slice_is(l.p[i].key[0], "FORM_TYPE"))
            continue;
        put(s, l.p[i].key[0]);
        put_values(a, s, l.p[i].node);
    }
}

static struct node *form_type_field(const struct node *form)
{
    struct node *f = node_find(form, "field", NS_FORM);
    while (f && !slice_is(node_attr(f, "var"), "FORM_TYPE"))
        f = node_find_next(f, "field", NS_FORM);
    return f;
}

/* XEP-0115 5.4 3.6: a form without a hidden FORM_TYPE does not count; one with two different ones is
 * ill-formed. */
static enum rc form_type_read(struct arena *a, const struct node *form, bool *counts, struct slice *out)
{
    const struct node *field = form_type_field(form);
    *counts = field && slice_is(node_attr(field, "type"), "hidden");
    if (!*counts)
        return RC_OK;
    struct node *value = node_find(field, "value", NS_FORM);
    *out = node_text(a, value);
    for (; value; value = node_find_next(value, "value", NS_FORM)) {
        if (!slice_eq(node_text(a, value), *out))
            return RC_SYNTAX;
    }
    return RC_OK;
}

static enum rc put_forms(struct arena *a, struct buf *s, const struct node *query)
{
    struct lines all = lines_of(a, query, "x", NS_FORM), l = { all.p, 0 };
    for (size_t i = 0; i < all.n; i++) {
        bool counts;
        struct line form = { .node = all.p[i].node };
        if (form_type_read(a, form.node, &counts, &form.key[0]) != RC_OK)
            return RC_SYNTAX;
        if (counts)
            l.p[l.n++] = form;
    }
    enum rc rc = sort(&l);
    for (size_t i = 0; i < l.n; i++)
        put_form(a, s, &l.p[i]);
    return rc;
}

enum rc caps_ver(struct arena *a, const struct node *query, struct slice *out)
{
    uint8_t sum[SHA1_BYTES];
    struct buf s = BUF_INIT(0);
    enum rc rc = put_identities(a, &s, query);
    if (rc == RC_OK)
        rc = put_features(a, &s, query);
    if (rc == RC_OK)
        rc = put_forms(a, &s, query);
    if (rc == RC_OK) {
        if (gnutls_hash_fast(GNUTLS_DIG_SHA1, s.p, s.len, sum) < 0)
            abort(); /* out of memory for something small */
        *out = base64_encode(a, slice_of((const char *)sum, sizeof sum));
    }
    buf_fini(&s);
    return rc;
}
