/* router/conf.c */
#include "router/conf.h"

#include "common/base/mem.h"

/* clang-format off */
static const struct option options[] = {
    OPTION_STRING("listen", "unix",    struct router_conf, unix_path, "run/router.sock", RESTART),
    OPTION_LIST  ("listen", "address", struct router_conf, address, "127.0.0.1", RESTART),
    OPTION_UINT  ("listen", "port",    struct router_conf, port, "5347", "0", "65535", RESTART),
    OPTION_ENUM  ("tls", "mode",       struct router_conf, tls, "required", "required|optional", RELOAD),
    OPTION_STRING("tls", "cert",       struct router_conf, cert_file, "tls/cert.pem", RELOAD),
    OPTION_STRING("tls", "key",        struct router_conf, key_file, "tls/key.pem", RELOAD),
    OPTION_STRING("tls", "client_ca",  struct router_conf, ca_file, "", RELOAD),
    OPTION_TIME  ("limits", "auth_time",    struct router_conf, auth_ms, "30s", "1s", "10m", RELOAD),
    OPTION_BYTES ("limits", "stanza_size",  struct router_conf, stanza_bytes, "512k", "10000", "1000000", RESTART),
    OPTION_BYTES ("limits", "queue",        struct router_conf, queue_bytes, "8m", "64k", "1g", RESTART),
    OPTION_TIME  ("limits", "full_time",    struct router_conf, full_ms, "30s", "1s", "10m", RELOAD),
    OPTION_TIME  ("limits", "silence",      struct router_conf, silence_ms, "60s", "20s", "1h", RELOAD),
    OPTION_UINT  ("limits", "peers",        struct router_conf, peers_max, "1000", "1", "100000", RELOAD),
};
/* clang-format on */

static const char *const section_options[] = { "secret", "role", "names", "spread", "fingerprint", NULL };

static struct section *current(struct router_conf *conf)
{
    struct section *s = conf->sections;
    while (s && s->next)
        s = s->next;
    return s;
}

static enum rc section_begin(void *ctx, const char *name, struct why *why)
{
    struct router_conf *conf = ctx;
    struct section *last = current(conf), *s;
    if (section_find(conf, slice_cstr(name))) {
        why_set(why, "is there twice");
        return RC_EXISTS;
    }
    s = mem_new(sizeof *s);
    s->name = mem_copy(slice_cstr(name));
    s->role = ROLE_COMPONENT;
    if (last)
        last->next = s;
    else
        conf->sections = s;
    return RC_OK;
}

static void replace(char **field, const char *value)
{
    mem_free(*field);
    *field = *value ? mem_copy(slice_cstr(value)) : NULL;
}

static void names_add(struct section *s, struct slice list)
{
    struct slice name;
    while (slice_split(&list, ',', &name)) {
        name = slice_trim(name);
        if (!name.len)
            continue;
        s->names = mem_resize(s->names, (s->n_names + 1) * sizeof *s->names);
        s->names[s->n_names++] = mem_copy(name);
    }
}

static enum rc section_set(void *ctx, const char *name, const char *option, const char *value,
                           struct why *why)
{
    struct section *s = current(ctx);
    (void)name;
    if (strcmp(option, "secret") == 0) {
        replace(&s->secret, value);
    } else if (strcmp(option, "fingerprint") == 0) {
        replace(&s->fingerprint, value);
    } else if (strcmp(option, "names") == 0) {
        names_add(s, slice_cstr(value));
    } else if (strcmp(option, "spread") == 0) {
        s->spread_hash = strcmp(value, "hash") == 0;
        if (!s->spread_hash && strcmp(value, "turns") != 0) {
            why_set(why, "turns or hash");
            return RC_SYNTAX;
        }
    } else if (!node_role_parse(slice_cstr(value), &s->role)) {
        why_set(why, "component, edge, s2s, sessman or admin");
        return RC_SYNTAX;
    }
    return RC_OK;
}

static void sections_clear(void *ctx)
{
    struct router_conf *conf = ctx;
    while (conf->sections) {
        struct section *s = conf->sections;
        conf->sections = s->next;
        for (size_t i = 0; i < s->n_names; i++)
            mem_free(s->names[i]);
        mem_free(s->names);
        mem_free(s->name);
        mem_free(s->secret);
        mem_free(s->fingerprint);
        mem_free(s);
    }
}

static const struct conf_named named[] = {
    { "component", section_options, section_begin, section_set },
    { NULL, NULL, NULL, NULL },
};

const struct conf_table router_conf_table = {
    .options = options,
    .n = sizeof options / sizeof *options,
    .named = named,
    .size = sizeof(struct router_conf),
    .clear = sections_clear,
};

const struct section *section_find(const struct router_conf *conf, struct slice name)
{
    for (const struct section *s = conf->sections; s; s = s->next) {
        if (slice_is(name, s->name))
            return s;
    }
    return NULL;
}

static bool matches(const char *pattern, struct slice name)
{
    size_t tail = strlen(pattern);
    if (pattern[0] != '*')
        return slice_is(name, pattern);
    tail--; /* ".example.net" */
    return name.len > tail && memcmp(name.p + name.len - tail, pattern + 1, tail) == 0;
}

static bool lists(const struct section *s, struct slice name)
{
    for (size_t i = 0; i < s->n_names; i++) {
        if (matches(s->names[i], name))
            return true;
    }
    return s->n_names == 0 && slice_is(name, s->name);
}

bool section_may_bind(const struct router_conf *conf, const struct section *s, struct slice name)
{
    if (s->role == ROLE_COMPONENT || (s->role == ROLE_SESSMAN && s->n_names))
        return lists(s, name);
    if (s->role != ROLE_SESSMAN)
        return false;
    for (const struct section *other = conf->sections; other; other = other->next) {
        if (other->role == ROLE_COMPONENT && lists(other, name))
            return false;
    }
    return true;
}
