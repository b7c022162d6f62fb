/* common/link/control.h - urn:bulkhead:session:0: one struct, one writer, one reader per element
 *
 * The payload of FRAME_CONTROL. Writers append the whole element to out; readers take the parsed element and check
 * everything (RC_SYNTAX names the attribute). Slices of read structs point into the tree. Pure. */
#ifndef LINK_CONTROL_H
#define LINK_CONTROL_H

#include "common/base/buf.h"
#include "common/xmpp/node.h"
#include "common/xmpp/sasl.h"
#include "common/xmpp/sasl2.h"
#include "common/xmpp/stanza.h"
#include "common/xmpp/stream.h"

#define CONTROL_KINDS(X)                                                                      \
    /* router → node */                                                                       \
    X(NODE_UP, "node-up")     /* a node is there (again), or has bound other names */          \
    X(NODE_DOWN, "node-down") /* a node has lost its link to this router */                   \
    X(COMPONENTS, "components") /* names that components have bound at this router: all of them. To sessman and s2s */ \
    /* node → router */                                                                       \
    X(NAMES, "names")         /* the names this node has bound from now on: all of them */     \
    /* node → router → all nodes, and back */                                                  \
    X(ASK, "ask")             /* what do all of you say to this control command? Who may ask what: router/asks.c */ \
    X(TOLD, "told")           /* the answer of one, to the router; from it, to who has asked */ \
    /* edge → sessman, of a session */                                                        \
    X(OPEN, "open")           /* first frame of a session id */                               \
    X(AUTH, "auth")           /* SASL: mechanism and initial response */                      \
    X(RESPONSE, "response")   /* SASL: next step */                                           \
    X(ABORT, "abort")         /* SASL: the client gave up this attempt */                     \
    X(BIND, "bind")           /* bind a resource */                                           \
    X(AUTHENTICATE, "authenticate") /* SASL2: mechanism, initial response and all that is asked for with them */ \
    X(GONE, "gone")           /* the client's stream has ended; last frame of the session id */ \
    X(CSI, "csi")             /* whether anybody looks at the client (XEP-0352) */            \
    X(SM_ENABLE, "sm-enable") /* XEP-0198: frames behind it carry the client's count as mark */ \
    X(ACKED, "acked")         /* the client has acknowledged stanzas up to h */               \
    X(RESUME, "resume")       /* instead of bind: the client wants an earlier session back */ \
    X(ECHO, "echo")           /* what the edge answers to a stanza, to come back in the session's order; empty: nothing. Its \
                                 mark is the stanza's number */                               \
    /* edge → sessman */                                                                      \
    X(ALIVE, "alive")         /* to one that was restarted, outside the channel: bound sessions, and marked stanzas they have had */ \
    X(UNDELIVERED, "undelivered") /* marked stanzas that their client did not get */          \
    X(UNREAD, "unread")       /* those that its socket has not taken at once; comes before their frames are acknowledged. Of each \
                                 follows, while the edge lives, that it is read or undelivered */ \
    X(READ, "read")           /* of those that were unread: it has taken them now */          \
    /* s2s → sessman */                                                                       \
    X(SENT, "sent")           /* marked stanzas that s2s need not be given again: their server has them, or they were answered */ \
    /* sessman → edge, of a session */                                                        \
    X(CHALLENGE, "challenge")                                                                 \
    X(SUCCESS, "success")                                                                     \
    X(FAILURE, "failure")                                                                     \
    X(AUTHENTICATED, "authenticated") /* SASL2: success, and what was done with it */         \
    X(BOUND, "bound")                                                                         \
    X(BIND_REFUSED, "bind-refused")                                                           \
    X(SM_ENABLED, "sm-enabled") /* what follows is counted */                                 \
    X(RESUMED, "resumed")     /* the session id is that earlier session from now on */        \
    X(RESUME_FAILED, "resume-failed")                                                         \
    X(FLOW, "flow")           /* to be sent back once most of what was sent before has been taken by the client */ \
    X(CLOSE, "close")         /* send this stream error and close; the edge answers with gone */ \
    /* sessman → edge */                                                                      \
    X(DOMAINS, "domains")     /* the hosted domains and what is offered in them: all of them */ \
    X(SETTLED, "settled")     /* its frames up to a number need not be remembered for <alive/> any more */
