/* sessman/audit.h - who has done what: commands over every face, and what comes over the HTTP API
 *
 * Each is a row and a log line: no value of a form but whom it was about, no body of a message. The rows are bounded by age and, those of
 * administrators and of all others apart, by number ([audit]): nobody else's pushes out what administrators have done. What only looks
 * is noted once in AUDIT_AGAIN_MS for the same asker and answer, so a page that asks every second leaves one row. */
#ifndef SESSMAN_AUDIT_H
#define SESSMAN_AUDIT_H

#include "sessman/dispatch.h"

#define AUDIT_AGAIN_MS 600000
struct audit_entry {
    struct slice who;      /* full JID, or the name of the tool */
    struct slice means;    /* "client", "password" and "token N" of the API, "tool", "other" */
    struct slice address;  /* the client's, where it is known */
    struct slice what;     /* a command's node; "message"; "list" of the commands */
    struct slice whom;     /* addressee; empty: nobody */
    struct slice outcome;  /* "done", or the condition of the error */
    bool admin;            /* by an administrator */
    bool changes;
};
/* The first four fields and admin, from who has sent in, which has a session now; in its arena. what lives as long. */
struct audit_entry audit_by(const struct incoming *in, struct slice what);
/* Returns the ticket of the row, which what is told because of it waits for; 0: none was written. */
uint64_t audit_put(struct sessman *sm, const struct audit_entry *e);
struct audit_filter {
    int64_t before;        /* rows with a lower id than this */
    struct slice who, what; /* bare or full JID; exactly; empty: any */
    unsigned most;
};
/* The newest first. */
void audit_list(struct sessman *sm, const struct audit_filter *f,
                void (*each)(void *ctx, int64_t id, int64_t at_ms, const struct audit_entry *e), void (*done)(void *ctx), void *ctx);
void audit_fini(struct sessman *sm);

#endif
