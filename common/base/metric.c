/* common/base/metric.c */
#include "common/base/metric.h"

#include "common/base/mem.h"
#include <assert.h>

enum { BUCKETS = 21, FIRST_US = 64, FIRST_BITS = 6 }; /* 64 us to 64 us << 20, about a minute; then +Inf */

struct histogram {
    uint64_t counts[BUCKETS + 1];
    uint64_t count, sum_us;
};

struct metrics {
    const struct metric_def *defs;
    size_t n;
    union {
        uint64_t counter;
        int64_t gauge;
        struct histogram *histogram;
    } values[];
};

struct metrics *metrics_new(const struct metric_def *defs, size_t n)
{
    struct metrics *m = mem_new(sizeof *m + n * sizeof m->values[0]);
    m->defs = defs;
    m->n = n;
    for (size_t i = 0; i < n; i++) {
        if (defs[i].kind == METRIC_HISTOGRAM)
            m->values[i].histogram = mem_new(sizeof(struct histogram));
    }
    return m;
}

void metrics_free(struct metrics **m)
{
    if (!*m)
        return;
    for (size_t i = 0; i < (*m)->n; i++) {
        if ((*m)->defs[i].kind == METRIC_HISTOGRAM)
            mem_free((*m)->values[i].histogram);
    }
    MEM_FREE(m);
}

void metric_add(struct metrics *m, unsigned id, uint64_t n)
{
    assert(id < m->n && m->defs[id].kind == METRIC_COUNTER);
    m->values[id].counter += n;
}

void metric_set(struct metrics *m, unsigned id, int64_t value)
{
    assert(id < m->n && m->defs[id].kind == METRIC_GAUGE);
    m->values[id].gauge = value;
}

void metric_move(struct metrics *m, unsigned id, int64_t by)
{
    assert(id < m->n && m->defs[id].kind == METRIC_GAUGE);
    m->values[id].gauge += by;
}

void metric_observe(struct metrics *m, unsigned id, uint64_t us)
{
    assert(id < m->n && m->defs[id].kind == METRIC_HISTOGRAM);
    struct histogram *h = m->values[id].histogram;
    uint64_t above = us ? (us - 1) >> FIRST_BITS : 0; /* bucket i holds up to 64 us << i, inclusive */
    unsigned bucket = above ? 64U - (unsigned)__builtin_clzll(above) : 0;
    h->counts[bucket < BUCKETS ? bucket : BUCKETS]++;
    h->count++;
    h->sum_us += us;
}

int64_t metric_value(const struct metrics *m, unsigned id)
{
    assert(id < m->n);
    switch (m->defs[id].kind) {
    case METRIC_COUNTER:
        return (int64_t)m->values[id].counter;
    case METRIC_GAUGE:
        return m->values[id].gauge;
    case METRIC_HISTOGRAM:
        return (int64_t)m->values[id].histogram->count;
    }
    return 0;
}

static void seconds(struct buf *out, uint64_t us)
{
    buf_fmt(out, "%llu.%06llu", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

/* The names of conditions (RFC 6120 4.9.3) have '-', those of metrics may not. */
static void put_name(struct buf *out, const char *name)
{
    for (; *name; name++)
        buf_byte(out, *name == '-' ? '_' : *name);
}

/* name + suffix + {labels} and a space. */
static void sample(struct buf *out, const char *name, const char *suffix, struct slice labels)
{
    put_name(out, name);
    buf_cstr(out, suffix);
    if (labels.len) {
        buf_byte(out, '{');
        buf_slice(out, labels);
        buf_byte(out, '}');
    }
    buf_byte(out, ' ');
}

static void histogram_text(const struct histogram *h, const char *name, struct slice labels, struct buf *out)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i <= BUCKETS; i++) {
        sum += h->counts[i];
        put_name(out, name);
        BUF_LIT(out, "_bucket{");
        buf_slice(out, labels);
        if (labels.len)
            buf_byte(out, ',');
        BUF_LIT(out, "le=\"");
        if (i < BUCKETS)
            seconds(out, (uint64_t)FIRST_US << i);
        else
            BUF_LIT(out, "+Inf");
        BUF_LIT(out, "\"} ");
        buf_u64(out, sum);
        buf_byte(out, '\n');
    }
    sample(out, name, "_count", labels);
    buf_u64(out, h->count);
    buf_byte(out, '\n');
    sample(out, name, "_sum", labels);
    seconds(out, h->sum_us);
    buf_byte(out, '\n');
}

void metrics_text(const struct metrics *m, struct slice labels, struct buf *out)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"
    };
    for (size_t i = 0; i < m->n; i++) {
        const struct metric_def *def = &m->defs[i];
        BUF_LIT(out, "# TYPE ");
        put_name(out, def->name);
        buf_fmt(out, " %s\n# HELP ", kinds[def->kind]);
        put_name(out, def->name);
        buf_fmt(out, " %s\n", def->help);
        if (def->kind == METRIC_HISTOGRAM) {
            histogram_text(m->values[i].histogram, def->name, labels, out);
            continue;
        }
        sample(out, def->name, def->kind == METRIC_COUNTER ? "_total" : "", labels);
        if (def->kind == METRIC_COUNTER)
            buf_u64(out, m->values[i].counter);
        else
            buf_i64(out, m->values[i].gauge);
        buf_byte(out, '\n');
    }
}

/* Upper end of the bucket in which the given share of the observations is reached. */
static uint64_t quantile_us(const struct histogram *h, unsigned percent)
{
    uint64_t sum = 0, want = h->count / 100 * percent + (h->count % 100 * percent + 99) / 100;
    if (h->count == 0)
        return 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        sum += h->counts[i];
        if (sum >= want)
            return (uint64_t)FIRST_US << i;
    }
    return (uint64_t)FIRST_US << BUCKETS;
}

/* How one number is written. */
struct numbers {
    struct buf *out;
    const char *before, *middle, *after; /* around name and number */
    bool some;                           /* one was written */
};

static void number(struct numbers *w, const char *name, const char *suffix, int64_t value)
{
    if (w->some)
        buf_cstr(w->out, w->after);
    w->some = true;
    buf_cstr(w->out, w->before);
    put_name(w->out, name);
    buf_cstr(w->out, suffix);
    buf_cstr(w->out, w->middle);
    buf_i64(w->out, value);
}

static void numbers(const struct metrics *m, struct numbers *w)
{
    for (size_t i = 0; i < m->n; i++) {
        const char *name = m->defs[i].name;
        const struct histogram *h = m->values[i].histogram;
        switch (m->defs[i].kind) {
        case METRIC_COUNTER:
            number(w, name, "_total", (int64_t)m->values[i].counter);
            break;
        case METRIC_GAUGE:
            number(w, name, "", m->values[i].gauge);
            break;
        case METRIC_HISTOGRAM:
            number(w, name, "_count", (int64_t)h->count);
            number(w, name, "_sum_us", (int64_t)h->sum_us);
            number(w, name, "_p50_us", (int64_t)quantile_us(h, 50));
            number(w, name, "_p99_us", (int64_t)quantile_us(h, 99));
            break;
        }
    }
}

void metrics_json(const struct metrics *m, struct buf *out)
{
    struct numbers w = { out, "\"", "\":", ",", false };
    buf_byte(out, '{');
    numbers(m, &w);
    buf_byte(out, '}');
}

void metrics_lines(const struct metrics *m, struct buf *out)
{
    struct numbers w = { out, "", " ", "\n", false };
    numbers(m, &w);
    if (w.some)
        buf_byte(out, '\n');
}
