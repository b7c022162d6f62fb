/* s2s/wire.h - one XMPP stream with another server, in either direction (RFC 6120 4)
 *
 * Connection, parser, header, writing, limits, idle time, and the stanzas of ours that it carries. What an element means in which
 * state is the business of in.c and out.c, which embed a struct wire each and are called back. One timer serves all. */
#ifndef S2S_WIRE_H
#define S2S_WIRE_H

#include "common/xmpp/stanza.h"
#include "common/xmpp/xmlout.h"
#include "s2s/s2s.h"

struct item;
struct pair;
struct ssm;
enum proof { PROOF_NONE, PROOF_PKIX, PROOF_DANE, PROOF_DIALBACK };
const char *proof_name(enum proof p); /* "none", "external-pkix", "external-dane", "dialback" */

struct wire_ops {
    void (*on_header)(struct wire *w, struct arena *a, const struct node *header);
    void (*on_element)(struct wire *w, struct arena *a, struct node *n);
    void (*on_secure)(struct wire *w);
    /* Our side of the stream is over, whoever ended it: nothing can be sent any more. Once. lost: without </stream:stream>. */
    void (*on_over)(struct wire *w, bool lost, const char *text);
    /* The connection is gone. The last callback: the owner may free itself or give the wire another connection. */
    void (*on_gone)(struct wire *w, enum conn_cause cause, const struct why *why);
    uint64_t (*due)(const struct wire *w);          /* when the negotiation is over its time; UINT64_MAX: it is done */
    void (*on_due)(struct wire *w);
    /* What of the stanza's from and to this stream has proven; PROOF_NONE: it may not send it. */
    enum proof (*may_send)(const struct wire *w, struct slice local, struct slice remote);
    void (*on_refused)(struct wire *w, struct slice cond, const char *text); /* the peer ends the stream with an error; NULL: not wanted */
    const char *(*state)(const struct wire *w);
};

struct wire {
    struct s2s *d;
    const struct wire_ops *ops;
    struct conn *conn;         /* NULL: none now */
    struct xmlin xml;
    struct timer timer;
    struct link link;          /* in s2s.wires */
    struct link room;          /* in s2s.rooms: waits for room in a channel */
    struct link unsettled;     /* in s2s.unsettled: session managers have not acknowledged all that came (sm.h) */
    struct link dirty;         /* in s2s.dirty: something was sent that the socket may not have taken yet */
    struct link pairs;         /* struct pair that send on this stream, by their `on_wire` */
    struct link sent;          /* struct item, in order: written, not acknowledged or not taken by the socket */
    size_t n_sent, sent_bytes;
    struct ssm *sm;             /* stream management; NULL: none */
    char *local, *remote;      /* of the headers, prepared; NULL: not known */
    char *id;                  /* of the stream, as who accepted it chose it; NULL: not known */
    struct limit_use use;
    uint64_t since_ms, last_in_ms, busy_ms; /* connected; last input; last stanza either way */
    uint64_t stuck_ms;         /* since when the socket has not taken what was written; 0: it takes it */
    uint64_t probe_ms;         /* of the last probe */
    char *ping;                /* id of a ping of ours that was not answered (ping.h); NULL: none */
    uint64_t pause_until_ms;   /* a limit says so; 0: not */
    uint64_t stanzas_in, stanzas_out, bytes_in, bytes_out;
    char ip[46];               /* of the peer, as text, also when it has gone */
    uint32_t number;           /* of the connection, for the log */
    uint32_t probe_taken;      /* conn_taken when we probed */
    uint8_t proof;             /* enum proof: of the peer's name by the certificate it showed */
    bool incoming : 1;
    bool bidi : 1;             /* both sides have agreed to it */
    bool secure : 1;
    bool handshaking : 1;      /* TLS is being negotiated: nothing can be said */
    bool trusted : 1;          /* a test installation's own host: no TLS needed, no caps by address */
    bool cut : 1;              /* the rest of this input is not looked at (STARTTLS) */
    bool over : 1;             /* our side has ended */
    bool has_header : 1;       /* our header was written on this stream */
    bool probing : 1;          /* an answer is due */
    bool ended : 1;            /* the peer has ended its side */
    bool hold : 1;             /* nothing more is read until something else is known */
    bool said_end : 1;         /* we have ended ours in words */
};

void wire_init(struct wire *w, struct s2s *d, const struct wire_ops *ops, bool incoming);
void wire_take_conn(struct wire *w, struct conn *conn); /* the stream's from now on; a new stream begins */
void wire_fini(struct wire *w);                         /* no connection any more */
extern const struct conn_ops wire_conn_ops;

/* Our header (once a stream); empty slices are left out. */
void wire_open(struct wire *w, struct slice from, struct slice to, struct slice id);
void wire_restart(struct wire *w);                      /* a new stream on the same connection: after STARTTLS, after SASL */
void wire_write(struct wire *w, struct slice bytes);
void wire_secure_server(struct wire *w);
void wire_secure_client(struct wire *w, bool direct);
/* Ends the stream with an error; text may be NULL. */
void wire_fail(struct wire *w, enum stream_cond cond, const char *text);
void wire_fail_app(struct wire *w, enum stream_cond cond, const char *text, struct slice app);
void wire_end(struct wire *w);                          /* </stream:stream> */
void wire_end_why(struct wire *w, const char *text);    /* the same, for what the peer said (NULL: nothing) */
void wire_cut(struct wire *w, const char *text);        /* the peer cannot be heard: closed without a word */
void wire_arm(struct wire *w);                          /* the timer, after something that changes when it is due */
void wire_pace(struct wire *w);                         /* pauses or resumes reading */
void wire_room(struct wire *w);                         /* the channel has room again */
static inline struct slice wire_local(const struct wire *w)
{
    return slice_cstr(w->local);
}
static inline struct slice wire_remote(const struct wire *w)
{
    return slice_cstr(w->remote);
}

/* --- stanzas of theirs: take.c --- */
void take_stanza(struct wire *w, struct arena *a, struct node *n);
/* What is no stanza, nor anything that a step is for: a stream error of the peer, or a reason for one of ours. */
void take_other(struct wire *w, const struct node *n);
bool take_is_stanza(const struct node *n);

/* --- stanzas of ours --- */
bool wire_may_send(const struct wire *w);               /* there is room for one more */
void wire_send(struct wire *w, struct item *it);        /* owns the item until it is acknowledged, or the wire gives it back */
void wire_acked(struct wire *w, size_t n);              /* the first n of `sent` have arrived */
void wire_taken(struct wire *w);                        /* looks at what the socket has taken */
void wire_give_back(struct wire *w);                    /* what may not have arrived goes to the heads of its pairs' queues */
void wire_dirty(struct wire *w);
void wire_flush_turn(struct turn *t);                   /* of s2s.flush_turn */

struct wire_log { /* who, for a log line */
    struct log_ctx ctx;
};
const struct log_ctx *wire_log(const struct wire *w, struct wire_log *out, enum log_sub sub, const char *doing);

#endif
