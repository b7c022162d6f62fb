/* common/link/fanout.c */
#include "common/link/fanout.h"

enum { HEAD = 8 }; /* u16 to_at, u16 zero, u32 n */

void fanout_write_head(struct buf *out, uint16_t to_at, const uint64_t *ids, uint32_t n)
{
    uint16_t at = __builtin_bswap16(to_at), zero = 0;
    uint32_t count = __builtin_bswap32(n);
    buf_reserve(out, HEAD + (size_t)n * 8);
    buf_put(out, &at, sizeof at);
    buf_put(out, &zero, sizeof zero);
    buf_put(out, &count, sizeof count);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t id = __builtin_bswap64(ids[i]);
        buf_put(out, &id, sizeof id);
    }
}

enum rc fanout_read(struct slice payload, struct fanout *out, struct why *why)
{
    uint16_t at, zero;
    uint32_t n;
    if (payload.len < HEAD) {
        why_set(why, "fan-out of %zu bytes", payload.len);
        return RC_SYNTAX;
    }
    memcpy(&at, payload.p, sizeof at);
    memcpy(&zero, payload.p + 2, sizeof zero);
    memcpy(&n, payload.p + 4, sizeof n);
    at = __builtin_bswap16(at);
    n = __builtin_bswap32(n);
    if (n > FANOUT_MAX) {
        why_set(why, "fan-out to %u sessions", n);
        return RC_LIMIT;
    }
    if (zero != 0 || payload.len - HEAD < (size_t)n * 8) {
        why_set(why, "fan-out is cut short");
        return RC_SYNTAX;
    }
    struct slice stanza = slice_from(payload, HEAD + (size_t)n * 8);
    if (at == 0 || at >= stanza.len) { /* before '<' or behind the end there is no place for an attribute */
        why_set(why, "fan-out without a place for its address");
        return RC_SYNTAX;
    }
    *out = (struct fanout){ n, at, payload.p + HEAD, stanza };
    return RC_OK;
}

uint64_t fanout_id(const struct fanout *f, uint32_t i)
{
    uint64_t id;
    memcpy(&id, f->ids + (size_t)i * 8, sizeof id);
    return __builtin_bswap64(id);
}
