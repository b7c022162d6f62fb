/* s2s/in.h - a stream that another server has opened to us (RFC 6120 4, 5, 6; XEP-0178, XEP-0220, XEP-0288)
 *
 * What it has proven is a list of pairs (our domain, their domain): by its certificate, then ours is any; or by dialback. */
#ifndef S2S_IN_H
#define S2S_IN_H

#include "s2s/dialback.h"
#include "s2s/pair.h"
#include "s2s/wire.h"

enum in_state {
    IN_OPEN,    /* header, STARTTLS */
    IN_PROVING, /* the header has come, the certificate is looked at (DANE: that takes a while) */
    IN_PLAIN,   /* features are out, nothing is proven yet */
    IN_AUTHED,  /* SASL is through: a new header is due */
    IN_PROVEN,  /* something is */
    IN_CLOSED,
    IN_STATES
};
const char *in_state_name(enum in_state s);

struct in_pair {
    struct link link;
    char *local, *remote; /* local NULL: any of ours (by certificate) */
    uint8_t proof;        /* enum proof; PROOF_NONE: the key is being looked at */
};
struct in {
    struct wire w;
    struct link pairs;    /* struct in_pair, owned */
    struct resolve *resolve; /* for DANE; NULL: not asked */
    struct buf later;        /* while it is looked at: answers that have to come behind the features */
    struct addr_key address;
    uint16_t n_asked;     /* requests to prove a domain by dialback */
    uint8_t n_pairs;
    uint8_t n_failed;     /* attempts with SASL */
    uint8_t state;        /* enum in_state */
    bool counted_pending : 1;
    bool external : 1;    /* was offered */
    bool cert_shown : 1;  /* the peer showed a certificate that does not prove its domain; cert_why says what is wrong */
    bool wants_bidi : 1;
};
void in_pair_free(struct in_pair *p); /* not in a list any more */
static inline struct in *in_of(struct wire *w)
{
    return CONTAINER(w, struct in, w);
}
static inline const struct in *in_at(const struct wire *w) /* w is its first member */
{
    return (const struct in *)(const void *)w;
}

void in_accept(struct s2s *d, struct conn *conn, bool direct_tls);
/* The answer to verify v of a stream: type VALID, INVALID or ERROR with the condition's name. v is the caller's to free. */
void in_verified(struct verify *v, const struct pair *p, enum dialback_type type, const char *error, const char *text);
void verify_free(struct verify **v);
void in_drop_questions(struct in *in); /* what is being asked about its keys is nobody's any more */

/* bidi.c (XEP-0288) */
void bidi_on_request(struct wire *w, struct arena *a, struct node *n);
void bidi_proven(struct in *in, struct slice local, struct slice remote); /* stanzas of ours may go there */

#endif
