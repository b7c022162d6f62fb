/* common/net/listen.c - accepting: our own accept loop on uv_poll, because libuv's cannot be paused and drops
 * what waits when descriptors run out */
#include "common/net/listen.h"

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/net/inside.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 64, STARVED_MS = 100, PROXY_HEADER_MAX = 4096 };

struct listener {
    uv_poll_t poll;
    struct loop *loop;
    struct listen_conf conf;
    const struct conn_conf *conn_conf;
    char *path;         /* unix socket; NULL: TCP */
    int fd, reserve_fd; /* reserve: given up for a moment when descriptors run out */
    uint16_t port;
    bool paused, starved, closing;
    uint64_t refused;
    struct timer again;  /* accepts again after having starved */
    struct link pending; /* struct pending: PROXY headers that have not come yet */
    struct link peeking; /* the same for on_socket: struct peek */
};

/* A conn from which the PROXY header is awaited. */
struct pending {
    struct link in_listener;
    struct listener *listener; /* NULL: it was closed */
    struct conn *conn;
    struct timer timer;
    struct buf bytes;
};

static void nobody_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    (void)owner;
    (void)cause;
    (void)why;
}

static const struct conn_ops nobody_ops = { .on_closed = nobody_closed };
static const struct conn_conf nobody_conf = { .ops = &nobody_ops };

/* --- PROXY header --- */

static void pending_free(struct pending *p)
{
    list_unlink(&p->in_listener);
    timer_stop(&p->timer);
    buf_fini(&p->bytes);
    mem_free(p);
}

static void pending_over(struct timer *t)
{
    struct pending *p = CONTAINER(t, struct pending, timer);
    conn_fail(p->conn, CONN_TIMEOUT, "no PROXY header in time");
}

static void hand_over(struct listener *l, struct conn *c, struct slice rest)
{
    conn_owner_set(c, l->conn_conf ? l->conn_conf : &nobody_conf, NULL);
    l->conf.on_accept(l->conf.ctx, c);
    if (!c->owner) /* refused: nobody hears of its end */
        conn_owner_set(c, &nobody_conf, NULL);
    if (c->closing)
        return;
    assert(c->owner); /* on_accept gives it an owner or closes it */
    if (!c->paused)
        conn_begin(c);
    conn_feed(c, rest);
}

static void pending_input(void *owner, struct slice bytes)
{
    struct pending *p = owner;
    struct conn *c = p->conn;
    struct sockaddr_storage from;
    size_t used = 0;
    buf_slice(&p->bytes, bytes);
    enum rc rc = proxy_header_read(buf_get(&p->bytes), &from, &used);
    if (rc == RC_AGAIN && !p->bytes.over)
        return;
    if (rc != RC_OK || !p->listener) {
        conn_fail(c, CONN_BY_OWNER, "bad PROXY header");
        return;
    }
    if (from.ss_family != AF_UNSPEC)
        conn_peer_set(c, (struct sockaddr *)&from);
    struct listener *l = p->listener;
    struct buf rest = p->bytes; /* the owner may close everything, the listener too */
    p->bytes = BUF_INIT(0);
    pending_free(p);
    hand_over(l, c, slice_from(buf_get(&rest), used));
    buf_fini(&rest);
}

static void pending_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    (void)cause;
    (void)why;
    pending_free(owner);
}

static const struct conn_ops pending_ops = { .on_input = pending_input, .on_closed = pending_closed };
static const struct conn_conf pending_conf = { .ops = &pending_ops };

static void await_proxy(struct listener *l, struct conn *c)
{
    struct pending *p = mem_new(sizeof *p);
    p->listener = l;
    p->conn = c;
    p->bytes = BUF_INIT(READ_BYTES + PROXY_HEADER_MAX); /* one read may bring more than the header */
    list_append(&l->pending, &p->in_listener);
    loop_timer(l->loop, &p->timer, l->conf.proxy_ms, pending_over);
    conn_owner_set(c, &pending_conf, p);
    conn_begin(c);
}

