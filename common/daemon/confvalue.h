/* common/daemon/confvalue.h - one option's value: text to field, field to text; for conf.c only. Pure. */
#ifndef DAEMON_CONFVALUE_H
#define DAEMON_CONFVALUE_H

#include "common/base/buf.h"
#include "common/daemon/conf.h"

/* RC_SYNTAX, RC_LIMIT (outside min and max) with why; the field is unchanged then. Appends to a list. */
MUST_USE enum rc confvalue_set(const struct option *o, void *conf, struct slice text, struct why *why);
void confvalue_clear(const struct option *o, void *conf); /* frees; the field is zero */
bool confvalue_same(const struct option *o, const void *a, const void *b);
void confvalue_text(const struct option *o, const void *conf, struct buf *out);

#endif
