/* s2s/custody.h - which stanzas of a session manager's outbox are ours to deliver, and which have left (DESIGN 2)
 *
 * One per session manager, hanging from its node. A stanza is told by its id in the outbox, the mark of its frame: it is ours from
 * the first frame on, until it has left or was answered; then it is told once, and remembered for a while, for a session
 * manager that was restarted sends all of its outbox again. Pure. */
#ifndef S2S_CUSTODY_H
#define S2S_CUSTODY_H

#include "common/link/control.h"

/* Of those that have left it knows so many runs of ids without a gap: a single one, where all goes to one s2s. */
#define CUSTODY_RUNS_MAX 4096

enum custody_verdict { CUSTODY_NEW, CUSTODY_HELD, CUSTODY_FINISHED };

struct custody;
void custody_free(struct custody **c);
/* A stanza has come. NEW: it is ours now. HELD: it is so already. FINISHED: it has left; it will be told again. *c NULL: empty; made
 * when needed. */
enum custody_verdict custody_take(struct custody **c, uint64_t id);
void custody_finish(struct custody *c, uint64_t id); /* harmless for an id that is not held */
size_t custody_held(const struct custody *c);
/* Ids that are to be told, as runs (struct control_run): at most max of these into out; they are told then. */
size_t custody_tell(struct custody *c, struct control_run *out, size_t max);

#endif
