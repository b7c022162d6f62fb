/* sessman/auth_inside.h - what the mechanisms of auth.c and auth_fast.c share; nobody else includes it */
#ifndef SESSMAN_AUTH_INSIDE_H
#define SESSMAN_AUTH_INSIDE_H

#include "sessman/auth.h"
#include "sessman/auth_backend.h"
#include "sessman/sessman.h"
#include "sessman/tokens.h"

enum auth_state {
    AUTH_IDLE,
    AUTH_INITIAL, /* an empty challenge was sent: the initial response is awaited (RFC 6120 6.4.2) */
    AUTH_WORKING, /* the backend is asked, or the answer waits for the end of the turn */
    AUTH_FINAL,   /* SCRAM: client-final is awaited */
    AUTH_REFUSED, /* OAUTHBEARER: it has been told why it failed, and has one more word (RFC 7628 3.2.3) */
};
enum auth_answer { AUTH_NOT_YET, AUTH_CHALLENGE, AUTH_SUCCESS, AUTH_FAILURE };

/* What one attempt needs; made by auth_start, freed with its outcome. */
struct attempt {
    struct arena *arena;
    void (*first)(struct auth *a, struct slice message);
    char mechanism[32];
    struct scram_server scram;
    struct scram_keys keys;
    bool plus, unknown;
    bool refused; /* the challenge says so; the failure has been counted */
    const struct sasl2_request *request; /* SASL2: what else is asked for; the owner's. NULL: SASL */
    struct slice from;                   /* SASL2: bare JID of the stream header; the owner's; empty: none */
    enum ht_binding ht;                  /* HT: which */
    struct slice binding, hash;          /* HT: what this stream is bound by; what the client has made of it */
    struct jid user;
    struct slice name; /* as the client gave it, for the log */
    enum auth_answer answer;
    bool has_data;
    struct slice data;
    enum sasl_fail cond;
    const char *text;
};

/* A question to the backend. The auth may be gone when the answer comes. */
struct asked {
    struct auth *auth;
};

struct auth {
    struct sessman *sm;
    const struct auth_ops *ops;
    void *owner;
    struct arena *arena; /* of open */
    struct control_open open;
    struct addr_key addr;
    struct turn later; /* answers leave at the end of the turn, never inside auth_start */
    enum auth_state state;
    struct attempt *at;
    struct asked *asked;
    enum ht_binding token;  /* of the token that was used: auth_token_due */
    bool token_due;
    struct auth_grant grant; /* of a session of the API; what it points to lives as long as the attempt */
    bool anonymous;         /* the user of this attempt is nobody in particular */
};

/* The outcome of a step; it leaves at the end of the turn. text: static storage. */
void auth_answer_fail(struct auth *a, enum sasl_fail cond, const char *text);
/* The same, told in a challenge first. */
void auth_answer_refused(struct auth *a, struct slice challenge);
/* at->user is who he says he is, at->data (with at->has_data) goes with it. */
void auth_succeed(struct auth *a);
/* The same by a row of the account's in the store: whatever else knows the accounts may have closed this one since. */
void auth_succeed_by_row(struct auth *a);
/* The context for a question whose answer comes later, and the auth that asked, or NULL if it no longer wants to know. */
struct asked *auth_ask(struct auth *a);
struct auth *auth_asker(void *ctx);
/* Names the user, if it may be one and he may try. False: it was answered. */
bool auth_take_user(struct auth *a, struct slice name, struct slice authzid);
/* auth_rates.c: true if too many attempts have failed, asked before a password is looked at; one more has. */
bool auth_over_rate(struct auth *a);
void auth_count_failure(struct auth *a);
/* Of an address or a name: the same every time, and nothing to be known by without the installation's secret. */
void auth_keyed_hash(const struct sessman *sm, char label, struct slice text, uint8_t out[32]);
/* auth_fast.c: SASL_OK when this token mechanism may be used on this stream by this request. */
enum sasl_fail auth_fast_choose(struct auth *a, enum ht_binding b);
void auth_fast_first(struct auth *a, struct slice message);
/* auth_bearer.c */
void auth_bearer_first(struct auth *a, struct slice message);

#endif
