/* common/xmpp/xmlchars.h - UTF-8 as XML takes it, in pieces (RFC 3629, XML 1.0 2.2)
 *
 * libxml2 is given whole characters only. Internal to xmlin. Pure. */
#ifndef XMPP_XMLCHARS_H
#define XMPP_XMLCHARS_H

#include "common/base/slice.h"

/* Bytes of s that are whole characters. What is left over is the start of one, at most three bytes; or *bad: it is no
 * UTF-8, or U+0000, U+FFFE, U+FFFF. Other control characters are left to libxml2. */
size_t xmlchars_whole(struct slice s, bool *bad);

#endif