enum control_kind {
    CONTROL_NONE,
#define X(id, name) CONTROL_##id,
    CONTROL_KINDS(X)
#undef X
};
enum control_kind control_kind_of(const struct node *n); /* CONTROL_NONE: not one of ours */

enum node_role { ROLE_COMPONENT, ROLE_EDGE, ROLE_S2S, ROLE_SESSMAN, ROLE_ADMIN };
const char *node_role_name(enum node_role r); /* "component", "edge", "s2s", "sessman", "admin" */
bool node_role_parse(struct slice s, enum node_role *out);

#define CONTROL_NAMES_MAX 1024
struct control_node_up {
    uint64_t node;
    enum node_role role;
    struct slice instance;         /* "c2s-1" */
    const struct slice *names;     /* bound names; sessman: the hosted domains */
    size_t n_names;
};
struct control_open {
    struct slice domain;           /* the stream's `to`, prepared */
    struct slice ip;               /* the client's address as text, for logs and rates */
    bool secure;                   /* TLS */
    bool trusted_plain;            /* a test installation's loopback client: rates do not bind, PLAIN without TLS */
    bool api;                      /* a request to the HTTP API: sessman/apisession.h says what that session is */
    bool offered_plus;             /* -PLUS mechanisms were offered on this stream */
    struct slice mechanisms;       /* offered on this stream, space-separated (XEP-0474) */
    struct slice bindings;         /* channel-binding types advertised, space-separated (XEP-0440) */
    struct sasl_cb cb;             /* base64 on the wire */
    const struct slice *cert_jids; /* XmppAddr identities of a verified client certificate */
    size_t n_cert_jids;
};
struct control_auth {
    struct slice mechanism;
    bool has_initial;
    struct slice initial;          /* decoded; base64 on the wire */
};
/* The client's <authenticate/> goes through as it is, canonical; sasl2_read is the one reader at both ends. `response` and `abort` follow as
 * with `auth`; the outcome is `authenticated` or `failure`. */
