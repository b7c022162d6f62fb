/* httpgw/wsframe.c */
#include "httpgw/wsframe.h"

#include "common/base/mem.h"
#include <assert.h>
#include <wslay/wslay.h>

enum { CONTROL_MAX = 125 /* RFC 6455 5.5 */, IDLE_KEPT = 64, MESSAGE_KEPT = 16 * 1024 };

struct wsframe_ctx {
    struct wsframe_ctx *next; /* in the pool */
    wslay_frame_context_ptr frames;
    struct slice in; /* what the library has not taken yet */
    uint64_t given,
        seen;      /* bytes given to it; of these, those of frames that came out: equal between two frames */
    uint64_t left; /* of the payload of the frame that is coming */
    bool in_frame, in_message;
    uint8_t opcode;
    bool fin;
    struct buf message; /* so far */
    char control[CONTROL_MAX];
    size_t n_control;
};
struct wsframe_pool {
    struct wsframe_ctx *idle;
    unsigned n_idle;
    wslay_frame_context_ptr writer;
    struct buf *out; /* while it writes */
};

/* --- the library's end --- */

static ssize_t on_recv(uint8_t *to, size_t size, int flags, void *user)
{
    struct wsframe_ctx *c = user;
    size_t n = c->in.len < size ? c->in.len : size;
    (void)flags;
    if (!n)
        return -1;
    memcpy(to, c->in.p, n);
    c->in = slice_from(c->in, n);
    c->given += n;
    return (ssize_t)n;
}

static ssize_t on_send(const uint8_t *data, size_t len, int flags, void *user)
{
    struct wsframe_pool *pool = user;
    (void)flags;
    buf_put(pool->out, data, len);
    return (ssize_t)len;
}

static ssize_t no_send(const uint8_t *data, size_t len, int flags, void *user)
{
    (void)data, (void)len, (void)flags, (void)user;
    return -1;
}

static ssize_t no_recv(uint8_t *to, size_t size, int flags, void *user)
{
    (void)to, (void)size, (void)flags, (void)user;
    return -1;
}

static int no_mask(uint8_t *to, size_t len, void *user) /* a server does not mask: RFC 6455 5.1 */
{
    (void)to, (void)len, (void)user;
    return -1;
}

/* --- the pool --- */

struct wsframe_pool *wsframe_pool_new(void)
{
    const struct wslay_frame_callbacks write = { on_send, no_recv, no_mask };
    struct wsframe_pool *pool = mem_new(sizeof *pool);
    int err = wslay_frame_context_init(&pool->writer, &write, pool);
    assert(err == 0);
    (void)err;
    return pool;
}

static void ctx_free(struct wsframe_ctx *c)
{
    wslay_frame_context_free(c->frames);
    buf_fini(&c->message);
    mem_free(c);
}

void wsframe_pool_free(struct wsframe_pool **at)
{
    struct wsframe_pool *pool = *at;
    if (!pool)
        return;
    while (pool->idle) {
        struct wsframe_ctx *c = pool->idle;
        pool->idle = c->next;
        ctx_free(c);
    }
    wslay_frame_context_free(pool->writer);
    MEM_FREE(at);
}

static struct wsframe_ctx *ctx_take(struct wsframe_pool *pool)
{
    const struct wslay_frame_callbacks read = { no_send, on_recv, no_mask };
    struct wsframe_ctx *c = pool->idle;
    if (c) {
        pool->idle = c->next;
        pool->n_idle--;
        return c;
    }
    c = mem_new(sizeof *c);
    int err = wslay_frame_context_init(&c->frames, &read, c);
    assert(err == 0);
    (void)err;
    return c;
}

/* Between two messages it holds nothing of its connection. */
static void ctx_give(struct wsframe *w)
{
    struct wsframe_pool *pool = w->pool;
    struct wsframe_ctx *c = w->ctx;
    w->ctx = NULL;
    if (c->message.cap > MESSAGE_KEPT)
        buf_fini(&c->message);
    c->given = c->seen = 0;
    c->next = pool->idle;
    pool->idle = c;
    if (pool->n_idle++ >= IDLE_KEPT) {
        pool->idle = c->next;
        pool->n_idle--;
        ctx_free(c);
    }
}

void wsframe_fini(struct wsframe *w)
{
    if (w->ctx)
        ctx_free(w->ctx);
    w->ctx = NULL;
}

/* --- in --- */

static uint64_t header_bytes(const struct wslay_frame_iocb *f)
{
    unsigned length = f->payload_length > UINT16_MAX ? 8 : f->payload_length > CONTROL_MAX ? 2 : 0;
    return 2 + length + (f->mask ? 4 : 0);
}

/* What is wrong with a frame, from its header. */
static enum ws_code check(const struct wsframe *w, const struct wslay_frame_iocb *f)
{
    const struct wsframe_ctx *c = w->ctx;
    if (!f->mask || f->rsv) /* RFC 6455 5.1, 5.2 */
        return WS_PROTOCOL;
    switch (f->opcode) {
    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG:
        return !f->fin || f->payload_length > CONTROL_MAX ? WS_PROTOCOL : WS_GOOD; /* 5.5 */
    case WSLAY_CONTINUATION_FRAME:
        if (!c->in_message) /* 5.4 */
            return WS_PROTOCOL;
        break;
    case WSLAY_TEXT_FRAME:
        if (c->in_message)
            return WS_PROTOCOL;
        break;
    case WSLAY_BINARY_FRAME:
        return c->in_message ? WS_PROTOCOL : WS_NOT_TEXT; /* RFC 7395 3.2 */
    default:
        return WS_PROTOCOL;
    }
    return f->payload_length > w->max || c->message.len + f->payload_length > w->max ? WS_TOO_BIG : WS_GOOD;
}

