/* common/base/slice.h - borrowed bytes
 *
 * A slice never owns and is never NUL-terminated; it lives as long as what it was taken from.
 * The empty slice is { any, 0 }; p may be NULL only when len is 0. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include "common/base/rc.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p;
    size_t len;
};

#define SLICE(lit) ((struct slice){ "" lit, sizeof(lit) - 1 })  /* literals only */
#define SLICE_INIT(lit) { "" lit, sizeof(lit) - 1 }             /* the same, in a static initialiser */
#define SLICE_NONE ((struct slice){ NULL, 0 })
#define SLICE_FMT "%.*s"                                        /* printf("..." SLICE_FMT, SLICE_ARG(s)) */
#define SLICE_ARG(s) (int)(s).len, (s).p ? (s).p : ""

static inline struct slice slice_of(const char *p, size_t len)
{
    return (struct slice){ p, len };
}

static inline struct slice slice_cstr(const char *cstr) /* NULL gives the empty slice */
{
    return (struct slice){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *cstr) /* compares with a C string */
{
    size_t len = strlen(cstr);
    return a.len == len && (len == 0 || memcmp(a.p, cstr, len) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

static inline struct slice slice_from(struct slice s, size_t at) /* what follows `at`, at most all of it */
{
    return at >= s.len ? (struct slice){ s.p ? s.p + s.len : NULL, 0 } : (struct slice){ s.p + at, s.len - at };
}

static inline struct slice slice_to(struct slice s, size_t len) /* the first len bytes, at most all of it */
{
    return (struct slice){ s.p, len < s.len ? len : s.len };
}

bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII only */
int slice_cmp(struct slice a, struct slice b);        /* by bytes, then by length; -1, 0, 1 */

/* Index of byte c in s, or -1. */
ptrdiff_t slice_find(struct slice s, char c);

/* Cuts *rest at the next `sep`: true and *out is what stood before it (the last piece too), *rest what is
 * left; false when nothing was left. "a,,b" gives "a", "", "b". */
bool slice_split(struct slice *rest, char sep, struct slice *out);

struct slice slice_trim(struct slice s); /* without leading and trailing XML white space */

/* Decimal digits only, no sign, no space. RC_SYNTAX; RC_LIMIT over max. *out untouched on error. */
MUST_USE enum rc slice_u64(struct slice s, uint64_t max, uint64_t *out);
MUST_USE enum rc slice_i64(struct slice s, int64_t min, int64_t max, int64_t *out); /* optional leading - or + */

/* True if s is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing over U+10FFFF). */
bool slice_utf8_ok(struct slice s);
/* The first bytes of well-formed s, at most max, not ending in the middle of a character. */
struct slice slice_utf8_cut(struct slice s, size_t max);

/* Copies into a NUL-terminated array of size bytes. RC_LIMIT if it does not fit, RC_SYNTAX if s holds NUL. */
MUST_USE enum rc slice_to_cstr(struct slice s, char *out, size_t size);

#endif
