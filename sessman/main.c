/* sessman/main.c - the session manager: its parts, in the order in which they start and stop */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/xmpp/ns.h"
#include "sessman/account.h"
#include "sessman/adhoc.h"
#include "sessman/announce.h"
#include "sessman/anonymous.h"
#include "sessman/audit.h"
#include "sessman/auth.h"
#include "sessman/auth_backend.h"
#include "sessman/conf.h"
#include "sessman/edges.h"
#include "sessman/fast.h"
#include "sessman/journal.h"
#include "sessman/module.h"
#include "sessman/offline.h"
#include "sessman/out.h"
#include "sessman/outbox.h"
#include "sessman/restore.h"
#include "sessman/resume.h"
#include "sessman/retention.h"
#include "sessman/push.h"
#include "sessman/session.h"
#include "sessman/smqueue.h"
#include "sessman/uploads.h"

#define WORK_THREADS 2
#define WORK_MAX     10000 /* waiting PBKDF2 jobs; over it temporary-auth-failure */
#define ARENA_CHUNK  8192  /* bytes: a stanza of ordinary size needs no second chunk */
#define ARENA_KEEP   16

/* clang-format off */
static const struct metric_def metrics[] = {
    [M_SESSIONS] = { "bulkhead_sessman_sessions", METRIC_GAUGE, "Bound sessions" },
    [M_ACCOUNTS_LOADED] = { "bulkhead_sessman_accounts_loaded", METRIC_GAUGE, "Accounts in memory" },
    [M_LOGINS] = { "bulkhead_sessman_logins", METRIC_COUNTER, "Successful authentications" },
    [M_AUTH_FAILED] = { "bulkhead_sessman_auth_failed", METRIC_COUNTER, "Failed authentications" },
    [M_STANZAS_IN] = { "bulkhead_sessman_stanzas_in", METRIC_COUNTER, "Stanzas taken from edges and routers" },
    [M_STANZAS_OUT] = { "bulkhead_sessman_stanzas_out", METRIC_COUNTER, "Stanzas sent, fan-outs apart" },
    [M_FANOUT_COPIES] = { "bulkhead_sessman_fanout_copies", METRIC_COUNTER, "Sessions that fan-out stanzas went to" },
    [M_ERRORS_SENT] = { "bulkhead_sessman_errors_sent", METRIC_COUNTER, "Stanza errors answered" },
    [M_OFFLINE_STORED] = { "bulkhead_sessman_offline_stored", METRIC_COUNTER, "Messages stored for accounts that were away" },
    [M_OFFLINE_DELIVERED] = { "bulkhead_sessman_offline_delivered", METRIC_COUNTER, "Stored messages delivered" },
    [M_OFFLINE_REFUSED] = { "bulkhead_sessman_offline_refused", METRIC_COUNTER, "Messages not kept for who is away: over a limit, or their domain keeps none" },
    [M_BAD_FRAMES] = { "bulkhead_sessman_bad_frames", METRIC_COUNTER, "Frames that made no sense" },
    [M_ANONYMOUS] = { "bulkhead_sessman_anonymous", METRIC_COUNTER, "Anonymous accounts made" },
    [M_LIMIT_ANONYMOUS] = { "bulkhead_sessman_limit_anonymous", METRIC_COUNTER,
                            "Anonymous logins refused: too many of one address, or in all" },
    [M_REGISTERED] = { "bulkhead_sessman_registered", METRIC_COUNTER, "Accounts made by in-band registration" },
    [M_LIMIT_ROSTER] = { "bulkhead_sessman_limit_roster", METRIC_COUNTER, "Roster additions refused: limit roster_items" },
    [M_LIMIT_SESSIONS] = { "bulkhead_sessman_limit_sessions", METRIC_COUNTER, "Bindings refused: limit sessions_per_account" },
    [M_LIMIT_DIRECTED] = { "bulkhead_sessman_limit_directed", METRIC_COUNTER, "Directed presences refused: limit directed_presences" },
    [M_LIMIT_FRAME] = { "bulkhead_sessman_limit_frame", METRIC_COUNTER, "Stanzas and answers larger than a frame" },
    [M_ARCHIVE_QUERIES] = { "bulkhead_sessman_archive_queries", METRIC_COUNTER, "Queries of archives (XEP-0313)" },
    [M_ARCHIVE_RESULTS] = { "bulkhead_sessman_archive_results", METRIC_COUNTER, "Archived messages sent in answer to them" },
    [M_FORGED_MARKS] = { "bulkhead_sessman_forged_marks", METRIC_COUNTER, "Elements taken out of messages that only this server may add" },
    [M_EXPIRED] = { "bulkhead_sessman_expired", METRIC_COUNTER, "Rows of the journal that retention has looked at and let go" },
    [M_OUTBOX] = { "bulkhead_sessman_outbox", METRIC_GAUGE, "Stanzas for other servers that no s2s has reported as sent yet" },
    [M_OUTBOX_EXPIRED] = { "bulkhead_sessman_outbox_expired", METRIC_COUNTER, "Stanzas for other servers that came back: no s2s took them in time" },
    [M_LIMIT_OUTBOX] = { "bulkhead_sessman_limit_outbox", METRIC_COUNTER, "Stanzas for other servers refused: limit queue" },
    [M_FAST] = { "bulkhead_sessman_messages_at_once", METRIC_COUNTER, "Messages delivered without being journaled first" },
    [M_FAST_ROWS] = { "bulkhead_sessman_messages_at_once_journaled", METRIC_COUNTER, "Of those, the ones that were journaled after all" },
    [M_BOUNCES] = { "bulkhead_sessman_bounces", METRIC_COUNTER, "Stanzas to other domains that could not be routed" },
    [M_COMMITS] = { "bulkhead_sessman_commits", METRIC_COUNTER, "Transactions committed" },
    [M_AMP_MET] = { "bulkhead_sessman_amp_met", METRIC_COUNTER, "Messages of which a processing rule decided (XEP-0079)" },
    [M_AMP_REFUSED] = { "bulkhead_sessman_amp_refused", METRIC_COUNTER, "Messages refused for their processing rules; limit amp_rules" },
    [M_EDGE_OVERFLOWS] = { "bulkhead_sessman_edge_overflows", METRIC_COUNTER, "Edges whose sessions were ended: limit edge_backlog" },
    [M_CARBONS] = { "bulkhead_sessman_carbons", METRIC_COUNTER, "Carbon copies made" },
    [M_CARBONS_FORGED] = { "bulkhead_sessman_carbons_forged", METRIC_COUNTER, "Messages with carbons of others, which were taken out" },
    [M_CSI_HELD] = { "bulkhead_sessman_csi_held", METRIC_COUNTER, "Stanzas held back from inactive clients" },
    [M_CSI_DROPPED] = { "bulkhead_sessman_csi_dropped", METRIC_COUNTER, "Of those, the ones that a newer one replaced" },
    [M_SM_HIBERNATING] = { "bulkhead_sessman_sm_hibernating", METRIC_GAUGE, "Sessions without a connection that may be resumed" },
    [M_SM_RESUMED] = { "bulkhead_sessman_sm_resumed", METRIC_COUNTER, "Sessions resumed" },
    [M_SM_RESUME_FAILED] = { "bulkhead_sessman_sm_resume_failed", METRIC_COUNTER, "Resumptions refused" },
    [M_SM_EXPIRED] = { "bulkhead_sessman_sm_expired", METRIC_COUNTER, "Sessions that ended because nobody resumed them in time" },
    [M_LIMIT_SM_QUEUE] = { "bulkhead_sessman_limit_sm_queue", METRIC_COUNTER, "Sessions ended: too much was not acknowledged" },
    [M_PUSHES] = { "bulkhead_sessman_pushes", METRIC_COUNTER, "Push notifications sent to services" },
    [M_PUSH_FAILED] = { "bulkhead_sessman_push_failed", METRIC_COUNTER, "Push notifications answered with an error" },
    [M_PUSH_DISABLED] = { "bulkhead_sessman_push_disabled", METRIC_COUNTER, "Push services removed because of errors" },
    [M_LIMIT_PUSH] = { "bulkhead_sessman_limit_push", METRIC_COUNTER, "Push services refused: limit services" },
    [M_UPLOADS] = { "bulkhead_sessman_uploads", METRIC_COUNTER, "Slots for uploads granted" },
    [M_UPLOADS_REFUSED] = { "bulkhead_sessman_uploads_refused", METRIC_COUNTER, "Slots for uploads refused: limits of [upload], or a request that makes no sense" },
    [M_API_REFUSED] = { "bulkhead_sessman_api_refused", METRIC_COUNTER, "Stanzas of the HTTP API refused: not within its scopes, or its token has ended" },
    [M_STORE_WAITING] = { "bulkhead_sessman_store_waiting", METRIC_GAUGE, "Statements that wait for the store" },
    [M_HELD] = { "bulkhead_sessman_held", METRIC_GAUGE, "Stanzas that wait for the store or a worker before they go on" },
    [M_LINK_UNACKED] = { "bulkhead_sessman_link_unacked_bytes", METRIC_GAUGE, "Bytes that edges have not acknowledged" },
    [M_LINK_WAITING] = { "bulkhead_sessman_link_waiting_bytes", METRIC_GAUGE, "Bytes that wait for the routers' sockets" },
    [M_COMMIT_TIME] = { "bulkhead_sessman_commit_seconds", METRIC_HISTOGRAM, "Time of a group commit" },
};
/* clang-format on */

