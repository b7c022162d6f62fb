/* common/net/peek.c - the PROXY header of a socket that somebody else will read from: nothing behind it is
 * taken */
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/net/inside.h"
#include "common/net/listen.h"
#include <fcntl.h>
#include <unistd.h>

enum { HEADER_MAX = 4096 };

struct peek {
    uv_poll_t poll;
    struct link link;
    struct timer timer;
    int fd; /* -1: handed on */
    void (*done)(void *ctx, int fd, const struct sockaddr_storage *from);
    void *ctx;
};

static void on_peek_closed(uv_handle_t *handle)
{
    struct peek *p = handle->data;
    if (p->fd >= 0)
        close(p->fd);
    mem_free(p);
}

static void end(struct peek *p)
{
    list_unlink(&p->link);
    timer_stop(&p->timer);
    uv_close((uv_handle_t *)&p->poll, on_peek_closed);
}

static void on_over(struct timer *t)
{
    end(CONTAINER(t, struct peek, timer));
}

static void
wake_at(int fd,
        int bytes) /* readable is what holds so many: a partial header is not looked at again and again */
{
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

static void on_peekable(uv_poll_t *poll, int status, int events)
{
    struct peek *p = poll->data;
    struct sockaddr_storage from;
    char bytes[HEADER_MAX];
    size_t used = 0;
    (void)events;
    loop_touch(poll->loop->data);
    ssize_t n = status < 0 ? 0 : recv(p->fd, bytes, sizeof bytes, MSG_PEEK);
    enum rc rc = n > 0 ? proxy_header_read(slice_of(bytes, (size_t)n), &from, &used) : RC_IO;
    if (rc == RC_AGAIN && n < HEADER_MAX) {
        wake_at(p->fd, (int)n + 1);
        return;
    }
    if (rc != RC_OK || recv(p->fd, bytes, used, 0) != (ssize_t)used) {
        end(p);
        return;
    }
    wake_at(p->fd, 1);
    int fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 0); /* libuv closes its own watching of p->fd later */
    void (*done)(void *, int, const struct sockaddr_storage *) = p->done;
    void *ctx = p->ctx;
    end(p);
    if (fd >= 0)
        done(ctx, fd, &from);
}

void peek_proxy(struct loop *loop, struct link *list, int fd, uint32_t ms,
                void (*done)(void *ctx, int fd, const struct sockaddr_storage *from), void *ctx)
{
    struct peek *p = mem_new(sizeof *p);
    p->fd = fd;
    p->done = done;
    p->ctx = ctx;
    if (uv_poll_init(&loop->uv, &p->poll, fd) < 0) {
        close(fd);
        mem_free(p);
        return;
    }
    p->poll.data = p;
    list_append(list, &p->link);
    loop_timer(loop, &p->timer, ms, on_over);
    uv_poll_start(&p->poll, UV_READABLE | UV_DISCONNECT, on_peekable);
}

void peek_drop(struct link *list)
{
    LIST_EACH(list, it) {
        end(CONTAINER(it, struct peek, link));
    }
}
