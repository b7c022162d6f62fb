/* httpgw/wsframe.h - WebSocket frames of a client in, whole messages out; frames to a client (RFC 6455; the framing itself is wslay's)
 *
 * Refuses what RFC 6455 forbids a client: frames that are not masked, reserved bits (no extension is ever agreed on), unknown kinds,
 * control frames that are long or in pieces, fragments out of turn, text that is no UTF-8. A connection owns memory only while a
 * frame or a message of it is incomplete. Pure: no I/O, no clock. */
#ifndef HTTPGW_WSFRAME_H
#define HTTPGW_WSFRAME_H

#include "common/base/buf.h"

enum wsframe_kind { WSFRAME_TEXT = 1, WSFRAME_CLOSE = 8, WSFRAME_PING = 9, WSFRAME_PONG = 10 };
enum ws_code { /* RFC 6455 7.4.1 */
    WS_GOOD = 0, /* of wsframe_feed: nothing is wrong */
    WS_NORMAL = 1000,
    WS_GOING_AWAY = 1001,
    WS_PROTOCOL = 1002,
    WS_NOT_TEXT = 1003,
    WS_NO_CODE = 1005, /* of on_close: the peer has given none */
    WS_BAD_TEXT = 1007,
    WS_POLICY = 1008,
    WS_TOO_BIG = 1009,
};

struct wsframe_events { /* payload lives until the return; false: the rest of the bytes is not looked at */
    bool (*on_text)(void *owner, struct slice message);
    bool (*on_ping)(void *owner, struct slice payload);
    bool (*on_pong)(void *owner, struct slice payload);
    bool (*on_close)(void *owner, unsigned code);
};

struct wsframe_pool;
struct wsframe_pool *wsframe_pool_new(void);
void wsframe_pool_free(struct wsframe_pool **pool);

struct wsframe { /* zeroed, then pool and max set */
    struct wsframe_pool *pool;
    struct wsframe_ctx *ctx; /* NULL: nothing is incomplete */
    size_t max;              /* bytes of a message; may be changed at any time */
};
/* Takes bytes. Not WS_GOOD: the peer is wrong; close with this code, and feed no more. */
enum ws_code wsframe_feed(struct wsframe *w, struct slice bytes, const struct wsframe_events *ev, void *owner);
void wsframe_fini(struct wsframe *w);

/* One frame whose payload is these pieces, joined. */
void wsframe_write(struct wsframe_pool *pool, struct buf *out, enum wsframe_kind kind, const struct slice *pieces, size_t n);
void wsframe_write_close(struct wsframe_pool *pool, struct buf *out, enum ws_code code);

#endif
