/* common/link/dial.c */
#include "common/link/dial.h"

#include <stdio.h>

static bool host_port(const char *s, struct dial_address *out)
{
    const char *colon = strrchr(s, ':');
    size_t len = colon ? (size_t)(colon - s) : 0;
    uint64_t port;
    if (!len || len >= sizeof out->host || slice_u64(slice_cstr(colon + 1), UINT16_MAX, &port) != RC_OK ||
        !port)
        return false;
    bool bracket = *s == '[' && s[len - 1] == ']' && len > 2;
    snprintf(out->host, sizeof out->host, "%.*s", (int)(len - (bracket ? 2 : 0)), s + bracket);
    out->port = (uint16_t)port;
    return true;
}

enum rc dial_parse(const char *text, struct dial_address *out, struct why *why)
{
    static const struct {
        const char *prefix;
        enum dial_kind kind;
    } kinds[] = { { "unix:", DIAL_UNIX }, { "tcp:", DIAL_TCP }, { "tls:", DIAL_TLS } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i].prefix);
        if (strncmp(text, kinds[i].prefix, len) != 0)
            continue;
        *out = (struct dial_address){ .kind = kinds[i].kind, .path = text + len };
        if (kinds[i].kind == DIAL_UNIX ? text[len] != '\0' : host_port(text + len, out))
            return RC_OK;
    }
    why_set(why, "%s: not unix:PATH, tcp:HOST:PORT or tls:HOST:PORT", text);
    return RC_SYNTAX;
}

struct conn *dial_open(struct loop *loop, const struct dial_address *to, const char *dir,
                       const struct conn_conf *conf, void *owner)
{
    if (to->kind != DIAL_UNIX)
        return conn_dial_host(loop, to->host, to->port, conf, owner);
    struct buf path = BUF_INIT(0);
    if (*to->path != '/' && dir)
        buf_fmt(&path, "%s/", dir);
    buf_put(&path, to->path, strlen(to->path) + 1);
    struct conn *c = conn_dial_unix(loop, path.p, conf, owner);
    buf_fini(&path);
    return c;
}
