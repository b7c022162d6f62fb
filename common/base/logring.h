/* common/base/logring.h - the last lines of a log, in a ring of bytes: the oldest make room for the newest
 *
 * A line of more than LOGRING_LINE_MAX bytes is cut. Pure. */
#ifndef BASE_LOGRING_H
#define BASE_LOGRING_H

#include "common/base/buf.h"

enum { LOGRING_BYTES = 16384, LOGRING_LINE_MAX = 1024 };
struct logring {             /* zeroed: empty */
    char bytes[LOGRING_BYTES]; /* lines, one behind the other: a digit, the text, a line feed */
    size_t first, len;       /* the oldest line begins at first */
};
/* line: without a line feed; grade: 0 to 9, the lower the worse. */
void logring_put(struct logring *r, unsigned grade, struct slice line);
/* The newest lines that are of this grade or worse, at most `most`, the oldest of them first, each with a line feed. */
void logring_get(const struct logring *r, unsigned grade, size_t most, struct buf *out);

#endif
