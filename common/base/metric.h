/* common/base/metric.h - counters, gauges and histograms in a static table
 *
 * A daemon has an enum of its metrics and a table with one row each, in the same order; the values hang from its
 * context. OpenMetrics text for /metrics and `bulkheadctl`. Times in histograms are microseconds in, seconds out. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "common/base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric_def {
    const char *name; /* "bulkhead_c2s_auth_failed"; '-' is written as '_', and "_total" is appended for counters */
    enum metric_kind kind;
    const char *help;
};
struct metrics;
struct metrics *metrics_new(const struct metric_def *defs, size_t n);
void metrics_free(struct metrics **m);
void metric_add(struct metrics *m, unsigned id, uint64_t n); /* counter */
#define METRIC_INC(m, id) metric_add((m), (id), 1)
void metric_set(struct metrics *m, unsigned id, int64_t value); /* gauge */
void metric_move(struct metrics *m, unsigned id, int64_t by);   /* gauge */
void metric_observe(struct metrics *m, unsigned id, uint64_t us); /* histogram: powers of two from 64 us to 64 s */
int64_t metric_value(const struct metrics *m, unsigned id); /* histogram: how many observations */
/* OpenMetrics without the closing "# EOF", which whoever joins the texts of several daemons writes. */
void metrics_text(const struct metrics *m, struct slice labels, struct buf *out); /* labels: `daemon="c2s-1"` */
/* A counter is NAME_total; a histogram NAME_count, NAME_sum_us, NAME_p50_us and NAME_p99_us (upper bounds). */
void metrics_json(const struct metrics *m, struct buf *out); /* one object: name → number */
void metrics_lines(const struct metrics *m, struct buf *out); /* the same: "NAME NUMBER", a line each */

#endif
