/* httpgw/range.h - the part of a file that is asked for (RFC 9110 14)  Pure.
 *
 * One part is given out. A list of parts is refused, which the specification allows (14.2): a player asks for one at a time, and answers in
 * many pieces cost more than they are good for. */
#ifndef HTTPGW_RANGE_H
#define HTTPGW_RANGE_H

#include "common/base/slice.h"

enum range {
    RANGE_WHOLE, /* nothing was asked for, or in a unit or a form that we do not know: it does not count */
    RANGE_PART,  /* 206 */
    RANGE_NONE,  /* 416: nothing of it is there, or it is a list */
};
/* The value of the Range header, empty if absent; size of the file. RANGE_WHOLE: *from is 0, *len is size; RANGE_NONE: both 0. */
enum range range_read(struct slice header, uint64_t size, uint64_t *from, uint64_t *len);

#endif
