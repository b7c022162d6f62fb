/* httpgw/element.h - canonical elements outside of a stream: with the namespaces that a stream's header would declare
 *
 * What the client's own code and the session managers write stands in a stream of jabber:client whose prefix "stream" is known. In a
 * WebSocket message (RFC 7395 3.3.3) and in a BOSH body (XEP-0206 3) nothing is. Pure. */
#ifndef HTTPGW_ELEMENT_H
#define HTTPGW_ELEMENT_H

#include "common/base/slice.h"

enum { ELEMENT_PIECES = 3 }; /* more than went in */
/* pieces: one element; out: the same with what it lacks, n + ELEMENT_PIECES slices at most. stream: the prefix "stream" is declared around it.
 * Returns how many. */
size_t element_pieces(const struct slice *pieces, size_t n, bool stream, struct slice *out);

#endif
