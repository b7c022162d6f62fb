/* common/base/buf.c */
#include "common/base/buf.h"

#include "common/base/mem.h"
#include <stdarg.h>
#include <stdio.h>

enum { FIRST_BYTES = 256 };

void buf_fini(struct buf *b)
{
    mem_free(b->p);
    *b = BUF_INIT(b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->over = false;
}

/* Makes cap at least `total`, which is within max: by doubling, but never past max. */
static void grow(struct buf *b, size_t total)
{
    size_t cap = b->cap ? b->cap : FIRST_BYTES;
    while (cap < total)
        cap = cap > SIZE_MAX / 2 ? total : cap * 2;
    if (b->max && cap > b->max)
        cap = b->max;
    b->p = mem_resize(b->p, cap);
    b->cap = cap;
}

static bool fits(const struct buf *b, size_t n)
{
    size_t max = b->max ? b->max : SIZE_MAX;
    return b->len <= max && n <= max - b->len;
}

void buf_reserve(struct buf *b, size_t n)
{
    if (!fits(b, n))
        n = b->len < b->max ? b->max - b->len : 0;
    if (n > b->cap - b->len)
        grow(b, b->len + n);
}

void buf_put_slow(struct buf *b, const void *p, size_t n)
{
    if (b->over || !fits(b, n)) {
        b->over = true;
        return;
    }
    if (n > b->cap - b->len)
        grow(b, b->len + n);
    if (n)
        memcpy(b->p + b->len, p, n);
    b->len += n;
}

void buf_cstr(struct buf *b, const char *cstr)
{
    buf_put(b, cstr, strlen(cstr));
}

void buf_u64(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    buf_put(b, digits + at, sizeof digits - at);
}

void buf_i64(struct buf *b, int64_t n)
{
    if (n < 0)
        buf_byte(b, '-');
    buf_u64(b, n < 0 ? (uint64_t)0 - (uint64_t)n : (uint64_t)n);
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    char small[512];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    if (n >= 0 && (size_t)n < sizeof small) {
        buf_put(b, small, (size_t)n);
    } else if (n >= 0 && !b->over && fits(b, (size_t)n)) {
        char *large = mem_new((size_t)n + 1); /* vsnprintf writes a NUL that need not fit under max */
        vsnprintf(large, (size_t)n + 1, fmt, again);
        buf_put(b, large, (size_t)n);
        mem_free(large);
    } else {
        b->over = true;
    }
    va_end(again);
    va_end(args);
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    if (n)
        memmove(b->p, b->p + n, b->len - n);
    b->len -= n;
}

char *buf_take(struct buf *b, size_t *len)
{
    char *p = b->p ? b->p : mem_new(1);
    *len = b->len;
    b->p = NULL;
    *b = BUF_INIT(b->max);
    return p;
}
