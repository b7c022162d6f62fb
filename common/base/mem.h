/* common/base/mem.h - small allocations that do not fail
 *
 * Out of memory for something small ends the process (the channels make that safe). What a peer can make big
 * has a limit of its own and is never allocated before the limit was checked. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "common/base/slice.h"

void *mem_new(size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed; mem_free it */
void *mem_array(size_t n, size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed; overflow ends the process */
void *mem_resize(void *p, size_t size) __attribute__((returns_nonnull)); /* new bytes are not zeroed */
char *mem_copy(struct slice s) __attribute__((malloc, returns_nonnull)); /* NUL-terminated copy of s */
void mem_free(void *p);
#define MEM_FREE(pp) (mem_free(*(pp)), *(pp) = NULL) /* frees and clears */

/* Once, before any thread: all threads share one heap, for glibc gives back the top of the main one only. */
void mem_one_heap(void);

/* Gives free heap pages back to the system (malloc_trim), and those of the calling thread's cache; called after many objects were
 * freed. Costs a short thread and a walk over the free memory. */
void mem_release(void);

#endif