static bool is_control(unsigned opcode)
{
    return opcode & 8;
}

/* 7.4: the codes that may stand in a frame. */
static bool code_ok(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static enum ws_code control(struct wsframe *w, const struct wsframe_events *ev, void *owner, bool *more)
{
    struct wsframe_ctx *c = w->ctx;
    struct slice payload = slice_of(c->control, c->n_control);
    c->n_control = 0;
    if (c->opcode == WSLAY_PING) {
        *more = ev->on_ping(owner, payload);
    } else if (c->opcode == WSLAY_PONG) {
        *more = ev->on_pong(owner, payload);
    } else {
        unsigned code = WS_NO_CODE;
        if (payload.len >= 2)
            code = (unsigned)(unsigned char)payload.p[0] << 8 | (unsigned char)payload.p[1];
        if (payload.len == 1 || (payload.len && !code_ok(code)))
            return WS_PROTOCOL;
        if (!slice_utf8_ok(slice_from(payload, 2)))
            return WS_BAD_TEXT;
        *more = ev->on_close(owner, code);
    }
    return WS_GOOD;
}

static enum ws_code message(struct slice text, const struct wsframe_events *ev, void *owner, bool *more)
{
    if (!slice_utf8_ok(text)) /* 8.1 */
        return WS_BAD_TEXT;
    *more = ev->on_text(owner, text);
    return WS_GOOD;
}

/* A piece of a frame. */
static enum ws_code piece(struct wsframe *w, const struct wslay_frame_iocb *f,
                          const struct wsframe_events *ev, void *owner, bool *more)
{
    struct wsframe_ctx *c = w->ctx;
    struct slice bytes = slice_of((const char *)f->data, f->data_length);
    if (!c->in_frame) {
        enum ws_code bad = check(w, f);
        if (bad)
            return bad;
        c->in_frame = true;
        c->opcode = f->opcode;
        c->fin = f->fin;
        c->left = f->payload_length;
        c->seen += header_bytes(f);
    }
    c->left -= bytes.len;
    c->seen += bytes.len;
    bool whole = !c->left;
    c->in_frame = !whole;
    if (is_control(c->opcode)) {
        memcpy(c->control + c->n_control, bytes.p, bytes.len);
        c->n_control += bytes.len;
        return whole ? control(w, ev, owner, more) : WS_GOOD;
    }
    bool last = whole && c->fin;
    if (last && !c->in_message) /* all at once, as most are: no copy is made */
        return message(bytes, ev, owner, more);
    c->in_message = !last;
    buf_slice(&c->message, bytes);
    if (!last)
        return WS_GOOD;
    enum ws_code bad = message(buf_get(&c->message), ev, owner, more);
    buf_reset(&c->message);
    return bad;
}

enum ws_code wsframe_feed(struct wsframe *w, struct slice bytes, const struct wsframe_events *ev, void *owner)
{
    struct wslay_frame_iocb f;
    enum ws_code bad = WS_GOOD;
    bool more = true;
    if (!w->ctx)
        w->ctx = ctx_take(w->pool);
    struct wsframe_ctx *c = w->ctx;
    c->in = bytes;
    while (!bad && more) {
        memset(&f, 0, sizeof f);
        ssize_t n = wslay_frame_recv(c->frames, &f);
        if (n == WSLAY_ERR_WANT_READ)
            break;
        bad = n < 0 ? WS_PROTOCOL : piece(w, &f, ev, owner, &more);
    }
    c->in = SLICE_NONE;
    if (!bad && more && !c->in_frame && !c->in_message && c->given == c->seen)
        ctx_give(w);
    return bad;
}

/* --- out --- */

void wsframe_write(struct wsframe_pool *pool, struct buf *out, enum wsframe_kind kind,
                   const struct slice *pieces, size_t n)
{
    struct wslay_frame_iocb f = { .fin = 1, .opcode = (uint8_t)kind };
    pool->out = out;
    for (size_t i = 0; i < n; i++)
        f.payload_length += pieces[i].len;
    for (size_t i = 0; i < n || i == 0; i++) {
        struct slice p = n ? pieces[i] : SLICE_NONE;
        if (!p.len && f.payload_length)
            continue;
        f.data = (const uint8_t *)p.p;
        f.data_length = p.len;
        ssize_t sent = wslay_frame_send(pool->writer, &f);
        assert(sent == (ssize_t)p.len); /* the buffer takes all */
        (void)sent;
        if (!f.payload_length)
            break;
    }
    pool->out = NULL;
}

void wsframe_write_close(struct wsframe_pool *pool, struct buf *out, enum ws_code code)
{
    const char bytes[2] = { (char)(code >> 8), (char)(code & 0xff) };
    struct slice payload = slice_of(bytes, code == WS_NO_CODE ? 0 : sizeof bytes);
    wsframe_write(pool, out, WSFRAME_CLOSE, &payload, 1);
}
