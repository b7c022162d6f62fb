/* test/bench/stats.c - see stats.h */
#include "stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void hist_reset(struct hist *h)
{
    memset(h, 0, sizeof(*h));
}

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HIST_STEPS)
        return (unsigned)ns;
    unsigned top = 63U - (unsigned)__builtin_clzll(ns); /* >= 6 */
    unsigned power = top - 5;
    if (power >= HIST_POWERS)
        return HIST_POWERS * HIST_STEPS - 1;
    return power * HIST_STEPS + (unsigned)((ns >> (top - 6)) & (HIST_STEPS - 1));
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket)
{
    unsigned power = bucket / HIST_STEPS, step = bucket % HIST_STEPS;
    if (power == 0)
        return step;
    uint64_t width = UINT64_C(1) << (power - 1);
    return (HIST_STEPS + step) * width + width / 2;
}

void hist_add(struct hist *h, uint64_t ns)
{
    h->count++;
    h->sum += ns;
    if (ns > h->max)
        h->max = ns;
    h->bucket[bucket_of(ns)]++;
}

uint64_t hist_at(const struct hist *h, double q)
{
    uint64_t want = (uint64_t)((double)h->count * q), seen = 0;
    if (h->count == 0)
        return 0;
    for (unsigned i = 0; i < HIST_POWERS * HIST_STEPS; i++) {
        seen += h->bucket[i];
        if (seen > want || seen == h->count)
            return value_of(i) < h->max ? value_of(i) : h->max;
    }
    return h->max;
}

static void key(struct report *r, const char *name)
{
    printf("%s\"%s\": ", r->begun ? ", " : "{", name);
    r->begun = true;
}

void report_text(struct report *r, const char *name, const char *value)
{
    key(r, name);
    putchar('"');
    for (const char *p = value; *p; p++) {
        if (*p == '"' || *p == '\\')
            putchar('\\');
        putchar((unsigned char)*p < ' ' ? ' ' : *p);
    }
    putchar('"');
    fprintf(stderr, "%-28s %s\n", name, value);
}

void report_uint(struct report *r, const char *name, uint64_t value)
{
    key(r, name);
    printf("%" PRIu64, value);
    fprintf(stderr, "%-28s %" PRIu64 "\n", name, value);
}

void report_real(struct report *r, const char *name, double value)
{
    key(r, name);
    printf("%.3f", value);
    fprintf(stderr, "%-28s %.3f\n", name, value);
}

void report_hist(struct report *r, const char *name, const struct hist *h)
{
    double mean = h->count ? (double)h->sum / (double)h->count / 1e3 : 0;
    double p50 = (double)hist_at(h, 0.50) / 1e3, p90 = (double)hist_at(h, 0.90) / 1e3;
    double p99 = (double)hist_at(h, 0.99) / 1e3, p999 = (double)hist_at(h, 0.999) / 1e3;
    double max = (double)h->max / 1e3;
    char full[64];
    snprintf(full, sizeof(full), "%s_us", name);
    key(r, full);
    printf("{\"count\": %" PRIu64
           ", \"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, "
           "\"max\": %.1f}",
           h->count, mean, p50, p90, p99, p999, max);
    fprintf(stderr, "%-28s mean %.1f  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f\n", full, mean, p50,
            p90, p99, p999, max);
}

void report_end(struct report *r)
{
    printf("%s}\n", r->begun ? "" : "{");
    fflush(stdout);
    r->begun = false;
}

uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}
