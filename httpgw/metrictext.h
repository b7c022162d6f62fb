/* httpgw/metrictext.h - the metrics of several daemons as one text: Prometheus text format 0.0.4
 *
 * What a daemon says is that of its control command `metrics` (base/metric.h, OpenMetrics). A metric that several daemons have is one
 * family: one TYPE, one HELP, the samples together. A daemon in the DMZ may have been broken into: only samples under its own label
 * are taken, each once, and of families whose kind is that which the first one said. Pure. */
#ifndef HTTPGW_METRICTEXT_H
#define HTTPGW_METRICTEXT_H

#include "common/base/buf.h"

struct metrictext;
struct metrictext *metrictext_new(void);
void metrictext_free(struct metrictext **t);
/* Its answer, or that it has none (up false, text empty): bulkhead_up. Returns how many lines were not taken. Of two daemons that call
 * themselves alike the first counts, and bulkhead_up tells of both where their roles differ. */
size_t metrictext_add(struct metrictext *t, struct slice role, struct slice instance, bool up, struct slice text);
void metrictext_write(const struct metrictext *t, struct buf *out);

#endif
