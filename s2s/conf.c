/* s2s/conf.c - the option table; conf/s2s.conf explains each */
#include "s2s/s2s.h"

#include "common/base/mem.h"

#define ROW struct s2s_conf
/* clang-format off */
static const struct option options[] = {
    OPTION_LIST("listen", "address", ROW, address, "::", RESTART),
    OPTION_UINT("listen", "port", ROW, port, "5269", "0", "65535", RESTART),
    OPTION_UINT("listen", "port_tls", ROW, port_tls, "5270", "0", "65535", RESTART),
    OPTION_LIST("listen", "proxy_from", ROW, proxy_from, "", RESTART),
    OPTION_TIME("listen", "proxy_time", ROW, proxy_ms, "5s", "100ms", "1m", RESTART),

    OPTION_ENUM("tls", "policy", ROW, policy, "required", "required|optional", RELOAD),
    OPTION_STRING("tls", "cert", ROW, cert, "tls/cert.pem", RELOAD),
    OPTION_STRING("tls", "key", ROW, key, "tls/key.pem", RELOAD),
    OPTION_STRING("tls", "ca", ROW, ca, "system", RELOAD),
    OPTION_STRING("tls", "crl", ROW, crl, "", RELOAD),
    OPTION_BOOL("tls", "dane", ROW, dane, "yes", RELOAD),
    OPTION_STRING("tls", "priority", ROW, priority, "", RELOAD),

    OPTION_BOOL("policy", "require_tls", ROW, require_tls, "yes", RELOAD),
    OPTION_BOOL("policy", "require_certificate", ROW, require_certificate, "no", RELOAD),
    OPTION_LIST("policy", "allow", ROW, allow, "", RELOAD),
    OPTION_LIST("policy", "block", ROW, block, "", RELOAD),

    OPTION_BOOL("dialback", "enabled", ROW, dialback, "yes", RELOAD),
    OPTION_STRING("dialback", "secret", ROW, secret, "", RELOAD),

    RLINK_OPTIONS(ROW, router),

    OPTION_LIST("dns", "servers", ROW, servers, "", RESTART),
    OPTION_LIST("dns", "records", ROW, records, "", RESTART),
    OPTION_STRING("dns", "hosts_file", ROW, hosts_file, "/etc/hosts", RESTART),
    OPTION_STRING("dns", "anchor_file", ROW, anchor_file, "", RESTART),
    OPTION_BOOL("dns", "ipv4", ROW, ipv4, "yes", RELOAD),
    OPTION_BOOL("dns", "ipv6", ROW, ipv6, "yes", RELOAD),
    OPTION_BOOL("dns", "loopback", ROW, loopback, "no", RELOAD),
    OPTION_TIME("dns", "time", ROW, lookup_ms, "10s", "100ms", "1m", RESTART),
    OPTION_TIME("dns", "keep_least", ROW, ttl_least_ms, "30s", "0ms", "1h", RESTART),
    OPTION_TIME("dns", "keep_most", ROW, ttl_most_ms, "1d", "1s", "7d", RESTART),
    OPTION_TIME("dns", "keep_negative", ROW, negative_most_ms, "5m", "1s", "1d", RESTART),

    OPTION_TIME("connect", "head_start", ROW, head_start_ms, "250ms", "10ms", "10s", RELOAD),
    OPTION_TIME("connect", "time", ROW, dial_ms, "20s", "100ms", "5m", RELOAD),
    OPTION_TIME("connect", "negotiate_time", ROW, negotiate_ms, "30s", "100ms", "5m", RELOAD),
    OPTION_TIME("connect", "retry", ROW, retry_ms, "2s", "10ms", "1h", RELOAD),
    OPTION_TIME("connect", "retry_most", ROW, retry_max_ms, "5m", "10ms", "1d", RELOAD),
    OPTION_BOOL("connect", "bidi", ROW, bidi, "yes", RELOAD),
    OPTION_BOOL("connect", "stream_management", ROW, sm, "yes", RELOAD),
    OPTION_TIME("connect", "resume_time", ROW, sm_keep_ms, "5m", "0ms", "1h", RELOAD),

    OPTION_UINT("queue", "stanzas", ROW, queue_stanzas, "1000", "1", "1000000", RELOAD),
    OPTION_BYTES("queue", "bytes", ROW, queue_bytes, "4m", "64k", "1g", RELOAD),
    OPTION_TIME("queue", "age", ROW, queue_age_ms, "30s", "100ms", "1h", RELOAD),

    OPTION_BYTES("limits", "pre_auth_size", ROW, pre_auth_bytes, "8k", "2k", "1m", RELOAD),
    OPTION_UINT("limits", "pre_auth_elements", ROW, pre_auth_elements, "32", "8", "10000", RELOAD),
    OPTION_BYTES("limits", "stanza_size", ROW, stanza_bytes, "512k", "10000", "768k", RELOAD),
    OPTION_UINT("limits", "elements", ROW, elements, "20000", "32", "100000", RELOAD),
    OPTION_UINT("limits", "depth", ROW, depth, "64", "8", "200", RELOAD),
    OPTION_UINT("limits", "attributes", ROW, attrs, "128", "16", "1000", RELOAD),
    OPTION_BYTES("limits", "output", ROW, output_bytes, "8m", "1m", "1g", RELOAD),
    OPTION_TIME("limits", "auth_time", ROW, auth_ms, "1m", "100ms", "10m", RELOAD),
    OPTION_UINT("limits", "pending", ROW, pending, "1000", "10", "100000", RELOAD),
    OPTION_UINT("limits", "pending_per_address", ROW, pending_per_address, "50", "1", "100000", RELOAD),
    OPTION_UINT("limits", "per_address", ROW, per_address, "200", "1", "1000000", RELOAD),
    OPTION_UINT("limits", "domains_per_connection", ROW, domains_per_connection, "50", "1", "250", RELOAD),
    OPTION_UINT("limits", "pairs", ROW, pairs, "20000", "10", "10000000", RELOAD),
    OPTION_STRING("limits", "stanzas_per_minute", ROW, limits[LIMIT_STANZAS_MINUTE], "100000 pause", RELOAD),
    OPTION_STRING("limits", "bytes_per_minute", ROW, limits[LIMIT_BYTES_MINUTE], "500m pause", RELOAD),
    OPTION_STRING("limits", "stanzas_per_connection", ROW, limits[LIMIT_STANZAS_LIFE], "0", RELOAD),
    OPTION_STRING("limits", "bytes_per_connection", ROW, limits[LIMIT_BYTES_LIFE], "0", RELOAD),
    OPTION_STRING("limits", "domain_stanzas_per_minute", ROW, limits[LIMIT_DOMAIN_STANZAS_MINUTE], "0", RELOAD),
    OPTION_STRING("limits", "domain_bytes_per_minute", ROW, limits[LIMIT_DOMAIN_BYTES_MINUTE], "0", RELOAD),

    OPTION_TIME("keepalive", "interval", ROW, probe_ms, "5m", "0ms", "1d", RELOAD),
    OPTION_TIME("keepalive", "timeout", ROW, probe_wait_ms, "1m", "100ms", "1h", RELOAD),
    OPTION_BOOL("keepalive", "ping", ROW, ping, "yes", RELOAD),
    OPTION_TIME("keepalive", "max_idle", ROW, idle_ms, "15m", "0ms", "30d", RELOAD),
};
/* clang-format on */

