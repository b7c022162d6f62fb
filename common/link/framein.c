/* common/link/framein.c */
#include "common/link/framein.h"

void framein_fini(struct framein *in)
{
    buf_fini(&in->part);
    in->given = false;
}

static void take(struct framein *in, struct slice *rest, size_t need)
{
    struct slice more = slice_to(*rest, need - in->part.len);
    buf_slice(&in->part, more);
    *rest = slice_from(*rest, more.len);
}

/* The frame that an earlier read began. */
static enum rc complete(struct framein *in, struct slice *rest, struct frame *out, struct slice *raw,
                        struct why *why)
{
    enum rc rc;
    size_t used = 0, need = FRAME_HEAD;
    do {
        if (in->part.len < need)
            take(in, rest, need);
        rc = frame_decode(buf_get(&in->part), out, &used, &need, why);
    } while (rc == RC_AGAIN && rest->len);
    if (rc == RC_OK) {
        in->given = true;
        *raw = buf_get(&in->part);
    }
    return rc;
}

enum rc framein_next(struct framein *in, struct slice *rest, struct frame *out, struct slice *raw,
                     struct why *why)
{
    size_t used = 0, need;
    if (in->part.len && !in->given)
        return complete(in, rest, out, raw, why);
    enum rc rc = frame_decode(*rest, out, &used, &need, why);
    if (rc == RC_OK) {
        *raw = slice_to(*rest, used);
        *rest = slice_from(*rest, used);
    } else if (rc == RC_AGAIN) {
        framein_fini(in);
        buf_slice(&in->part, *rest);
        *rest = slice_from(*rest, rest->len);
    }
    return rc;
}
