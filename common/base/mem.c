/* common/base/mem.c */
#include "common/base/mem.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Nothing that needs memory can be done any more, so no log line: the supervisor finds this on stderr. */
_Noreturn static void out_of_memory(size_t size)
{
    fprintf(stderr, "bulkhead: out of memory: %zu bytes\n", size);
    abort();
}

void *mem_new(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

void *mem_array(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        out_of_memory(n * size);
    return p;
}

void *mem_resize(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);
    if (!q)
        out_of_memory(size);
    return q;
}

char *mem_copy(struct slice s)
{
    char *p = malloc(s.len + 1);
    if (!p)
        out_of_memory(s.len + 1);
    if (s.len)
        memcpy(p, s.p, s.len);
    p[s.len] = '\0';
    return p;
}

void mem_free(void *p)
{
    free(p);
}

void mem_one_heap(void)
{
    mallopt(M_ARENA_MAX, 1);
}

/* glibc's cache of small pieces that a thread has freed: so many of each size, and each keeps its page from
 * being given back. */
enum {
    CACHED_LEAST = 24,
    CACHED_MOST = 1032,
    CACHED_STEP = 16,
    CACHED_OF_A_SIZE = 7,
    STACK_BYTES = 64 * 1024
};

struct piece {
    struct piece *next;
};

static void *pieces_free(void *pieces)
{
    struct piece *p = pieces;
    while (p) {
        struct piece *next = p->next;
        free(p);
        p = next;
    }
    return NULL;
}

/* Only the end of a thread empties its cache, so what is in ours goes to one that ends. */
static void cache_empty(void)
{
    struct piece *all = NULL;
    pthread_t thread;
    pthread_attr_t attr;
    for (size_t size = CACHED_LEAST; size <= CACHED_MOST; size += CACHED_STEP)
        for (int i = 0; i < CACHED_OF_A_SIZE; i++) {
            struct piece *p = malloc(size);
            if (!p)
                break;
            p->next = all;
            all = p;
        }
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (pthread_create(&thread, &attr, pieces_free, all) == 0)
        pthread_join(thread, NULL);
    else
        pieces_free(all);
    pthread_attr_destroy(&attr);
}

void mem_release(void)
{
    cache_empty();
    malloc_trim(0);
}
