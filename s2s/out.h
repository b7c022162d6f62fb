/* s2s/out.h - a stream of ours to another server, for one pair (RFC 6120 3, 5, 6; XEP-0220, XEP-0368, XEP-0288)
 *
 * From the name to a stream that takes stanzas: lookup, addresses with a head start for the better one, TLS, the certificate's
 * verdict, SASL EXTERNAL or dialback. What only asks about a dialback key stops before that: the stream is open and unproven,
 * until stanzas want it. Reports to its pair, once: ready, or what went wrong. */
#ifndef S2S_OUT_H
#define S2S_OUT_H

#include "s2s/dialback.h"
#include "s2s/pair.h"
#include "s2s/wire.h"

enum out_state {
    OUT_RESOLVE,  /* the domain is being looked up */
    OUT_DIAL,     /* addresses are being tried */
    OUT_HEADER,   /* our header is out (or TLS is being negotiated before it) */
    OUT_FEATURES, /* theirs has come */
    OUT_PROCEED,  /* <starttls/> is out */
    OUT_OPEN,     /* keys can be asked about; nobody has accepted us yet */
    OUT_SASL,     /* <auth/> is out */
    OUT_DIALBACK, /* <db:result/> is out */
    OUT_SM,       /* accepted; <enable/> or <resume/> is out */
    OUT_READY,
    OUT_CLOSED,
    OUT_STATES
};
const char *out_state_name(enum out_state s);

struct out_try { /* a connection in the making */
    struct out *out; /* NULL: given up */
    struct conn *conn;
    size_t attempt;
};
enum { OUT_TRIES = 3, OUT_ATTEMPTS = 64 };
struct out {
    struct wire w;
    struct pair *pair;    /* whose it is; NULL: it has been told, and the rest is silence */
    struct resolve *resolve;
    struct out_try *tries[OUT_TRIES]; /* at once */
    struct timer timer;   /* head start */
    const struct target_attempt *at; /* the one that is connected */
    size_t next, left;    /* of the attempts; those under way */
    uint64_t lost;        /* a bit for each attempt that was given up because another was faster, or that has another try */
    uint64_t due_ms;      /* the negotiation's end */
    struct failure failed; /* of the attempts so far: told if there is none left */
    struct buf *trace;    /* of a probe: a line for each step; NULL: none */
    uint8_t state;        /* enum out_state */
    bool told : 1;        /* the pair knows how it went */
    bool external : 1, sm : 1, bidi : 1, dialback : 1; /* the peer's features say so */
    bool starttls : 1;
    bool asked_tls : 1;   /* <starttls/> went behind our header */
    bool tried_external : 1;
    bool external_refused : 1; /* they offered EXTERNAL and did not take our certificate: not shown to them again */
    bool accepted : 1;
    bool blamed : 1;      /* it is known what was wrong with this connection */
    uint8_t how;          /* enum proof: how they have accepted us */
};
static inline struct out *out_of(struct wire *w)
{
    return CONTAINER(w, struct out, w);
}
static inline const struct out *out_at(const struct wire *w) /* w is its first member */
{
    return (const struct out *)(const void *)w;
}

/* trace: NULL, or where a probe's lines go: borrowed. */
struct out *out_new(struct pair *p, struct buf *trace);
void out_want(struct out *o);              /* stanzas wait: be accepted, where that can begin now */
bool out_ask(struct out *o, struct verify *v); /* true: the key was asked about */
void out_drop(struct out **o);             /* the pair wants no more of it */
void out_leave(struct out *o);             /* it has no pair any more */
void outs_leave(struct s2s *d, const struct pair *p); /* the pair is to be freed: no stream knows it any more */
void out_trace(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
void out_ready(struct out *o);             /* sm.c: stream management has been settled */

#endif
