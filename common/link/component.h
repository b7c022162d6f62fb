/* common/link/component.h - XEP-0114 and XEP-0225 handshakes, both ends, as state machines  Pure.
 *
 * Fed with stream headers and elements, says what to write and what happened. The owner moves the bytes. */
#ifndef LINK_COMPONENT_H
#define LINK_COMPONENT_H

#include "common/base/buf.h"
#include "common/xmpp/node.h"
#include "common/xmpp/sasl.h"

/* XEP-0114 3: hex SHA-1 of stream id and secret. */
struct slice component_digest(struct arena *a, struct slice stream_id, struct slice secret);

#endif
