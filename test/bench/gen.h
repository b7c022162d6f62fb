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

struct options {
    const char *host, *domain, *password, *prefix,
        *resource;           /* accounts are prefix0@domain, prefix1@domain, ... */
    const char *scram_cache; /* file, or NULL */
    const char *far_domain;  /* another server, where the odd accounts are; NULL: there is none */
    uint16_t port;           /* 0: 5222, or 5223 for direct TLS */
    uint16_t far_port;
    enum tls_use tls;
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
    CLIENT_CONNECT,
    CLIENT_HANDSHAKE,
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

struct client {
    struct gen *g;
    unsigned slot, account;
    int fd;
    enum client_state state;
    bool in_stream, authed, dirty, wants_out;
    gnutls_session_t tls;
    struct bytes in, out; /* in: the beginning of an element, kept until the rest arrives */
    size_t out_done;
    struct scram *scram; /* only while authenticating */
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
void client_input(struct client *c, const char *p, size_t n, size_t *used);
void client_connected(struct client *c);
void client_leave(struct client *c);
void client_send(struct client *c, const char *p, size_t n);
__attribute__((format(printf, 2, 3))) void client_printf(struct client *c, const char *format, ...);
/* why NULL: as expected. */
void client_close(struct client *c, const char *why);

/* conn.c: sockets and TLS under it. */
int conn_open(struct client *c);
void conn_free(struct client *c);
void conn_event(struct client *c, uint32_t events);
void conn_flush(struct client *c);
int conn_start_tls(struct client *c);
void bytes_add(struct bytes *b, const char *p, size_t n);

#endif
