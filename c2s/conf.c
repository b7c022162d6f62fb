/* c2s/conf.c - the option table; conf/c2s.conf explains each */
#include "c2s/c2s.h"

#define ROW struct c2s_conf
/* clang-format off */
static const struct option options[] = {
    OPTION_LIST("listen", "address", ROW, address, "::", RESTART),
    OPTION_UINT("listen", "port", ROW, port, "5222", "0", "65535", RESTART),
    OPTION_UINT("listen", "port_tls", ROW, port_tls, "5223", "0", "65535", RESTART),
    OPTION_LIST("listen", "proxy_from", ROW, proxy_from, "", RESTART),
    OPTION_TIME("listen", "proxy_time", ROW, proxy_ms, "5s", "100ms", "1m", RESTART),

    OPTION_ENUM("tls", "policy", ROW, policy, "required", "required|optional", RELOAD),
    OPTION_STRING("tls", "cert", ROW, cert, "tls/cert.pem", RELOAD),
    OPTION_STRING("tls", "key", ROW, key, "tls/key.pem", RELOAD),
    OPTION_STRING("tls", "client_ca", ROW, client_ca, "", RELOAD),
    OPTION_STRING("tls", "priority", ROW, priority, "", RELOAD),

    RLINK_OPTIONS(ROW, router),

    OPTION_BOOL("sasl", "sasl2", ROW, sasl2, "yes", RELOAD),
    OPTION_BOOL("sasl", "pipelining", ROW, pipelining, "yes", RELOAD),

    OPTION_BYTES("limits", "pre_auth_size", ROW, pre_auth_bytes, "8k", "2k", "1m", RELOAD),
    OPTION_UINT("limits", "pre_auth_elements", ROW, pre_auth_elements, "32", "8", "10000", RELOAD),
    OPTION_BYTES("limits", "stanza_size", ROW, stanza_bytes, "256k", "10000", "512k", RELOAD),
    OPTION_UINT("limits", "elements", ROW, elements, "10000", "32", "100000", RELOAD),
    OPTION_UINT("limits", "depth", ROW, depth, "64", "8", "1000", RELOAD),
    OPTION_UINT("limits", "attributes", ROW, attrs, "128", "16", "10000", RELOAD),
    OPTION_BYTES("limits", "output", ROW, output_bytes, "4m", "64k", "1g", RELOAD),
    OPTION_TIME("limits", "auth_time", ROW, auth_ms, "30s", "1s", "10m", RELOAD),
    OPTION_UINT("limits", "attempts", ROW, attempts, "10", "3", "100", RELOAD),
    OPTION_UINT("limits", "pending", ROW, pending, "1000", "10", "100000", RELOAD),
    OPTION_UINT("limits", "pending_per_address", ROW, pending_per_address, "50", "1", "100000", RELOAD),
    OPTION_UINT("limits", "per_address", ROW, per_address, "1000", "1", "1000000", RELOAD),
    OPTION_UINT("limits", "auth_failures", ROW, auth_failures_per_s, "1", "0", "10000", RELOAD),
    OPTION_UINT("limits", "auth_failures_burst", ROW, auth_failures_burst, "30", "1", "100000", RELOAD),
    OPTION_UINT("limits", "byte_rate", ROW, byte_rate, "4m", "0", "1000m", RELOAD),
    OPTION_UINT("limits", "byte_burst", ROW, byte_burst, "16m", "10000", "1000m", RELOAD),
    OPTION_UINT("limits", "stanza_rate", ROW, stanza_rate, "10000", "0", "1000000", RELOAD),
    OPTION_UINT("limits", "stanza_burst", ROW, stanza_burst, "20000", "1", "1000000", RELOAD),

    OPTION_TIME("keepalive", "interval", ROW, probe_ms, "5m", "0ms", "1d", RELOAD),
    OPTION_ENUM("keepalive", "kind", ROW, probe, "xmpp", "whitespace|xmpp", RELOAD),
    OPTION_TIME("keepalive", "timeout", ROW, probe_wait_ms, "1m", "1s", "1h", RELOAD),
    OPTION_TIME("keepalive", "max_idle", ROW, idle_ms, "0ms", "0ms", "30d", RELOAD),

    OPTION_STRING("cluster", "see_other_host", ROW, see_other_host, "", RELOAD),
    OPTION_STRING("cluster", "location", ROW, location, "", RELOAD),
};
/* clang-format on */

static enum rc cert_begin(void *conf, const char *name, struct why *why)
{
    struct c2s_conf *c = conf;
    (void)why;
    return certs_section_begin(&c->certs, name);
}

static enum rc cert_set(void *conf, const char *name, const char *option, const char *value, struct why *why)
{
    struct c2s_conf *c = conf;
    return certs_section_set(c->certs, name, option, value, why);
}

static void sections_free(void *of)
{
    struct c2s_conf *conf = of;
    certs_sections_free(&conf->certs);
}

static const struct conf_named named[] = {
    { .kind = "certificate", .names = certs_options, .begin = cert_begin, .set = cert_set },
    { .kind = NULL },
};
const struct conf_table c2s_conf_table = {
    .options = options,
    .n = sizeof options / sizeof *options,
    .named = named,
    .size = sizeof(struct c2s_conf),
    .clear = sections_free,
};
