/* common/daemon/ctlask.c - the client side of the control socket: blocking, with a deadline */
#include "common/base/clock.h"
#include "common/daemon/ctl.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_SIZE = 16384 };

static enum rc connect_to(const char *path, int *out, struct why *why)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    if (slice_to_cstr(slice_cstr(path), un.sun_path, sizeof un.sun_path) != RC_OK) {
        why_set(why, "%s: longer than a socket's path may be", path);
        return RC_LIMIT;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) < 0) {
        int err = errno;
        why_set(why, "%s: %s", path, strerror(err));
        if (fd >= 0)
            close(fd);
        return err == ENOENT || err == ECONNREFUSED ? RC_CLOSED : err == EACCES ? RC_DENIED : RC_IO;
    }
    *out = fd;
    return RC_OK;
}

/* Waits until fd is ready for `events`. */
static enum rc wait_for(int fd, short events, uint64_t until_ms)
{
    for (;;) {
        uint64_t now = clock_mono_ms();
        struct pollfd p = { .fd = fd, .events = events };
        if (now >= until_ms)
            return RC_TIMEOUT;
        int n = poll(&p, 1, until_ms - now > 60000 ? 60000 : (int)(until_ms - now));
        if (n > 0)
            return RC_OK;
        if (n < 0 && errno != EINTR)
            return RC_IO;
    }
}

static enum rc send_all(int fd, struct slice bytes, uint64_t until_ms)
{
    while (bytes.len) {
        enum rc rc = wait_for(fd, POLLOUT, until_ms);
        if (rc != RC_OK)
            return rc;
        ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return RC_CLOSED;
        if (n > 0)
            bytes = slice_from(bytes, (size_t)n);
    }
    return RC_OK;
}

static enum rc receive_all(int fd, struct buf *out, uint64_t until_ms)
{
    for (;;) {
        enum rc rc = wait_for(fd, POLLIN, until_ms);
        if (rc != RC_OK)
            return rc;
        buf_reserve(out, READ_SIZE);
        size_t room = out->cap - out->len;
        if (!room)
            return RC_LIMIT;
        ssize_t n = recv(fd, out->p + out->len, room, 0);
        if (n == 0)
            return RC_OK;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return RC_CLOSED;
        if (n > 0)
            out->len += (size_t)n;
    }
}

enum rc ctl_ask(const char *path, struct slice request, uint32_t timeout_ms, struct buf *out, struct why *why)
{
    uint64_t until_ms = clock_mono_ms() + timeout_ms;
    int fd;
    enum rc rc = connect_to(path, &fd, why);
    if (rc != RC_OK)
        return rc;
    rc = send_all(fd, request, until_ms);
    if (rc == RC_OK)
        rc = send_all(fd, SLICE("\n"), until_ms);
    if (rc == RC_OK)
        rc = receive_all(fd, out, until_ms);
    close(fd);
    if (rc != RC_OK)
        why_set(why, "%s: %s", path, rc == RC_TIMEOUT ? "no answer in time" : "the connection ended early");
    return rc;
}