/* --- accepting --- */

static void on_peeked(void *ctx, int fd, const struct sockaddr_storage *from)
{
    const struct listener *l = ctx;
    struct sockaddr_storage real = { 0 };
    socklen_t len = sizeof real;
    if (from->ss_family == AF_UNSPEC)
        getpeername(fd, (struct sockaddr *)&real, &len);
    else
        real = *from;
    l->conf.on_socket(l->conf.ctx, fd, (const struct sockaddr *)&real);
}

static void accepted_socket(struct listener *l, int fd, const struct sockaddr *from)
{
    if (!l->path && l->conf.proxy_from && net_list_has(l->conf.proxy_from, from))
        peek_proxy(l->loop, &l->peeking, fd, l->conf.proxy_ms, on_peeked, l);
    else
        l->conf.on_socket(l->conf.ctx, fd, from);
}

static void accepted(struct listener *l, int fd, const struct sockaddr *from)
{
    if (l->conf.on_socket) {
        accepted_socket(l, fd, from);
        return;
    }
    struct conn *c = conn_adopt(l->loop, fd, l->path != NULL, &nobody_conf, NULL);
    if (c->closing)
        return;
    if (!l->path && l->conf.proxy_from && net_list_has(l->conf.proxy_from, from)) {
        await_proxy(l, c);
        return;
    }
    hand_over(l, c, SLICE_NONE);
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void watch(struct listener *l)
{
    if (l->closing)
        return;
    if (l->paused || l->starved)
        uv_poll_stop(&l->poll);
    else
        uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
}

static void on_again(struct timer *t)
{
    struct listener *l = CONTAINER(t, struct listener, again);
    l->starved = false;
    watch(l);
}

/* Out of descriptors: one client is refused, by means of the reserve, so that it hears of it; the others wait
 * in the kernel's queue, and we do not ask again for a while. */
static void starve(struct listener *l)
{
    close(l->reserve_fd);
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        l->refused++;
        close(fd);
    }
    l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    l->starved = true;
    watch(l);
    loop_timer(l->loop, &l->again, STARVED_MS, on_again);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct listener *l = poll->data;
    struct loop *loop = l->loop;
    (void)events;
    loop_touch(loop);
    if (status < 0)
        return;
    for (int i = 0; i < ACCEPTS_A_TURN && !l->closing && !l->paused; i++) {
        struct sockaddr_storage from = { 0 };
        socklen_t len = sizeof from;
        int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            accepted(l, fd, (struct sockaddr *)&from);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            starve(l);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } /* others are errors of that one connection (ECONNABORTED, EPROTO …): the next one */
    }
}

/* --- opening --- */

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

static int bind_tcp(const struct sockaddr *sa, socklen_t len)
{
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted sockets inherit it */
    if (sa->sa_family == AF_INET6)
        set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, sa, len) < 0 || listen(fd, SOMAXCONN) < 0) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

/* why is filled on success too, when "::" had to be 0.0.0.0. */
static enum rc open_tcp(const struct listen_conf *conf, int *out, struct why *why)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(conf->port) };
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(conf->port) };
    int fd;
    if (inet_pton(AF_INET6, conf->address, &v6.sin6_addr) == 1) {
        fd = bind_tcp((struct sockaddr *)&v6, sizeof v6);
        bool no_v6 = fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
        if (no_v6 && IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)) {
            fd = bind_tcp((struct sockaddr *)&v4, sizeof v4);
            if (fd >= 0)
                why_set(why, "no IPv6 on this host: listening on 0.0.0.0 only");
        }
    } else if (inet_pton(AF_INET, conf->address, &v4.sin_addr) == 1) {
        fd = bind_tcp((struct sockaddr *)&v4, sizeof v4);
    } else {
        why_set(why, "%s: not an IP address and not an absolute path", conf->address);
        return RC_SYNTAX;
    }
    if (fd < 0) {
        why_set(why, "%s port %u: %s", conf->address, conf->port, strerror(errno));
        return RC_IO;
    }
    *out = fd;
    return RC_OK;
}

