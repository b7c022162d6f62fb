/* common/xmpp/xmlin.c */
#include "common/xmpp/xmlin.h"

#include "common/base/mem.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlctx.h"
#include <assert.h>
#include <libxml/dict.h>

enum {
    POOL_KEEP = 8,          /* idle contexts; about 20 KiB each */
    TEXT_KEEP_BYTES = 8192, /* of a context's text buffer */
};

struct xmlin_pool *xmlin_pool_new(const char *default_ns, struct arena_pool *arenas)
{
    struct xmlin_pool *pool = mem_new(sizeof *pool);
    struct buf prime = BUF_INIT(0);
    size_t len;
    buf_fmt(&prime, "<stream:stream xmlns='%s' xmlns:stream='" NS_STREAM "'%s>", default_ns,
            strcmp(default_ns, NS_SERVER) == 0 ? " xmlns:db='" NS_DIALBACK "'" : "");
    buf_byte(&prime, '\0');
    pool->prime = buf_take(&prime, &len);
    pool->default_ns = mem_copy(slice_cstr(default_ns));
    pool->arenas = arenas;
    xmlnames_init(&pool->names);
    return pool;
}

void xmlin_pool_drop(struct xmlin_pool *pool)
{
    while (pool->idle) {
        struct xmlin_ctx *ctx = pool->idle;
        pool->idle = ctx->idle_next;
        pool->stats.idle--;
        xmlctx_free(&ctx);
    }
}

void xmlin_pool_free(struct xmlin_pool **pool)
{
    struct xmlin_pool *p = *pool;
    if (!p)
        return;
    xmlin_pool_drop(p);
    assert(p->stats.contexts == 0);
    mem_free(p->prime);
    mem_free(p->default_ns);
    MEM_FREE(pool);
}

struct xmlin_pool_stats xmlin_pool_stats(const struct xmlin_pool *pool)
{
    return pool->stats;
}

static struct xmlin_ctx *pool_take(struct xmlin_pool *pool)
{
    struct xmlin_ctx *ctx = pool->idle;
    if (!ctx)
        return xmlctx_new(pool, pool->prime);
    pool->idle = ctx->idle_next;
    pool->stats.idle--;
    ctx->idle_next = NULL;
    return ctx;
}

/* Memory that libxml2 does not give back goes with the context. */
static bool is_used_up(const struct xmlin_ctx *ctx)
{
    return ctx->grown || xmlDictSize(ctx->xml->dict) > XMLCTX_NAMES_KEEP ||
           xmlDictGetUsage(ctx->xml->dict) > XMLCTX_NAMES_BYTES;
}

/* Forgets what is left of a complete stanza. */
static void tidy(struct xmlin_ctx *ctx)
{
    if (ctx->text.cap > TEXT_KEEP_BYTES)
        buf_fini(&ctx->text);
    xmlctx_tidy(ctx);
}

/* Takes a context back that holds nothing, and is primed or came to the same by a usual header. */
static void pool_give(struct xmlin_ctx *ctx)
{
    struct xmlin_pool *pool = ctx->pool;
    bool renew = is_used_up(ctx);
    assert(ctx->xml->instate == XML_PARSER_CONTENT && xmlctx_rest(ctx).len == 0);
    if (renew || pool->stats.idle >= POOL_KEEP) {
        pool->stats.renewed += renew;
        xmlctx_free(&ctx);
        return;
    }
    tidy(ctx);
    ctx->x = NULL;
    ctx->ev = NULL;
    ctx->result = NULL;
    ctx->dropped = false;
    ctx->bytes = 0;
    ctx->idle_next = pool->idle;
    pool->idle = ctx;
    pool->stats.idle++;
}

void xmlin_init(struct xmlin *x, struct xmlin_pool *pool, const struct xmlin_limits *limits)
{
    *x = (struct xmlin){ .pool = pool, .limits = limits, .state = XMLIN_HEADER };
}

/* Lets go of the context: freed here, or by xmlin_feed where that is on the call stack. */
static void detach(struct xmlin *x)
{
    struct xmlin_ctx *ctx = x->ctx;
    x->ctx = NULL;
    if (!ctx)
        return;
    ctx->x = NULL;
    if (!ctx->busy)
        xmlctx_free(&ctx);
}

void xmlin_reset(struct xmlin *x)
{
    detach(x);
    x->state = XMLIN_HEADER;
    x->custom = false;
}

void xmlin_fini(struct xmlin *x)
{
    detach(x);
    x->state = XMLIN_CLOSED;
}

bool xmlin_idle(const struct xmlin *x)
{
    return !x->ctx || x->ctx->bytes == 0;
}

static struct xmlin_ctx *attach(struct xmlin *x, const struct xmlin_events *ev, void *owner, struct why *why)
{
    if (!x->ctx)
        x->ctx = x->state == XMLIN_HEADER ? xmlctx_new(x->pool, NULL) : pool_take(x->pool);
    struct xmlin_ctx *ctx = x->ctx;
    ctx->x = x;
    ctx->ev = ev;
    ctx->owner = owner;
    ctx->limits = x->limits;
    ctx->why = why;
    return ctx;
}

/* Between two stanzas of a stream with prefixes of its own: as pool_give, but the stream keeps the context.
 */
