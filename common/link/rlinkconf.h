/* common/link/rlinkconf.h - a struct rlink_conf that owns its strings
 *
 * rlink keeps one for its life: options may be read again, and the daemon's go then. */
#ifndef LINK_RLINKCONF_H
#define LINK_RLINKCONF_H

#include "common/link/rlink.h"

/* Fills *to: strings copied, files relative to dir made whole, 0 replaced by the defaults. The list of routers is not
 * copied: to->routers is NULL. */
void rlinkconf_copy(struct rlink_conf *to, const struct rlink_conf *from);
void rlinkconf_drop(struct rlink_conf *c); /* frees what the copy made */

#endif
