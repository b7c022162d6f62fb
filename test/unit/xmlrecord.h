/* test/unit/xmlrecord.h - what a stream said, written down: for the tests and the fuzz target of xmlin
 *
 * The record holds "header …", each stanza in canonical form, and "close", a line each; after an error its
 * name. */
#ifndef TEST_XMLRECORD_H
#define TEST_XMLRECORD_H

#include "common/xmpp/ns.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlout.h"
#include "common/base/mem.h"

enum then { THEN_MORE, THEN_DROP, THEN_RESET, THEN_FINI, THEN_PARSE };

struct record {
    struct arena_pool *arenas;
    struct xmlin_pool *pool;
    struct xmlin_limits limits;
    struct xmlin *x; /* heap: freed by THEN_FINI */
    struct buf said;
    struct why why;
    const char *then_name; /* a stanza of this name … */
    enum then then;        /* … does this */
    bool gone;
};

static inline struct record *record_new(struct xmlin_limits limits)
{
    struct record *r = mem_new(sizeof *r);
    r->arenas = arena_pool_new(1024, 0, 4);
    r->pool = xmlin_pool_new(NS_CLIENT, r->arenas);
    r->limits = limits;
    r->x = mem_new(sizeof *r->x);
    r->said = BUF_INIT(0);
    xmlin_init(r->x, r->pool, &r->limits);
    return r;
}

static inline void record_free(struct record *r)
{
    if (!r->gone)
        xmlin_fini(r->x);
    if (!r->gone)
        mem_free(r->x);
    xmlin_pool_free(&r->pool);
    arena_pool_free(&r->arenas);
    buf_fini(&r->said);
    mem_free(r);
}

static inline bool record_header(void *owner, struct arena *a, struct node *header)
{
    struct record *r = owner;
    (void)a;
    BUF_LIT(&r->said, "header ");
    xmlout_node(&r->said, header, NULL);
    buf_byte(&r->said, '\n');
    return true;
}

static inline bool record_stanza(void *owner, struct arena *a, struct node *stanza)
{
    struct record *r = owner;
    xmlout_node(&r->said, stanza, NS_CLIENT);
    buf_byte(&r->said, '\n');
    if (!r->then_name || !slice_is(stanza->name, r->then_name))
        return true;
    if (r->then == THEN_RESET)
        xmlin_reset(r->x);
    if (r->then == THEN_FINI) {
        xmlin_fini(r->x);
        MEM_FREE(&r->x);
        r->gone = true;
    }
    if (r->then == THEN_PARSE) {
        struct node *n;
        if (xmlin_parse(r->pool, a, SLICE("<inner><x/></inner>"), &r->limits, &n, NULL) == RC_OK) {
            xmlout_node(&r->said, n, NS_CLIENT);
            buf_byte(&r->said, '\n');
        }
    }
    return r->then == THEN_MORE || r->then == THEN_PARSE;
}

static inline void record_close(void *owner)
{
    struct record *r = owner;
    BUF_LIT(&r->said, "close\n");
}

static inline enum rc record_feed(struct record *r, struct slice bytes)
{
    static const struct xmlin_events events = { record_header, record_stanza, record_close };
    enum rc rc = xmlin_feed(r->x, bytes, &events, r, &r->why);
    if (rc != RC_OK) {
        buf_cstr(&r->said, rc_name(rc));
        buf_byte(&r->said, '\n');
    }
    return rc;
}

#endif
