/* common/xmpp/xmlctx.c */
#include "common/xmpp/xmlctx.h"

#include "common/base/mem.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlchars.h"
#include "common/xmpp/xmlout.h"
#include <assert.h>
#include <libxml/dict.h>
#include <libxml/xmlerror.h>

/* Stops libxml2 inside a callback. The context cannot be used for anything else afterwards. */
static void stop(struct xmlin_ctx *ctx)
{
    ctx->stopped = true;
    if (ctx->busy)
        xmlStopParser(ctx->xml);
}

void xmlctx_fail(struct xmlin_ctx *ctx, enum rc rc, const char *text)
{
    if (ctx->rc == RC_OK && !ctx->stopped) {
        ctx->rc = rc;
        why_set(ctx->why, "%s", text);
    }
    stop(ctx);
}

/* Names: libxml2 gives NUL-terminated strings of its dictionary. Those we know need no copy. */

static void cache_fill(struct xmlin_ctx *ctx, struct xmlctx_name *c, const xmlChar *key)
{
    struct slice name = slice_cstr((const char *)key);
    struct slice known = xmlnames_find(&ctx->pool->names, name);
    c->key = key;
    c->name = slice_of(known.len ? known.p : NULL, name.len);
}

/* libxml2 gives '&' in attribute values and namespaces as "&#38;", because entities are not replaced (there
 * are none but the five, and character references): undone here, in place. Returns the length. */
static size_t unescape(char *p, size_t len)
{
    char *to = memchr(p, '&', len);
    if (!to)
        return len;
    for (const char *from = to, *end = p + len; from < end; from++) {
        *to++ = *from;
        if (*from == '&')
            from += strlen("#38;");
    }
    return (size_t)(to - p);
}

static inline struct slice name_of(struct xmlin_ctx *ctx, const xmlChar *key)
{
    if (!key)
        return SLICE_NONE;
    uintptr_t n = (uintptr_t)key;
    struct xmlctx_name *c = &ctx->cache[(n ^ n >> 7) % XMLCTX_CACHE];
    if (c->key != key)
        cache_fill(ctx, c, key);
    if (c->name.p)
        return c->name;
    char *copy = arena_cstr(ctx->arena, slice_of((const char *)key, c->name.len));
    return slice_of(copy, unescape(copy, c->name.len));
}

enum { SAX_LOCAL, SAX_PREFIX, SAX_URI, SAX_VALUE, SAX_END, SAX_FIELDS };

/* The values stand one after the other from p on. */
static void values_unescape(struct attr *attrs, size_t n, char *p)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = attrs[i].value.len;
        attrs[i].value.len = unescape(p, len);
        p += len;
    }
}

/* A node with its attributes and their values, in one block. */
static struct node *element(struct xmlin_ctx *ctx, const xmlChar *local, const xmlChar *uri, size_t n_attrs,
                            const xmlChar **sax)
{
    size_t bytes = sizeof(struct node) + n_attrs * sizeof(struct attr);
    for (size_t i = 0; i < n_attrs; i++)
        bytes += (size_t)(sax[i * SAX_FIELDS + SAX_END] - sax[i * SAX_FIELDS + SAX_VALUE]);
    struct node *n = arena_alloc(ctx->arena, bytes);
    struct attr *attrs = (struct attr *)(void *)(n + 1);
    char *values = (char *)(attrs + n_attrs), *value = values;
    *n = (struct node){ .name = name_of(ctx, local), .ns = name_of(ctx, uri) };
    n->attrs = n_attrs ? attrs : NULL;
    for (size_t i = 0; i < n_attrs; i++, sax += SAX_FIELDS) {
        const char *p = (const char *)sax[SAX_VALUE];
        size_t len = (size_t)((const char *)sax[SAX_END] - p);
        memcpy(value, p, len);
        attrs[i].next = i + 1 < n_attrs ? &attrs[i + 1] : NULL;
        attrs[i].name = name_of(ctx, sax[SAX_LOCAL]);
        attrs[i].ns = name_of(ctx, sax[SAX_URI]);
        attrs[i].value = slice_of(value, len);
        value += len;
    }
    if (memchr(values, '&', (size_t)(value - values)))
        values_unescape(attrs, n_attrs, values);
    return n;
}

