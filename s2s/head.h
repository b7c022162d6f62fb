/* s2s/head.h - from which domain to which a stanza of a session manager goes, without parsing all of it
 *
 * A session manager writes canonical XML with canonical addresses, so the start tag says it. False where
 * anything in it is not as plain as that (a domain that is not lower-case letters, digits, dots and hyphens;
 * an entity in an address): then it is to be parsed. True: parsing it would give the same two domains. Pure.
 */
#ifndef S2S_HEAD_H
#define S2S_HEAD_H

#include "common/base/slice.h"

struct head {
    struct slice from, to; /* domains; they point into the stanza */
};
bool head_read(struct slice stanza, struct head *out);

#endif