static struct slice account_key(const void *value)
{
    return account_bare(value);
}

static struct slice domain_key(const void *value)
{
    return slice_cstr(((const struct domain *)value)->name);
}

static void on_commit(void *ctx)
{
    struct sessman *sm = ctx;
    uint64_t total_us = store_stats(sm->store).commit_us_total;
    metric_add(sm->metrics, M_COMMITS, 1);
    if (total_us > sm->commit_us) /* it only read otherwise */
        metric_observe(sm->metrics, M_COMMIT_TIME, total_us - sm->commit_us);
    sm->commit_us = total_us;
    out_committed(sm);
    smqueue_committed(sm);
    outbox_committed(sm);
    if (sm->rlink) /* the first commits come before it */
        edges_committed(sm);
    restore_committed(sm);
    journal_committed(sm);
}

static void on_batch(void *ctx)
{
    restore_batch(ctx);
}

static enum rc open_store(struct sessman *sm, struct why *why)
{
    char *path = daemon_path(sm->run->dir, sm->conf->store_path);
    struct store_conf conf = {
        .path = path,
        .sync_full = sm->conf->store_sync == STORE_SYNC_FULL,
        .queue_max = sm->conf->store_queue_max,
        .cache_bytes = sm->conf->store_cache_bytes,
        .on_batch = on_batch,
    };
    enum rc rc = store_open(sm->loop, sm->log, &conf, on_commit, sm, &sm->store, why);
    mem_free(path);
    return rc;
}

