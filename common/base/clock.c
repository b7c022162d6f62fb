/* common/base/clock.c */
#include "common/base/clock.h"

#include <time.h>

static struct timespec read_clock(clockid_t id)
{
    struct timespec t = { 0 };
    clock_gettime(id, &t); /* cannot fail for the clocks used here */
    return t;
}

uint64_t clock_mono_ms(void)
{
    struct timespec t = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_mono_us(void)
{
    struct timespec t = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    struct timespec t = read_clock(CLOCK_REALTIME);
    return (int64_t)t.tv_sec * 1000 + (int64_t)t.tv_nsec / 1000000;
}

uint64_t clock_cpu_us(void)
{
    struct timespec t = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
