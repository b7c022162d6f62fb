/* test/unit/xmltree.h - for tests of what works on trees: an arena as the state, XML to a tree and back
 *
 * cmocka and what it wants stand before it. What a test takes lives in its arena. */
#ifndef TEST_XMLTREE_H
#define TEST_XMLTREE_H

#include "common/xmpp/ns.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"

static inline int setup(void **state)
{
    *state = arena_new(1024, 0);
    return 0;
}

static inline int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    return 0;
}

/* The tree of some XML, in jabber:client. */
static inline struct node *tree(struct arena *a, const char *text)
{
    static const struct xmlin_limits limits = {
        .stanza_bytes = 65536, .depth = 64, .elements = 1000, .attrs = 128
    };
    struct arena_pool *arenas = arena_pool_new(1024, 0, 1);
    struct xmlin_pool *pool = xmlin_pool_new(NS_CLIENT, arenas);
    struct node *n = NULL;
    assert_int_equal(xmlin_parse(pool, a, slice_cstr(text), &limits, &n, NULL), RC_OK);
    xmlin_pool_free(&pool);
    arena_pool_free(&arenas);
    return n;
}

/* A tree as it is written in a stream of jabber:client. */
static inline const char *written(struct arena *a, const struct node *n)
{
    struct buf b = BUF_INIT(0);
    xmlout_node(&b, n, NS_CLIENT);
    const char *text = arena_cstr(a, buf_get(&b));
    buf_fini(&b);
    return text;
}

#endif
