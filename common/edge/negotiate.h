/* common/edge/negotiate.h - from the first byte to a bound resource (RFC 6120 4.3, 5, 6, 7; XEP-0077 before login) */
#ifndef EDGE_NEGOTIATE_H
#define EDGE_NEGOTIATE_H

#include "common/edge/client.h"
#include "common/edge/features.h"

void negotiate_element(struct client *c, struct arena *a, struct node *n); /* in every state before BOUND */
void negotiate_open_stream(struct client *c, struct slice from, struct slice to); /* our header, once a stream */
/* Passwords may be used here: under TLS, or from a test installation's own host. */
bool negotiate_may_login(const struct client *c);
/* NULL: not hosted any more. */
const struct edge_domain *negotiate_domain(const struct client *c);
struct slice negotiate_mechanisms(const struct client *c, struct arena *a); /* offered now */
struct slice negotiate_fast(const struct client *c, struct arena *a);       /* those that take a token */
void negotiate_features(struct client *c, struct arena *a, const struct edge_domain *domain); /* sends them */
/* Where the session manager that owns key is told of the client. RC_CLOSED: there is none. RC_LIMIT: it is out
 * of reach and enough waits for it. */
MUST_USE enum rc negotiate_open(struct client *c, struct arena *a, struct slice key);

/* sasl_relay.c */
void sasl_on_auth(struct client *c, struct arena *a, struct node *n);
void sasl_on_response(struct client *c, struct arena *a, struct node *n);
void sasl_on_abort(struct client *c, struct arena *a, struct node *n);
void sasl_challenge(struct esession *s, struct slice data);
void sasl_success(struct esession *s, const struct control_success *ok);
void sasl_failure(struct esession *s, const struct control_failure *bad);
/* Of both profiles; the attempt is over. */
void sasl_refuse(struct client *c, enum sasl_fail cond, const char *text); /* nobody with an account was asked */
bool sasl_over_rate(struct client *c);                   /* too many failures from this address of late; counted */
void sasl_mechanism_set(struct client *c, struct slice mechanism);         /* of the attempt that begins */
struct slice sasl_cert_jid(const struct client *c);      /* for EXTERNAL: the certificate's address in this domain, or empty */
void sasl_succeeded(struct client *c, struct slice user);                  /* counted and logged */
/* sasl2.c (XEP-0388) */
void sasl2_on_authenticate(struct client *c, struct arena *a, struct node *n);
void sasl2_initial(struct client *c, struct arena *a, struct slice data);  /* the response that is the initial one */
void sasl2_authenticated(struct esession *s, const struct control_authenticated *ok);
/* bind.c */
void bind_on_iq(struct client *c, struct arena *a, struct node *n);
void bind_bound(struct esession *s);
void bind_refused(struct esession *s, const struct control_bind_refused *no);
/* After login: a request that belongs to the negotiation. True: it was answered. */
bool bind_late(struct client *c, struct arena *a, const struct stanza *s);
/* smstream.c: stream management (XEP-0198) */
#define SM_PREVID_MAX 4000 /* bytes: XEP-0198 5 */
void smstream_misplaced(struct client *c, struct arena *a, struct node *n); /* not in this state: <failed/> */
void smstream_on_resume(struct client *c, struct arena *a, struct node *n);
void smstream_resumed(struct esession *s, const struct control_resumed *r);
void smstream_resume_failed(struct esession *s, const struct control_resume_failed *no);
void smstream_enabled(struct esession *s, const struct control_sm_enabled *e);
/* In BOUND. */
void smstream_on_enable(struct client *c, struct arena *a, const struct node *n);
void smstream_on_r(struct client *c, struct arena *a, const struct node *n);
void smstream_on_a(struct client *c, struct arena *a, const struct node *n);
void smstream_late(struct client *c, struct arena *a, const struct node *n);
void smstream_handled(struct esession *s, uint32_t h);
void smstream_ask_client(struct esession *s);
/* register.c */
void register_on_iq(struct client *c, struct arena *a, struct node *n);

#endif
