/* s2s/pair.h - one of our domains with one of theirs: are we connected, what waits, what went wrong last
 *
 * A pair owns the queue of stanzas that are not on a wire, and decides when its outgoing stream is made. Where that fails, what is
 * queued waits for the next attempt if trying again may help, for so long as an item may age; else it is answered at once with the error
 * that names the cause. The pause between attempts doubles, with jitter, up to a ceiling. */
#ifndef S2S_PAIR_H
#define S2S_PAIR_H

#include "common/xmpp/stanza.h"
#include "s2s/s2s.h"

struct out;
struct wire;
struct ssm_kept;

/* A stanza of ours. */
struct item {
    struct link link;   /* in its pair's queue, or in its wire's `sent` */
    struct pair *pair;
    uint64_t node;      /* whose outbox it is in; 0: nobody's (a component's) */
    uint64_t mark;      /* its id there */
    uint64_t at_ms;     /* since when it is here */
    uint32_t upto;      /* on a wire: conn_written behind it */
    bool counted;       /* on a wire: by stream management */
    uint32_t len;
    char bytes[];
};
static inline struct slice item_bytes(const struct item *it)
{
    return slice_of(it->bytes, it->len);
}

enum pair_state {
    PAIR_IDLE,    /* no stream of ours, nothing that needs one, or it may not be tried yet */
    PAIR_TRYING,  /* its stream is being made */
    PAIR_READY,   /* stanzas go out */
    PAIR_STATES
};
/* Where an attempt has failed. */
#define PAIR_STEPS(X) X(NONE, "none") X(POLICY, "policy") X(RESOLVE, "resolve") X(CONNECT, "connect") X(STREAM, "stream") \
    X(TLS, "tls") X(CERTIFICATE, "certificate") X(EXTERNAL, "external") X(DIALBACK, "dialback") X(OPEN, "open")
enum pair_step {
#define X(id, name) STEP_##id,
    PAIR_STEPS(X)
#undef X
};
const char *pair_step_name(enum pair_step s);
struct failure {
    enum pair_step step;
    enum stanza_cond cond;
    bool again;      /* trying again soon may help */
    int64_t wall_ms; /* 0: there was none */
    struct why why;
};

struct verify { /* a key that the server of the pair's remote domain is to be asked about; in.c's */
    struct link link; /* in pair.verifies */
    struct wire *in;  /* who showed it; NULL: it has gone */
    char *id, *key;   /* of that stream */
    uint64_t since_ms; /* when it was shown */
    uint64_t at_ms;    /* when it was asked about last */
    bool asked;       /* on the pair's present stream */
};

struct pair {
    struct s2s *d;
    char *key;              /* "local remote" */
    struct slice local, remote; /* in key */
    struct link queue;      /* struct item */
    size_t n, bytes;        /* of it */
    size_t held;            /* items on wires: the pair stays while they live */
    struct out *out;        /* its outgoing stream, in whatever state; NULL: none */
    uint32_t outs;          /* streams that know it, those that are over but not gone too: the pair stays while there are any */
    struct wire *via;       /* on which stanzas go; NULL: none */
    struct link on_wire;    /* in via->pairs */
    struct link verifies;   /* struct verify, owned */
    struct ssm_kept *resume; /* what is left of a stream that was cut, to be resumed; owned */
    struct timer timer;
    uint64_t retry_ms;      /* no attempt before */
    uint64_t used_ms;       /* when it was needed last */
    uint32_t failures;      /* in a row */
    bool wanted;            /* it has had stanzas of ours: its last failure is of interest */
    bool hopeless;          /* the last one was of a kind that waiting does not help */
    struct failure last;
};

/* NULL: there are too many pairs (counted). local and remote are prepared. */
struct pair *pair_get(struct s2s *d, struct slice local, struct slice remote);
struct pair *pair_find(const struct s2s *d, struct slice local, struct slice remote); /* NULL: none */
enum pair_state pair_state(const struct pair *p);
void pair_free_all(struct s2s *d);
void pairs_forgive(struct s2s *d, struct slice remote); /* the next stanza begins anew: no pause, nothing to resume */
void pairs_tick(struct s2s *d); /* once a second: forgets those that nobody needs */

struct item *item_new(struct pair *p, struct slice bytes, uint64_t node, uint64_t mark);
void item_finish(struct item *it); /* it has left, or was answered: tells custody, frees */
void pair_send(struct pair *p, struct item *it); /* owns the item: on its wire, or into the queue, or answered */
void pair_flush(struct pair *p);   /* what waits goes out as far as its wire takes it */
void pair_back(struct pair *p, struct item *it); /* to the head of the queue: its wire has broken */
void pair_ask(struct pair *p, struct verify *v); /* owns v: in_verified comes */

/* From out.c and in.c. */
void pair_via(struct pair *p, struct wire *w); /* stanzas go on w from now on */
void pair_off(struct pair *p);                 /* they do not any more */
void pair_need(struct pair *p);                /* something needs a stream: begin one where none is and it may be tried */
bool pair_wants(const struct pair *p);         /* stanzas wait */
void pair_failed(struct pair *p, const struct failure *f);
/* Its stream, which had been ready, is over. refused: by an error of the stream. text: what was said, or NULL. */
void pair_ended(struct pair *p, uint64_t lived_ms, bool refused, const char *text);
void pair_failure_set(struct failure *f, enum pair_step step, enum stanza_cond cond, bool again, const char *text);

#endif
