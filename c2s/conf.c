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

    CLIENTS_OPTIONS(ROW, clients),
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
