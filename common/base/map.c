/* common/base/map.c
 *
 * Linear probing; an entry is removed by shifting back those behind it, so there are no tombstones. The table
 * doubles at 7/8 full and quarters when less than 1/8 is used. */
#include "common/base/map.h"

#include "common/base/mem.h"
#include <assert.h>
#include <sodium.h>

enum { CAP_LEAST = 8 };

struct slot {
    void *value; /* NULL: free */
    uint32_t hash;
};

struct map {
    struct slot *slots;
    size_t cap; /* 0 or a power of two */
    size_t count;
    struct slice (*key_of)(const void *value);
    unsigned char seed[crypto_shorthash_KEYBYTES];
};

static bool too_full(size_t count, size_t cap)
{
    return count > cap / 8 * 7;
}

static bool too_empty(size_t count, size_t cap)
{
    return cap > CAP_LEAST && count < cap / 8;
}

static size_t smaller(size_t cap)
{
    return cap / 4 > CAP_LEAST ? cap / 4 : CAP_LEAST;
}

struct map *map_new(struct slice (*key_of)(const void *value))
{
    struct map *m = mem_new(sizeof *m);
    m->key_of = key_of;
    randombytes_buf(m->seed, sizeof m->seed);
    return m;
}

void map_free(struct map **m)
{
    if (!*m)
        return;
    mem_free((*m)->slots);
    MEM_FREE(m);
}

static uint32_t hash_of(const struct map *m, struct slice key)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint32_t hash;
    crypto_shorthash(out, (const unsigned char *)(key.len ? key.p : ""), key.len, m->seed);
    memcpy(&hash, out, sizeof hash);
    return hash;
}

/* The slot of key, or the free slot where it belongs. cap is not 0. */
static struct slot *probe(const struct map *m, struct slice key, uint32_t hash)
{
    size_t at = hash & (m->cap - 1);
    while (m->slots[at].value) {
        if (m->slots[at].hash == hash && slice_eq(m->key_of(m->slots[at].value), key))
            break;
        at = (at + 1) & (m->cap - 1);
    }
    return &m->slots[at];
}

static void resize(struct map *m, size_t cap)
{
    struct slot *old = m->slots;
    size_t old_cap = m->cap;
    m->slots = mem_array(cap, sizeof *m->slots);
    m->cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (!old[i].value)
            continue;
        size_t at = old[i].hash & (cap - 1);
        while (m->slots[at].value)
            at = (at + 1) & (cap - 1);
        m->slots[at] = old[i];
    }
    mem_free(old);
}

void *map_get(const struct map *m, struct slice key)
{
    return m->count ? probe(m, key, hash_of(m, key))->value : NULL;
}

void *map_put(struct map *m, void *value)
{
    assert(value);
    struct slice key = m->key_of(value);
    uint32_t hash = hash_of(m, key);
    if (m->cap == 0)
        resize(m, CAP_LEAST);
    struct slot *s = probe(m, key, hash);
    void *before = s->value;
    if (!before && too_full(m->count + 1, m->cap)) {
        resize(m, m->cap * 2);
        s = probe(m, key, hash);
    }
    if (!before)
        m->count++;
    *s = (struct slot){ value, hash };
    return before;
}

/* Frees slot `gap` and closes the gap: whatever follows and may stand there moves up. */
static void shift_back(struct map *m, size_t gap)
{
    size_t mask = m->cap - 1;
    for (size_t at = (gap + 1) & mask; m->slots[at].value; at = (at + 1) & mask) {
        size_t from_home = (at - m->slots[at].hash) & mask;
        if (from_home >= ((at - gap) & mask)) {
            m->slots[gap] = m->slots[at];
            gap = at;
        }
    }
    m->slots[gap] = (struct slot){ NULL, 0 };
    m->count--;
}

void *map_remove(struct map *m, struct slice key)
{
    if (m->count == 0)
        return NULL;
    struct slot *s = probe(m, key, hash_of(m, key));
    void *value = s->value;
    if (!value)
        return NULL;
    shift_back(m, (size_t)(s - m->slots));
    if (too_empty(m->count, m->cap))
        resize(m, smaller(m->cap));
    return value;
}

