#include "httpgw/range.h"

static enum range part(uint64_t first, uint64_t len, uint64_t *from, uint64_t *out)
{
    *from = first;
    *out = len;
    return RANGE_PART;
}

static enum range none(uint64_t *from, uint64_t *len)
{
    *from = *len = 0;
    return RANGE_NONE;
}

/* "-500": the last ones. */
static enum range suffix(struct slice text, uint64_t size, uint64_t *from, uint64_t *len)
{
    uint64_t n;
    enum rc rc = slice_u64(text, size, &n);
    if (rc == RC_SYNTAX)
        return RANGE_WHOLE;
    if (rc == RC_LIMIT)
        n = size;
    return n ? part(size - n, n, from, len) : none(from, len);
}

enum range range_read(struct slice header, uint64_t size, uint64_t *from, uint64_t *len)
{
    struct slice spec = slice_trim(header);
    uint64_t first, last;
    *from = 0;
    *len = size;
    if (spec.len < 6 || !slice_eq_nocase(slice_to(spec, 6), SLICE("bytes=")))
        return RANGE_WHOLE;
    spec = slice_trim(slice_from(spec, 6));
    if (slice_find(spec, ',') >= 0)
        return none(from, len);
    ptrdiff_t dash = slice_find(spec, '-');
    if (dash < 0)
        return RANGE_WHOLE;
    struct slice before = slice_to(spec, (size_t)dash), after = slice_from(spec, (size_t)dash + 1);
    if (!before.len)
        return suffix(after, size, from, len);
    enum rc rc = slice_u64(before, UINT64_MAX, &first), rc_last = RC_LIMIT;
    if (after.len)
        rc_last = slice_u64(after, UINT64_MAX, &last);
    if (rc == RC_SYNTAX || rc_last == RC_SYNTAX || (rc == RC_OK && rc_last == RC_OK && last < first))
        return RANGE_WHOLE; /* 14.1.1: an invalid one does not count */
    if (rc != RC_OK || first >= size)
        return none(from, len);
    if (rc_last != RC_OK || last >= size)
        last = size - 1;
    return part(first, last - first + 1, from, len);
}