static void custom_tidy(struct xmlin *x)
{
    struct xmlin_ctx *ctx = x->ctx;
    if (!is_used_up(ctx)) {
        tidy(ctx);
        return;
    }
    x->ctx = xmlctx_new(x->pool, ctx->header);
    x->ctx->header = ctx->header;
    ctx->header = NULL;
    x->pool->stats.renewed++;
    xmlctx_free(&ctx);
}

/* What is to be done when libxml2 has returned: false if no more of the bytes is to be taken. */
static bool settle(struct xmlin *x, struct xmlin_ctx *ctx, enum rc *out)
{
    bool gone = ctx->x != x; /* reset or gone inside a callback: x may not be touched */
    *out = gone ? RC_OK : ctx->rc;
    if (gone) {
        xmlctx_free(&ctx);
        return false;
    }
    struct slice rest = ctx->rc == RC_OK && !ctx->stopped ? xmlctx_rest(ctx) : SLICE_NONE;
    if (ctx->rc == RC_OK && !ctx->stopped && ctx->level == 1 && rest.len && *rest.p != '<')
        xmlctx_fail(ctx, RC_SYNTAX, "text between stanzas");
    if (ctx->rc == RC_OK && !ctx->stopped && ctx->bytes >= ctx->limits->stanza_bytes)
        xmlctx_fail(ctx, RC_LIMIT, "a stanza of more bytes than the limit");
    *out = ctx->rc;
    bool more = *out == RC_OK && !ctx->stopped && !ctx->dropped;
    if (*out != RC_OK || ctx->stopped) {
        if (*out != RC_OK)
            x->state = XMLIN_FAILED;
        x->ctx = NULL;
        xmlctx_free(&ctx);
    } else if (ctx->bytes == 0) {
        ctx->dropped = false;
        if (x->custom) {
            custom_tidy(x);
        } else {
            x->ctx = NULL;
            pool_give(ctx);
        }
    }
    return more;
}

/* What of the bytes may be given to libxml2 at once: never more than the stanza in progress may still have,
 * so any element that is complete within is within its limit. */
static struct slice piece_of(const struct xmlin *x, struct slice bytes)
{
    size_t held = x->ctx ? x->ctx->bytes : 0;
    size_t room = held < x->limits->stanza_bytes ? x->limits->stanza_bytes - held : 0;
    return slice_to(bytes, room < XMLCTX_PIECE ? room : XMLCTX_PIECE);
}

/* RFC 6120 11.6: what can be said of the first byte of a stream or a stanza. */
static enum rc first_byte(const struct xmlin *x, char c, struct why *why)
{
    if (c == '<')
        return RC_OK;
    bool utf16 = x->state == XMLIN_HEADER && ((uint8_t)c == 0xFE || (uint8_t)c == 0xFF || c == '\0');
    why_set(why, utf16 ? "an encoding other than UTF-8" : "text between stanzas");
    return utf16 ? RC_UNSUPPORTED : RC_SYNTAX;
}

enum rc xmlin_feed(struct xmlin *x, struct slice bytes, const struct xmlin_events *ev, void *owner,
                   struct why *why)
{
    if (x->state == XMLIN_FAILED) {
        why_set(why, "bytes after an error");
        return RC_CLOSED;
    }
    assert(!x->ctx || !x->ctx->busy);
    while (bytes.len && x->state != XMLIN_CLOSED) {
        if (xmlin_idle(x)) {
            bytes = xmlctx_skip_space(bytes);
            if (bytes.len == 0)
                break;
            enum rc rc = first_byte(x, *bytes.p, why);
            if (rc != RC_OK) {
                detach(x);
                x->state = XMLIN_FAILED;
                return rc;
            }
        }
        struct slice piece = piece_of(x, bytes);
        bytes = slice_from(bytes, piece.len);
        struct xmlin_ctx *ctx = attach(x, ev, owner, why);
        xmlctx_push(ctx, piece);
        enum rc rc;
        if (!settle(x, ctx, &rc))
            return rc;
    }
    return RC_OK;
}

static enum rc parse_all(struct xmlin_ctx *ctx, struct slice bytes)
{
    if (xmlctx_skip_space(bytes).len > ctx->limits->stanza_bytes)
        xmlctx_fail(ctx, RC_LIMIT, "an element of more bytes than the limit");
    while (bytes.len && ctx->rc == RC_OK) {
        if (ctx->result)
            bytes = xmlctx_skip_space(bytes);
        struct slice piece = slice_to(bytes, XMLCTX_PIECE);
        bytes = slice_from(bytes, piece.len);
        xmlctx_push(ctx, piece);
    }
    if (ctx->rc == RC_OK && (!ctx->result || ctx->level != 1 || ctx->bytes))
        xmlctx_fail(ctx, RC_SYNTAX, ctx->result ? "something behind the element" : "no complete element");
    return ctx->rc;
}

enum rc xmlin_parse(struct xmlin_pool *pool, struct arena *a, struct slice bytes,
                    const struct xmlin_limits *limits, struct node **out, struct why *why)
{
    struct xmlin_ctx *ctx = pool_take(pool);
    ctx->arena = a;
    ctx->limits = limits;
    ctx->why = why;
    enum rc rc = parse_all(ctx, bytes);
    ctx->arena = NULL;
    if (rc != RC_OK) {
        xmlctx_free(&ctx);
        return rc;
    }
    *out = ctx->result;
    pool_give(ctx);
    return RC_OK;
}
