/* common/net/inside.h - what the files of common/net share; nobody else includes it */
#ifndef NET_INSIDE_H
#define NET_INSIDE_H

#include "common/net/conn.h"
#include "common/net/loop.h"
#include "common/net/tls.h"
#include <uv.h>

enum {
    READ_BYTES = 64 * 1024,  /* the loop's read buffer */
    PLAIN_BYTES = 96 * 1024, /* decrypted: what one read can hold and a record that GnuTLS had begun */
    OUT_FIRST_BYTES = 2048,  /* an output buffer starts with this … */
    OUT_KEEP_BYTES = 16384,  /* … and is kept for the next conn if it did not grow over this … */
    OUT_KEEP = 32,           /* … and so many are kept */
    SIGNALS_MAX = 8,
};

/* Output of one conn: exists while something waits. Once it is given to uv_write it is `flying`. */
struct outbuf {
    struct outbuf *next; /* in the loop's pool */
    struct conn *conn;
    struct buf b;
    size_t from; /* while it flies: what was written before */
    uv_write_t req;
};

struct signal_slot {
    uv_signal_t handle;
    void (*fn)(void *ctx, int signum);
    void *ctx;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;     /* active while something must happen without waiting for events */
    uv_timer_t timer;   /* the wheel's */
    uv_async_t alive;   /* holds loop_run until loop_stop */
    struct signal_slot signals[SIGNALS_MAX];
    unsigned signal_count;
    struct wheel *wheel;
    uint64_t armed_ms;  /* what `timer` is set to; UINT64_MAX: not set */
    struct turns {
        struct turn *first, *last;
        size_t n;
    } turns, flushed; /* for the end of the turn; for when the conns have been flushed */
    struct conn *dirty, *dirty_last;
    struct outbuf *pool;
    unsigned pool_count;
    char *read_buf;     /* READ_BYTES */
    char *plain_buf;    /* PLAIN_BYTES; NULL before the first TLS */
    struct buf cipher;  /* what GnuTLS pushed, for the conn it works on; empty between calls */
    uint64_t began_ns;  /* when this turn's first event came; 0: none yet */
    struct loop_stats stats;
    size_t conns, gone; /* conns that exist; those freed since memory was released */
    struct timer release;
    unsigned holds;     /* loop_hold */
    bool stopping;
};

void loop_touch(struct loop *loop); /* called first by every callback of libuv */
struct outbuf *outbuf_take(struct loop *loop);
void outbuf_give(struct loop *loop, struct outbuf *o);
void loop_dirty(struct loop *loop, struct conn *c); /* conn_end_turn(c) at the end of the turn */
void loop_undirty(struct loop *loop, struct conn *c);
void loop_conn_gone(struct loop *loop);

struct dial;        /* dial.c */
struct finish;      /* conn.c: exists while the conn is being finished */

/* What lies between a conn and its socket when TLS is on: the first member of tlsconn.c's session. */
struct layer {
    bool handshaking;
    void (*input)(struct conn *c, struct slice bytes);
    void (*flush)(struct conn *c); /* encrypts and sends c->out */
    void (*bye)(struct conn *c);   /* sends close-notify */
    size_t (*unread)(const struct conn *c, size_t flying); /* plain bytes of records that so many of cipher text are the rest of */
    void (*free)(struct conn *c);
};

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    struct loop *loop;
    const struct conn_conf *conf;
    void *owner;
    struct outbuf *out;      /* NULL: nothing was written since the last flush */
    struct conn *dirty_next;
    struct layer *tls;       /* NULL: plain */
    struct dial *dial;
    struct finish *finish;
    struct sockaddr_in6 *peer; /* what conn_peer_set said */
    struct why *why;
    size_t left;             /* waiting output, when it closed */
    uint32_t handed, taken;  /* bytes of the owner's that have left `out`; when it closed: of these the socket has taken */
    unsigned flying;         /* buffers given to uv_write */
    uint8_t cause;
    bool connected : 1, closing : 1, finishing : 1, paused : 1, reading : 1, dirty : 1, was_full : 1;
    bool broken : 1; /* the socket takes nothing any more: what the peer had written is still read, then it closes */
    bool shut : 1, peer_eof : 1, opened : 1 /* the handle is initialised and ours to close */;
};

struct conn *conn_new(struct loop *loop, const struct conn_conf *conf, void *owner);
void conn_init_tcp(struct conn *c);
void conn_init_pipe(struct conn *c);
void conn_feed(struct conn *c, struct slice bytes); /* as if read from the socket just now */
void conn_eof(struct conn *c);        /* the peer sends no more */
void conn_fail(struct conn *c, enum conn_cause cause, const char *fmt, ...) PRINTF_LIKE(3, 4);
void conn_end_turn(struct conn *c);
void conn_fly(struct conn *c, struct outbuf *o, size_t from); /* uv_write of o's bytes from `from` on */
void conn_is_gone(struct conn *c);    /* the handle is closed: tells the owner, frees */
/* Sends bytes as they are: tries the socket, what it does not take flies. */
void conn_wire(struct conn *c, struct slice bytes);

void dial_free(struct conn *c);       /* detaches and frees what dialling needed */
bool dial_closing(struct conn *c);    /* true: the dialler has the handle and will call conn_is_gone */

/* peek.c: reads a PROXY header from the socket, and only that, within ms; hands the socket on (from: AF_UNSPEC where it says nothing), or
 * closes it. What is on its way is in list; peek_drop closes it all. */
struct link;
void peek_proxy(struct loop *loop, struct link *list, int fd, uint32_t ms,
                void (*done)(void *ctx, int fd, const struct sockaddr_storage *from), void *ctx);
void peek_drop(struct link *list);

static inline bool conn_handshaking(const struct conn *c)
{
    return c->tls && c->tls->handshaking;
}

#endif
