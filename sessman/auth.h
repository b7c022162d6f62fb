/* sessman/auth.h - SASL, server side, for the edges (RFC 6120 6): one struct auth per session that is not bound yet
 *
 * The edge relays steps, this decides. Mechanisms are state machines of common/xmpp/sasl.h; keys come from a backend
 * (auth_backend.h). Unknown users are answered as known ones are, with a salt derived from a secret of the installation, in
 * the same steps and with the same work, so that names cannot be probed. One step at a time: a second one while the first is
 * being worked on is a protocol error of the edge.
 *
 * Failed attempts are counted by client address and, ten times as many, by account ([auth] failures_per_min, failures_burst); who is
 * over it gets temporary-auth-failure without his password being looked at. They do not bind trusted_plain sessions. */
#ifndef SESSMAN_AUTH_H
#define SESSMAN_AUTH_H

#include "common/link/control.h"
#include "sessman/apisession.h"

struct sessman;
struct auth;
struct auth_ops {      /* called on the loop, never inside auth_start/auth_response */
    void (*on_challenge)(void *owner, struct slice data);
    void (*on_success)(void *owner, const struct jid *user, bool has_data, struct slice data); /* user: bare, authorised */
    void (*on_failure)(void *owner, enum sasl_fail cond, const char *text); /* the attempt is over, another may start */
};
/* open is copied. owner outlives the auth. */
struct auth *auth_new(struct sessman *sm, const struct control_open *open, const struct auth_ops *ops, void *owner);
void auth_free(struct auth **a);  /* at any time; no callback comes after */
void auth_start(struct auth *a, const struct control_auth *step);
/* SASL2. c must live until the outcome. */
void auth_authenticate(struct auth *a, const struct control_authenticate *c);
void auth_response(struct auth *a, struct slice data);
void auth_abort(struct auth *a);
struct domain;
/* Space-separated mechanisms of a domain for control_domain, strongest first; tokens without what they are bound to. */
struct slice auth_mechanisms(const struct sessman *sm, const struct domain *d);

/* In on_success and after it: true when a token was used that should be replaced; *binding: by one for this. */
bool auth_token_due(const struct auth *a, enum ht_binding *binding);
/* Whether the stream can use tokens for this: it has what they are bound to, and tokens are given. */
bool auth_token_fits(const struct auth *a, enum ht_binding binding);

/* In on_success, of a session of the API: with what it came. */
const struct auth_grant *auth_grant(const struct auth *a);
/* In on_success: of an anonymous account (anonymous.h). */
bool auth_is_anonymous(const struct auth *a);

/* Frees sm->auth_rates. */
void auth_fini(struct sessman *sm);

#endif
