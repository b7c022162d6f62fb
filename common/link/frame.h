/* common/link/frame.h - the header every frame travels behind; list of kinds; encode and decode (DESIGN 2, level 3)
 *
 *  0  u32 len       bytes behind the header
 *  4  u8  kind      enum frame_kind
 *  5  u8  flags     FRAME_F_…
 *  6  u16 name_len  the first name_len bytes behind the header are the target's name (dst is 0 then)
 *  8  u64 dst       node that is to get it; 0: resolve the name
 * 16  u64 src       node that sent it; the router writes it, whatever the sender put there; 0: the router itself
 * 24  u64 session   session id, unique within the edge node that opened it; 0: none
 * 32  u64 seq       number in the channel from src to dst, from 1; 0: outside the channel
 * 40  u64 ack       the receiver's frames up to here are done with (committed); 0: says nothing
 * 48  u64 mark      what the receiver has to remember of it; 0: nothing. STANZA to a session: its position in the journal.
 *                   STANZA or echo from a session with stream management: its number, as the client counts (XEP-0198 4). SYNC: the
 *                   sender's frames up to here have been acknowledged to it, it has them no more.
 * 56  u64 origin    STANZA to a session, with a mark: which frame it was made of, where no row of the journal says so (a keyed hash); 0:
 *                   a row does. The receiver remembers it with the mark.
 * All big-endian. What follows (after the name) is one XML element in canonical form, or a fan-out (fanout.h).
 * A node is one run of one daemon: a random number, never reused. Pure. */
#ifndef LINK_FRAME_H
#define LINK_FRAME_H

#include "common/base/slice.h"

#define FRAME_HEAD 64           /* bytes */
#define FRAME_MAX (1u << 20)    /* bytes behind the header; more is a protocol error and closes the link */
#define FRAME_STANZA_MAX (FRAME_MAX - 40960) /* of a stanza: room is left for a name, or for the list of a fan-out */
#define FRAME_NAME_MAX 2048     /* "local@domain" */
#define FRAME_PROTOCOL 3        /* version, in <frames version=''/>; grows when an older end would misread */

#define FRAME_KINDS(X)                                                                             \
    X(STANZA, "stanza")   /* edge → sessman, sessman → edge: of a session; session 0, by name: routed */ \
    X(FANOUT, "fanout")   /* sessman → edge: one stanza, many sessions (fanout.h) */                 \
    X(CONTROL, "control") /* an element of urn:bulkhead:session:0 (control.h) */                     \
    X(ACK, "ack")         /* header only, outside the channel: carries ack */                        \
    X(SYNC, "sync")       /* header only, outside: "I have everything up to ack; send again from there"; session holds both \
                             ends' incarnations of the channel: the sender's own above, what it knows of the other below */ \
    X(BOUNCE, "bounce")   /* router → src: this frame could not be delivered; flags say why, payload as it was */
enum frame_kind {
    FRAME_NONE,
#define X(id, name) FRAME_##id,
    FRAME_KINDS(X)
#undef X
    FRAME_KIND_COUNT
};
const char *frame_kind_name(enum frame_kind kind); /* "?" for unknown ones */

#define FRAME_F_NO_NAME 0x01    /* in a BOUNCE: nobody has bound the name (remote-server-not-found) */
#define FRAME_F_NO_NODE 0x02    /* in a BOUNCE: the node is gone, or went with the frame in its queue (service-unavailable) */
#define FRAME_F_FULL 0x04       /* in a BOUNCE: too much waits for it already (resource-constraint) */
#define FRAME_F_ADMIN 0x08      /* written by the router: the sender's role is admin (bulkheadctl) */
#define FRAME_F_ASK 0x10        /* in a SYNC: answer with yours (the sender has changed its way to you) */
#define FRAME_F_REBORN 0x20     /* in a SYNC: the sender has been restarted and remembers (from its store) that it has dealt with your
                                   frames up to ack: keep your side of the channel, begin anew with mine */

struct frame {
    uint32_t len;
    uint8_t kind, flags;
    uint16_t name_len;
    uint64_t dst, src, session, seq, ack, mark, origin;
    struct slice name, payload; /* borrowed from the bytes that were decoded */
};
/* RC_AGAIN: more bytes are needed (*need = how many in all, once known, else FRAME_HEAD). RC_SYNTAX, RC_LIMIT: close the link. On RC_OK
 * *used is the whole frame's size. */
MUST_USE enum rc frame_decode(struct slice bytes, struct frame *out, size_t *used, size_t *need, struct why *why);
void frame_head_write(uint8_t out[FRAME_HEAD], const struct frame *f); /* len is taken from f->len */
/* In place, in bytes that frame_decode accepted. */
void frame_set_src(char *bytes, uint64_t src);
void frame_set_dst(char *bytes, uint64_t dst);
void frame_set_flags(char *bytes, uint8_t flags);
void frame_set_ack(char *bytes, uint64_t ack);

#endif
