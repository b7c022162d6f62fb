/* test/fuzz/fuzz_metrics.c - what a daemon says of itself, as one that lies would: every sample on the page
 * is its own, and stands there once */
#include "httpgw/metrictext.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OWN "{daemon=\"evil\""

/* The last line before at that begins as this one does, up to its value. */
static bool is_there_before(struct slice page, struct slice line)
{
    struct slice rest = slice_to(page, (size_t)(line.p - page.p)), other;
    size_t n = 0;
    while (n < line.len && line.p[n] != '}')
        n++;
    while (slice_split(&rest, '\n', &other)) {
        if (slice_starts(other, slice_to(line, n)))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct metrictext *t = metrictext_new();
    struct slice own = SLICE(OWN), line;
    struct buf out = BUF_INIT(0);
    (void)metrictext_add(t, SLICE("sessman"), SLICE("good"), true,
                         SLICE("# TYPE a gauge\n# HELP a A.\na{daemon=\"good\"} 1\n"));
    (void)metrictext_add(t, SLICE("edge"), SLICE("evil"), true, slice_of((const char *)data, size));
    metrictext_write(t, &out);
    struct slice page = buf_get(&out), rest = page;
    while (slice_split(&rest, '\n', &line)) {
        ptrdiff_t at = slice_find(line, '{');
        if (!line.len || (line.p[0] != '#' && at < 0))
            abort();
        if (line.p[0] == '#' || slice_starts(line, SLICE("bulkhead_up{")) ||
            slice_is(line, "a{daemon=\"good\"} 1"))
            continue;
        if (!slice_starts(slice_from(line, (size_t)at), own) || is_there_before(page, line))
            abort();
    }
    buf_fini(&out);
    metrictext_free(&t);
    return 0;
}
