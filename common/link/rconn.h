/* common/link/rconn.h - a connection to one router: dial, log in, frames; back off and dial again. For
 * rlink.c only
 *
 * Lives as long as the rlink, whatever becomes of its sockets. */
#ifndef LINK_RCONN_H
#define LINK_RCONN_H

#include "common/link/frame.h"
#include "common/link/rlink.h"
#include "common/net/tls.h"
#include "common/net/work.h"
#include "common/xmpp/xmlin.h"

struct rconn;
struct rconn_ops {
    void (*on_up)(void *owner, struct rconn *rc);
    void (*on_down)(void *owner, struct rconn *rc); /* of one that was up */
    void (*on_frame)(void *owner, struct rconn *rc, const struct frame *f);
};
struct rconn_shared { /* one per rlink */
    struct loop *loop;
    struct log *log;
    const struct rlink_conf *conf;
    uint64_t node;
    struct xmlin_pool *xml;
    struct work_pool *work;
    struct tls_ctx *tls; /* NULL: no address wants it, or it cannot be had (why) */
    struct why tls_why;
    const struct rconn_ops *ops;
    void *owner;
};
/* address is borrowed; index: among the rlink's. Dials at once. */
struct rconn *rconn_new(const struct rconn_shared *shared, const char *address, unsigned index);
void rconn_stop(struct rconn *rc);  /* flushes, closes, and no callback follows */
void rconn_free(struct rconn **rc); /* after the loop has ended */
unsigned rconn_index(const struct rconn *rc);
bool rconn_up(const struct rconn *rc);
const char *rconn_address(const struct rconn *rc);
/* Nothing happens where it is not up. */
void rconn_send(struct rconn *rc, struct slice bytes);
void rconn_send_pieces(struct rconn *rc, struct frame *f, const struct slice *pieces,
                       size_t n); /* f->len is set here */
size_t rconn_waiting(const struct rconn *rc);

#endif
