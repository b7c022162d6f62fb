/* common/tools/super.h - what the supervisor needs of the system: lock, sockets, sd_notify */
#ifndef TOOLS_SUPER_H
#define TOOLS_SUPER_H

#include "common/base/slice.h"
#include <sys/types.h>

/* The folder of the running program: the daemons lie beside it. */
void super_programs(char *out, size_t size);

/* DIR/run/bulkhead.pid, locked as long as *fd is open. RC_CONFLICT: another supervisor has it. */
MUST_USE enum rc super_lock(const char *dir, int *fd, struct why *why);
void super_unlock(int fd); /* -1: nothing happens */

/* sd_notify(3): one datagram to $NOTIFY_SOCKET, if there is one. Not a word where nobody listens. */
void super_notify(const char *state);
/* Half of what $WATCHDOG_USEC asks for, in ms; 0: no watchdog. */
void super_watchdog(uint64_t *ms);

/* Our own end of that protocol for the daemons: DIR/run/bulkhead.notify. */
MUST_USE enum rc super_notify_open(const char *dir, int *fd, struct why *why);
bool super_notify_read(int fd, char *text, size_t size, pid_t *pid); /* false: none left */

/* DIR/run/bulkhead.sock, mode 0600: one request a connection, one line. */
MUST_USE enum rc super_control_open(const char *dir, int *fd, struct why *why);
int super_control_accept(int fd, char *request, size_t size); /* the connection, or -1 */
void super_control_answer(int conn, struct slice answer);     /* closes it */
void super_remove_sockets(const char *dir, int control, int notify);

#endif
