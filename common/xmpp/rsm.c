/* common/xmpp/rsm.c */
#include "common/xmpp/rsm.h"

#include "common/xmpp/ns.h"

/* The one child of this name, if any. False: there are two. */
static bool only(const struct node *set, const char *name, const struct node **out)
{
    *out = node_find(set, name, NS_RSM);
    return !*out || !node_find_next(*out, name, NS_RSM);
}

static bool number_of(struct arena *a, const struct node *n, bool *has, uint64_t *out)
{
    if (!n)
        return true;
    enum rc rc = slice_u64(slice_trim(node_text(a, n)), UINT64_MAX, out);
    if (rc == RC_LIMIT)
        *out = UINT64_MAX;
    *has = rc == RC_OK || rc == RC_LIMIT;
    return *has;
}

enum rc rsm_read(struct arena *a, const struct node *parent, struct rsm *out)
{
    struct rsm r = { 0 };
    const struct node *set = node_find(parent, "set", NS_RSM), *max, *after, *before, *index;
    *out = r;
    if (!set)
        return RC_OK;
    if (node_find_next(set, "set", NS_RSM) || !only(set, "max", &max) || !only(set, "after", &after) ||
        !only(set, "before", &before) || !only(set, "index", &index) ||
        !number_of(a, max, &r.has_max, &r.max) || !number_of(a, index, &r.has_index, &r.index))
        return RC_SYNTAX;
    if (after)
        r.after = node_text(a, after);
    if (before)
        r.before = node_text(a, before);
    r.has_after = r.after.len != 0;
    r.has_before = before != NULL;
    *out = r;
    return RC_OK;
}

static void add_number(struct arena *a, struct node *parent, const char *name, uint64_t n)
{
    node_add_text(a, node_add(a, parent, name, NS_RSM), arena_fmt(a, "%llu", (unsigned long long)n));
}

struct node *rsm_add(struct arena *a, struct node *parent, const struct rsm_page *page)
{
    struct node *set = node_add(a, parent, "set", NS_RSM);
    if (page->first.len) { /* XEP-0059 2.2: not on an empty page */
        struct node *first = node_add(a, set, "first", NS_RSM);
        if (page->has_index)
            node_set(a, first, "index", arena_fmt(a, "%llu", (unsigned long long)page->index));
        node_add_text(a, first, page->first);
        node_add_text(a, node_add(a, set, "last", NS_RSM), page->last);
    }
    if (page->has_count)
        add_number(a, set, "count", page->count);
    return set;
}
