/* common/base/map.h - hash maps: by slice and by 64-bit number
 *
 * Both borrow: the value owns its key, and a key must not change while the value is in the map. Hashing is
 * keyed with a per-process random (SipHash of libsodium), so a peer cannot choose collisions. Open addressing,
 * about 20 to 40 bytes an entry; shrinks when most entries are gone. Not iterable while being changed, except
 * that the current entry may be removed through map_each's return value. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "common/base/slice.h"

struct map;
struct map *map_new(struct slice (*key_of)(const void *value));
void map_free(struct map **m); /* the values are not freed */
void *map_get(const struct map *m, struct slice key); /* NULL: not there */
/* Puts value under key_of(value). Returns what it replaced, or NULL. */
void *map_put(struct map *m, void *value);
void *map_remove(struct map *m, struct slice key); /* returns what was there, or NULL */
size_t map_count(const struct map *m);
/* Calls fn for each value; fn returns false to have this value removed (fn may free it then). */
void map_each(struct map *m, bool (*fn)(void *value, void *ctx), void *ctx);
/* Iterator for reading: start with *at = 0; NULL at the end. The map must not change in between. */
void *map_next(const struct map *m, size_t *at);

struct idmap;
struct idmap *idmap_new(void);
void idmap_free(struct idmap **m);
void *idmap_get(const struct idmap *m, uint64_t key);
void *idmap_put(struct idmap *m, uint64_t key, void *value); /* value not NULL; returns what it replaced */
void *idmap_remove(struct idmap *m, uint64_t key);
size_t idmap_count(const struct idmap *m);
void *idmap_next(const struct idmap *m, size_t *at);

#endif