struct control_authenticate {
    struct slice from;             /* bare JID of the stream header; empty: it had none */
    struct sasl2_request request;
};
struct control_authenticated {
    bool has_data;
    struct slice data;             /* of the mechanism, decoded */
    struct slice user;             /* bare JID that is authenticated now */
    struct slice full;             /* full JID that was bound with it (XEP-0386); empty: none */
    bool resumed;                  /* full is that of an earlier session, which goes on here (XEP-0198 9.2): nothing was bound */
    bool sm;                       /* stream management begins behind this, with these counts (as control_resumed) */
    uint32_t in, out;
    struct slice bound;            /* canonical elements of its <bound/> */
    struct slice more;             /* other canonical elements for the client's <success/>: <token/> */
};
struct control_success {
    bool has_data;
    struct slice data;
    struct slice user;             /* bare JID that is authenticated now */
};
struct control_failure {
    enum sasl_fail cond;
    struct slice text;
};
struct control_bind_refused {
    enum stanza_cond cond;
    struct slice text;
};
struct control_close {
    enum stream_cond cond;
    struct slice text;
};
struct control_domain {
    struct slice name;
    bool registration;             /* in-band registration is open */
    struct slice mechanisms;       /* space-separated, without -PLUS variants: the edge adds those it can bind */
    struct slice binds;            /* namespaces that may be asked for with Bind 2, space-separated (XEP-0386 3.1) */
    struct slice features;         /* canonical elements that follow <bind/> in the features after login */
};
#define CONTROL_LIST_MAX 4096      /* sessions, and marks, of one element */
struct control_alive_session {     /* <s/> */
    uint64_t id;
    bool sm;                       /* XEP-0198 */
    uint32_t out, acked;           /* sm: stanzas sent to the client so far, and acknowledged by it, modulo 2^32 */
};
struct control_mark {              /* <m/>: a stanza with a mark (frame.h) that was sent to a session */
    uint64_t session, pos;
    uint64_t origin;               /* as in frame.h; 0: none */
};
#define CONTROL_SENT_RUN 256
struct control_run {               /* <r/> of <sent/>: the marks from first on */
    uint64_t first, n;             /* n: 1 to CONTROL_SENT_RUN */
};
struct control_alive {
    const struct control_alive_session *sessions;
    size_t n_sessions;
    const struct control_mark *marks;
    size_t n_marks;
    uint64_t upto;                 /* number of the edge's last frame: what is not listed has ended in the frames up to there */
    bool end;                      /* the last of the elements */
};
struct control_sm_enable {
    bool resume;                   /* the client wants to be able to resume */
    uint32_t max_s;                /* how long, at most; 0: it did not say */
};
struct control_sm_enabled {
    struct slice id;               /* resumption id; empty: not resumable */
    uint32_t max_s;                /* how long it is kept without a connection */
};
struct control_resume {
    struct slice previd;
    uint32_t h;                    /* XEP-0198 5: what the client has had */
};
struct control_resumed {
    struct slice previd;
    struct jid full;
    uint32_t in;                   /* stanzas of the client that are dealt with: its h */
    uint32_t out;                  /* what it has acknowledged; stanzas are sent from the next one on */
};
struct control_resume_failed {
    enum stanza_cond cond;
    bool has_h, too_high;
    uint32_t h;                    /* has_h: stanzas of the client that were dealt with */
    uint32_t sent;                 /* too_high: it acknowledged more than these */
};
#define CONTROL_TOLD_MAX (192 * 1024) /* bytes of an answer: a frame has room for it, escaped */
#define CONTROL_ARGS_MAX 1024
struct control_ask {
    uint64_t id;                   /* of the asker's; to a node, of the router's */
    struct slice what, args;       /* of a control command (daemon/ctl.h): "log", "warn 100" */
};
struct control_told {
    uint64_t id;                   /* of the ask */
    bool failed;                   /* text says why */
    struct slice text;             /* written as XML can have it: '?' for what is no character of it, or no UTF-8 */
    /* Written by the router: from a node they are absent, and not looked at. */
    uint64_t node;                 /* who says it; 0: absent */
    struct slice role, instance;   /* "router", or a node_role_name */
    uint32_t more;                 /* so many are still expected from this router; 0: this was the last */
};
void control_write_node_up(struct buf *out, const struct control_node_up *c);
void control_write_node_down(struct buf *out, uint64_t node);
void control_write_names(struct buf *out, const struct slice *names, size_t n);
void control_write_components(struct buf *out, const struct slice *names, size_t n);
void control_write_ask(struct buf *out, const struct control_ask *c);
void control_write_told(struct buf *out, const struct control_told *c);
void control_write_open(struct buf *out, const struct control_open *c);
void control_write_auth(struct buf *out, const struct control_auth *c);
void control_write_authenticate(struct buf *out, struct slice from, const struct node *authenticate); /* the client's */
void control_write_response(struct buf *out, struct slice data);
void control_write_abort(struct buf *out);
void control_write_bind(struct buf *out, struct slice resource); /* empty: the server chooses */
void control_write_gone(struct buf *out, bool lost);             /* lost: the socket broke, no </stream> */
void control_write_csi(struct buf *out, bool active);
void control_write_flow(struct buf *out, uint16_t n);
void control_write_challenge(struct buf *out, struct slice data);
void control_write_success(struct buf *out, const struct control_success *c);
void control_write_authenticated(struct buf *out, const struct control_authenticated *c);
void control_write_failure(struct buf *out, const struct control_failure *c);
void control_write_bound(struct buf *out, struct slice full_jid);
void control_write_bind_refused(struct buf *out, const struct control_bind_refused *c);
void control_write_close(struct buf *out, const struct control_close *c);
void control_write_domains(struct buf *out, const struct control_domain *d, size_t n);
void control_write_alive(struct buf *out, const struct control_alive *c);
void control_write_undelivered(struct buf *out, const struct control_mark *marks, size_t n);
void control_write_sent(struct buf *out, const struct control_run *runs, size_t n);
void control_write_unread(struct buf *out, const struct control_mark *marks, size_t n);
void control_write_read(struct buf *out, const struct control_mark *marks, size_t n);
void control_write_settled(struct buf *out, uint64_t seq);
void control_write_sm_enable(struct buf *out, const struct control_sm_enable *c);
void control_write_sm_enabled(struct buf *out, const struct control_sm_enabled *c);
void control_write_acked(struct buf *out, uint32_t h);
void control_write_resume(struct buf *out, const struct control_resume *c);
void control_write_resumed(struct buf *out, const struct control_resumed *c);
void control_write_resume_failed(struct buf *out, const struct control_resume_failed *c);
void control_write_echo(struct buf *out, const struct node *stanza); /* NULL: none */

