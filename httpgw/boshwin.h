/* httpgw/boshwin.h - the window of a BOSH session: which request is next, which answers may have to be sent again (XEP-0124 14)
 *
 * A request is waiting (one before it has not come), then taken, in the order of rids, then answered, in that order too. It stands in
 * here as the owner's pointer; NULL: its connection is gone, and its answer is kept for when it comes again. The last answers are
 * kept, and for each is known whether it has arrived: its connection was used once more, the client says so, or it could not have sent
 * what it sent. Pure: no I/O, no clock. */
#ifndef HTTPGW_BOSHWIN_H
#define HTTPGW_BOSHWIN_H

#include "common/base/slice.h"

enum { BOSHWIN_REQUESTS_MAX = 6, BOSHWIN_SLOTS = 16 }; /* slots: more than both windows, a power of two */
#define BOSHWIN_RID_MAX 9007199254740991u /* 2^53 - 1: XEP-0124 14.1 */

struct boshwin {
    uint64_t top;      /* rid of the last one that was taken */
    uint64_t answered; /* rid of the last one that was answered */
    uint64_t arrived;  /* rid of the last answer that has arrived, with all before it */
    uint32_t arrived_end;
    unsigned requests; /* how many the client may have under way */
    struct boshwin_slot {
        uint64_t rid, via; /* via: number of the connection it came by; 0: unknown */
        void *request;
        char *answer;      /* owned; NULL: not answered, or not kept */
        size_t len;
        uint32_t end;      /* what had been written with this answer */
        bool used, got;    /* got: its answer has arrived */
    } slots[BOSHWIN_SLOTS];
};

enum boshwin_verdict {
    BOSHWIN_QUEUED, /* it is in the window: boshwin_next gives it, perhaps not yet */
    BOSHWIN_REPLAY, /* it was answered: *replay is to be sent again */
    BOSHWIN_AGAIN,  /* it is here already; this one takes its place, and *old (may be NULL) gets an answer that says so */
    BOSHWIN_BUSY,   /* too many are under way: policy-violation, the session ends (XEP-0124 11) */
    BOSHWIN_GONE,   /* outside of the window, or its answer is not kept: item-not-found, the session ends */
};
/* rid: of the request before the first one. requests <= BOSHWIN_REQUESTS_MAX. */
void boshwin_init(struct boshwin *w, uint64_t rid, unsigned requests);
void boshwin_fini(struct boshwin *w);
enum boshwin_verdict boshwin_arrive(struct boshwin *w, uint64_t rid, uint64_t via, void *request, void **old,
                                    struct slice *replay);
/* Takes the next one: its pointer, or NULL: it has not come. */
void *boshwin_next(struct boshwin *w);
unsigned boshwin_held(const struct boshwin *w); /* taken, and not answered */
/* The one that is to be answered now, if any is held; its request may be NULL. */
bool boshwin_oldest(const struct boshwin *w, uint64_t *rid, void **request);
/* That one was answered. keep: the answer, if it may be asked for again; end: bytes ever written, this answer's payload included. */
void boshwin_answer(struct boshwin *w, struct slice keep, bool kept, uint32_t end);
/* Its connection is gone; harmless if it is not here. */
void boshwin_forget(struct boshwin *w, const void *request);
void boshwin_acked(struct boshwin *w, uint64_t rid); /* the client has the answers up to this one */
uint32_t boshwin_arrived(const struct boshwin *w);   /* `end` of the answers that are known to have arrived */
/* Any of the requests that are here, waiting or held, to be let go; NULL: none. */
void *boshwin_pop(struct boshwin *w);

/* Key sequencing (XEP-0124 15). */
struct boshkey {
    char next[41]; /* hex of what the next key must hash to; "": no keys are used */
};
MUST_USE enum rc boshkey_begin(struct boshkey *k, struct slice newkey); /* empty: none. RC_SYNTAX */
/* The key of each later request. RC_DENIED. */
MUST_USE enum rc boshkey_check(struct boshkey *k, struct slice key, struct slice newkey);

#endif
