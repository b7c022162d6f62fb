/* s2s/sm.h - stream management between servers (XEP-0198), both directions
 *
 * Theirs to us: h counts the stanzas whose frames the session managers have acknowledged, in order. Ours to them: the wire's `sent`
 * holds what is not acknowledged. A stream that was cut is kept by its id for a while: what it had taken, and who it was. */
#ifndef S2S_SM_H
#define S2S_SM_H

#include "s2s/in.h"
#include "s2s/link.h"
#include "s2s/out.h"

/* Theirs to us, pure. */
struct sm_frame {
    uint64_t node, seq; /* node 0: dealt with */
};
struct sm_in {
    uint64_t taken, done; /* stanzas; of these committed */
    struct sm_frame *ring;
    size_t head, n, cap;  /* ring: taken - done of them */
};
void sm_in_take(struct sm_in *s, uint64_t node, uint64_t seq); /* one more stanza went in this frame; node 0: it needs none */
/* acked(ctx, node): up to which of its frames it is done; 0 for a node that is gone. True: done has grown. */
bool sm_in_settle(struct sm_in *s, uint64_t (*acked)(void *ctx, uint64_t node), void *ctx);
bool sm_in_needs(const struct sm_in *s, uint64_t node); /* a frame to it is not acknowledged */
void sm_in_fini(struct sm_in *s);

struct sm {
    struct sm_in in;
    uint64_t out, acked, asked; /* ours: written, acknowledged, written when we asked last */
    uint64_t answer_at;         /* an <r/> waits until done has reached this; 0: none */
    uint64_t answer_ms;
    char *id;                   /* resumption id; NULL: not resumable */
    bool in_on, out_on;         /* counting */
};
struct sm_kept { /* of a stream that was cut */
    char *id;
    struct sm *sm;
    struct s2s *d;
    struct link pairs;    /* incoming: struct in_pair that it had proven */
    struct link sent;     /* outgoing: struct item not acknowledged; they hold their pairs */
    uint64_t until_ms;
    bool incoming;
};

void sm_free(struct sm **sm);
void sm_feature_write(struct buf *out);
bool sm_may_enable(const struct s2s *d);
/* Elements; true: it was one. */
bool sm_take(struct wire *w, struct arena *a, struct node *n);
void sm_begin(struct out *o);                   /* accepted: resumes, enables, or goes on without */
void sm_stanza(struct wire *w, const struct link_sent *sent); /* a stanza of theirs was dealt with */
void sm_wrote(struct wire *w);
void sm_turn(struct wire *w);                   /* end of the turn: asks */
void sm_acked(struct s2s *d, uint64_t node);    /* a session manager has acknowledged frames */
void sm_node_gone(struct s2s *d, uint64_t node);
void sm_last(struct wire *w);                   /* our side ends: what is committed is told */
bool sm_probe(struct wire *w);                  /* true: <r/> was sent */
void sm_tick(struct wire *w, uint64_t now_ms);  /* once a second */
void sm_keep(struct wire *w);                   /* cut: what can be kept is; else given back */
void sm_kept_drop(struct sm_kept **k);          /* what it held goes back to its pairs */
void sm_kept_tick(struct s2s *d, uint64_t now_ms);
void sm_kept_free_all(struct s2s *d);

#endif
