/* s2s/reach.h - from a domain's name to a connection: lookup, then its addresses, each with a head start before the next
 * (RFC 6120 3.2, RFC 8305, XEP-0495). The part of out.c that has no stream yet; only out.c includes it. */
#ifndef S2S_REACH_H
#define S2S_REACH_H

#include "s2s/out.h"

bool reach_plain(const struct out *o); /* a static route says that there is no TLS */
bool reach_next(struct out *o);        /* the stream failed: true: another address is being tried */
void reach_again(struct out *o);       /* this address is tried once more when the stream fails */
void reach_no_more(struct out *o);     /* no other address will do better */
void reach_done(struct out *o);        /* the stream works: no other address will be needed, nor what was looked up */
void reach_give_up(struct out *o);     /* there is no connection: ends what is under way, tells the pair, frees the out */
extern const struct conn_conf reach_conn_conf;

/* out.c */
extern const struct wire_ops out_wire_ops;
void out_begin_stream(struct out *o);
void out_settle(struct out *o);
void out_failed(struct out *o, enum pair_step step, enum stanza_cond cond, bool again, const char *text);
void out_give_up(struct out *o);
void out_free(struct out **o); /* without a connection, the wire finished */

#endif
