/* common/edge/domains.c */
#include "common/edge/domains.h"

#include "common/base/mem.h"

struct entry {
    struct edge_domain d;
    uint64_t round; /* of the list that named it last */
};
struct domains {
    struct map *map; /* struct entry by name; owns them */
    uint64_t round;  /* lists taken so far */
};

static struct slice name_of(const void *value)
{
    return ((const struct entry *)value)->d.name;
}

struct domains *domains_new(void)
{
    struct domains *d = mem_new(sizeof *d);
    d->map = map_new(name_of);
    return d;
}

static void entry_free(struct entry *it)
{
    mem_free(it->d.bytes);
    mem_free(it);
}

static bool drop(void *value, void *ctx)
{
    (void)ctx;
    entry_free(value);
    return false;
}

void domains_free(struct domains **d)
{
    if (!*d)
        return;
    map_each((*d)->map, drop, NULL);
    map_free(&(*d)->map);
    mem_free(*d);
    *d = NULL;
}

static struct entry *entry_of(uint64_t node, uint64_t round, const struct control_domain *c)
{
    struct entry *it = mem_new(sizeof *it);
    it->d.bytes = mem_array(1, c->name.len + c->mechanisms.len + c->features.len + c->binds.len + 1);
    struct slice *to[] = { &it->d.name, &it->d.mechanisms, &it->d.features, &it->d.binds };
    const struct slice *from[] = { &c->name, &c->mechanisms, &c->features, &c->binds };
    char *at = it->d.bytes;
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        if (from[i]->len)
            memcpy(at, from[i]->p, from[i]->len);
        *to[i] = slice_of(at, from[i]->len);
        at += from[i]->len;
    }
    it->d.registration = c->registration;
    it->d.node = node;
    it->round = round;
    return it;
}

struct sweep {
    uint64_t node, round; /* who has just sent its list, and which list that is */
    bool (*alive)(void *ctx, uint64_t node);
    void *ctx;
};

static bool stays(void *value, void *ctx)
{
    struct entry *it = value;
    const struct sweep *s = ctx;
    if (it->round == s->round || (it->d.node != s->node && s->alive(s->ctx, it->d.node)))
        return true;
    entry_free(it);
    return false;
}

void domains_take(struct domains *d, uint64_t node, const struct control_domain *list, size_t n,
                  bool (*alive)(void *ctx, uint64_t node), void *ctx)
{
    d->round++;
    for (size_t i = 0; i < n; i++) {
        struct entry *old = map_put(d->map, entry_of(node, d->round, &list[i]));
        if (old)
            entry_free(old);
    }
    struct sweep s = { node, d->round, alive, ctx };
    map_each(d->map, stays, &s);
}

const struct edge_domain *domains_get(const struct domains *d, struct slice name)
{
    const struct entry *it = map_get(d->map, name);
    return it ? &it->d : NULL;
}

const struct edge_domain *domains_next(const struct domains *d, size_t *at)
{
    const struct entry *it = map_next(d->map, at);
    return it ? &it->d : NULL;
}

size_t domains_count(const struct domains *d)
{
    return map_count(d->map);
}