static enum rc check(const struct option *o, const void *conf, struct why *why)
{
    for (size_t i = 0; i < LIMIT_RULES; i++) {
        struct limit_rule rule;
        if (strcmp(o->section, "limits") == 0 && strcmp(o->name, limit_options[i]) == 0)
            return limit_rule_parse(slice_cstr(((const struct s2s_conf *)conf)->limits[i]), &rule, why);
    }
    return RC_OK;
}

/* --- [certificate NAME] --- */

static enum rc cert_begin(void *conf, const char *name, struct why *why)
{
    struct s2s_conf *c = conf;
    (void)why;
    return certs_section_begin(&c->certs, name);
}

static enum rc cert_set(void *conf, const char *name, const char *option, const char *value, struct why *why)
{
    struct s2s_conf *c = conf;
    return certs_section_set(c->certs, name, option, value, why);
}

/* --- [domain NAME], [remote PATTERN]: in the order of the file --- */

static enum rc domain_begin(struct s2s_domain **list, const char *name)
{
    struct s2s_domain *it = mem_new(sizeof *it);
    it->name = mem_copy(slice_cstr(name));
    while (*list)
        list = &(*list)->next;
    *list = it;
    return RC_OK;
}

static enum rc domain_set(struct s2s_domain *it, const char *option, const char *value, struct why *why)
{
    struct slice v = slice_cstr(value);
    bool yes = slice_is(v, "yes") || slice_is(v, "true") || slice_is(v, "on");
    bool no = slice_is(v, "no") || slice_is(v, "false") || slice_is(v, "off");
    if (!yes && !no) {
        why_set(why, "%s: yes or no", option);
        return RC_SYNTAX;
    }
    while (it->next)
        it = it->next;
    *(strcmp(option, "require_tls") == 0 ? &it->require_tls : &it->require_certificate) =
        yes ? POLICY_YES : POLICY_NO;
    return RC_OK;
}

