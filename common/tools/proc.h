/* common/tools/proc.h - the supervisor's processes: who shall run, who runs, when to start one again
 *
 * Told what time it is and what happened; forks and kills, never waits. A process that ends is started again:
 * at once the first time, then after 0.1 s, doubled up to 30 s, from the beginning after it has lived for 60
 * s. */
#ifndef TOOLS_PROC_H
#define TOOLS_PROC_H

#include "common/base/buf.h"
#include <sys/types.h>

enum daemon_kind {
    KIND_ROUTER,
    KIND_SESSMAN,
    KIND_C2S,
    KIND_S2S,
    KIND_HTTPGW,
    KINDS
}; /* in the order of starting */
extern const char *const daemon_names[KINDS];

enum { PROCS_PER_KIND = 64 };

struct proc {
    enum daemon_kind kind;
    unsigned number;      /* from 1 */
    char instance[24];    /* "c2s-1" */
    pid_t pid;            /* 0: not running */
    bool wanted;          /* shall be started again when it ends */
    bool ready;           /* has said READY=1 */
    bool stopping;        /* was sent SIGTERM */
    uint64_t started_ms;  /* monotonic */
    uint64_t start_at_ms; /* when not running and wanted */
    uint32_t pause_ms;    /* before the start after the next one */
    uint32_t restarts;
    bool restart;         /* its turn to be started anew is to come */
    bool renewed;         /* was told to end for that, and is not ready again yet */
    uint64_t kill_at_ms;  /* renewed: it has ended by then, or is killed; 0: it has */
};

struct procs;
/* programs: the folder with bulkhead-router …; dir: the installation; notify: their $NOTIFY_SOCKET. All
 * borrowed. */
struct procs *procs_new(const char *programs, const char *dir, const char *notify);
void procs_free(struct procs **p);
/* How many of each shall run; those over it are sent SIGTERM, new ones are started by procs_start. */
void procs_want(struct procs *p, const uint32_t counts[KINDS], uint64_t now_ms);

/* Starts what is due. Returns a process that was started, to be logged, until NULL; failed forks are tried
 * again. */
struct proc *procs_start(struct procs *p, uint64_t now_ms);
uint64_t procs_next_ms(const struct procs *p); /* when procs_start has something to do; UINT64_MAX: nothing */
struct proc *procs_by_pid(struct procs *p, pid_t pid); /* NULL: none of ours */
/* A process ended: says by start_at_ms when it is started again. */
void procs_ended(struct proc *proc, uint64_t now_ms, uint32_t longest_pause_ms);
bool procs_all_ready(const struct procs *p);
void procs_signal_all(struct procs *p, int signum);

/* Starting anew, one at a time: the next one when the one before is ready again. name: a daemon ("c2s") or one of its processes
 * ("c2s-1"). Returns how many it is. */
unsigned procs_restart(struct procs *p, const char *name);
/* Returns a process that was told to end now, or killed since it did not, to be logged; NULL: nothing is to be done now. */
struct proc *procs_restart_next(struct procs *p, uint64_t now_ms, uint32_t stop_ms);
bool procs_restarting(const struct procs *p);

/* Stopping goes by stages, edges first, the router last. Sends SIGTERM to the first stage that has running
 * processes, SIGKILL where kill; false: nothing runs any more. Nothing is started after the first call. */
bool procs_stop_stage(struct procs *p, bool kill);
bool procs_stage_done(const struct procs *p); /* all that were told to stop have ended */

void procs_json(const struct procs *p, uint64_t now_ms, struct buf *out); /* an array */

#endif
