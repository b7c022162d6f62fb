/* router/names.c */
#include "router/names.h"

#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/link/pick.h"
#include <assert.h>

struct bound {
    void *who;
    struct slice instance;
    bool by_hash;
};
struct name {
    char *key;
    struct bound *by;
    size_t n, next; /* next: whose turn it is */
};
struct names {
    struct map *map; /* struct name by key; owns them */
};

static struct slice key_of(const void *value)
{
    const struct name *name = value;
    return slice_cstr(name->key);
}

struct names *names_new(void)
{
    struct names *n = mem_new(sizeof *n);
    n->map = map_new(key_of);
    return n;
}

static void name_free(struct name *name)
{
    mem_free(name->key);
    mem_free(name->by);
    mem_free(name);
}

void names_free(struct names **n)
{
    struct name *name;
    if (!*n)
        return;
    for (size_t at = 0; (name = map_next((*n)->map, &at));)
        name_free(name);
    map_free(&(*n)->map);
    MEM_FREE(n);
}

static struct bound *bound_by(const struct name *name, const void *who)
{
    for (size_t i = 0; i < name->n; i++) {
        if (name->by[i].who == who)
            return &name->by[i];
    }
    return NULL;
}

void names_bind(struct names *n, struct slice key, void *who, struct slice instance, bool by_hash)
{
    struct name *name = map_get(n->map, key);
    if (!name) {
        name = mem_new(sizeof *name);
        name->key = mem_copy(key);
        map_put(n->map, name);
    }
    if (bound_by(name, who))
        return;
    name->by = mem_resize(name->by, (name->n + 1) * sizeof *name->by);
    name->by[name->n++] = (struct bound){ who, instance, by_hash };
}

void names_unbind(struct names *n, struct slice key, const void *who)
{
    struct name *name = map_get(n->map, key);
    struct bound *b = name ? bound_by(name, who) : NULL;
    if (!b)
        return;
    *b = name->by[--name->n];
    if (name->n)
        return;
    map_remove(n->map, key);
    name_free(name);
}

static void *heaviest(const struct name *name, struct slice key)
{
    const struct bound *best = NULL;
    uint64_t best_weight = 0;
    for (size_t i = 0; i < name->n; i++) {
        uint64_t weight = pick_weight(name->by[i].instance, key);
        if (!best || weight > best_weight) {
            best = &name->by[i];
            best_weight = weight;
        }
    }
    return best ? best->who : NULL;
}

void *names_pick(struct names *n, struct slice name, struct slice key)
{
    struct name *it = map_get(n->map, name);
    if (!it)
        return NULL;
    if (it->n == 1)
        return it->by[0].who;
    for (size_t i = 0; i < it->n; i++) {
        if (it->by[i].by_hash)
            return heaviest(it, key);
    }
    assert(it->n); /* a name that nobody has bound any more is gone */
    it->next = (it->next + 1) % it->n;
    return it->by[it->next].who;
}

size_t names_bound(const struct names *n, struct slice key)
{
    const struct name *name = map_get(n->map, key);
    return name ? name->n : 0;
}
