/* common/net/conn.c - life, input and output of a conn; dialling is in dial.c, TLS in tlsconn.c */
#include "common/net/conn.h"

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/net/inside.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EOF_LINGER_MS = 10000, PIECES_MAX = 64 };

struct finish {
    struct conn *conn;
    struct timer timer;
    uv_shutdown_t req;
};

const char *conn_cause_name(enum conn_cause cause)
{
    static const char *const names[] = { "owner", "peer", "io", "tls", "overflow", "timeout" };
    return (size_t)cause < sizeof names / sizeof *names ? names[cause] : "?";
}

/* --- life --- */

struct conn *conn_new(struct loop *loop, const struct conn_conf *conf, void *owner)
{
    struct conn *c = mem_new(sizeof *c);
    c->loop = loop;
    c->conf = conf;
    c->owner = owner;
    loop->conns++;
    return c;
}

void conn_init_tcp(struct conn *c)
{
    uv_tcp_init(&c->loop->uv, &c->u.tcp);
    c->u.handle.data = c;
    c->opened = true;
}

void conn_init_pipe(struct conn *c)
{
    uv_pipe_init(&c->loop->uv, &c->u.pipe, 0);
    c->u.handle.data = c;
    c->opened = true;
}

struct conn *conn_adopt(struct loop *loop, int fd, bool is_unix, const struct conn_conf *conf, void *owner)
{
    struct conn *c = conn_new(loop, conf, owner);
    if (is_unix)
        conn_init_pipe(c);
    else
        conn_init_tcp(c);
    int err = is_unix ? uv_pipe_open(&c->u.pipe, fd) : uv_tcp_open(&c->u.tcp, fd);
    if (err < 0) {
        close(fd);
        conn_fail(c, CONN_IO, "%s", uv_strerror(err));
        return c;
    }
    c->connected = true;
    return c;
}

void conn_owner_set(struct conn *c, const struct conn_conf *conf, void *owner)
{
    c->conf = conf;
    c->owner = owner;
}

void conn_is_gone(struct conn *c)
{
    struct loop *loop = c->loop;
    loop_undirty(loop, c);
    if (c->out)
        outbuf_give(loop, c->out);
    c->out = NULL;
    if (c->tls)
        c->tls->free(c);
    dial_free(c);
    if (c->finish) {
        timer_stop(&c->finish->timer);
        mem_free(c->finish);
    }
    struct why none = { "" };
    c->conf->ops->on_closed(c->owner, (enum conn_cause)c->cause, c->why ? c->why : &none);
    mem_free(c->why);
    mem_free(c->peer);
    mem_free(c);
    loop_conn_gone(loop);
}

static void on_uv_closed(uv_handle_t *handle)
{
    loop_touch(handle->loop->data);
    conn_is_gone(handle->data);
}

static uint32_t taken_now(const struct conn *c)
{
    size_t flying = c->u.stream.write_queue_size;
    if (flying && c->tls)
        flying = c->tls->unread(c, flying);
    return c->handed - (uint32_t)flying;
}

void conn_close(struct conn *c, enum conn_cause cause)
{
    if (c->closing)
        return;
    c->closing = true;
    if (!c->finishing || cause != CONN_BY_OWNER)
        c->cause = (uint8_t)cause;
    c->left = conn_waiting(c);
    c->taken = taken_now(c);
    if (!dial_closing(c))
        uv_close(&c->u.handle, on_uv_closed);
}

void conn_fail(struct conn *c, enum conn_cause cause, const char *fmt, ...)
{
    if (c->closing)
        return;
    char text[sizeof c->why->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!c->why)
        c->why = mem_new(sizeof *c->why);
    why_set(c->why, "%s", text);
    conn_close(c, cause);
}

static bool is_by_peer(int err)
{
    return err == UV_ECONNRESET || err == UV_EPIPE;
}

static void fail_io(struct conn *c, int err)
{
    enum conn_cause cause = is_by_peer(err) ? CONN_BY_PEER : err == UV_ETIMEDOUT ? CONN_TIMEOUT : CONN_IO;
    conn_fail(c, cause, "%s", uv_strerror(err));
}

/* A peer that has died may have said something before, which is here and not read yet. */
static void fail_write(struct conn *c, int err)
{
    if (is_by_peer(err) && !c->finishing && !c->peer_eof && !conn_handshaking(c))
        c->broken = true;
    else
        fail_io(c, err);
}

bool conn_closing(const struct conn *c)
{
    return c->closing || c->finishing;
}

