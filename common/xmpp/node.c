/* common/xmpp/node.c */
#include "common/xmpp/node.h"

static bool is_element(const struct node *n)
{
    return n->name.len != 0;
}

static bool matches(const struct node *n, const char *name, const char *ns)
{
    return is_element(n) && (!name || slice_is(n->name, name)) && (!ns || slice_is(n->ns, ns));
}

bool node_is(const struct node *n, const char *name, const char *ns)
{
    return n && matches(n, name, ns);
}

static struct node *first_match(struct node *n, const char *name, const char *ns)
{
    while (n && !matches(n, name, ns))
        n = n->next;
    return n;
}

struct node *node_find(const struct node *n, const char *name, const char *ns)
{
    return n ? first_match(n->first, name, ns) : NULL;
}

struct node *node_find_next(const struct node *n, const char *name, const char *ns)
{
    return n ? first_match(n->next, name, ns) : NULL;
}

struct node *node_child(const struct node *n)
{
    return node_find(n, NULL, NULL);
}

struct node *node_sibling(const struct node *n)
{
    return node_find_next(n, NULL, NULL);
}

unsigned node_children(const struct node *n)
{
    unsigned count = 0;
    for (const struct node *c = n ? n->first : NULL; c; c = c->next)
        count += is_element(c);
    return count;
}

static struct attr *attr_find(const struct node *n, struct slice name, struct slice ns)
{
    struct attr *at = n ? n->attrs : NULL;
    while (at && !(slice_eq(at->name, name) && slice_eq(at->ns, ns)))
        at = at->next;
    return at;
}

struct slice node_attr_ns(const struct node *n, const char *name, const char *ns)
{
    const struct attr *at = attr_find(n, slice_cstr(name), slice_cstr(ns));
    return at ? at->value : SLICE_NONE;
}

struct slice node_attr(const struct node *n, const char *name)
{
    return node_attr_ns(n, name, NULL);
}

bool node_has(const struct node *n, const char *name)
{
    return attr_find(n, slice_cstr(name), SLICE_NONE) != NULL;
}

struct slice node_text(struct arena *a, const struct node *n)
{
    struct slice one = SLICE_NONE;
    size_t total = 0;
    for (const struct node *c = n ? n->first : NULL; c; c = c->next) {
        if (is_element(c) || c->text.len == 0)
            continue;
        one = c->text;
        total += c->text.len;
    }
    if (total == one.len)
        return one;
    char *joined = arena_alloc(a, total + 1);
    char *at = joined;
    for (const struct node *c = n->first; c; c = c->next) {
        if (is_element(c) || c->text.len == 0)
            continue;
        memcpy(at, c->text.p, c->text.len);
        at += c->text.len;
    }
    *at = '\0';
    return slice_of(joined, total);
}

struct slice node_child_text(struct arena *a, const struct node *n, const char *name, const char *ns)
{
    return node_text(a, node_find(n, name, ns));
}

struct node *node_new(struct arena *a, const char *name, const char *ns)
{
    struct node *n = ARENA_NEW(a, struct node);
    n->name = slice_cstr(name);
    n->ns = slice_cstr(ns);
    return n;
}

struct node *node_add(struct arena *a, struct node *parent, const char *name, const char *ns)
{
    struct node *n = node_new(a, name, ns);
    if (!ns)
        n->ns = parent->ns;
    node_append(parent, n);
    return n;
}

void node_append(struct node *parent, struct node *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

void node_unlink(struct node *child)
{
    struct node *parent = child->parent;
    if (!parent)
        return;
    struct node *before = NULL;
    for (struct node *c = parent->first; c != child; c = c->next)
        before = c;
    if (before)
        before->next = child->next;
    else
        parent->first = child->next;
    if (parent->last == child)
        parent->last = before;
    child->parent = child->next = NULL;
}

static void set(struct arena *a, struct node *n, struct slice name, struct slice ns, struct slice value)
{
    struct attr *at = attr_find(n, name, ns);
    if (!at) {
        struct attr **end = &n->attrs;
        while (*end)
            end = &(*end)->next;
        at = *end = ARENA_NEW(a, struct attr);
        at->name = name;
        at->ns = ns;
    }
    at->value = value;
}

void node_set(struct arena *a, struct node *n, const char *name, struct slice value)
{
    set(a, n, slice_cstr(name), SLICE_NONE, value);
}

void node_set_ns(struct arena *a, struct node *n, const char *name, const char *ns, struct slice value)
{
    set(a, n, slice_cstr(name), slice_cstr(ns), value);
}

void node_unset(struct node *n, const char *name)
{
    for (struct attr **at = &n->attrs; *at; at = &(*at)->next) {
        if ((*at)->ns.len == 0 && slice_is((*at)->name, name)) {
            *at = (*at)->next;
            return;
        }
    }
}

void node_add_text(struct arena *a, struct node *n, struct slice text)
{
    struct node *t = ARENA_NEW(a, struct node);
    t->text = text;
    node_append(n, t);
}

static struct slice copy_bytes(struct arena *a, struct slice s)
{
    return s.len ? arena_copy(a, s) : SLICE_NONE;
}

static struct node *copy_one(struct arena *a, const struct node *n)
{
    struct node *to = ARENA_NEW(a, struct node);
    to->name = copy_bytes(a, n->name);
    to->ns = copy_bytes(a, n->ns);
    to->text = copy_bytes(a, n->text);
    struct attr **end = &to->attrs;
    for (const struct attr *at = n->attrs; at; at = at->next) {
        struct attr *made = *end = ARENA_NEW(a, struct attr);
        made->name = copy_bytes(a, at->name);
        made->ns = copy_bytes(a, at->ns);
        made->value = copy_bytes(a, at->value);
        end = &made->next;
    }
    return to;
}

/* Walks without recursion: a tree that was built, not parsed, has no depth limit. */
struct node *node_copy(struct arena *a, const struct node *n)
{
    struct node *top = copy_one(a, n);
    struct node *to = top;
    for (const struct node *from = n;;) {
        if (from->first) {
            from = from->first;
        } else {
            while (from != n && !from->next) {
                from = from->parent;
                to = to->parent;
            }
            if (from == n)
                return top;
            from = from->next;
            to = to->parent;
        }
        struct node *made = copy_one(a, from);
        node_append(to, made);
        to = made;
    }
}
