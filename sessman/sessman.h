/* sessman/sessman.h - the session manager's context: everything mutable of the process hangs from it */
#ifndef SESSMAN_SESSMAN_H
#define SESSMAN_SESSMAN_H

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/rate.h"
#include "common/daemon/daemon.h"
#include "common/daemon/linkconf.h"
#include "common/link/rlink.h"
#include "common/net/work.h"
#include "common/xmpp/xmlin.h"
#include "sessman/store/store.h"

struct auth_backend;
struct out;
struct outbox;
struct smqueues;
struct module_index;
struct adhoc_sessions;
struct announce;
struct audit;
struct auth_rates;
struct push_all;
struct restore;
struct pathfilter;
struct journal;
struct fast;
struct retention;
struct uploads;
struct anonymous;

enum conflict_policy { CONFLICT_REPLACE, CONFLICT_REFUSE, CONFLICT_RENAME };
enum last_counts { LAST_PRESENCE, LAST_MESSAGE, LAST_BOTH }; /* [last_activity] counts */
enum store_sync { STORE_SYNC_FULL, STORE_SYNC_NORMAL };
enum offline_over { OFFLINE_OVER_ERROR, OFFLINE_OVER_DROP };
enum auth_kind { AUTH_STORE, AUTH_SCRIPT };

struct sessman_conf {
    struct rlink_options router; /* [router] */
    /* [store] */
    char *store_path;
    int store_sync; /* enum store_sync */
    uint32_t store_queue_max;
    size_t store_cache_bytes;
    /* [admin] */
    bool admin_tool;
    /* [auth] */
    int auth_kind; /* enum auth_kind */
    uint32_t scram_iterations;
    char *script_command;
    uint32_t script_processes, script_timeout_ms;
    uint32_t auth_failures_per_min, auth_failures_burst;
    /* [tokens] */
    bool tokens;
    uint32_t token_life_ms, token_rotate_ms, tokens_per_account;
    /* [api] */
    bool api_tokens;
    uint32_t api_token_days, api_tokens_per_account;
    /* [audit] */
    uint32_t audit_entries, audit_days;
    /* [anonymous] */
    uint32_t anonymous_per_hour, anonymous_burst, anonymous_most, anonymous_token_ms;
    /* [register] */
    uint32_t register_per_hour, register_burst;
    /* [limits] */
    size_t stanza_max, edge_backlog_max;
    uint32_t amp_rules_max;
    uint32_t sessions_per_account, roster_items_max, offline_max, directed_max, accounts_idle_max;
    /* [offline] */
    struct conf_list offline_filter; /* pathfilter.h */
    uint32_t offline_per_sender, offline_user_limit_max;
    bool offline_user_limit;
    int offline_over;                /* enum offline_over */
    /* [session] */
    int conflict; /* enum conflict_policy */
    bool resume;  /* XEP-0198 5 */
    uint32_t hibernate_ms, hibernate_max_ms;
    uint32_t sm_queue_stanzas;
    size_t sm_queue_bytes;
    /* [last_activity] */
    int last_counts; /* enum last_counts */
    bool last_always;
    /* [push] */
    int push_summary; /* enum push_summary */
    uint32_t push_ms, push_services_max, push_errors_max;
    /* [remote] */
    uint32_t remote_wait_ms, remote_queue;
    /* [csi] */
    int csi_hold; /* enum csi_policy */
    uint32_t csi_stanzas_max, csi_ms;
    size_t csi_bytes_max;
    /* [upload] */
    char *upload_secret, *upload_url; /* secret NULL: it is off */
    size_t upload_max, upload_day_bytes, upload_quota;
    uint32_t upload_slot_ms, upload_day_files, upload_days;
    /* [contact] XEP-0157 */
    struct conf_list contact_abuse, contact_admin, contact_security, contact_support;
};

struct domain {               /* one hosted domain: a row of the store */
    char *name;
    bool registration;
    bool anonymous;           /* logins of who does not say who he is: anonymous.h */
    bool anonymous_remote;    /* these may talk to other servers */
    bool offline;             /* messages are kept for who is away */
    bool archive;             /* messages are archived, of users who did not choose otherwise; false: of nobody */
    uint32_t archive_days;    /* how long; 0: for ever */
    uint64_t archive_bytes;   /* stanzas of all its accounts; 0: no limit */
    uint64_t archive_used;    /* bytes of them, where there is a limit: retention.c */
    bool archive_counting, archive_counted;
    int64_t expired;          /* positions up to here have been looked at for their age */
};