/* The secret of the installation is made on the first start. */
static void on_secret(void *ctx, const struct store_result *r)
{
    struct sessman *sm = ctx;
    if (r->rows == 1 && store_row(r, 0)[0].s.len == sizeof sm->secret) {
        memcpy(sm->secret, store_row(r, 0)[0].s.p, sizeof sm->secret);
        return;
    }
    secret_random(sm->secret, sizeof sm->secret);
    store_run(sm->store, STMT_META_ADD,
              STORE_VALUES(STORE_T(SLICE("secret")),
                           STORE_B(slice_of((const char *)sm->secret, sizeof sm->secret))),
              NULL, NULL);
}

static void on_restored(struct sessman *sm)
{
    struct log_ctx log = sessman_log(sm, LOG_DAEMON);
    const char *routers[LINKCONF_ROUTERS_MAX + 1];
    struct rlink_conf conf = { 0 };
    struct why why;
    if (linkconf_fill(&sm->conf->router, &conf, routers, &why) != RC_OK) {
        LOG_ERROR(&log, "link_configuration", F_WHY(&why));
        loop_stop(sm->loop);
        return;
    }
    conf.dir = sm->run->dir;
    conf.instance = sm->run->instance;
    conf.role = ROLE_SESSMAN;
    conf.node = restore_node(sm);
    conf.answer = sm->run->answer;
    conf.answer_ctx = sm->run;
    sm->rlink = rlink_new(sm->loop, sm->log, &conf, &edges_rlink_ops, sm);
    restore_expect(sm);
    sessman_domains_announce(sm);
    retention_open(sm);
    uploads_open(sm);
    anonymous_open(sm);
    LOG_INFO(&log, "serving", F_UINT("domains", map_count(sm->domains)));
}

static void on_disabled(void *ctx, const struct store_result *r)
{
    ((struct sessman *)ctx)->disabled_any = r->rows && store_row(r, 0)->i;
}

static void on_domains(struct sessman *sm)
{
    store_run(sm->store, STMT_DISABLED_ANY, NULL, 0, on_disabled, sm);
    restore_load(sm, on_restored);
}

static enum rc start(struct daemon_run *run, struct why *why)
{
    struct sessman *sm = mem_new(sizeof *sm);
    run->ctx = sm;
    sm->run = run;
    sm->conf = run->conf;
    sm->loop = run->loop;
    sm->log = run->log;
    sm->metrics = run->metrics;
    sm->started_ms = clock_mono_ms();
    sm->arenas = arena_pool_new(ARENA_CHUNK, 0, ARENA_KEEP);
    sm->xml = xmlin_pool_new(NS_CLIENT, sm->arenas);
    sm->xml_limits = (struct xmlin_limits){ sm->conf->stanza_max, 96, 100000, 512 };
    sm->domains = map_new(domain_key);
    sm->accounts = map_new(account_key);
    list_init(&sm->accounts_idle);
    sm->out = out_new();
    smqueues_new(sm);
    fast_new(sm);
    sm->modules = module_index_new();
    sm->work = work_pool_new(run->loop, WORK_THREADS, WORK_MAX);
    sm->auth_backend = sm->conf->auth_kind == AUTH_SCRIPT ? &auth_script : &auth_store;
    enum rc rc = open_store(sm, why);
    if (rc == RC_OK)
        rc = sm->auth_backend->open(sm, &sm->auth_state, why);
    if (rc != RC_OK)
        return rc;
    offline_reconf(sm);
    store_run(sm->store, STMT_META_GET, STORE_VALUES(STORE_T(SLICE("secret"))), on_secret, sm);
    journal_open(sm);
    outbox_open(sm);
    sessman_domains_load(sm, on_domains);
    return RC_OK;
}

