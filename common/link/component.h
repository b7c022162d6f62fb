/* common/link/component.h - how a component or a daemon logs in at a router: XEP-0114, XEP-0225 and the frame
 * level (DESIGN 2), the dialling end, as a state machine
 *
 * Fed with stream headers and elements, it says what to write and what the owner has to do next; the owner
 * moves the bytes. Pure: no I/O, no clock. The listening end is router/negotiate.c. */
#ifndef LINK_COMPONENT_H
#define LINK_COMPONENT_H

#include "common/base/buf.h"
#include "common/xmpp/node.h"
#include "common/xmpp/sasl.h"

/* XEP-0114 3: hex SHA-1 of stream id and secret. */
struct slice component_digest(struct arena *a, struct slice stream_id, struct slice secret);

enum component_do {
    COMPONENT_WAIT,      /* write what is in out, go on reading */
    COMPONENT_START_TLS, /* write nothing; start TLS, then xmlin_reset, set secure and cb,
                            component_login_open */
    COMPONENT_RESTART,   /* xmlin_reset, component_login_open */
    COMPONENT_DERIVE,    /* call component_login_derive, on a worker thread: it costs milliseconds */
    COMPONENT_READY,     /* logged in; in frame mode every byte behind this element is a frame */
    COMPONENT_FAILED,    /* why says how */
};
enum component_level { COMPONENT_0114, COMPONENT_0225, COMPONENT_FRAMES };
enum component_tls { COMPONENT_TLS_NEVER, COMPONENT_TLS_OFFERED, COMPONENT_TLS_REQUIRED };
struct component_login {
    enum component_level level;
    enum component_tls tls;
    struct slice name, secret; /* borrowed; secret empty: EXTERNAL only */
    bool has_cert;             /* a client certificate is in the TLS context */
    bool trusts_cert; /* the router's certificate is verified by the TLS context, so SCRAM need not bind to it
                       */
    bool secure;      /* set by the owner when TLS is up */
    struct sasl_cb cb; /* set by the owner when TLS is up; lives as long as this */
    uint64_t node;     /* frames: what is said in <frames/> */
    struct slice role, instance;
    uint64_t router; /* frames: the router's node, when ready */
    struct arena *a; /* private from here on */
    int state;
    struct slice stream_id, challenge;
    struct scram_client scram;
};
/* Fills the private part; the public one is set by the caller, before or after. */
void component_login_init(struct component_login *l);
void component_login_fini(struct component_login *l);
void component_login_open(struct component_login *l, struct buf *out); /* writes the stream header */
enum component_do component_login_header(struct component_login *l, const struct node *header,
                                         struct buf *out, struct why *why);
enum component_do component_login_element(struct component_login *l, const struct node *n, struct buf *out,
                                          struct why *why);
/* COMPONENT_WAIT or COMPONENT_FAILED. Touches nothing but *l and out. */
enum component_do component_login_derive(struct component_login *l, struct buf *out, struct why *why);

#endif
