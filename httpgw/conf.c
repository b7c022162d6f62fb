/* httpgw/conf.c - the option table; conf/httpgw.conf explains each */
#include "httpgw/httpgw.h"

#include "common/xmpp/slot.h"

#define ROW struct httpgw_conf
/* clang-format off */
static const struct option options[] = {
    OPTION_LIST("listen", "address", ROW, address, "::", RESTART),
    OPTION_UINT("listen", "port", ROW, port, "5280", "0", "65535", RESTART),
    OPTION_UINT("listen", "port_tls", ROW, port_tls, "5281", "0", "65535", RESTART),
    OPTION_LIST("listen", "more", ROW, more, "", RESTART),
    OPTION_LIST("listen", "proxy_from", ROW, proxy_from, "", RESTART),
    OPTION_TIME("listen", "proxy_time", ROW, proxy_ms, "5s", "100ms", "1m", RESTART),
    OPTION_LIST("listen", "forwarded_from", ROW, forwarded_from, "", RESTART),

    OPTION_ENUM("tls", "policy", ROW, policy, "required", "required|optional", RELOAD),
    OPTION_STRING("tls", "cert", ROW, cert, "tls/cert.pem", RELOAD),
    OPTION_STRING("tls", "key", ROW, key, "tls/key.pem", RELOAD),
    OPTION_STRING("tls", "priority", ROW, priority, "", RELOAD),

    RLINK_OPTIONS(ROW, router),
    CLIENTS_OPTIONS(ROW, clients),

    OPTION_LIST("http", "origins", ROW, origins, "*", RELOAD),
    OPTION_UINT("http", "connections", ROW, connections, "20000", "10", "1000000", RESTART),
    OPTION_UINT("http", "per_address", ROW, connections_per_address, "1000", "1", "1000000", RELOAD),
    OPTION_BYTES("http", "header_size", ROW, header_bytes, "8k", "2k", "64k", RESTART),
    OPTION_TIME("http", "request_time", ROW, request_ms, "30s", "1s", "1h", RELOAD),

    OPTION_BOOL("websocket", "enabled", ROW, ws, "yes", RELOAD),

    OPTION_BOOL("bosh", "enabled", ROW, bosh, "yes", RELOAD),
    OPTION_TIME("bosh", "wait", ROW, wait_ms, "60s", "1s", "10m", RELOAD),
    OPTION_UINT("bosh", "hold", ROW, hold, "2", "0", "5", RELOAD),
    OPTION_TIME("bosh", "inactivity", ROW, inactivity_ms, "60s", "1s", "1h", RELOAD),
    OPTION_TIME("bosh", "pause", ROW, pause_ms, "2m", "0ms", "1h", RELOAD),
    OPTION_TIME("bosh", "polling", ROW, polling_ms, "2s", "0ms", "1m", RELOAD),
    OPTION_BOOL("bosh", "send_node_hostname", ROW, send_hostname, "no", RELOAD),
    OPTION_BOOL("bosh", "same_address", ROW, same_address, "no", RELOAD),
    OPTION_LIST("bosh", "gateways", ROW, gateways, "", RELOAD),

    OPTION_STRING("upload", "secret", ROW, upload_secret, "", RELOAD),
    OPTION_STRING("upload", "path", ROW, upload_path, "upload", RESTART),
    OPTION_UINT("upload", "parallel", ROW, upload_parallel, "100", "1", "10000", RELOAD),
    OPTION_UINT("upload", "per_address", ROW, upload_per_address, "20", "1", "10000", RELOAD),
    OPTION_BYTES("upload", "slowest", ROW, upload_slowest, "8k", "1", "1g", RELOAD),

    OPTION_BOOL("web", "admin", ROW, web_admin, "yes", RELOAD),
    OPTION_BOOL("web", "chat", ROW, web_chat, "yes", RELOAD),
    OPTION_STRING("web", "path", ROW, web_path, "", RELOAD),

    OPTION_LIST("metrics", "allow", ROW, metrics_allow, "127.0.0.0/8, ::1", RELOAD),

    OPTION_STRING("public", "host", ROW, host, "", RELOAD),
    OPTION_UINT("public", "port", ROW, public_port, "0", "0", "65535", RELOAD),
    OPTION_STRING("public", "websocket_url", ROW, ws_url, "", RELOAD),
    OPTION_STRING("public", "bosh_url", ROW, bosh_url, "", RELOAD),
    OPTION_LIST("public", "ips", ROW, ips, "", RELOAD),
    OPTION_TIME("public", "ttl", ROW, ttl_ms, "1h", "1s", "30d", RELOAD),

    OPTION_BOOL("api", "enabled", ROW, api, "yes", RELOAD),
    OPTION_LIST("api", "origins", ROW, api_origins, "", RELOAD),
    OPTION_UINT("api", "rate", ROW, api_rate, "20", "0", "100000", RELOAD),
    OPTION_UINT("api", "burst", ROW, api_burst, "100", "1", "1000000", RELOAD),
    OPTION_UINT("api", "calls", ROW, api_calls, "200", "1", "100000", RELOAD),
    OPTION_UINT("api", "per_address", ROW, api_per_address, "20", "1", "100000", RELOAD),
    OPTION_BYTES("api", "body", ROW, api_body, "64k", "1k", "256k", RELOAD),
    OPTION_TIME("api", "time", ROW, api_ms, "30s", "100ms", "10m", RELOAD),
    OPTION_TIME("api", "keep", ROW, api_keep_ms, "10s", "0ms", "1m", RELOAD),
};
/* clang-format on */

static enum rc cert_begin(void *conf, const char *name, struct why *why)
{
    struct httpgw_conf *c = conf;
    (void)why;
    return certs_section_begin(&c->certs, name);
}

static enum rc cert_set(void *conf, const char *name, const char *option, const char *value, struct why *why)
{
    struct httpgw_conf *c = conf;
    return certs_section_set(c->certs, name, option, value, why);
}

static void sections_free(void *of)
{
    struct httpgw_conf *conf = of;
    certs_sections_free(&conf->certs);
}

static const struct conf_named named[] = {
    { .kind = "certificate", .names = certs_options, .begin = cert_begin, .set = cert_set },
    { .kind = NULL },
};

static enum rc check(const struct option *o, const void *of, struct why *why)
{
    const struct httpgw_conf *conf = of;
    if (o->offset == offsetof(struct httpgw_conf, metrics_allow)) {
        struct net_list *list = NULL;
        enum rc rc = conf_networks(&conf->metrics_allow, &list, why);
        net_list_free(&list);
        return rc;
    }
    if (o->offset != offsetof(struct httpgw_conf, upload_secret) || !conf->upload_secret ||
        strlen(conf->upload_secret) >= SLOT_KEY_MIN)
        return RC_OK;
    why_set(why, "a secret has %d characters at least", SLOT_KEY_MIN);
    return RC_LIMIT;
}

const struct conf_table httpgw_conf_table = {
    .options = options,
    .n = sizeof options / sizeof *options,
    .named = named,
    .size = sizeof(struct httpgw_conf),
    .clear = sections_free,
    .check = check,
};