static void stop(struct daemon_run *run)
{
    struct sessman *sm = run->ctx;
    restore_stop(sm);
    if (sm->rlink) {
        edges_close(sm);
        fast_free(sm);
        resume_fini(sm);
        rlink_close(sm->rlink);
        out_stop(sm);
        outbox_stop(sm);
    }
    retention_close(sm);
    uploads_close(sm);
    anonymous_close(sm);
    push_fini(sm);
    journal_close(sm);
    adhoc_fini(sm);
    announce_fini(sm);
    auth_fini(sm);
    if (sm->auth_state)
        sm->auth_backend->close(&sm->auth_state);
    work_pool_free(&sm->work);
    store_close(&sm->store);
    audit_fini(sm);           /* what was given to the store may end with an entry */
    timer_stop(&sm->release); /* sessions that end, and stanzas that were held, start it */
}

static bool free_account(void *value, void *ctx)
{
    account_free_at_end(ctx, value);
    return false;
}

static void fini(struct daemon_run *run)
{
    struct sessman *sm = run->ctx;
    rlink_free(&sm->rlink);
    fast_free(sm);
    out_free(&sm->out);
    outbox_free(&sm->outbox);
    restore_free(&sm->restore);
    map_each(sm->accounts, free_account, sm);
    map_free(&sm->accounts);
    journal_free(sm);
    retention_free(sm);
    mem_free(sm->uploads);
    anonymous_free(sm);
    sessman_domains_free(sm);
    offline_fini(sm);
    module_index_free(&sm->modules);
    addr_table_free(&sm->register_rates);
    xmlin_pool_free(&sm->xml);
    arena_pool_free(&sm->arenas);
    buf_fini(&sm->scratch);
    secret_wipe(sm->secret, sizeof sm->secret);
    mem_free(sm);
    run->ctx = NULL;
}

static enum rc reload(struct daemon_run *run, const void *new_conf, struct why *why)
{
    struct sessman *sm = run->ctx;
    sm->conf = new_conf;
    offline_reconf(sm);
    sessman_domains_announce(sm); /* contact addresses and the largest upload are part of the caps */
    (void)why;
    return RC_OK;
}

static void measure(struct daemon_run *run)
{
    const struct sessman *sm = run->ctx;
    struct rlink_queues q = { 0, 0 };
    if (sm->rlink)
        q = rlink_queues(sm->rlink);
    metric_set(sm->metrics, M_STORE_WAITING, (int64_t)store_stats(sm->store).waiting);
    metric_set(sm->metrics, M_HELD, (int64_t)sm->held);
    metric_set(sm->metrics, M_LINK_UNACKED, (int64_t)q.unacked);
    metric_set(sm->metrics, M_LINK_WAITING, (int64_t)q.waiting);
}

static void status(struct daemon_run *run, struct buf *json)
{
    const struct sessman *sm = run->ctx;
    struct store_stats st = store_stats(sm->store);
    buf_fmt(json, "\"sessions\":%zu,\"accounts_loaded\":%zu,\"domains\":%zu,", sm->sessions_bound,
            map_count(sm->accounts), map_count(sm->domains));
    buf_fmt(json,
            "\"store\":{\"statements\":%llu,\"commits\":%llu,\"batch_max\":%llu,\"retries\":%llu,\"waiting\":"
            "%zu,",
            (unsigned long long)st.statements, (unsigned long long)st.commits,
            (unsigned long long)st.batch_max, (unsigned long long)st.retries, st.waiting);
    buf_fmt(json, "\"commit_us_max\":%llu},\"links\":", (unsigned long long)st.commit_us_max);
    if (sm->rlink)
        rlink_status(sm->rlink, json);
    else
        BUF_LIT(json, "[]");
}

int main(int argc, char **argv)
{
    static const struct daemon sessman = {
        .name = "sessman",
        .summary = "the session manager: accounts, sessions, rosters, presence, messages",
        .conf = &sessman_conf_table,
        .metrics = metrics,
        .n_metrics = SESSMAN_METRICS,
        .start = start,
        .stop = stop,
        .fini = fini,
        .reload = reload,
        .measure = measure,
        .status = status,
    };
    return daemon_run(argc, argv, &sessman);
}
