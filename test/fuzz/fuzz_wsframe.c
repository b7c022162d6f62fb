/* test/fuzz/fuzz_wsframe.c - WebSocket frames of a client: however the bytes are cut, the same comes out; and
 * what comes out is UTF-8 and within the limit */
#include "httpgw/wsframe.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 2000 };
struct seen {
    struct buf log;
    bool closed;
};

static bool note(struct seen *s, char kind, struct slice bytes)
{
    if (bytes.len > MOST)
        abort();
    buf_fmt(&s->log, "%c%zu:", kind, bytes.len);
    buf_slice(&s->log, bytes);
    return true;
}

static bool on_text(void *owner, struct slice message)
{
    if (!slice_utf8_ok(message))
        abort();
    return note(owner, 't', message);
}

static bool on_ping(void *owner, struct slice payload)
{
    return note(owner, 'i', payload);
}

static bool on_pong(void *owner, struct slice payload)
{
    return note(owner, 'o', payload);
}

static bool on_close(void *owner, unsigned code)
{
    struct seen *s = owner;
    buf_fmt(&s->log, "c%u", code);
    s->closed = true;
    return false;
}

static const struct wsframe_events events = { on_text, on_ping, on_pong, on_close };

static enum ws_code run(struct wsframe_pool *pool, struct slice all, size_t step, struct seen *s)
{
    struct wsframe w = { .pool = pool, .max = MOST };
    enum ws_code bad = WS_GOOD;
    for (size_t i = 0; i < all.len && !bad && !s->closed; i += step)
        bad = wsframe_feed(&w, slice_to(slice_from(all, i), step), &events, s);
    wsframe_fini(&w);
    return bad;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wsframe_pool *pool = wsframe_pool_new();
    struct slice all = slice_of((const char *)data, size);
    struct seen whole = { .log = BUF_INIT(0) };
    enum ws_code bad = run(pool, all, size ? size : 1, &whole);
    for (size_t step = 1; step < 8; step += 3) {
        struct seen cut = { .log = BUF_INIT(0) };
        if (run(pool, all, step, &cut) != bad || cut.closed != whole.closed ||
            !slice_eq(buf_get(&cut.log), buf_get(&whole.log)))
            abort();
        buf_fini(&cut.log);
    }
    buf_fini(&whole.log);
    wsframe_pool_free(&pool);
    return 0;
}
