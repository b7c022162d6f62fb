/* common/edge/marks.h - which stanzas of a session manager's journal have been handed to clients (DESIGN 2)
 *
 * Per session manager a list, in the order of its frames, of what <alive/> is to say after its restart, until it says <settled/>: then its
 * own store knows. Bounded: past MARKS_MAX the oldest is forgotten (and may come twice after a crash). Pure. */
#ifndef EDGE_MARKS_H
#define EDGE_MARKS_H

#include "common/link/control.h"

#define MARKS_MAX (1u << 18)

struct marks;
void marks_free(struct marks **m);
/* *m NULL: empty; made when needed. */
void marks_add(struct marks **m, uint64_t seq, struct control_mark mark);
/* A client did not get these, in the order in which they were added: nothing is to be said of them. */
void marks_drop(struct marks *m, const struct control_mark *list, size_t n);
void marks_settled(struct marks **m, uint64_t seq); /* those of frames up to seq are forgotten */
/* Its frames are numbered from 1 again: the first <settled/> of the new numbering is about all that is here now. */
void marks_reborn(struct marks *m);
size_t marks_count(const struct marks *m);
struct control_mark marks_get(const struct marks *m, size_t i); /* i < marks_count; pos 0: dropped */

#endif