static enum rc ours_begin(void *conf, const char *name, struct why *why)
{
    (void)why;
    return domain_begin(&((struct s2s_conf *)conf)->domains, name);
}

static enum rc ours_set(void *conf, const char *name, const char *option, const char *value, struct why *why)
{
    (void)name;
    return domain_set(((struct s2s_conf *)conf)->domains, option, value, why);
}

static enum rc theirs_begin(void *conf, const char *name, struct why *why)
{
    (void)why;
    return domain_begin(&((struct s2s_conf *)conf)->remotes, name);
}

static enum rc theirs_set(void *conf, const char *name, const char *option, const char *value,
                          struct why *why)
{
    (void)name;
    return domain_set(((struct s2s_conf *)conf)->remotes, option, value, why);
}

/* --- [route DOMAIN] --- */

static enum rc route_begin(void *conf, const char *name, struct why *why)
{
    struct s2s_route **at = &((struct s2s_conf *)conf)->routes, *it = mem_new(sizeof *it);
    (void)why;
    it->domain = mem_copy(slice_cstr(name));
    it->host = mem_copy(slice_cstr(name));
    while (*at)
        at = &(*at)->next;
    *at = it;
    return RC_OK;
}

/* "host", "host:port", "192.0.2.7:5269", "[2001:db8::7]:5269" */
static enum rc route_address(struct s2s_route *r, const char *value, struct why *why)
{
    struct slice host = slice_cstr(value);
    const char *colon = strrchr(value, ':');
    uint64_t port = 0;
    bool bracket = host.len > 2 && *value == '[';
    if (colon && (strchr(value, ':') == colon || (bracket && colon[-1] == ']'))) {
        host.len = (size_t)(colon - value);
        if (slice_u64(slice_cstr(colon + 1), UINT16_MAX, &port) != RC_OK || !port)
            host.len = 0;
    }
    if (bracket && host.len > 2 && host.p[host.len - 1] == ']')
        host = slice_of(host.p + 1, host.len - 2);
    if (!host.len) {
        why_set(why, "address: a host or an address, and :port");
        return RC_SYNTAX;
    }
    mem_free(r->host);
    r->host = mem_copy(host);
    r->port = (uint16_t)port;
    return RC_OK;
}

static enum rc route_set(void *conf, const char *name, const char *option, const char *value, struct why *why)
{
    static const char *const words[] = { "starttls", "direct", "none" };
    struct s2s_route *r = ((struct s2s_conf *)conf)->routes;
    (void)name;
    while (r->next)
        r = r->next;
    if (strcmp(option, "address") == 0)
        return route_address(r, value, why);
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(value, words[i]) == 0) {
            r->tls = (enum route_tls)i;
            return RC_OK;
        }
    }
    why_set(why, "tls: starttls, direct or none");
    return RC_SYNTAX;
}

/* --- all --- */

static void domains_free(struct s2s_domain **list)
{
    while (*list) {
        struct s2s_domain *it = *list;
        *list = it->next;
        mem_free(it->name);
        mem_free(it);
    }
}

static void sections_free(void *of)
{
    struct s2s_conf *conf = of;
    certs_sections_free(&conf->certs);
    domains_free(&conf->domains);
    domains_free(&conf->remotes);
    while (conf->routes) {
        struct s2s_route *it = conf->routes;
        conf->routes = it->next;
        mem_free(it->domain);
        mem_free(it->host);
        mem_free(it);
    }
}

static const char *const domain_options[] = { "require_tls", "require_certificate", NULL };
static const char *const route_options[] = { "address", "tls", NULL };
static const struct conf_named named[] = {
    { .kind = "certificate", .names = certs_options, .begin = cert_begin, .set = cert_set },
    { .kind = "domain", .names = domain_options, .begin = ours_begin, .set = ours_set },
    { .kind = "remote", .names = domain_options, .begin = theirs_begin, .set = theirs_set },
    { .kind = "route", .names = route_options, .begin = route_begin, .set = route_set },
    { .kind = NULL },
};
const struct conf_table s2s_conf_table = {
    .options = options,
    .n = sizeof options / sizeof *options,
    .named = named,
    .size = sizeof(struct s2s_conf),
    .clear = sections_free,
    .check = check,
};
