/* common/xmpp/xmlnames.h - names and namespaces that XMPP uses all day, found by their bytes
 *
 * The slices found point to static storage, so trees need no copy of them and comparing them is comparing
 * pointers. Internal to xmlin. Pure. */
#ifndef XMPP_XMLNAMES_H
#define XMPP_XMLNAMES_H

#include "common/base/slice.h"

enum { XMLNAMES_SLOTS = 512 }; /* a power of two, at least twice the number of names */

struct xmlnames {
    struct slice slots[XMLNAMES_SLOTS]; /* open addressing; len 0: free */
};
void xmlnames_init(struct xmlnames *t);
struct slice xmlnames_find(const struct xmlnames *t, struct slice name); /* len 0: not among them */

#endif
