/* common/xmpp/node.h - an XML element tree in an arena: find, read, build
 *
 * Everything of a tree lives in one arena and is freed with it. Names carry their namespace; an attribute without
 * a prefix has the empty namespace. Character data is child nodes without a name, adjacent pieces joined by the
 * parser. ns slices of common namespaces may point to static storage. Pure. */
#ifndef XMPP_NODE_H
#define XMPP_NODE_H

#include "common/base/arena.h"

struct attr {
    struct attr *next;
    struct slice name, ns, value;
};

struct node {
    struct node *parent, *next, *first, *last; /* siblings by next */
    struct attr *attrs;                        /* in document order */
    struct slice name, ns;                     /* name.len 0: character data */
    struct slice text;                         /* only of character data */
};

/* True for an element of this name and namespace (n may be NULL: false). ns NULL: any namespace. */
bool node_is(const struct node *n, const char *name, const char *ns);
/* The first child element that matches; name or ns NULL: any. NULL if there is none. n may be NULL. */
struct node *node_find(const struct node *n, const char *name, const char *ns);
/* The next sibling element after n that matches in the same way. */
struct node *node_find_next(const struct node *n, const char *name, const char *ns);
struct node *node_child(const struct node *n);        /* first child element, or NULL */
struct node *node_sibling(const struct node *n);      /* next sibling element, or NULL */
unsigned node_children(const struct node *n);         /* number of child elements */
/* Value of an attribute without namespace; the empty slice when absent (use node_has to tell apart). */
struct slice node_attr(const struct node *n, const char *name);
bool node_has(const struct node *n, const char *name);
struct slice node_attr_ns(const struct node *n, const char *name, const char *ns);
/* Character data directly under n, joined. Points into the tree when it is one piece. */
struct slice node_text(struct arena *a, const struct node *n);
struct slice node_child_text(struct arena *a, const struct node *n, const char *name, const char *ns); /* of a child */

/* Building. Slices are kept, not copied: they must live as long as the arena (literals, or arena_copy). */
struct node *node_new(struct arena *a, const char *name, const char *ns); /* C strings are kept too */
/* An appended child; ns NULL: that of the parent. */
struct node *node_add(struct arena *a, struct node *parent, const char *name, const char *ns);
void node_append(struct node *parent, struct node *child); /* child must have no parent */
void node_unlink(struct node *child);                      /* takes it out of its parent */
void node_set(struct arena *a, struct node *n, const char *name, struct slice value);  /* adds or replaces */
void node_set_ns(struct arena *a, struct node *n, const char *name, const char *ns, struct slice value);
void node_unset(struct node *n, const char *name); /* attribute without namespace */
void node_add_text(struct arena *a, struct node *n, struct slice text);
/* A deep copy in another arena, bytes included. */
struct node *node_copy(struct arena *a, const struct node *n);

#endif
