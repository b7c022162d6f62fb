/* common/edge/client.h - one client: its stream and its session, whatever carries them (RFC 6120, RFC 7395, XEP-0206)
 *
 * A struct client is embedded in what its transport makes when a connection is taken up, from client_open to client_closed. What only
 * the negotiation needs hangs from it in a struct nego, which goes when a resource is bound: what stays is a
 * couple of hundred bytes. One timer serves the time for logging in, the pauses of the rate limits and the
 * keep-alive. */
#ifndef EDGE_CLIENT_H
#define EDGE_CLIENT_H

#include "common/edge/clients.h"
#include "common/edge/features.h"
#include "common/xmpp/stanza.h"
#include "common/xmpp/stream.h"
#include "common/xmpp/xmlout.h"

enum client_state {
    CLIENT_OPEN,    /* header, STARTTLS, registration, first SASL step */
    CLIENT_ASKED,   /* a SASL step is with the session manager */
    CLIENT_STEP,    /* a challenge was sent */
    CLIENT_AUTHED,  /* authenticated: a new stream, then a resource */
    CLIENT_BINDING, /* bind is with the session manager */
    CLIENT_BOUND,
    CLIENT_CLOSED,  /* our side of the stream is ended */
    CLIENT_STATES
};
const char *client_state_name(enum client_state s);

enum mech { MECH_SCRAM, MECH_PLUS, MECH_PLAIN, MECH_EXTERNAL, MECH_TOKEN };

struct nego {
    struct link link;         /* in clients.pending */
    struct client *client;
    uint64_t accepted_ms;
    char *domain;             /* the stream's `to`, prepared; NULL before the first header */
    char *mechanism;          /* of the attempt under way */
    char *bind_id;            /* id of the bind request */
    char *from;               /* bare JID of the stream header; NULL: none */
    struct arena *held;       /* SASL2: of the request whose initial response is awaited; NULL: none */
    struct node *request;     /* that request, in held */
    struct slice *cert_jids;  /* addresses in a verified certificate; one block with their bytes */
    size_t n_cert_jids;
    unsigned attempts, early; /* SASL attempts; stanzas before login */
    unsigned stale;           /* SASL2 attempts of a client that knew other features */
    char version[FEATURES_VERSION_LEN + 1]; /* of the features that were offered; "": none was told */
    enum mech mech;
    enum sasl_fail fail_as;   /* what the failure that follows our abort is to be called; SASL_OK: as it comes */
    bool has_header;          /* our header was written on this stream */
    bool sasl2;               /* the attempt under way, or the last one, came by SASL2 */
    bool wants_initial;       /* auth came without an initial response; the next response is it */
    bool wants_abort;         /* the client has aborted while the session manager was asked */
    bool exporter, end_point; /* channel bindings there are */
};

struct client;
/* What carries a client's stream; one per kind. Nothing of it is called after `end`, but peer, written and taken. */
struct transport {
    void (*peer)(const struct client *c, struct conn_peer *out);
    void (*open)(struct client *c, const struct stream_open *header); /* our header, once a stream */
    void (*write)(struct client *c, struct slice element);            /* one element, canonical, and whole */
    void (*join)(struct client *c, const struct slice *pieces, size_t n); /* the same in pieces; it logs it by client_wire */
    void (*nudge)(struct client *c);              /* what shows a peer that has gone: white space, a ping; NULL: it is never probed */
    /* Logged in: client_limits are others now. restarts: the client will open its stream anew (RFC 6120 6.4.6). */
    void (*logged_in)(struct client *c, bool restarts);
    void (*pause)(struct client *c, bool pause);  /* stops reading, or goes on */
    bool (*paused)(const struct client *c);
    /* Bytes ever written, and those of them that are known to have arrived as far as the transport can tell; modulo 2^32. */
    uint32_t (*written)(const struct client *c);
    uint32_t (*taken)(const struct client *c);
    bool (*full)(const struct client *c); /* much waits that the client has not taken; then client_drained follows when it has */
    /* Ends our side of the stream and closes in its time. Later, never inside, it calls client_closed. */
    void (*end)(struct client *c);
    bool (*may_starttls)(const struct client *c); /* NULL: never */
    void (*starttls)(struct client *c);           /* the answer is yes: writes it and begins */
    enum rc (*exporter)(const struct client *c, struct arena *a, struct slice *out); /* channel bindings; NULL: none */
    enum rc (*end_point)(const struct client *c, struct arena *a, struct slice *out);
};

