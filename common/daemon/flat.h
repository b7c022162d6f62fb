/* common/daemon/flat.h - the numbers of a daemon's status as lines: "store.waiting 3"
 *
 * Of JSON that we have written ourselves (daemon.status): names of objects are joined by dots, true counts as 1. Elements of an array
 * stand under the array's name, and of them those figures that make sense added up: bytes, and what is up or reachable
 * ("links.nodes.unacked_bytes"). Texts are left out. Pure. */
#ifndef DAEMON_FLAT_H
#define DAEMON_FLAT_H

#include "common/base/buf.h"

void flat_numbers(struct slice json, struct buf *out); /* json: one object; what stands behind a mistake is left out */

#endif