MUST_USE enum rc control_read_node_up(struct arena *a, const struct node *n, struct control_node_up *out, struct why *why);
MUST_USE enum rc control_read_node_down(const struct node *n, uint64_t *node, struct why *why);
MUST_USE enum rc control_read_names(struct arena *a, const struct node *n, struct slice **names, size_t *count,
                                    struct why *why); /* prepared domains; of `components`, too */
MUST_USE enum rc control_read_ask(const struct node *n, struct control_ask *out, struct why *why);
MUST_USE enum rc control_read_told(struct arena *a, const struct node *n, struct control_told *out, struct why *why);
MUST_USE enum rc control_read_open(struct arena *a, const struct node *n, struct control_open *out, struct why *why);
MUST_USE enum rc control_read_auth(struct arena *a, const struct node *n, struct control_auth *out, struct why *why);
MUST_USE enum rc control_read_data(struct arena *a, const struct node *n, struct slice *out, struct why *why);
                                                     /* challenge, response */
MUST_USE enum rc control_read_success(struct arena *a, const struct node *n, struct control_success *out, struct why *why);
MUST_USE enum rc control_read_authenticate(struct arena *a, const struct node *n, struct control_authenticate *out,
                                           struct why *why);
MUST_USE enum rc control_read_authenticated(struct arena *a, const struct node *n, struct control_authenticated *out,
                                            struct why *why);
MUST_USE enum rc control_read_failure(struct arena *a, const struct node *n, struct control_failure *out, struct why *why);
/* *resource is prepared; RC_SYNTAX: it is none (the client gets bad-request). */
MUST_USE enum rc control_read_bind(struct arena *a, const struct node *n, struct slice *resource, struct why *why);
MUST_USE enum rc control_read_bound(struct arena *a, const struct node *n, struct jid *full, struct why *why);
MUST_USE enum rc control_read_bind_refused(struct arena *a, const struct node *n, struct control_bind_refused *out,
                                           struct why *why);
MUST_USE enum rc control_read_gone(const struct node *n, bool *lost, struct why *why);
MUST_USE enum rc control_read_csi(const struct node *n, bool *active, struct why *why);
MUST_USE enum rc control_read_flow(const struct node *n, uint16_t *number, struct why *why);
MUST_USE enum rc control_read_close(struct arena *a, const struct node *n, struct control_close *out, struct why *why);
MUST_USE enum rc control_read_alive(struct arena *a, const struct node *n, struct control_alive *out, struct why *why);
MUST_USE enum rc control_read_undelivered(struct arena *a, const struct node *n, const struct control_mark **marks,
                                          size_t *count, struct why *why); /* `unread` and `read`, too */
MUST_USE enum rc control_read_sent(struct arena *a, const struct node *n, const struct control_run **runs, size_t *count,
                                   struct why *why);
MUST_USE enum rc control_read_settled(const struct node *n, uint64_t *seq, struct why *why);
MUST_USE enum rc control_read_domains(struct arena *a, const struct node *n, struct control_domain **out, size_t *count,
                                      struct why *why);

MUST_USE enum rc control_read_sm_enable(const struct node *n, struct control_sm_enable *out, struct why *why);
MUST_USE enum rc control_read_sm_enabled(const struct node *n, struct control_sm_enabled *out, struct why *why);
MUST_USE enum rc control_read_acked(const struct node *n, uint32_t *h, struct why *why);
MUST_USE enum rc control_read_resume(const struct node *n, struct control_resume *out, struct why *why);
MUST_USE enum rc control_read_resumed(struct arena *a, const struct node *n, struct control_resumed *out, struct why *why);
MUST_USE enum rc control_read_resume_failed(const struct node *n, struct control_resume_failed *out, struct why *why);
MUST_USE enum rc control_read_echo(const struct node *n, struct node **stanza, struct why *why); /* NULL: none */

#endif
