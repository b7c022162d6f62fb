/* common/base/buf.h - growable bytes with a ceiling
 *
 * Writers do not check every step: past `max` nothing more is appended and `over` is set, to be asked once
 * at the end. The caller owns the struct; buf_fini frees the bytes. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "common/base/slice.h"

struct buf {
    char *p;
    size_t len, cap, max; /* bytes; max 0 means no ceiling */
    bool over;            /* something did not fit under max */
};

#define BUF_INIT(max_bytes) ((struct buf){ NULL, 0, 0, (max_bytes), false })
void buf_fini(struct buf *b);              /* frees; b is empty and usable again */
void buf_reset(struct buf *b);             /* len 0, over false; keeps the memory */
void buf_reserve(struct buf *b, size_t n); /* room for n more bytes, within max */
void buf_put_slow(struct buf *b, const void *p, size_t n);

static inline void buf_put(struct buf *b, const void *p, size_t n)
{
    if (n <= b->cap - b->len && !b->over) {
        if (n)
            memcpy(b->p + b->len, p, n);
        b->len += n;
    } else {
        buf_put_slow(b, p, n);
    }
}
static inline void buf_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.p, s.len);
}
static inline void buf_byte(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}
#define BUF_LIT(b, lit) buf_put((b), "" lit, sizeof(lit) - 1)
void buf_cstr(struct buf *b, const char *cstr);
void buf_u64(struct buf *b, uint64_t n); /* decimal */
void buf_i64(struct buf *b, int64_t n);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes */

static inline struct slice buf_get(const struct buf *b)
{
    return (struct slice){ b->p, b->len };
}
/* Takes the bytes out as a heap block of the caller's (mem_free); b is empty afterwards. */
char *buf_take(struct buf *b, size_t *len);

#endif
