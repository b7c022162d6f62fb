/* common/link/framein.h - a stream of bytes cut into frames, without a copy where a frame is whole in what
 * was read
 *
 * Holds the part of a frame that a read ended with (at most FRAME_HEAD + FRAME_MAX bytes), else nothing.
 * Pure. */
#ifndef LINK_FRAMEIN_H
#define LINK_FRAMEIN_H

#include "common/base/buf.h"
#include "common/link/frame.h"

struct framein { /* zeroed: ready */
    struct buf part;
    bool given; /* part is a whole frame that has been given out */
};
void framein_fini(struct framein *in);
/* The next frame of what was read. RC_OK: *out, and *raw = all its bytes, in *rest or in the part; they may
 * be changed in place and live until the call that says RC_AGAIN: *rest is used up then, and a part of a
 * frame is kept. Other codes: as frame_decode. */
MUST_USE enum rc framein_next(struct framein *in, struct slice *rest, struct frame *out, struct slice *raw,
                              struct why *why);

#endif
