/* test/bench/stats.h - histograms of nanoseconds, and the report: one JSON object on stdout, a table on
 * stderr
 *
 * A histogram has 64 steps per power of two, so a percentile is right to about 1.6 %. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stdbool.h>
#include <stdint.h>

#define HIST_STEPS  64
#define HIST_POWERS 42 /* up to some 70 minutes */

struct hist {
    uint64_t count, sum, max;
    uint64_t bucket[HIST_POWERS * HIST_STEPS];
};

void hist_reset(struct hist *h);
void hist_add(struct hist *h, uint64_t ns);

/* The value under which q (0..1) of what was added lies; 0 if nothing was added. */
uint64_t hist_at(const struct hist *h, double q);

struct report {
    bool begun;
};

/* Each writes one figure in both forms. Names are JSON keys. */
void report_text(struct report *r, const char *name, const char *value);
void report_uint(struct report *r, const char *name, uint64_t value);
void report_real(struct report *r, const char *name, double value);

/* name_us: mean, p50, p90, p99, p99.9 and max, in microseconds. */
void report_hist(struct report *r, const char *name, const struct hist *h);
void report_end(struct report *r);

/* Monotonic time, the same for all processes of the machine. */
uint64_t now_ns(void);

#endif