struct sessman {
    struct daemon_run *run;
    const struct sessman_conf *conf;
    struct loop *loop;
    struct log *log;
    struct metrics *metrics;
    struct arena_pool *arenas;
    struct xmlin_pool *xml;          /* parses frames: NS_CLIENT in scope */
    struct xmlin_limits xml_limits;
    struct store *store;
    uint64_t commit_us; /* time in COMMIT that the metrics have been told of */
    struct rlink *rlink;
    struct work_pool *work;          /* PBKDF2 */
    const struct auth_backend *auth_backend;
    void *auth_state;
    struct auth_rates *auth_rates;   /* auth.c */
    bool disabled_any;               /* some account may be disabled: auth.c asks */
    uint64_t api_epoch;              /* how often a token or a password has ended: apisession.h */
    struct addr_table *register_rates; /* mod/register.c; by client address */
    struct map *domains;             /* by name; owns struct domain */
    struct map *accounts;            /* by bare JID; owns struct account */
    struct link accounts_idle;       /* loaded and unused, the longest first */
    size_t accounts_idle_n;
    struct out *out;                 /* what waits for a commit */
    struct outbox *outbox;           /* what is for other servers; NULL in tests of parts */
    struct journal *journal;
    struct fast *fast;               /* messages that are delivered and have no row: fast.h */
    struct smqueues *smqueues;       /* sessions with stream management: smqueue.h */
    struct retention *retention;
    struct uploads *uploads;         /* NULL until sessions are served */
    struct anonymous *anonymous;     /* anonymous.h; NULL until sessions are served */
    bool archive_counted;            /* some domain's archive has a limit: retention_added */
    struct restore *restore;         /* rows of sessions and edges; NULL in tests of parts */
    uint64_t routed_ticket;          /* the highest that stanzas from outside caused */
    struct pathfilter *offline_filter; /* of [offline] filter: offline_reconf; NULL: none */
    struct module_index *modules;
    struct audit *audit;             /* audit.c */
    struct announce *announce;       /* under way; NULL: none */
    struct adhoc_sessions *adhoc;
    struct push_all *push;           /* notifications that are not answered: push.c */
    size_t sessions_bound;
    size_t sessions_gone;            /* since memory was last given back */
    struct timer release;
    uint8_t secret[32];              /* of this installation (meta row "secret"): fake salts */
    bool names_known;                /* the domains have been read: they are bound at the routers */
    size_t held, held_most;          /* stanzas that wait for the store or a worker; the most since there were none */
    struct buf scratch;              /* for writing one stanza; never held across a call into a module */
    uint64_t started_ms;             /* monotonic */
};

/* A context for one log line. */
static inline struct log_ctx sessman_log(const struct sessman *sm, enum log_sub sub)
{
    return (struct log_ctx){ sm->log, sub, 0, NULL, NULL };
}
struct domain *sessman_domain(const struct sessman *sm, struct slice name); /* NULL: not hosted here */
/* Reads them (once, at start); done on the loop. */
void sessman_domains_load(struct sessman *sm, void (*done)(struct sessman *sm));
void sessman_domains_free(struct sessman *sm);
/* Domains at run time: row, memory, router and edges. done: RC_OK, RC_EXISTS, RC_NOTFOUND, RC_CONFLICT (accounts are left). */
void sessman_domain_add(struct sessman *sm, struct slice name, bool registration, void (*done)(void *ctx, enum rc rc), void *ctx);
void sessman_domain_remove(struct sessman *sm, struct slice name, void (*done)(void *ctx, enum rc rc), void *ctx);
void sessman_domain_registration(struct sessman *sm, struct slice name, bool open);
void sessman_domain_anonymous(struct sessman *sm, struct slice name, bool on, bool remote);
/* What its accounts archive from now on, and how long and how much of it is kept; 0: without limit. */
void sessman_domain_archive(struct sessman *sm, struct slice name, bool on, uint32_t days, uint64_t bytes);
void sessman_domain_offline(struct sessman *sm, struct slice name, bool kept); /* messages for who is away */
void sessman_domains_announce(struct sessman *sm); /* to the routers and all edges */

enum sessman_metric {
    M_SESSIONS, M_ACCOUNTS_LOADED, M_LOGINS, M_AUTH_FAILED, M_STANZAS_IN, M_STANZAS_OUT, M_FANOUT_COPIES,
    M_ERRORS_SENT, M_OFFLINE_STORED, M_OFFLINE_DELIVERED, M_OFFLINE_REFUSED, M_BAD_FRAMES, M_REGISTERED,
    M_LIMIT_ROSTER, M_LIMIT_SESSIONS, M_LIMIT_DIRECTED, M_LIMIT_FRAME, M_BOUNCES, M_COMMITS, M_COMMIT_TIME,
    M_FAST, M_FAST_ROWS,
    M_EDGE_OVERFLOWS, M_CARBONS, M_CARBONS_FORGED,
    M_CSI_HELD, M_CSI_DROPPED,
    M_FORGED_MARKS, M_ARCHIVE_QUERIES, M_ARCHIVE_RESULTS,
    M_AMP_MET, M_AMP_REFUSED,
    M_SM_HIBERNATING, M_SM_RESUMED, M_SM_RESUME_FAILED, M_SM_EXPIRED, M_LIMIT_SM_QUEUE,
    M_EXPIRED, M_OUTBOX, M_OUTBOX_EXPIRED, M_LIMIT_OUTBOX,
    M_PUSHES, M_PUSH_FAILED, M_PUSH_DISABLED, M_LIMIT_PUSH,
    M_UPLOADS, M_UPLOADS_REFUSED,
    M_API_REFUSED,
    M_STORE_WAITING, M_HELD, M_LINK_UNACKED, M_LINK_WAITING,
    M_ANONYMOUS, M_LIMIT_ANONYMOUS,
    SESSMAN_METRICS
};

#endif