size_t map_count(const struct map *m)
{
    return m->count;
}

/* Starts behind a free slot (there always is one): so no shift carries an entry across the starting point,
 * and each is seen once. */
void map_each(struct map *m, bool (*fn)(void *value, void *ctx), void *ctx)
{
    if (m->count == 0)
        return;
    size_t mask = m->cap - 1, start = 0;
    while (m->slots[start].value)
        start++;
    for (size_t n = 1; n < m->cap;) {
        size_t at = (start + n) & mask;
        if (m->slots[at].value && !fn(m->slots[at].value, ctx))
            shift_back(m, at); /* and look at this slot again */
        else
            n++;
    }
    while (too_empty(m->count, m->cap))
        resize(m, smaller(m->cap));
}

void *map_next(const struct map *m, size_t *at)
{
    while (*at < m->cap) {
        void *value = m->slots[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}

struct idslot {
    uint64_t key;
    void *value; /* NULL: free */
};

struct idmap {
    struct idslot *slots;
    size_t cap; /* 0 or a power of two */
    size_t count;
    uint64_t seed; /* odd */
};

struct idmap *idmap_new(void)
{
    struct idmap *m = mem_new(sizeof *m);
    randombytes_buf(&m->seed, sizeof m->seed);
    m->seed |= 1;
    return m;
}

void idmap_free(struct idmap **m)
{
    if (!*m)
        return;
    mem_free((*m)->slots);
    MEM_FREE(m);
}

static size_t id_home(const struct idmap *m, uint64_t key)
{
    uint64_t x = key * m->seed;
    x ^= x >> 32;
    x *= m->seed;
    return (size_t)(x >> 32) & (m->cap - 1);
}

static size_t id_probe(const struct idmap *m, uint64_t key)
{
    size_t at = id_home(m, key);
    while (m->slots[at].value && m->slots[at].key != key)
        at = (at + 1) & (m->cap - 1);
    return at;
}

static void id_resize(struct idmap *m, size_t cap)
{
    struct idslot *old = m->slots;
    size_t old_cap = m->cap;
    m->slots = mem_array(cap, sizeof *m->slots);
    m->cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].value)
            m->slots[id_probe(m, old[i].key)] = old[i];
    }
    mem_free(old);
}

void *idmap_get(const struct idmap *m, uint64_t key)
{
    return m->count ? m->slots[id_probe(m, key)].value : NULL;
}

void *idmap_put(struct idmap *m, uint64_t key, void *value)
{
    assert(value);
    if (m->cap == 0)
        id_resize(m, CAP_LEAST);
    size_t at = id_probe(m, key);
    void *before = m->slots[at].value;
    if (!before && too_full(m->count + 1, m->cap)) {
        id_resize(m, m->cap * 2);
        at = id_probe(m, key);
    }
    if (!before)
        m->count++;
    m->slots[at] = (struct idslot){ key, value };
    return before;
}

void *idmap_remove(struct idmap *m, uint64_t key)
{
    if (m->count == 0)
        return NULL;
    size_t mask = m->cap - 1, gap = id_probe(m, key);
    void *value = m->slots[gap].value;
    if (!value)
        return NULL;
    for (size_t at = (gap + 1) & mask; m->slots[at].value; at = (at + 1) & mask) {
        size_t from_home = (at - id_home(m, m->slots[at].key)) & mask;
        if (from_home >= ((at - gap) & mask)) {
            m->slots[gap] = m->slots[at];
            gap = at;
        }
    }
    m->slots[gap] = (struct idslot){ 0, NULL };
    m->count--;
    if (too_empty(m->count, m->cap))
        id_resize(m, smaller(m->cap));
    return value;
}

size_t idmap_count(const struct idmap *m)
{
    return m->count;
}

void *idmap_next(const struct idmap *m, size_t *at)
{
    while (*at < m->cap) {
        void *value = m->slots[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}