static void text_flush(struct xmlin_ctx *ctx)
{
    if (ctx->text.len == 0)
        return;
    struct node *t = arena_alloc(ctx->arena, sizeof *t + ctx->text.len);
    *t = (struct node){ .text = slice_of((char *)(t + 1), ctx->text.len) };
    memcpy(t + 1, ctx->text.p, ctx->text.len);
    buf_reset(&ctx->text);
    node_append(ctx->at, t);
}

struct slice xmlctx_skip_space(struct slice s)
{
    while (s.len && (*s.p == ' ' || *s.p == '\n' || *s.p == '\r' || *s.p == '\t'))
        s = slice_from(s, 1);
    return s;
}

struct slice xmlctx_rest(const struct xmlin_ctx *ctx)
{
    const xmlParserInput *in = ctx->xml->input;
    struct slice held = slice_of((const char *)in->cur, (size_t)(in->end - in->cur));
    held = xmlctx_skip_space(held);
    return held.len ? held : slice_of(ctx->tail, ctx->tail_len);
}

void xmlctx_tidy(struct xmlin_ctx *ctx)
{
    ctx->xml->input->cur = ctx->xml->input->end;
    ctx->xml->checkIndex = 0;
}

/* Something is complete, `from` is what follows in this piece: counting starts again at its first '<'. */
static void count_from(struct xmlin_ctx *ctx, struct slice from)
{
    from = xmlctx_skip_space(from);
    ctx->bytes = from.len + ctx->tail_len + (from.len && ctx->cr);
    ctx->names_before = (uint32_t)xmlDictSize(ctx->xml->dict);
    ctx->elements = 0;
}

static struct slice unread(const struct xmlin_ctx *ctx)
{
    const xmlParserInput *in = ctx->xml->input;
    return slice_of((const char *)in->cur, (size_t)(in->end - in->cur));
}

/* After on_header and on_stanza: the stream may be gone, or want no more. */
static void called_back(struct xmlin_ctx *ctx, bool more, struct slice rest)
{
    if (!ctx->x) {
        stop(ctx);
        return;
    }
    ctx->limits = ctx->x->limits;
    rest = xmlctx_skip_space(rest);
    if (!more) {
        ctx->dropped = true;
        if (ctx->bytes)
            stop(ctx);
    } else if (rest.len && *rest.p != '<') {
        xmlctx_fail(ctx, RC_SYNTAX, "text between stanzas");
    }
}

static bool within_limits(struct xmlin_ctx *ctx, int declared, int attrs)
{
    const struct xmlin_limits *l = ctx->limits;
    const char *which = NULL;
    if ((unsigned)declared + (unsigned)attrs > l->attrs)
        which = "more attributes in one element than the limit";
    else if (ctx->level > 1 && ctx->level - 1 > l->depth)
        which = "nested deeper than the limit";
    else if (ctx->level > 1 && ++ctx->elements > l->elements)
        which = "more elements in one stanza than the limit";
    else if ((unsigned)xmlDictSize(ctx->xml->dict) - ctx->names_before > XMLCTX_NAMES_NEW)
        which = "more new names in one stanza than the limit";
    else if (ctx->arena && arena_over(ctx->arena))
        which = "a stanza that needs more memory than the limit";
    if (which)
        xmlctx_fail(ctx, RC_LIMIT, which);
    return !which;
}

/* The header with which pooled contexts are primed declares the default namespace and "stream", between
 * servers "db" too; nothing else. */
static bool declares_the_usual(const struct xmlin_ctx *ctx, const xmlChar *prefix, int n, const xmlChar **ns)
{
    bool servers = strcmp(ctx->pool->default_ns, NS_SERVER) == 0;
    bool usual = n == (servers ? 3 : 2) && prefix && strcmp((const char *)prefix, "stream") == 0;
    for (int i = 0; usual && i < n; i++) {
        const char *name = (const char *)ns[2 * i];
        const char *uri = ns[2 * i + 1] ? (const char *)ns[2 * i + 1] : "";
        if (name && servers && strcmp(name, "db") == 0)
            usual = strcmp(uri, NS_DIALBACK) == 0;
        else if (name)
            usual = strcmp(name, "stream") == 0 && strcmp(uri, NS_STREAM) == 0;
        else
            usual = strcmp(uri, ctx->pool->default_ns) == 0;
    }
    return usual;
}

