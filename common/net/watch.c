/* common/net/watch.c - descriptors of libraries that bring their own event handling */
#include "common/base/mem.h"
#include "common/net/inside.h"
#include <assert.h>

struct watch {
    uv_poll_t poll;
    void (*fn)(void *ctx);
    void *ctx;
};

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    (void)status; /* the library finds out by itself */
    (void)events;
    loop_touch(poll->loop->data);
    w->fn(w->ctx);
}

struct watch *watch_new(struct loop *loop, int fd, void (*fn)(void *ctx), void *ctx)
{
    struct watch *w = mem_new(sizeof *w);
    int err = uv_poll_init(&loop->uv, &w->poll, fd);
    assert(err == 0); /* a descriptor that cannot be polled is a file: a bug of the caller's */
    (void)err;
    w->poll.data = w;
    w->fn = fn;
    w->ctx = ctx;
    uv_poll_start(&w->poll, UV_READABLE, on_ready);
    return w;
}

static void on_watch_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void watch_free(struct watch **w)
{
    if (!*w)
        return;
    uv_close((uv_handle_t *)&(*w)->poll, on_watch_closed);
    *w = NULL;
}
