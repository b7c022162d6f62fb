/* common/xmpp/xmlin.h - bytes of a peer in, checked elements out (libxml2 SAX2 push parser; RFC 6120 4, 11)
 *
 * Refuses what RFC 6120 11.1 forbids: document type declarations, entities other than the five, comments,
 * processing instructions; also invalid UTF-8, other encodings, other XML versions than 1.0. Counts itself what
 * libxml2 does not for SAX users: depth, elements, attributes, bytes since the last complete stanza, new names.
 *
 * Parser contexts are pooled: an idle stream (nothing but white space since its last stanza) owns none; the arena of
 * a stanza is taken when its first byte arrives and given back after on_stanza. A stream whose header declares other
 * prefixes than the usual two (between servers three: db) keeps a context of its own until xmlin_fini.
 * Pure: no I/O, no clock. */
#ifndef XMPP_XMLIN_H
#define XMPP_XMLIN_H

#include "common/xmpp/node.h"

struct xmlin_limits {
    size_t stanza_bytes; /* from '<' to '>' of one top-level element, or the stream header */
    uint32_t depth;      /* levels in a stanza, the stanza itself is 1 */
    uint32_t elements;   /* in one stanza */
    uint32_t attrs;      /* of one element */
};

/* One per loop. default_ns is the content namespace that pooled contexts are primed with. */
struct xmlin_pool;
struct xmlin_pool *xmlin_pool_new(const char *default_ns, struct arena_pool *arenas);
void xmlin_pool_free(struct xmlin_pool **pool);
void xmlin_pool_drop(struct xmlin_pool *pool); /* frees the idle contexts: nobody is there who needs them soon */
struct xmlin_pool_stats {
    unsigned contexts, idle;     /* alive now; of these in the pool */
    uint64_t made, renewed;      /* ever created; thrown away for their dictionary's size */
};
struct xmlin_pool_stats xmlin_pool_stats(const struct xmlin_pool *pool);

struct xmlin_events {
    /* The stream header: attributes with namespaces; header->ns/name is what the peer sent, unchecked, and
     * the declared default namespace is header attribute "xmlns" (with no namespace), absent if none.
     * Return false to take no more of these bytes. The arena is gone after the return, as in on_stanza. */
    bool (*on_header)(void *owner, struct arena *a, struct node *header);
    /* One complete top-level element. It may be changed in place and added to; whatever must outlive the call
     * is copied. Return false to drop the rest of these bytes (after <starttls/>, on close): what came behind
     * it is never seen. The owner may call xmlin_reset or xmlin_fini inside. */
    bool (*on_stanza)(void *owner, struct arena *a, struct node *stanza);
    void (*on_close)(void *owner); /* the stream's end tag */
};

struct xmlin_ctx;
enum xmlin_state { XMLIN_HEADER, XMLIN_OPEN, XMLIN_CLOSED, XMLIN_FAILED };
struct xmlin {                      /* embedded in its owner; 40 bytes or so */
    struct xmlin_pool *pool;
    struct xmlin_ctx *ctx;          /* NULL while idle */
    const struct xmlin_limits *limits; /* borrowed; may be exchanged between feeds (before and after login) */
    uint8_t state;                     /* enum xmlin_state */
    bool custom;                    /* the header declared prefixes of its own */
};
void xmlin_init(struct xmlin *x, struct xmlin_pool *pool, const struct xmlin_limits *limits); /* expects a header */
void xmlin_reset(struct xmlin *x); /* forgets everything, expects a new stream header (after STARTTLS, after SASL) */
void xmlin_fini(struct xmlin *x);

/* Takes bytes, calls back. RC_SYNTAX: not well-formed; RC_DENIED: restricted XML; RC_UNSUPPORTED: encoding or version;
 * RC_LIMIT: a limit, why names it. After an error nothing more is taken until xmlin_reset (RC_CLOSED); what follows
 * the stream's end tag is ignored. stream_cond_of_xml of stream.h gives the stream error. */
MUST_USE enum rc xmlin_feed(struct xmlin *x, struct slice bytes, const struct xmlin_events *ev, void *owner,
                            struct why *why);
bool xmlin_idle(const struct xmlin *x); /* no partial element is held */

/* One whole element, as in a frame or a database row, with default_ns of the pool in scope. Errors as above;
 * RC_SYNTAX also for nothing, for two elements, for text beside it. */
MUST_USE enum rc xmlin_parse(struct xmlin_pool *pool, struct arena *a, struct slice bytes,
                             const struct xmlin_limits *limits, struct node **out, struct why *why);

#endif
