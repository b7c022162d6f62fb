/* common/xmpp/xmlctx.h - one libxml2 push parser: checked bytes in, trees out. Internal to xmlin.
 *
 * A context is made blank (a stream header comes first) or primed with the usual header, so that the next
 * thing it takes is a stanza. While `busy` libxml2 is on the call stack: it is freed only afterwards
 * (xmlin.c). */
#ifndef XMPP_XMLCTX_H
#define XMPP_XMLCTX_H

#include "common/base/buf.h"
#include "common/xmpp/xmlin.h"
#include "common/xmpp/xmlnames.h"
#include <libxml/parser.h>

enum {
    XMLCTX_NAMES_KEEP = 2048,    /* distinct names in a dictionary; with more the context is thrown away */
    XMLCTX_NAMES_BYTES = 131072, /* of those names; likewise */
    XMLCTX_NAMES_NEW = 1024,     /* new ones that one stanza may bring */
    XMLCTX_TOKEN_MAX = 16384,    /* bytes of one tag: libxml2's check for duplicate attributes is quadratic */
    XMLCTX_PIECE = 8192,         /* bytes given to libxml2 at once */
    XMLCTX_CACHE = 128,          /* names whose length is known without looking */
};

struct xmlin_pool {
    char *default_ns, *prime; /* prime: the header that primes a context */
    struct arena_pool *arenas;
    struct xmlin_ctx *idle; /* primed ones */
    struct xmlin_pool_stats stats;
    struct xmlnames names;
};

struct xmlctx_name {
    const xmlChar *key; /* in libxml2's dictionary, which never moves a string */
    struct slice name;  /* static when p is set; otherwise only the length is known */
};

struct xmlin_ctx {
    xmlParserCtxtPtr xml;
    struct xmlin_pool *pool;
    struct xmlin_ctx *idle_next;
    struct xmlin *x;               /* the stream; NULL for xmlin_parse, and after a reset inside a callback */
    const struct xmlin_events *ev; /* NULL for xmlin_parse */
    void *owner;
    const struct xmlin_limits *limits;
    struct arena *arena; /* of the stanza being built */
    struct node *top, *at;
    struct node *result; /* of xmlin_parse */
    struct buf text;     /* character data since the last tag */
    size_t bytes;        /* taken since the last complete stanza, from its '<' on */
    uint32_t level;      /* open elements, the stream's is the first */
    uint32_t elements;
    uint32_t names_before; /* in the dictionary when the last stanza was complete */
    enum rc rc;
    struct why *why; /* of the call in progress */
    char *header;    /* custom streams: a header with the same declarations, to prime another context */
    uint8_t tail_len;
    char tail[4]; /* the start of a character whose rest is still to come */
    bool grown;   /* libxml2's buffer had to grow for a long tag, and does not shrink */
    bool busy, stopped, dropped, priming, cr;
    struct xmlctx_name cache[XMLCTX_CACHE];
};

struct xmlin_ctx *xmlctx_new(struct xmlin_pool *pool, const char *header); /* header NULL: blank */
void xmlctx_free(struct xmlin_ctx **ctx);
/* Takes bytes, at most XMLCTX_PIECE, and calls back. Afterwards ctx->rc tells, and why is filled. */
void xmlctx_push(struct xmlin_ctx *ctx, struct slice bytes);
/* What libxml2 holds of an element that is not complete, from its first byte that is not white space; or a
 * character that may not stand there. */
struct slice xmlctx_rest(const struct xmlin_ctx *ctx);
/* Forgets white space after a stanza. */
void xmlctx_tidy(struct xmlin_ctx *ctx);
void xmlctx_fail(struct xmlin_ctx *ctx, enum rc rc, const char *text);
struct slice xmlctx_skip_space(struct slice s);

#endif
