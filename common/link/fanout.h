/* common/link/fanout.h - one stanza, many sessions of one edge (DESIGN 2)
 *
 * Payload: u16 to_at, u16 zero, u32 n, n × u64 session id, then the stanza's bytes without `to`; the edge writes
 * " to='…'" with each session's full JID at byte to_at of the stanza. Pure. */
#ifndef LINK_FANOUT_H
#define LINK_FANOUT_H

#include "common/base/buf.h"

#define FANOUT_MAX 4096 /* sessions in one frame */

struct fanout {
    uint32_t n;
    uint16_t to_at;
    const char *ids;     /* n big-endian numbers, unaligned: fanout_id */
    struct slice stanza;
};
void fanout_write_head(struct buf *out, uint16_t to_at, const uint64_t *ids, uint32_t n);
MUST_USE enum rc fanout_read(struct slice payload, struct fanout *out, struct why *why);
uint64_t fanout_id(const struct fanout *f, uint32_t i);

#endif