static char *header_like(struct xmlin_ctx *ctx, const xmlChar *local, const xmlChar *prefix, int n,
                         const xmlChar **ns)
{
    struct buf b = BUF_INIT(0);
    buf_fmt(&b, "<%s%s%s", prefix ? (const char *)prefix : "", prefix ? ":" : "", (const char *)local);
    for (int i = 0; i < n; i++) {
        buf_fmt(&b, " xmlns%s%s='", ns[2 * i] ? ":" : "", ns[2 * i] ? (const char *)ns[2 * i] : "");
        xmlout_value(&b, name_of(ctx, ns[2 * i + 1]));
        buf_byte(&b, '\'');
    }
    BUF_LIT(&b, ">\0");
    size_t len;
    return buf_take(&b, &len);
}

static void header(struct xmlin_ctx *ctx, struct node *n, int n_ns, const xmlChar **ns)
{
    for (int i = 0; i < n_ns; i++) {
        if (!ns[2 * i])
            node_set(ctx->arena, n, "xmlns", name_of(ctx, ns[2 * i + 1]));
    }
    struct slice rest = unread(ctx); /* from the end of the tag on */
    bool closed = slice_starts(rest, SLICE("/>"));
    if (!closed && !slice_starts(rest, SLICE(">")))
        return; /* libxml2 finds that out only next: not a tag */
    rest = closed ? SLICE_NONE : slice_from(rest, 1);
    count_from(ctx, rest);
    struct arena *a = ctx->arena;
    ctx->arena = NULL;
    bool more = ctx->ev->on_header(ctx->owner, a, n);
    arena_give(ctx->pool->arenas, &a);
    called_back(ctx, more, rest);
}

static void on_start(void *data, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int n_ns,
                     const xmlChar **ns, int n_attrs, int n_defaulted, const xmlChar **attrs)
{
    (void)n_defaulted;
    struct xmlin_ctx *ctx = data;
    ctx->level++;
    if (ctx->priming)
        return;
    if (ctx->rc != RC_OK || ctx->stopped) {
        stop(ctx);
        return;
    }
    if (ctx->result) {
        xmlctx_fail(ctx, RC_SYNTAX, "two elements instead of one");
        return;
    }
    if (!within_limits(ctx, n_ns, n_attrs))
        return;
    if (!ctx->arena)
        ctx->arena = arena_take(ctx->pool->arenas);
    if (ctx->level == 1) {
        ctx->x->state = XMLIN_OPEN;
        ctx->x->custom = !declares_the_usual(ctx, prefix, n_ns, ns);
        if (ctx->x->custom)
            ctx->header = header_like(ctx, local, prefix, n_ns, ns);
        header(ctx, element(ctx, local, uri, (size_t)n_attrs, attrs), n_ns, ns);
        return;
    }
    text_flush(ctx);
    struct node *n = element(ctx, local, uri, (size_t)n_attrs, attrs);
    if (ctx->level == 2)
        ctx->top = n;
    else
        node_append(ctx->at, n);
    ctx->at = n;
}

static void stanza(struct xmlin_ctx *ctx)
{
    struct node *top = ctx->top;
    ctx->top = ctx->at = NULL;
    if (arena_over(ctx->arena)) {
        xmlctx_fail(ctx, RC_LIMIT, "a stanza that needs more memory than the limit");
        return;
    }
    struct slice rest = unread(ctx);
    count_from(ctx, rest);
    if (!ctx->ev) {
        ctx->result = top;
        return;
    }
    struct arena *a = ctx->arena;
    ctx->arena = NULL;
    bool more = ctx->ev->on_stanza(ctx->owner, a, top);
    arena_give(ctx->pool->arenas, &a);
    called_back(ctx, more, rest);
}

