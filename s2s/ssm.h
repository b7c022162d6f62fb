/* s2s/ssm.h - stream management between servers (XEP-0198), both directions
 *
 * Theirs to us: h counts the stanzas whose frames the session managers have acknowledged, in order. Ours to them: the wire's `sent`
 * holds what is not acknowledged. A stream that was cut is kept by its id for a while: what it had taken, and who it was. */
#ifndef S2S_SSM_H
#define S2S_SSM_H

#include "s2s/in.h"
#include "s2s/link.h"
#include "s2s/out.h"

/* Theirs to us, pure. */
struct ssm_frame {
    uint64_t node, seq; /* node 0: dealt with */
};
struct ssm_in {
    uint64_t taken, done; /* stanzas; of these committed */
    struct ssm_frame *ring;
    size_t head, n, cap;  /* ring: taken - done of them */
};
void ssm_in_take(struct ssm_in *s, uint64_t node, uint64_t seq); /* one more stanza went in this frame; node 0: it needs none */
/* acked(ctx, node): up to which of its frames it is done; 0 for a node that is gone. True: done has grown. */
bool ssm_in_settle(struct ssm_in *s, uint64_t (*acked)(void *ctx, uint64_t node), void *ctx);
bool ssm_in_needs(const struct ssm_in *s, uint64_t node); /* a frame to it is not acknowledged */
void ssm_in_fini(struct ssm_in *s);

struct ssm {
    struct ssm_in in;
    uint64_t out, acked, asked; /* ours: written, acknowledged, written when we asked last */
    uint64_t answer_at;         /* an <r/> waits until done has reached this; 0: none */
    uint64_t answer_ms;
    char *id;                   /* resumption id; NULL: not resumable */
    bool in_on, out_on;         /* counting; out alone: <enable/> is not answered yet */
};
struct ssm_kept { /* of a stream that was cut */
    char *id;
    struct ssm *sm;
    struct s2s *d;
    struct link pairs;    /* incoming: struct in_pair that it had proven */
    struct link sent;     /* outgoing: struct item not acknowledged; they hold their pairs */
    uint64_t until_ms;
    bool incoming;
};

void ssm_free(struct ssm **sm);
void ssm_feature_write(struct buf *out);
bool ssm_may_enable(const struct s2s *d);
/* Elements; true: it was one. */
bool ssm_take(struct wire *w, struct arena *a, struct node *n);
void ssm_begin(struct out *o);                   /* accepted: resumes; or enables, or does not, and is ready */
void ssm_stanza(struct wire *w, const struct link_sent *sent); /* a stanza of theirs was dealt with */
void ssm_wrote(struct wire *w);
void ssm_turn(struct wire *w);                   /* end of the turn: asks */
void ssm_acked(struct s2s *d, uint64_t node);    /* a session manager has acknowledged frames */
void ssm_node_gone(struct s2s *d, uint64_t node);
void ssm_last(struct wire *w);                   /* our side ends: what is committed is told */
bool ssm_probe(struct wire *w);                  /* true: <r/> was sent */
void ssm_tick(struct wire *w, uint64_t now_ms);  /* once a second */
void ssm_keep(struct wire *w);                   /* cut: what can be kept is; else given back */
void ssm_kept_drop(struct ssm_kept **k);          /* what it held goes back to its pairs */
void ssm_kept_tick(struct s2s *d, uint64_t now_ms);
void ssm_kept_free_all(struct s2s *d);

#endif
