/* common/link/pick.h - which of several owns a key: rendezvous hashing (DESIGN 6)
 *
 * Whoever weighs most for the key owns it. Router and daemons come to the same answer because the weight
 * depends on the instance's name alone, not on the run of the process. Pure. */
#ifndef LINK_PICK_H
#define LINK_PICK_H

#include "common/base/slice.h"

uint64_t pick_weight(struct slice instance, struct slice key);

#endif
