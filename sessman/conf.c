#include "sessman/conf.h"

#include "common/xmpp/slot.h"
#include "sessman/pathfilter.h"
#include "sessman/uploads.h"

/* Each option once: conf/sessman.conf explains them, a test compares the two. */
static const struct option options[] = {
    /* clang-format off */
    RLINK_OPTIONS(struct sessman_conf, router),
    OPTION_STRING("store", "path", struct sessman_conf, store_path, "data/bulkhead.db", RESTART),
    OPTION_ENUM("store", "synchronous", struct sessman_conf, store_sync, "full", "full|normal", RESTART),
    OPTION_UINT("store", "queue", struct sessman_conf, store_queue_max, "20000", "100", "10000000", RESTART),
    OPTION_BYTES("store", "cache", struct sessman_conf, store_cache_bytes, "2m", "64k", "16g", RESTART),
    OPTION_BOOL("admin", "tool", struct sessman_conf, admin_tool, "yes", RELOAD),
    OPTION_ENUM("auth", "backend", struct sessman_conf, auth_kind, "store", "store|script", RESTART),
    OPTION_UINT("auth", "iterations", struct sessman_conf, scram_iterations, "10000", "4096", "10000000", RELOAD),
    OPTION_STRING("auth", "script", struct sessman_conf, script_command, "", RESTART),
    OPTION_UINT("auth", "script_processes", struct sessman_conf, script_processes, "2", "1", "64", RESTART),
    OPTION_TIME("auth", "script_timeout", struct sessman_conf, script_timeout_ms, "5s", "100ms", "10m", RELOAD),
    OPTION_UINT("auth", "failures_per_min", struct sessman_conf, auth_failures_per_min, "6", "0", "100000", RELOAD),
    OPTION_UINT("auth", "failures_burst", struct sessman_conf, auth_failures_burst, "10", "1", "100000", RELOAD),
    OPTION_BOOL("tokens", "enabled", struct sessman_conf, tokens, "yes", RELOAD),
    OPTION_TIME("tokens", "life", struct sessman_conf, token_life_ms, "21d", "1s", "30d", RELOAD),
    OPTION_TIME("tokens", "rotate", struct sessman_conf, token_rotate_ms, "1d", "0ms", "30d", RELOAD),
    OPTION_UINT("tokens", "per_account", struct sessman_conf, tokens_per_account, "20", "1", "1000", RELOAD),
    OPTION_BOOL("api", "tokens", struct sessman_conf, api_tokens, "yes", RELOAD),
    OPTION_UINT("api", "token_days", struct sessman_conf, api_token_days, "365", "1", "3650", RELOAD),
    OPTION_UINT("api", "tokens_per_account", struct sessman_conf, api_tokens_per_account, "20", "1", "1000", RELOAD),
    OPTION_UINT("audit", "entries", struct sessman_conf, audit_entries, "10000", "0", "10m", RELOAD),
    OPTION_UINT("audit", "days", struct sessman_conf, audit_days, "365", "1", "36500", RELOAD),
    OPTION_UINT("anonymous", "per_hour", struct sessman_conf, anonymous_per_hour, "60", "0", "100000", RELOAD),
    OPTION_UINT("anonymous", "burst", struct sessman_conf, anonymous_burst, "20", "1", "100000", RELOAD),
    OPTION_UINT("anonymous", "most", struct sessman_conf, anonymous_most, "10000", "1", "10000000", RELOAD),
    OPTION_TIME("anonymous", "token_life", struct sessman_conf, anonymous_token_ms, "1h", "1s", "30d", RELOAD),
    OPTION_UINT("register", "per_hour", struct sessman_conf, register_per_hour, "6", "0", "100000", RELOAD),
    OPTION_UINT("register", "burst", struct sessman_conf, register_burst, "3", "1", "100000", RELOAD),
    OPTION_UINT("limits", "sessions_per_account", struct sessman_conf, sessions_per_account, "50", "1", "10000", RELOAD),
    OPTION_UINT("limits", "roster_items", struct sessman_conf, roster_items_max, "2000", "10", "100000", RELOAD),
    OPTION_UINT("limits", "offline_messages", struct sessman_conf, offline_max, "10000", "0", "10000000", RELOAD),
    OPTION_UINT("limits", "directed_presences", struct sessman_conf, directed_max, "500", "10", "100000", RELOAD),
    OPTION_UINT("limits", "amp_rules", struct sessman_conf, amp_rules_max, "32", "1", "1000", RELOAD),
    OPTION_UINT("limits", "accounts_idle", struct sessman_conf, accounts_idle_max, "200", "0", "1000000", RELOAD),
    OPTION_BYTES("limits", "stanza_size", struct sessman_conf, stanza_max, "1m", "10000", "16m", RESTART),
    OPTION_BYTES("limits", "edge_backlog", struct sessman_conf, edge_backlog_max, "64m", "8m", "64g", RELOAD),
    OPTION_LIST("offline", "filter", struct sessman_conf, offline_filter, "", RELOAD),
    OPTION_UINT("offline", "per_sender", struct sessman_conf, offline_per_sender, "100", "0", "10m", RELOAD),
    OPTION_BOOL("offline", "user_limit", struct sessman_conf, offline_user_limit, "yes", RELOAD),
    OPTION_UINT("offline", "user_limit_max", struct sessman_conf, offline_user_limit_max, "10000", "0", "10m", RELOAD),
    OPTION_ENUM("offline", "over_limit", struct sessman_conf, offline_over, "error", "error|drop", RELOAD),
    OPTION_ENUM("session", "conflict", struct sessman_conf, conflict, "replace", "replace|refuse|rename", RELOAD),
    OPTION_BOOL("session", "resume", struct sessman_conf, resume, "yes", RELOAD),
    OPTION_TIME("session", "hibernate", struct sessman_conf, hibernate_ms, "5m", "1s", "7d", RELOAD),
    OPTION_TIME("session", "hibernate_max", struct sessman_conf, hibernate_max_ms, "1h", "1s", "7d", RELOAD),
    OPTION_UINT("session", "queue_stanzas", struct sessman_conf, sm_queue_stanzas, "10000", "10", "10000000", RELOAD),
    OPTION_BYTES("session", "queue_bytes", struct sessman_conf, sm_queue_bytes, "4m", "64k", "1g", RELOAD),
    OPTION_ENUM("last_activity", "counts", struct sessman_conf, last_counts, "presence", "presence|message|both", RELOAD),
    OPTION_BOOL("last_activity", "write_always", struct sessman_conf, last_always, "no", RELOAD),
    OPTION_ENUM("push", "summary", struct sessman_conf, push_summary, "sender", "count|sender|body", RELOAD),
    OPTION_TIME("push", "interval", struct sessman_conf, push_ms, "30s", "1s", "1h", RELOAD),
    OPTION_UINT("push", "services", struct sessman_conf, push_services_max, "10", "0", "1000", RELOAD),
    OPTION_UINT("push", "errors", struct sessman_conf, push_errors_max, "5", "1", "1000", RELOAD),
    OPTION_TIME("remote", "wait", struct sessman_conf, remote_wait_ms, "10m", "1s", "7d", RELOAD),
    OPTION_UINT("remote", "queue", struct sessman_conf, remote_queue, "100k", "100", "100m", RELOAD),
    OPTION_ENUM("csi", "hold", struct sessman_conf, csi_hold, "all", "all|presence|nothing", RELOAD),
    OPTION_UINT("csi", "stanzas", struct sessman_conf, csi_stanzas_max, "200", "1", "10000", RELOAD),
    OPTION_BYTES("csi", "bytes", struct sessman_conf, csi_bytes_max, "64k", "1k", "16m", RELOAD),
    OPTION_TIME("csi", "time", struct sessman_conf, csi_ms, "30m", "1s", "1d", RELOAD),
    OPTION_STRING("upload", "secret", struct sessman_conf, upload_secret, "", RELOAD),
    OPTION_STRING("upload", "url", struct sessman_conf, upload_url, "https://{domain}:5281/upload", RELOAD),
    OPTION_BYTES("upload", "max_size", struct sessman_conf, upload_max, "100m", "1k", "1000g", RELOAD),
    OPTION_TIME("upload", "slot_time", struct sessman_conf, upload_slot_ms, "5m", "1s", "1h", RELOAD),
    OPTION_UINT("upload", "day_files", struct sessman_conf, upload_day_files, "500", "0", "10m", RELOAD),
    OPTION_BYTES("upload", "day_bytes", struct sessman_conf, upload_day_bytes, "1g", "0", "1000g", RELOAD),
    OPTION_BYTES("upload", "quota", struct sessman_conf, upload_quota, "4g", "0", "1000g", RELOAD),
    OPTION_UINT("upload", "keep_days", struct sessman_conf, upload_days, "30", "1", "3650", RELOAD),
    OPTION_LIST("contact", "abuse", struct sessman_conf, contact_abuse, "", RELOAD),
    OPTION_LIST("contact", "admin", struct sessman_conf, contact_admin, "", RELOAD),
    OPTION_LIST("contact", "security", struct sessman_conf, contact_security, "", RELOAD),
    OPTION_LIST("contact", "support", struct sessman_conf, contact_support, "", RELOAD),
    /* clang-format on */
};

static enum rc check(const struct option *o, const void *conf, struct why *why)
{
    const struct sessman_conf *c = conf;
    struct pathfilter *f = NULL;
    if (o->offset == offsetof(struct sessman_conf, upload_url))
        return uploads_url_check(c->upload_url, why);
    if (o->offset == offsetof(struct sessman_conf, upload_secret) && c->upload_secret &&
        strlen(c->upload_secret) < SLOT_KEY_MIN) {
        why_set(why, "a secret has %d characters at least", SLOT_KEY_MIN);
        return RC_LIMIT;
    }
    if (o->offset != offsetof(struct sessman_conf, offline_filter))
        return RC_OK;
    enum rc rc = pathfilter_new((const char *const *)c->offline_filter.items, c->offline_filter.n, &f, why);
    pathfilter_free(&f);
    return rc;
}

const struct conf_table sessman_conf_table = { .options = options,
                                               .n = sizeof options / sizeof options[0],
                                               .size = sizeof(struct sessman_conf),
                                               .check = check };
