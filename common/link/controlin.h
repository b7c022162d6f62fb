/* common/link/controlin.h - what the files of control.h share: attributes and elements of urn:bulkhead:session:0, written and read; nobody
 * else includes it
 *
 * control.c has what daemons and routers say of themselves and of all; controllogin.c a session until it has a resource; controlsession.c a session
 * that has one; controlmarks.c what edges say of stanzas. Each writer stands before its reader.
 * Readers: RC_SYNTAX, and why names what is wrong; get_texts: RC_LIMIT over CONTROL_NAMES_MAX. Pure. */
#ifndef LINK_CONTROLIN_H
#define LINK_CONTROLIN_H

#include "common/link/control.h"

void controlin_start(struct buf *out, const char *name); /* "<name xmlns='…'", open for attributes */
void controlin_end(struct buf *out, const char *name);   /* "</name>" */
void controlin_put_flag(struct buf *out, const char *name, bool set); /* an attribute, where it is set */
void controlin_put_count(struct buf *out, const char *name, uint32_t n);
void controlin_put_u64(struct buf *out, const char *name, uint64_t n);
void controlin_put_text_element(struct buf *out, const char *name, struct slice text);
void controlin_write_cond(struct buf *out, const char *name, const char *cond, struct slice text); /* a whole element */

enum rc controlin_bad(const struct node *n, const char *what, struct why *why); /* RC_SYNTAX */
MUST_USE enum rc controlin_get_flag(const struct node *n, const char *name, bool *out, struct why *why);
MUST_USE enum rc controlin_get_count(const struct node *n, const char *name, uint32_t *out, struct why *why);
MUST_USE enum rc controlin_get_u64(const struct node *n, const char *name, uint64_t most, uint64_t *out, struct why *why);
MUST_USE enum rc controlin_check_domain(struct arena *a, const struct node *n, struct slice domain, const char *what,
                                        struct why *why);
MUST_USE enum rc controlin_get_texts(struct arena *a, const struct node *n, const char *name, const struct slice **out,
                                     size_t *count, struct why *why); /* of n's children called name */
MUST_USE enum rc controlin_get_cond(const struct node *n, enum stanza_cond *out, struct why *why); /* of a stanza error */

#endif
