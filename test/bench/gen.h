/* test/bench/gen.h - the engine of the load generator: thousands of clients on one epoll loop
 *
 * One thread, one struct gen. A scene (scene_*.c) starts clients in slots, gives orders, and calls gen_turn()
 * until it has what it waits for; every wait has an end (gen_stalled). The engine owns the clients; a slot
 * can be used again once it is closed. What a scene sends is collected and leaves in one write a client and
 * turn. */
#ifndef BENCH_GEN_H
#define BENCH_GEN_H

#include "scan.h"
#include "scram.h"
#include "stats.h"

#include <gnutls/gnutls.h>

enum tls_use { TLS_NONE, TLS_START, TLS_DIRECT };
enum transport { BY_TCP, BY_WS, BY_BOSH };

struct options {
    const char *host, *domain, *password, *prefix,
        *resource;           /* accounts are prefix0@domain, prefix1@domain, ... */
    const char *scram_cache; /* file, or NULL */
    const char *far_domain;  /* another server, where the odd accounts are; NULL: there is none */
    uint16_t port;           /* 0: 5222, or 5223 for direct TLS */
    uint16_t far_port;
    enum tls_use tls;
    enum transport by;
    enum mech mech;
    bool phases;                 /* print PHASE lines and wait for a line on stdin at each */
    bool full_jid;               /* chat to full JIDs */
    bool receipts;               /* chat with the marks of XEP-0184 and XEP-0359 */
    bool raw;                    /* chat through the bare relay, without XMPP */
    unsigned first, count, step; /* accounts first, first + step, ...: count of them */
    unsigned concurrency;        /* logins at a time */
    unsigned addresses;          /* source addresses 127.0.1.1 and on */
    unsigned contacts;           /* roster: everybody in a block of contacts + 1 has all others */
    unsigned in_flight, seconds, warm_up, rounds, messages, window, remotes, timeout_s;
    double rate; /* messages a second, open loop */
};

enum client_state {
    CLIENT_FREE,
    CLIENT_CONNECT, /* or in the middle of a TLS handshake */
    CLIENT_UPGRADE, /* of HTTP to WebSocket */
    CLIENT_FEATURES,
    CLIENT_STARTTLS,
    CLIENT_AUTH,
    CLIENT_REGISTER,
    CLIENT_BIND,
    CLIENT_ROSTER,
    CLIENT_PRESENCE,
    CLIENT_PAIRING, /* raw: waits for the relay */
    CLIENT_ONLINE,
    CLIENT_LEAVING
};

struct bytes {
    char *p;
    size_t len, cap;
};

struct client;
enum wire_state { WIRE_CLOSED, WIRE_CONNECT, WIRE_HANDSHAKE, WIRE_OPEN };
struct wire { /* a socket of a client */
    struct client *c;
    int fd;
    enum wire_state state;
    bool wants_out;
    bool asked; /* BOSH: an answer is due */
    gnutls_session_t tls;
    struct bytes in, out; /* in: the beginning of an element, kept until the rest arrives */
    size_t out_done;
};
enum { WIRES = 2 }; /* only BOSH uses both */

struct client {
    struct gen *g;
    unsigned slot, account;
    enum client_state state;
    bool in_stream, authed, dirty;
    struct wire wires[WIRES];
    struct scram *scram; /* only while authenticating */
    struct bosh *bosh;   /* way_bosh.c; NULL: another transport */
    uint64_t began_ns;
    unsigned both; /* contacts with subscription "both" in the roster that was read */
};

struct scene {
    void *data;
    bool registers; /* clients make their account (XEP-0077) and go */
    void (*on_online)(struct client *c);
    void (*on_stanza)(struct client *c, const struct element *e); /* from the roster on; may be NULL */
    void (*on_closed)(struct client *c);
};

struct gen {
    struct options opt;
    struct scene scene;
    const struct way *way;
    struct client *clients; /* by slot; owns them */
    unsigned slots;
    int epoll;
    gnutls_certificate_credentials_t credentials;
    struct scram_cache *scram;
    struct client **dirty; /* to be written at the end of the turn */
    unsigned dirty_count;
    char *read_buffer;
    uint64_t read_ns, moved_ns, deadline_ns; /* last read; last progress; end of everything */
    uint64_t patience_ns;                    /* a login that takes longer has failed; 0: any time will do */
    bool stdin_line;
    unsigned open, busy, online;      /* clients now; busy: on their way to online */
    unsigned logins, failed, dropped; /* so far; dropped: lost after they were online */
    unsigned complaints;
    uint64_t stanzas_in;
    struct hist *login_ns;
};

