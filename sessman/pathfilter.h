/* sessman/pathfilter.h - ordered path filters over a stanza's elements: the first that finds its element decides
 *
 * One is written [+|-]/NAME[NAMESPACE]/NAME…: the first step is the stanza itself, each further one a child of the one before; NAME
 * is an element's name or * for any, and without a namespace in brackets any namespace does. + (the default) says yes,
 * - says no. Pure. */
#ifndef SESSMAN_PATHFILTER_H
#define SESSMAN_PATHFILTER_H

#include "common/xmpp/node.h"

#define PATHFILTERS_MAX 64     /* in one list */
#define PATHFILTER_STEPS_MAX 8 /* of one path */

struct pathfilter;
enum pathfilter_says { PATHFILTER_NOTHING, PATHFILTER_YES, PATHFILTER_NO };
/* All n in their order; texts are not kept. RC_SYNTAX: one is none; RC_LIMIT: too many, too many steps. why names the filter. *out is
 * NULL for n 0. */
MUST_USE enum rc pathfilter_new(const char *const *texts, size_t n, struct pathfilter **out, struct why *why);
void pathfilter_free(struct pathfilter **fp);
enum pathfilter_says pathfilter_match(const struct pathfilter *f, const struct node *stanza); /* f may be NULL */

#endif