static void on_end(void *data, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    (void)local, (void)prefix, (void)uri;
    struct xmlin_ctx *ctx = data;
    if (ctx->rc != RC_OK || ctx->stopped)
        return;
    ctx->level--;
    if (ctx->level == 0 && ctx->ev) {
        ctx->x->state = XMLIN_CLOSED;
        ctx->ev->on_close(ctx->owner);
        stop(ctx);
        return;
    }
    if (ctx->level == 0) {
        xmlctx_fail(ctx, RC_SYNTAX, "an end tag without its start");
        return;
    }
    text_flush(ctx);
    if (ctx->level == 1)
        stanza(ctx);
    else
        ctx->at = ctx->at->parent;
}

static void on_text(void *data, const xmlChar *p, int len)
{
    struct xmlin_ctx *ctx = data;
    if (ctx->rc != RC_OK || ctx->stopped)
        return;
    struct slice s = slice_of((const char *)p, (size_t)len);
    if (ctx->level > 1)
        buf_slice(&ctx->text, s);
    else if (xmlctx_skip_space(s).len)
        xmlctx_fail(ctx, RC_SYNTAX, "text between stanzas");
}

static void on_cdata(void *data, const xmlChar *p, int len)
{
    struct xmlin_ctx *ctx = data;
    if (ctx->level > 1)
        on_text(data, p, len);
    else
        xmlctx_fail(ctx, RC_SYNTAX, "text between stanzas");
}

/* RFC 6120 11.1: what restricted XML leaves out. */

static void on_comment(void *data, const xmlChar *text)
{
    (void)text;
    xmlctx_fail(data, RC_DENIED, "a comment");
}

static void on_instruction(void *data, const xmlChar *target, const xmlChar *text)
{
    (void)target, (void)text;
    xmlctx_fail(data, RC_DENIED, "a processing instruction");
}

static void on_doctype(void *data, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
    (void)name, (void)external_id, (void)system_id;
    xmlctx_fail(data, RC_DENIED, "a document type declaration");
}

static void on_entity(void *data, const xmlChar *name)
{
    (void)name;
    xmlctx_fail(data, RC_DENIED, "an entity reference");
}

/* After the XML declaration, if there is one (RFC 6120 11.4, 11.5, 11.6). */
static void on_document(void *data)
{
    struct xmlin_ctx *ctx = data;
    const char *encoding = (const char *)ctx->xml->encoding;
    const char *version = (const char *)ctx->xml->version;
    if (ctx->priming)
        return;
    if (ctx->xml->input->buf->encoder || (encoding && !slice_eq_nocase(slice_cstr(encoding), SLICE("utf-8"))))
        xmlctx_fail(ctx, RC_UNSUPPORTED, "an encoding other than UTF-8");
    else if (version && strcmp(version, "1.0") != 0)
        xmlctx_fail(ctx, RC_UNSUPPORTED, "a version of XML other than 1.0");
}

static enum rc rc_of_error(const struct xmlin_ctx *ctx, int code)
{
    switch (code) {
    case XML_ERR_UNDECLARED_ENTITY:
    case XML_WAR_UNDECLARED_ENTITY:
        return RC_DENIED;
    case XML_ERR_UNKNOWN_VERSION:
    case XML_ERR_UNKNOWN_ENCODING:
    case XML_ERR_UNSUPPORTED_ENCODING:
        return RC_UNSUPPORTED;
    case XML_ERR_INVALID_ENCODING: /* in the declaration; bytes were checked by us already */
        return ctx->level == 0 ? RC_UNSUPPORTED : RC_SYNTAX;
    default:
        return RC_SYNTAX;
    }
}

/* Takes note only: inside some errors libxml2 still holds pointers that stop() would free. */
static void on_error(void *data, xmlErrorPtr e)
{
    struct xmlin_ctx *ctx = data;
    if (e->level < XML_ERR_ERROR || ctx->rc != RC_OK || ctx->stopped)
        return;
    ctx->rc = rc_of_error(ctx, e->code);
    struct slice text = slice_trim(slice_cstr(e->message));
    why_set(ctx->why, "XML: " SLICE_FMT, SLICE_ARG(text));
}

static void on_stray_error(void *data, xmlErrorPtr e) /* errors without a context would go to stderr */
{
    (void)data, (void)e;
}

