/* common/xmpp/delay.h - XEP-0203 delay stamps and XEP-0082 times  Pure. */
#ifndef XMPP_DELAY_H
#define XMPP_DELAY_H

#include "common/xmpp/node.h"

struct slice time_write(struct arena *a, int64_t wall_ms);                 /* "2026-11-20T15:20:23.112Z" */
/* XEP-0082 DateTime. RC_SYNTAX; RC_LIMIT: a time that exists, but not one of 1970 to 9999: *wall_ms is the nearest that is. */
MUST_USE enum rc time_read(struct slice text, int64_t *wall_ms);
/* Adds <delay/>; text may be NULL. */
void delay_add(struct arena *a, struct node *stanza, struct slice from, int64_t wall_ms, const char *text);

#endif
