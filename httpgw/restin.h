/* httpgw/restin.h - what the files of the API share; nobody else includes it
 *
 * rest.c lets a call in, restreply.c answers it; restpaths.c is the table of what may be called, and what it means in XMPP; restsession.c logs in,
 * and carries stanzas; restdoc.c describes all of it. A call is one request, from its header to on_gone of the request. */
#ifndef HTTPGW_RESTIN_H
#define HTTPGW_RESTIN_H

#include "common/edge/esession.h"
#include "httpgw/formjson.h"
#include "httpgw/restauth.h"
#include "httpgw/routes.h"

enum { REST_STANZAS_MAX = 2, REST_KEY_BYTES = 32 };

struct rest_all { /* what all calls share */
    struct httpgw *d;
    struct link calls;             /* struct rest_call */
    struct link sessions;          /* struct rest_session */
    struct addr_table *addresses;  /* calls under way, and their rate */
    struct rate_limit rate;
    uint64_t last_id;              /* of a stanza */
    uint8_t key[REST_KEY_BYTES];   /* random; credentials are told apart by it */
    size_t n_calls, n_sessions;
    bool stopping;
};

struct rest_call;
struct rest_path {
    unsigned method;      /* enum http_method; HEAD goes with GET */
    const char *path;     /* ending in '*': a command's node follows */
    const char *summary;  /* for restdoc.c */
    /* Makes what is to be sent; body NULL: the method has none. False: the call has been answered. */
    bool (*make)(struct rest_call *c, json_t *body);
    void (*answer)(struct rest_call *c, const struct node *iq); /* the result has come */
};
extern const struct rest_path rest_paths[]; /* up to one without a path */

struct rest_session;
struct rest_call {
    struct link link;
    struct rest_all *all;
    struct http_request *http;
    const struct rest_path *path;
    struct rest_session *session; /* NULL: none yet, or not any more */
    struct arena *arena;
    struct timer timer;           /* the whole has taken too long */
    struct conn_peer peer;
    struct addr_key address;
    struct slice domain;          /* that is asked */
    struct slice node;            /* of the command; empty: none */
    struct jid user;              /* whose call; empty: unknown yet */
    struct node *stanzas[REST_STANZAS_MAX];
    struct slice iq_id, message_id; /* whose answers are waited for; empty: none */
    size_t n_stanzas;
    uint64_t began_ms;
    bool secure, trusted, counted, answered;
    bool reused;                  /* its session was there before it */
    bool again;                   /* it has logged in a second time: that is enough */
};

/* --- restreply.c: answers; each ends the call --- */

void rest_answer(struct rest_call *c, unsigned status, json_t *body); /* takes body */
/* RFC 9457. detail may be empty; condition NULL: no stanza error is behind it; retry_s 0: not told. */
struct rest_problem {
    unsigned status;
    const char *condition;
    struct slice detail;
    unsigned retry_s;
    json_t *form; /* taken: what the command asks for; NULL: nothing */
};
void rest_problem(struct rest_call *c, const struct rest_problem *p);
void rest_refuse(struct rest_call *c, unsigned status, const char *detail); /* the same, without more */
void rest_stanza_error(struct rest_call *c, const struct node *stanza);
/* With header fields, of which there is room for these; nothing is logged. */
enum { REST_FIELDS_MAX = 8 };
struct rest_fields {
    struct http_field list[REST_FIELDS_MAX];
    size_t n;
};
void rest_field(struct rest_fields *f, const char *name, struct slice value);
void rest_reply(struct rest_call *c, unsigned status, const char *type, json_t *body, struct rest_fields *f); /* takes body */
bool rest_origin_listed(const struct httpgw *d, struct slice origin); /* [api] origins */

/* --- rest.c --- */

void rest_forget(struct rest_call *c); /* what was sent: a form may have had a password */
struct slice rest_new_id(struct rest_call *c, char letter); /* of a stanza, in the call's arena */
/* From restsession.c: it is logged in; a stanza has come; the session is not to be had, or no more. */
void rest_on_ready(struct rest_call *c);
void rest_on_stanza(struct rest_call *c, const struct node *stanza);
void rest_on_refused(struct rest_call *c, enum sasl_fail cond, struct slice text);
void rest_on_lost(struct rest_call *c, const struct rest_problem *p);

/* --- restsession.c --- */

/* Logs in, or takes a session that is there for the same credentials on this connection. One of rest_on_* follows, maybe at once. */
void restsession_begin(struct rest_call *c, struct restauth *who, struct slice header);
void restsession_send(struct rest_session *s, const struct node *stanza);
void restsession_give(struct rest_call *c, bool keep); /* the call is over for it; keep: it may serve another one */
void restsession_drop(struct rest_all *all, uint64_t connection);
void restsession_stop(struct rest_all *all);
void restsession_fini(struct rest_all *all);

/* --- restdoc.c --- */

json_t *restdoc_openapi(struct rest_call *c, const struct node *commands);

#endif
