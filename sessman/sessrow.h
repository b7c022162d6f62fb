/* sessman/sessrow.h - the row of a session: what restore.c writes and reads */
#ifndef SESSMAN_SESSROW_H
#define SESSMAN_SESSROW_H

#include "sessman/session.h"

void sessrow_state_write(struct buf *out, const struct session *s);
/* False: what is written there is none; s is untouched then, or as one that has never sent presence. */
bool sessrow_state_read(struct sessman *sm, struct arena *a, struct slice text, struct session *s);

#endif
