/* sessman/account.h - accounts in memory: loaded while in use, released after
 *
 * An account has its roster in memory while it is loaded. Loaded ones without references stay in a list of limited length
 * ([limits] accounts_idle), the longest unused goes first. */
#ifndef SESSMAN_ACCOUNT_H
#define SESSMAN_ACCOUNT_H

#include "common/base/list.h"
#include "common/xmpp/jid.h"
#include "sessman/roster.h"
#include "sessman/sessman.h"

struct account {
    char *bare;                    /* "local@domain" */
    uint16_t bare_len, local_len;
    bool anonymous;                /* anonymous.h */
    bool loaded, admin, gone;      /* gone: deleted while in use */
    bool disabled;                 /* nobody logs in to it */
    uint32_t refs;
    uint32_t n_sessions;
    int64_t id;                    /* row */
    struct link sessions;          /* head; bound sessions by in_account */
    struct link idle;              /* in sm->accounts_idle when refs is 0 */
    struct roster roster;
    uint64_t delivered;            /* journal: its cursor, as the store has it or soon will */
    uint64_t unsent;               /* journal: nothing before it is undelivered and with nobody; 0: nothing at all is */
    struct cursor *cursor;         /* journal: what is outstanding; NULL: nothing */
    uint16_t n_api;                /* of n_sessions: of the HTTP API (apisession.h) */
    uint16_t flexible;             /* sessions that retrieve by themselves what waits */
    struct replay *replay;         /* journal: what is unsent, on its way to somebody; NULL: nothing */
    int64_t offline_limit;         /* of messages kept from one sender, as the user set it: offline.h */
    uint64_t offline_n;            /* rows of the journal that are unsent */
    int64_t last_ms;               /* its activity, wall clock, as far as it has not been written: mod/lastact.c; 0: it has */
    struct push *push;             /* services to be told: push.c; NULL: none */
    struct carbons_trail *carbons; /* what was copied lately: carbons.c; NULL: nothing */
    struct archive_prefs *archive; /* what differs from the default: archive.c; NULL: nothing */
    struct account_wait *waiting;  /* while it loads */
};
static inline struct slice account_bare(const struct account *a)
{
    return (struct slice){ a->bare, a->bare_len };
}
static inline struct slice account_local(const struct account *a)
{
    return (struct slice){ a->bare, a->local_len };
}
static inline struct slice account_domain(const struct account *a)
{
    return slice_from(account_bare(a), (size_t)a->local_len + 1);
}
/* In memory and loaded, or NULL. Not referenced. */
void account_free_at_end(struct sessman *sm, struct account *a); /* the process ends: takes it out of no map */
struct account *account_find(const struct sessman *sm, struct slice bare);
/* Loads it if need be: fn(ctx, account or NULL when there is none), at once when it is in memory. The account is referenced for the
 * caller, who gives it back with account_release. */
void account_load(struct sessman *sm, const struct jid *bare, void (*fn)(void *ctx, struct account *a), void *ctx);
void account_hold(struct sessman *sm, struct account *a); /* one more reference; it is not idle any more */
/* Frees the longest unused until at most `keep` unused ones are left in memory. */
void accounts_shrink(struct sessman *sm, size_t keep);
void account_release(struct sessman *sm, struct account *a);
/* The row was deleted: closes its sessions (not-authorized), forgets it. */
void account_deleted(struct sessman *sm, struct slice bare);
struct session *account_session(const struct account *a, struct slice resource); /* or NULL */

#endif
