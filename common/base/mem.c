/* common/base/mem.c */
#include "common/base/mem.h"

#include <malloc.h>
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

void mem_release(void)
{
    malloc_trim(0);
}
