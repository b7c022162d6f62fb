/* httpgw/boshin.h - what bosh.c and boshreq.c share; nobody else includes it */
#ifndef HTTPGW_BOSHIN_H
#define HTTPGW_BOSHIN_H

#include "common/base/map.h"
#include "common/edge/negotiate.h"
#include "common/xmpp/ns.h"
#include "httpgw/boshwin.h"
#include "httpgw/routes.h"
#include <netinet/in.h>

struct bosh_all {
    struct httpgw *d;
    struct map *sessions; /* struct bosh by sid; owns them */
    struct link dirty;    /* those that have something to do at the end of this turn */
    struct turn turn;
    struct boshpeers *peers; /* boshpeer.h */
};
struct boshrelay;
struct boshserved;
struct bosh_request {
    struct bosh_all *all;
    struct http_request *http;  /* NULL: another process has it, and has handed it to us: */
    struct boshserved *served;
    struct boshrelay *relay;    /* it was handed to another process; NULL: not */
    struct bosh *session; /* in whose window it is; NULL: none, or it was answered */
    char *body;           /* while it waits for the one before it */
    size_t len;
    struct timer timer;   /* how long it may be held */
    bool late;            /* that is over */
};
struct bosh {
    struct client client;
    struct bosh_all *all;
    char *sid;
    char *from, *stream_id; /* of our header, until the first answer has told it */
    struct link dirty;
    struct boshwin window;
    struct boshkey key;
    struct buf out;            /* elements for the next answer */
    struct timer timer;        /* no request is here */
    struct sockaddr_in6 peer;  /* of the first request; IPv4, too */
    uint32_t written, sent;    /* bytes of elements: ever; of these in answers */
    uint32_t wait_ms, inactivity_ms, pause_ms; /* pause_ms: of the pause that is asked for; 0: none */
    uint64_t last_empty_ms;    /* when an empty request came that was answered by nothing; 0: the last one was another */
    const char *cond;          /* why it is ended; NULL: in order */
    unsigned hold;
    bool acks;                 /* the client tells what it has got */
    bool created;              /* the first answer has gone */
    bool ended;                /* the next answer is the last one */
    bool told;                 /* that has gone */
    bool paused;               /* requests are not taken now */
    bool error;                /* a stream error is in out */
};

/* bosh.c */
extern const struct transport bosh_transport;
struct bosh *bosh_new(struct bosh_all *all, struct bosh_request *first, const struct conn_peer *peer);
void bosh_dirty(struct bosh *s);
/* It ends for what is wrong in a request, which is a terminal condition (XEP-0124 17.2); the stream is lost, not ended. */
void bosh_fail(struct bosh *s, const char *cond);
/* Answers. */
void bosh_reply(struct bosh_request *q, struct slice body);
void bosh_refuse(struct bosh_request *q, const char *cond, struct slice uri); /* of no session; uri: for see-other-uri */
/* boshreq.c */
struct bosh_request *boshreq_new(struct bosh_all *all);
void boshreq_take(struct bosh_request *q, struct slice body);
void boshreq_gone(void *q); /* frees it; its session, if it is in one's window, keeps its place there */
void boshreq_process(struct bosh *s, struct bosh_request *q, struct arena *a, struct node *n); /* its turn has come */
void boshreq_waiting(struct bosh *s); /* those whose turn has come meanwhile */
void boshreq_hold(struct bosh_request *q);
struct slice boshreq_sid(struct slice body); /* of a body that is not parsed; empty: none */

#endif