/* A socket that a process has left behind goes; one that answers stays: false. */
static bool remove_stale(const struct sockaddr_un *un)
{
    struct stat st;
    if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return true;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool lives = fd >= 0 && (connect(fd, (const struct sockaddr *)un, sizeof *un) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    if (!lives)
        unlink(un->sun_path);
    return !lives;
}

static enum rc open_unix(const struct listen_conf *conf, int *out, struct why *why)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    if (slice_to_cstr(slice_cstr(conf->address), un.sun_path, sizeof un.sun_path) != RC_OK) {
        why_set(why, "%s: longer than a socket's path may be", conf->address);
        return RC_LIMIT;
    }
    if (!remove_stale(&un)) {
        why_set(why, "%s: somebody listens there already", conf->address);
        return RC_EXISTS;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* Narrow from the start: between bind and chmod nobody else may connect. */
    mode_t mask = umask(0177);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof un) == 0;
    int err = errno;
    umask(mask);
    if (ok && (chmod(conf->address, conf->mode) < 0 || listen(fd, SOMAXCONN) < 0)) {
        ok = false;
        err = errno;
    }
    if (!ok) {
        why_set(why, "%s: %s", conf->address, strerror(err));
        if (fd >= 0)
            close(fd);
        return RC_IO;
    }
    *out = fd;
    return RC_OK;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage sa = { 0 };
    socklen_t len = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return 0;
    in_port_t port = 0;
    const char *at = (const char *)&sa;
    memcpy(&port,
           at + (sa.ss_family == AF_INET6 ? offsetof(struct sockaddr_in6, sin6_port)
                                          : offsetof(struct sockaddr_in, sin_port)),
           sizeof port);
    return ntohs(port);
}

enum rc listen_open(struct loop *loop, const struct listen_conf *conf, const struct conn_conf *conn_conf,
                    struct listener **out, struct why *why)
{
    bool is_unix = conf->address[0] == '/';
    int fd = -1;
    enum rc rc = is_unix ? open_unix(conf, &fd, why) : open_tcp(conf, &fd, why);
    if (rc != RC_OK)
        return rc;
    struct listener *l = mem_new(sizeof *l);
    l->loop = loop;
    l->conf = *conf;
    l->conf.address = NULL; /* borrowed for this call only */
    l->conn_conf = conn_conf;
    l->path = is_unix ? mem_copy(slice_cstr(conf->address)) : NULL;
    l->fd = fd;
    l->port = is_unix ? 0 : port_of(fd);
    l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    list_init(&l->pending);
    list_init(&l->peeking);
    l->poll.data = l;
    uv_poll_init(&loop->uv, &l->poll, fd);
    watch(l);
    *out = l;
    return RC_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    close(l->fd);
    if (l->reserve_fd >= 0)
        close(l->reserve_fd);
    mem_free(l->path);
    mem_free(l);
}

void listen_close(struct listener **at)
{
    struct listener *l = *at;
    if (!l)
        return;
    *at = NULL;
    l->closing = true;
    timer_stop(&l->again);
    peek_drop(&l->peeking);
    LIST_EACH(&l->pending, it) {
        struct pending *p = CONTAINER(it, struct pending, in_listener);
        list_unlink(it);
        p->listener = NULL;
        conn_close(p->conn, CONN_BY_OWNER);
    }
    if (l->path)
        unlink(l->path);
    uv_close((uv_handle_t *)&l->poll, on_listener_closed);
}

void listen_pause(struct listener *l)
{
    l->paused = true;
    watch(l);
}

void listen_resume(struct listener *l)
{
    l->paused = false;
    watch(l);
}

uint16_t listen_port(const struct listener *l)
{
    return l->port;
}

uint64_t listen_refused(const struct listener *l)
{
    return l->refused;
}