/* --- finishing --- */

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)req;
    (void)status; /* an error shows in reading as well */
}

static void on_linger(struct timer *t)
{
    struct finish *f = CONTAINER(t, struct finish, timer);
    conn_close(f->conn, CONN_BY_OWNER);
}

/* Goes on with finishing when nothing waits any more: half-close, or close if the peer has closed. */
static void finish_step(struct conn *c)
{
    if (!c->finishing || c->closing || c->shut || (c->out && !c->broken) || c->flying)
        return;
    if (c->peer_eof || c->broken) {
        conn_close(c, CONN_BY_OWNER);
        return;
    }
    c->shut = true;
    if (c->tls)
        c->tls->bye(c);
    if (!c->closing && uv_shutdown(&c->finish->req, &c->u.stream, on_shutdown) < 0)
        conn_close(c, CONN_BY_OWNER);
}

static void reading(struct conn *c);

static void finish(struct conn *c, enum conn_cause cause, uint32_t linger_ms)
{
    c->finishing = true;
    c->cause = (uint8_t)cause;
    c->finish = mem_new(sizeof *c->finish);
    c->finish->conn = c;
    loop_timer(c->loop, &c->finish->timer, linger_ms, on_linger);
    c->paused = false;
    reading(c); /* to see the peer close */
    conn_flush(c);
    finish_step(c);
}

void conn_finish(struct conn *c, uint32_t linger_ms)
{
    if (c->closing || c->finishing)
        return;
    if (!c->connected || conn_handshaking(c))
        conn_close(c, CONN_BY_OWNER);
    else
        finish(c, CONN_BY_OWNER, linger_ms);
}

/* --- input --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct loop *loop = handle->loop->data;
    (void)suggested;
    loop_touch(loop);
    buf->base = loop->read_buf;
    buf->len = READ_BYTES;
}

/* The peer will send no more; what we owe it is still sent. */
void conn_eof(struct conn *c)
{
    c->peer_eof = true;
    c->reading = false; /* libuv has stopped by itself */
    if (!c->finishing) {
        conn_flush(c);
        if (c->closing)
            return;
        if (!conn_waiting(c) || conn_handshaking(c) || c->broken)
            conn_close(c, CONN_BY_PEER);
        else
            finish(c, CONN_BY_PEER, EOF_LINGER_MS);
    } else if (!conn_waiting(c)) {
        conn_close(c, CONN_BY_OWNER);
    }
}