/* 0, or -1 with a message on stderr. */
int gen_init(struct gen *g, const struct options *opt, unsigned slots);
void gen_fini(struct gen *g);

/* Waits for events until until_ns at most (0: does not wait), handles them, and writes what was sent. */
void gen_turn(struct gen *g, uint64_t until_ns);

/* True if there was no progress (login, close, gen_moved) for 30 s, or the whole run took too long. */
bool gen_stalled(struct gen *g);
void gen_moved(struct gen *g);

/* With --phases: prints "PHASE name" and goes on with the loop until a line comes on stdin. */
void gen_phase(struct gen *g, const char *name);

/* Logs in the accounts of the options in slots 0, 1, ...; returns when all are online or have failed. */
void gen_login(struct gen *g, unsigned count, unsigned concurrency);

/* Goes on until nothing has arrived for 300 ms. */
void gen_settle(struct gen *g);

/* All that are there leave; returns when they have. */
void gen_leave(struct gen *g);

unsigned gen_account(const struct gen *g, unsigned slot);

/* Where an account is. */
const char *gen_domain(const struct gen *g, unsigned account);
uint16_t gen_port(const struct gen *g, unsigned account);

/* The account number in a JID of ours; false if it is another's. */
bool gen_account_of(const struct gen *g, const char *jid, size_t len, unsigned *out);
void gen_report_logins(struct gen *g, struct report *r);
/* Zeroed memory, to be freed; a generator without memory ends. */
void *gen_alloc(size_t n, size_t size);

int gen_result(const struct gen *g); /* exit code: 0, or 1 if a client failed or was dropped */

/* client.c: one client's way through the negotiation. */
void client_start(struct gen *g, unsigned slot, unsigned account);
void client_elements(struct client *c, const char *p, size_t n, size_t *used);
void client_header(struct client *c); /* opens the stream, or opens it anew */
void client_online(struct client *c);
void client_leave(struct client *c);
void client_send(struct client *c, const char *p, size_t n); /* whole elements */
__attribute__((format(printf, 2, 3))) void client_printf(struct client *c, const char *format, ...);
/* why NULL: as expected. */
void client_close(struct client *c, const char *why);
void client_dirty(struct client *c); /* something is to be written at the end of the turn */

/* How a client's elements travel: way_tcp.c (RFC 6120), way_ws.c (RFC 7395), way_bosh.c (XEP-0124, XEP-0206). */
struct way {
    void (*ready)(struct wire *w);  /* connected, the TLS handshake is over */
    void (*header)(struct client *c);
    void (*send)(struct client *c, const char *p, size_t n);
    void (*leave)(struct client *c, bool presence);
    void (*input)(struct wire *w, const char *p, size_t n, size_t *used);
    void (*flush)(struct client *c); /* at the end of the turn, before its wires are; may be NULL */
    bool (*lost)(struct wire *w);    /* closed by the server: false if that does not matter; may be NULL */
    void (*gone)(struct client *c);  /* may be NULL */
    const char *alpn;
};
extern const struct way way_tcp, way_ws, way_bosh;
#define STANZA_NS " xmlns='jabber:client'"
/* Where that is put into a stanza: behind its name; 0: it is no stanza. */
size_t stanza_name(const char *p, size_t n);
/* The header of an HTTP answer, up to and with its empty line: its length, 0 if it is not there yet. length: of the body. */
size_t http_head(const char *p, size_t n, unsigned *status, size_t *length);

/* conn.c: sockets and TLS under it. */
int conn_open(struct wire *w);
void conn_free(struct wire *w);
void conn_event(struct wire *w, uint32_t events);
void conn_flush(struct wire *w);
int conn_start_tls(struct wire *w);
void bytes_add(struct bytes *b, const char *p, size_t n);
void bytes_clear(struct bytes *b); /* what is small stays allocated */

#endif
