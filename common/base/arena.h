/* common/base/arena.h - memory that is freed as a whole
 *
 * The lifetime of a stanza: taken from the pool, everything of the stanza allocated in it, given back when
 * the handler has returned. Allocation never returns NULL; past the ceiling `arena_over` is true and stays so
 * until the arena is reset, and whoever reads input of a peer asks it once at the end (RC_LIMIT). */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "common/base/slice.h"

struct arena;
struct arena_pool;

struct arena *arena_new(size_t chunk_bytes, size_t max_bytes); /* max 0: no ceiling */
void arena_free(struct arena **a);
void arena_reset(struct arena *a); /* everything allocated is gone; keeps one chunk */
bool arena_over(const struct arena *a);
size_t arena_used(const struct arena *a); /* bytes handed out since the reset */

void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull)); /* 16-aligned, not zeroed */
void *arena_zero(struct arena *a, size_t size) __attribute__((returns_nonnull));  /* the same, zeroed */
#define ARENA_NEW(a, type) ((type *)arena_zero((a), sizeof(type)))
#define ARENA_ARRAY(a, n, type) ((type *)arena_zero((a), (n) * sizeof(type)))
struct slice arena_copy(struct arena *a, struct slice s); /* unaligned, NUL follows the copy (not counted) */
struct slice arena_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_cstr(struct arena *a, struct slice s); /* NUL-terminated copy; NUL bytes inside are kept */
/* s1 and s2 joined. */
struct slice arena_join(struct arena *a, struct slice s1, struct slice s2);

/* A pool of equal arenas; at most `keep` idle ones are kept. The pool frees them; all must be back by then. */
struct arena_pool *arena_pool_new(size_t chunk_bytes, size_t max_bytes, unsigned keep);
void arena_pool_free(struct arena_pool **pool);
struct arena *arena_take(struct arena_pool *pool) __attribute__((returns_nonnull));
void arena_give(struct arena_pool *pool, struct arena **a); /* resets; *a becomes NULL */

#endif