void conn_feed(struct conn *c, struct slice bytes)
{
    if (c->tls)
        c->tls->input(c, bytes);
    else if (!conn_closing(c) && bytes.len)
        c->conf->ops->on_input(c->owner, bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    if (n == UV_EOF) {
        conn_eof(c);
    } else if (n < 0) {
        fail_io(c, (int)n);
    } else if (n > 0) {
        if (c->conf->totals) {
            c->conf->totals->in_bytes += (size_t)n;
            c->conf->totals->in_calls++;
        }
        conn_feed(c, slice_of(buf->base, (size_t)n));
    }
}

static void reading(struct conn *c)
{
    bool want = c->connected && !c->paused && !c->closing && !c->peer_eof;
    if (want == c->reading || c->closing)
        return;
    c->reading = want;
    if (!want)
        uv_read_stop(&c->u.stream);
    else if (uv_read_start(&c->u.stream, on_alloc, on_read) < 0)
        conn_fail(c, CONN_IO, "cannot read");
}

void conn_begin(struct conn *c)
{
    c->connected = true;
    reading(c);
    if (c->out)
        loop_dirty(c->loop, c);
}

ssize_t conn_read_now(struct conn *c, char *to, size_t size)
{
    uv_os_fd_t fd;
    if (c->tls || c->closing || uv_fileno(&c->u.handle, &fd) < 0)
        return -1;
    return read(fd, to, size);
}

void conn_pause(struct conn *c)
{
    if (c->finishing)
        return;
    c->paused = true;
    reading(c);
}

void conn_resume(struct conn *c)
{
    c->paused = false;
    if (c->connected)
        reading(c);
}

bool conn_paused(const struct conn *c)
{
    return c->paused;
}

/* --- output --- */

static void count_out(struct conn *c, size_t n)
{
    if (c->conf->totals) {
        c->conf->totals->out_bytes += n;
        c->conf->totals->out_calls++;
    }
}

size_t conn_waiting(const struct conn *c)
{
    return (c->out ? c->out->b.len : 0) + c->u.stream.write_queue_size;
}

uint32_t conn_written(const struct conn *c)
{
    return c->handed + (c->out ? (uint32_t)c->out->b.len : 0);
}

uint32_t conn_taken(const struct conn *c)
{
    return c->closing ? c->taken : taken_now(c);
}

size_t conn_left(const struct conn *c)
{
    return c->left;
}

bool conn_full(const struct conn *c)
{
    return c->conf->out_full && conn_waiting(c) >= c->conf->out_full;
}

void conn_patience(struct conn *c, uint32_t ms)
{
    uv_os_fd_t fd;
    unsigned value = ms;
    if (!c->closing && uv_fileno(&c->u.handle, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value); /* of no other sockets */
}

/* Bytes that the socket took now; 0 where it takes none; less than 0: failed, and closing or broken. */
static ssize_t try_write(struct conn *c, const uv_buf_t *bufs, unsigned n)
{
    int wrote = uv_try_write(&c->u.stream, bufs, n);
    if (wrote >= 0)
        count_out(c, (size_t)wrote);
    else if (wrote == UV_EAGAIN)
        wrote = 0;
    else
        fail_write(c, wrote);
    return wrote;
}

static void on_written(uv_write_t *req, int status)
{
    struct outbuf *o = CONTAINER(req, struct outbuf, req);
    struct conn *c = o->conn;
    loop_touch(c->loop);
    c->flying--;
    if (status < 0 && !c->closing) /* how much of it was written nobody knows */
        c->handed -= (uint32_t)(o->b.len - o->from);
    outbuf_give(c->loop, o);
    if (c->closing)
        return;
    if (status < 0)
        fail_write(c, status);
    else
        conn_end_turn(c);
}

void conn_fly(struct conn *c, struct outbuf *o, size_t from)
{
    uv_buf_t buf = { .base = o->b.p + from, .len = o->b.len - from };
    o->conn = c;
    o->from = from;
    c->flying++;
    int err = uv_write(&o->req, &c->u.stream, &buf, 1, on_written);
    if (err < 0) {
        c->flying--;
        outbuf_give(c->loop, o);
        fail_write(c, err);
        return;
    }
    count_out(c, buf.len);
}

void conn_wire(struct conn *c, struct slice bytes)
{
    ssize_t wrote = 0;
    if (c->closing || c->broken || !bytes.len)
        return;
    if (!c->flying) {
        uv_buf_t buf = { .base = (char *)(uintptr_t)bytes.p, .len = bytes.len };
        wrote = try_write(c, &buf, 1);
    }
    if (wrote < 0 || (size_t)wrote == bytes.len)
        return;
    struct outbuf *o = outbuf_take(c->loop);
    buf_slice(&o->b, slice_from(bytes, (size_t)wrote));
    conn_fly(c, o, 0);
}

void conn_flush(struct conn *c)
{
    struct outbuf *o = c->out;
    if (!o || c->flying || c->closing || c->broken || !c->connected || conn_handshaking(c))
        return;
    if (c->tls) {
        c->tls->flush(c);
        return;
    }
    uv_buf_t buf = { .base = o->b.p, .len = o->b.len };
    ssize_t wrote = o->b.len ? try_write(c, &buf, 1) : 0;
    if (wrote < 0)
        return; /* it has not been handed over */
    c->out = NULL;
    c->handed += (uint32_t)buf.len;
    if ((size_t)wrote == o->b.len)
        outbuf_give(c->loop, o);
    else
        conn_fly(c, o, (size_t)wrote);
}

void conn_end_turn(struct conn *c)
{
    conn_flush(c);
    finish_step(c);
    c->was_full = c->was_full || conn_full(c); /* enciphered it is more */
    if (c->was_full && !conn_closing(c) && conn_waiting(c) < c->conf->out_full / 4) {
        c->was_full = false;
        if (c->conf->ops->on_drain)
            c->conf->ops->on_drain(c->owner);
    }
}

/* After output grew: limits, and the end of the turn. */
static void grown(struct conn *c)
{
    const struct conn_conf *conf = c->conf;
    size_t waiting = conn_waiting(c);
    if (conf->out_max && waiting > conf->out_max) {
        conn_flush(c); /* what the socket takes at once does not count */
        waiting = conn_waiting(c);
        if (waiting > conf->out_max) {
            conn_fail(c, CONN_OVERFLOW, "%zu bytes of output wait", waiting);
            return;
        }
    }
    if (conf->out_full && waiting >= conf->out_full)
        c->was_full = true;
    if (c->was_full || (c->out && !c->flying))
        loop_dirty(c->loop, c);
}

struct buf *conn_out(struct conn *c)
{
    if (!c->out)
        c->out = outbuf_take(c->loop);
    return &c->out->b;
}

void conn_wrote(struct conn *c)
{
    if (c->closing || c->finishing || (c->out && !c->out->b.len)) {
        if (c->out)
            outbuf_give(c->loop, c->out);
        c->out = NULL;
        return;
    }
    grown(c);
}

void conn_write(struct conn *c, struct slice bytes)
{
    if (c->closing || c->finishing || !bytes.len)
        return;
    buf_slice(conn_out(c), bytes);
    grown(c);
}

void conn_writev(struct conn *c, const struct slice *pieces, size_t n)
{
    size_t total = 0, wrote = 0;
    uv_buf_t bufs[PIECES_MAX];
    if (c->closing || c->finishing)
        return;
    for (size_t i = 0; i < n; i++)
        total += pieces[i].len;
    if (!c->tls && !c->out && !c->flying && !c->broken && c->connected && n <= PIECES_MAX && total) {
        for (size_t i = 0; i < n; i++)
            bufs[i] = (uv_buf_t){ .base = (char *)(uintptr_t)pieces[i].p, .len = pieces[i].len };
        ssize_t got = try_write(c, bufs, (unsigned)n);
        if (c->closing || (got > 0 && (size_t)got == total))
            return;
        wrote = got > 0 ? (size_t)got : 0;
    }
    bool began = !c->out;
    for (size_t i = 0; i < n; i++) {
        size_t skip = wrote < pieces[i].len ? wrote : pieces[i].len;
        wrote -= skip;
        if (skip < pieces[i].len)
            buf_slice(conn_out(c), slice_from(pieces[i], skip));
    }
    if (began && c->tls)
        conn_flush(c);
    if (!c->closing)
        grown(c);
}

/* --- the peer --- */

void conn_peer_set(struct conn *c, const struct sockaddr *sa)
{
    if (!c->peer)
        c->peer = mem_new(sizeof *c->peer);
    memcpy(c->peer, sa, sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
}

static void peer_addr(const struct conn *c, struct sockaddr_storage *out)
{
    uv_os_fd_t fd;
    socklen_t len = sizeof *out;
    memset(out, 0, sizeof *out);
    if (c->peer)
        memcpy(out, c->peer, sizeof *c->peer);
    else if (uv_fileno(&c->u.handle, &fd) == 0 && getpeername(fd, (struct sockaddr *)out, &len) < 0)
        out->ss_family = AF_UNSPEC;
}

void conn_peer_of(const struct sockaddr_storage *addr, struct conn_peer *out)
{
    memset(out, 0, sizeof *out);
    memcpy(&out->addr, addr, sizeof out->addr); /* no assignment: it is looked at as another type below */
    const struct sockaddr_in *v4 = (const void *)&out->addr;
    const struct sockaddr_in6 *v6 = (const void *)&out->addr;
    if (out->addr.ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, out->ip, sizeof out->ip);
        out->port = ntohs(v4->sin_port);
    } else if (out->addr.ss_family == AF_INET6) {
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], out->ip, sizeof out->ip);
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, out->ip, sizeof out->ip);
        out->port = ntohs(v6->sin6_port);
    } else {
        snprintf(out->ip, sizeof out->ip, "?");
    }
}

enum rc conn_addr_parse(struct slice text, struct sockaddr_storage *out)
{
    char cstr[64];
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    if (slice_to_cstr(text, cstr, sizeof cstr) != RC_OK)
        return RC_SYNTAX;
    bool is_v4 = inet_pton(AF_INET, cstr, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, cstr, &v6.sin6_addr) != 1)
        return RC_SYNTAX;
    memset(out, 0, sizeof *out);
    memcpy(out, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof v4 : sizeof v6);
    return RC_OK;
}

void conn_peer(const struct conn *c, struct conn_peer *out)
{
    struct sockaddr_storage addr;
    peer_addr(c, &addr);
    conn_peer_of(&addr, out);
    if (addr.ss_family != AF_INET && addr.ss_family != AF_INET6 && c->u.handle.type == UV_NAMED_PIPE)
        snprintf(out->ip, sizeof out->ip, "unix");
}

enum rc conn_unix_peer_uid(const struct conn *c, uint32_t *uid)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    uv_os_fd_t fd;
    if (c->u.handle.type != UV_NAMED_PIPE || uv_fileno(&c->u.handle, &fd) < 0)
        return RC_UNSUPPORTED;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return RC_IO;
    *uid = cred.uid;
    return RC_OK;
}
