/* common/xmpp/xmlout.h - the one canonical writer
 *
 * Every stanza that crosses from one process to another or to a peer was written here: double or single quotes
 * never vary, every prefix is resolved (elements carry xmlns= where it differs from their parent's; attributes with
 * a namespace get a prefix declared on their element, xml: stays), & < > are escaped, in attributes " ' too, CR (in
 * attributes TAB and LF too) is written as a character reference. So all parsers behind it see the same thing. Pure. */
#ifndef XMPP_XMLOUT_H
#define XMPP_XMLOUT_H

#include "common/base/buf.h"
#include "common/xmpp/node.h"

/* Writes n and all below it. default_ns is what is in scope where the bytes will stand (NS_CLIENT in frames and on
 * client streams): an element in it gets no xmlns, and one in NS_STREAM gets the prefix "stream", which every stream
 * declares. NULL: nothing is in scope, not even that prefix (RFC 7395). Content in NS_CLIENT, NS_SERVER and NS_COMPONENT_ACCEPT is written
 * alike, so the same bytes serve on any stream. */
void xmlout_node(struct buf *out, const struct node *n, const char *default_ns);
/* The same with the top element's `to` left out and *to_at = the offset in out, from this element's '<', where
 * " to='...'" can be inserted: what fan-out frames carry. */
void xmlout_node_to(struct buf *out, const struct node *n, const char *default_ns, size_t *to_at);
void xmlout_text(struct buf *out, struct slice text);  /* escaped character data */
void xmlout_value(struct buf *out, struct slice value); /* escaped for a single-quoted attribute value */
/* " name='value'" */
void xmlout_attr(struct buf *out, const char *name, struct slice value);

#endif
