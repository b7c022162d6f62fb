/* common/edge/smelement.h - the elements of stream management: read and written (XEP-0198 3, 4, 5, 6)
 *
 * For the stream itself and for what stands inline in SASL2 and Bind2 (XEP-0198 9). Pure. */
#ifndef EDGE_SMELEMENT_H
#define EDGE_SMELEMENT_H

#include "common/link/control.h"

/* RC_SYNTAX: malformed; the client gets <failed/> with bad-request. */
MUST_USE enum rc smelement_read_enable(const struct node *n, struct control_sm_enable *out);
MUST_USE enum rc smelement_read_resume(const struct node *n, struct control_resume *out);
MUST_USE enum rc smelement_read_a(const struct node *n, uint32_t *h);

void smelement_write_enabled(struct buf *out, const struct control_sm_enabled *c, struct slice location); /* empty: none */
void smelement_write_resumed(struct buf *out, const struct control_resumed *c);
void smelement_write_failed(struct buf *out, enum stanza_cond cond, const uint32_t *h); /* h NULL: not told */
void smelement_write_a(struct buf *out, uint32_t h);
void smelement_write_r(struct buf *out);
/* What goes into the stream error undefined-condition (XEP-0198 6). */
void smelement_write_too_high(struct buf *out, uint32_t h, uint32_t sent);

#endif