struct client {
    struct esession session;
    struct clients *d;
    const struct transport *via;
    struct timer timer;
    struct link link;         /* in clients.clients */
    struct nego *nego;        /* NULL once bound */
    struct unread *unread;    /* unread.h; NULL: nothing */
    struct rate bytes, stanzas;
    uint64_t last_in_ms, probe_ms; /* of the last input; of the last probe */
    uint64_t rate_until_ms;   /* reading is paused until then by the rates; 0: not */
    uint32_t probe;           /* number of a ping that is not answered; 0: none */
    uint32_t number;          /* of the connection */
    struct addr_key address;
    uint16_t flow;            /* number of a question whether it takes what it is sent; 0: none */
    uint8_t state;            /* enum client_state */
    bool secure : 1;
    bool mute : 1;            /* nothing can be said now: TLS is being negotiated */
    bool trusted : 1;         /* a test installation's own host: no TLS needed, no caps by address */
    bool cut : 1;             /* the rest of this input is not looked at (STARTTLS) */
    bool waits_room : 1;
    bool counted_pending : 1;
};

/* Begins with a zeroed client. trusted: as above. False: it is refused, and closed already: the transport closes in its way,
 * without a word, and calls client_closed. */
MUST_USE bool client_open(struct client *c, struct clients *d, const struct transport *via, bool trusted);
void client_closed(struct client *c); /* the transport is gone: forgets all but the memory of the struct; the last call */
extern const struct edge_ops client_edge_ops;

/* --- what the transport reads --- */

/* Bytes have come: counted, and paid for by the rate. */
void client_input(struct client *c, size_t bytes);
void client_header(struct client *c, struct arena *a, const struct node *header); /* checked as stream_header_read has it */
void client_opens(struct client *c, struct arena *a, const struct stream_header *h); /* the same, read already */
void client_element(struct client *c, struct arena *a, struct node *n); /* a top-level element; changed in place */
void client_bad_xml(struct client *c, enum rc rc, const struct why *why); /* what xmlin says: ends the stream */
void client_drained(struct client *c); /* most of what was written has been taken, after `full` was true */
void client_paid(struct client *c); /* the input of now is taken: pauses reading where that is due */
const struct xmlin_limits *client_limits(const struct client *c); /* of what it may send now */
void client_wire(const struct client *c, bool out, struct slice bytes); /* for the log of all that crosses */

/* Ends the stream with an error, and the session. text may be NULL. */
void client_fail(struct client *c, enum stream_cond cond, const char *text);
/* The same with an application-specific condition (RFC 6120 4.9.4), canonical. */
void client_fail_app(struct client *c, enum stream_cond cond, const char *text, struct slice app);
/* The same for a client that cannot be heard: it is lost, not gone. */
void client_fail_lost(struct client *c, enum stream_cond cond, const char *text);
void client_shutdown(struct client *c); /* system-shutdown, or see-other-host where one is configured */
void client_end(struct client *c);      /* the client has ended its stream: ours ends, too */
void client_write(struct client *c, struct slice bytes);
void client_write_node(struct client *c, const struct node *n); /* a stanza */
void client_answer(struct client *c, struct arena *a, const struct stanza *s, enum stanza_cond cond);
/* What answers one of the client's stanzas on a bound stream (NULL: nothing does): written, or where the stream is managed sent
 * the way that keeps the count (XEP-0198). */
void client_answer_node(struct client *c, const struct node *answer);
void client_bound(struct client *c);    /* the negotiation is over: frees it */
void client_pace(struct client *c);     /* pauses or resumes reading, as rates and room say */

struct client_log { /* who, for a log line */
    struct log_ctx ctx;
    struct conn_peer peer;
};
const struct log_ctx *client_log(const struct client *c, struct client_log *out, enum log_sub sub, const char *doing);

/* nonza.c: what a bound client sends that is no stanza. False: nothing that is known. */
bool nonza_take(struct client *c, struct arena *a, const struct node *n);
bool smstream_probe(struct client *c); /* smstream.c; true: <r/> was sent, which the client must answer */

/* keepalive.c: what the timer is for */
void keepalive_arm(struct client *c);
/* True if the stanza is the answer to our ping: nobody else's business. */
bool keepalive_takes(struct client *c, const struct stanza *s);

#endif
