/* common/base/arena.c */
#include "common/base/arena.h"

#include "common/base/mem.h"
#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>

enum { ALIGN = 16, CHUNK_LEAST = 512 };

/* Blocks larger than a quarter of a chunk get a chunk of their own, so a chunk wastes a quarter at most. */
struct chunk {
    alignas(ALIGN) struct chunk *next;
    size_t bytes; /* of data */
    alignas(ALIGN) char data[];
};

struct arena {
    char *at, *end;       /* what is free in the chunk we fill */
    struct chunk *chunks; /* the one we fill first; the last one is the first chunk, which is kept */
    size_t chunk_bytes;   /* of data, of an ordinary chunk */
    size_t max_bytes;
    size_t full_bytes; /* handed out in chunks other than the one we fill, and in large blocks */
    struct chunk *large;
    bool over;
    struct arena *idle_next; /* in a pool */
};

static struct chunk *chunk_new(size_t bytes)
{
    struct chunk *c = mem_resize(NULL, sizeof *c + bytes);
    c->next = NULL;
    c->bytes = bytes;
    return c;
}

static void fill(struct arena *a, struct chunk *c)
{
    a->at = c->data;
    a->end = c->data + c->bytes;
}

struct arena *arena_new(size_t chunk_bytes, size_t max_bytes)
{
    struct arena *a = mem_new(sizeof *a);
    a->chunk_bytes =
        ((chunk_bytes < CHUNK_LEAST ? CHUNK_LEAST : chunk_bytes) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    a->max_bytes = max_bytes;
    a->chunks = chunk_new(a->chunk_bytes);
    fill(a, a->chunks);
    return a;
}

static void chunks_free(struct chunk *c)
{
    while (c) {
        struct chunk *next = c->next;
        mem_free(c);
        c = next;
    }
}

void arena_free(struct arena **a)
{
    if (!*a)
        return;
    chunks_free((*a)->chunks);
    chunks_free((*a)->large);
    MEM_FREE(a);
}

void arena_reset(struct arena *a)
{
    chunks_free(a->chunks->next);
    a->chunks->next = NULL;
    if (a->large)
        chunks_free(a->large);
    a->large = NULL;
    a->full_bytes = 0;
    a->over = false;
    fill(a, a->chunks);
}

bool arena_over(const struct arena *a)
{
    return a->over;
}

size_t arena_used(const struct arena *a)
{
    return a->full_bytes + (size_t)(a->at - a->chunks->data);
}

/* Memory is handed out past the ceiling too, so that callers need not check: those who read input of a peer
 * stop soon, and their input has a limit of its own. */
static char *alloc_slow(struct arena *a, size_t size)
{
    if (a->max_bytes && (size > a->max_bytes || arena_used(a) > a->max_bytes - size))
        a->over = true;
    if (size > a->chunk_bytes / 4) {
        struct chunk *c = chunk_new(size);
        c->next = a->large;
        a->large = c;
        a->full_bytes += size;
        return c->data;
    }
    a->full_bytes += (size_t)(a->at - a->chunks->data);
    struct chunk *c = chunk_new(a->chunk_bytes);
    c->next = a->chunks;
    a->chunks = c;
    a->at = c->data + size;
    a->end = c->data + c->bytes;
    return c->data;
}

/* size bytes at an address that is a multiple of align. */
static inline char *take(struct arena *a, size_t size, size_t align)
{
    size_t pad = (size_t)(-(uintptr_t)a->at) & (align - 1);
    size_t room = (size_t)(a->end - a->at);
    if (pad > room || size > room - pad)
        return alloc_slow(a, size);
    char *p = a->at + pad;
    a->at = p + size;
    if (a->max_bytes && arena_used(a) > a->max_bytes)
        a->over = true;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return take(a, size, ALIGN);
}

void *arena_zero(struct arena *a, size_t size)
{
    return memset(take(a, size, ALIGN), 0, size);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    return slice_of(arena_cstr(a, s), s.len);
}

char *arena_cstr(struct arena *a, struct slice s)
{
    char *p = take(a, s.len + 1, 1);
    if (s.len)
        memcpy(p, s.p, s.len);
    p[s.len] = '\0';
    return p;
}

struct slice arena_join(struct arena *a, struct slice s1, struct slice s2)
{
    char *p = take(a, s1.len + s2.len + 1, 1);
    if (s1.len)
        memcpy(p, s1.p, s1.len);
    if (s2.len)
        memcpy(p + s1.len, s2.p, s2.len);
    p[s1.len + s2.len] = '\0';
    return slice_of(p, s1.len + s2.len);
}

struct slice arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    size_t room = (size_t)(a->end - a->at);
    int n = vsnprintf(a->at, room, fmt, args); /* usually fits where we are */
    size_t len = n < 0 ? 0 : (size_t)n;
    char *p = take(a, len + 1, 1);
    if (len >= room)
        vsnprintf(p, len + 1, fmt, again);
    p[len] = '\0';
    va_end(again);
    va_end(args);
    return slice_of(p, len);
}

struct arena_pool {
    struct arena *idle;
    unsigned idle_count, keep;
    size_t chunk_bytes, max_bytes;
};

struct arena_pool *arena_pool_new(size_t chunk_bytes, size_t max_bytes, unsigned keep)
{
    struct arena_pool *pool = mem_new(sizeof *pool);
    pool->chunk_bytes = chunk_bytes;
    pool->max_bytes = max_bytes;
    pool->keep = keep;
    return pool;
}

void arena_pool_free(struct arena_pool **pool)
{
    if (!*pool)
        return;
    while ((*pool)->idle) {
        struct arena *a = (*pool)->idle;
        (*pool)->idle = a->idle_next;
        arena_free(&a);
    }
    MEM_FREE(pool);
}

struct arena *arena_take(struct arena_pool *pool)
{
    struct arena *a = pool->idle;
    if (!a)
        return arena_new(pool->chunk_bytes, pool->max_bytes);
    pool->idle = a->idle_next;
    pool->idle_count--;
    a->idle_next = NULL;
    return a;
}

void arena_give(struct arena_pool *pool, struct arena **a)
{
    if (!*a)
        return;
    if (pool->idle_count >= pool->keep) {
        arena_free(a);
        return;
    }
    arena_reset(*a);
    (*a)->idle_next = pool->idle;
    pool->idle = *a;
    pool->idle_count++;
    *a = NULL;
}
