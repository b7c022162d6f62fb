/* common/link/rlinkconf.c */
#include "common/link/rlinkconf.h"

#include "common/base/mem.h"
#include <stdio.h>
#include <string.h>

enum { WINDOW_BYTES = 4 << 20, GRACE_MS = 60000, ACK_MS = 20 };

static char *copy(const char *s)
{
    return s ? mem_copy(slice_cstr(s)) : NULL;
}

/* A file of ours, where relative below dir; "system" is none (tls.h). */
static char *copy_path(const char *dir, const char *path)
{
    if (!path || !dir || *path == '/' || strcmp(path, "system") == 0)
        return copy(path);
    size_t size = strlen(dir) + strlen(path) + 2;
    char *out = mem_new(size);
    snprintf(out, size, "%s/%s", dir, path);
    return out;
}

void rlinkconf_copy(struct rlink_conf *to, const struct rlink_conf *from)
{
    *to = *from;
    to->routers = NULL;
    to->dir = copy(from->dir);
    to->name = copy(from->name);
    to->secret = copy(from->secret);
    to->instance = copy(from->instance);
    to->ca_file = copy_path(from->dir, from->ca_file);
    to->cert_file = copy_path(from->dir, from->cert_file);
    to->key_file = copy_path(from->dir, from->key_file);
    to->window_bytes = from->window_bytes ? from->window_bytes : WINDOW_BYTES;
    to->node_grace_ms = from->node_grace_ms ? from->node_grace_ms : GRACE_MS;
    to->ack_ms = from->ack_ms ? from->ack_ms : ACK_MS;
}

static void drop_const(const char *s)
{
    mem_free((void *)(uintptr_t)s);
}

void rlinkconf_drop(struct rlink_conf *c)
{
    const char *const strings[] = { c->dir,     c->name,      c->secret,  c->instance,
                                    c->ca_file, c->cert_file, c->key_file };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        drop_const(strings[i]);
}