static const xmlSAXHandler handlers = {
    .initialized = XML_SAX2_MAGIC,
    .startDocument = on_document,
    .internalSubset = on_doctype,
    .reference = on_entity,
    .characters = on_text,
    .ignorableWhitespace = on_text,
    .cdataBlock = on_cdata,
    .comment = on_comment,
    .processingInstruction = on_instruction,
    .startElementNs = on_start,
    .endElementNs = on_end,
    .serror = on_error,
};

static void prime(struct xmlin_ctx *ctx, const char *header_text)
{
    ctx->priming = true;
    xmlParseChunk(ctx->xml, header_text, (int)strlen(header_text), 0);
    ctx->priming = false;
    assert(ctx->level == 1);
    count_from(ctx, SLICE_NONE);
}

struct xmlin_ctx *xmlctx_new(struct xmlin_pool *pool, const char *header_text)
{
    struct xmlin_ctx *ctx = mem_new(sizeof *ctx);
    xmlSAXHandler sax = handlers;
    xmlSetStructuredErrorFunc(NULL, on_stray_error); /* of this thread */
    ctx->pool = pool;
    ctx->text = BUF_INIT(0);
    ctx->xml = xmlCreatePushParserCtxt(&sax, ctx, NULL, 0, NULL);
    if (!ctx->xml)
        abort(); /* out of memory for something small */
    xmlCtxtUseOptions(ctx->xml, XML_PARSE_NONET);
    ctx->names_before = (uint32_t)xmlDictSize(ctx->xml->dict);
    pool->stats.contexts++;
    pool->stats.made++;
    if (header_text)
        prime(ctx, header_text);
    return ctx;
}

void xmlctx_free(struct xmlin_ctx **ctx)
{
    struct xmlin_ctx *c = *ctx;
    if (!c)
        return;
    assert(!c->busy);
    if (c->ev)
        arena_give(c->pool->arenas, &c->arena);
    c->pool->stats.contexts--;
    xmlFreeParserCtxt(c->xml);
    buf_fini(&c->text);
    mem_free(c->header);
    MEM_FREE(ctx);
}

static void parse(struct xmlin_ctx *ctx, struct slice s)
{
    if (s.len == 0 || ctx->rc != RC_OK || ctx->stopped || ctx->dropped)
        return;
    ctx->cr = s.p[s.len - 1] == '\r'; /* libxml2 keeps it for the next piece */
    ctx->busy = true;
    xmlParseChunk(ctx->xml, s.p, (int)s.len, 0);
    ctx->busy = false;
    if (ctx->rc == RC_OK && !ctx->stopped && (!ctx->xml->wellFormed || !ctx->xml->nsWellFormed))
        xmlctx_fail(ctx, RC_SYNTAX, "XML: not well-formed");
}

/* libxml2 sees whole characters only: the start of one waits in tail. */
void xmlctx_push(struct xmlin_ctx *ctx, struct slice bytes)
{
    bool bad = false;
    ctx->bytes += bytes.len;
    while (ctx->tail_len && bytes.len && !bad) {
        ctx->tail[ctx->tail_len++] = *bytes.p;
        bytes = slice_from(bytes, 1);
        struct slice tail = slice_of(ctx->tail, ctx->tail_len);
        if (xmlchars_whole(tail, &bad) == tail.len) {
            ctx->tail_len = 0;
            parse(ctx, tail);
        }
    }
    size_t whole = bad ? 0 : xmlchars_whole(bytes, &bad);
    struct slice rest = slice_from(bytes, whole);
    if (!bad && rest.len) {
        memcpy(ctx->tail, rest.p, rest.len);
        ctx->tail_len = (uint8_t)rest.len;
    }
    parse(ctx, slice_to(bytes, whole));
    if (bad && !ctx->stopped && !ctx->dropped)
        xmlctx_fail(ctx, RC_SYNTAX, "not UTF-8, or a character that XML excludes");
    size_t held = ctx->rc == RC_OK && !ctx->stopped ? xmlctx_rest(ctx).len : 0;
    ctx->grown |= held > XMLCTX_PIECE;
    if (held > XMLCTX_TOKEN_MAX)
        xmlctx_fail(ctx, RC_LIMIT, "a tag longer than the limit");
}
