/* common/tools/super.h - what the supervisor needs of the system: lock and sockets */
#ifndef TOOLS_SUPER_H
#define TOOLS_SUPER_H

#include "common/base/slice.h"
#include <sys/types.h>

/* The folder of the running program: the daemons lie beside it. */
void super_programs(char *out, size_t size);

/* DIR/run/bulkhead.pid, locked as long as *fd is open. RC_CONFLICT: another supervisor has it. */
MUST_USE enum rc super_lock(const char *dir, int *fd, struct why *why);
void super_unlock(int fd); /* -1: nothing happens */

/* The receiving end of sd_notify(3) for the daemons: DIR/run/bulkhead.notify. */
MUST_USE enum rc super_notify_open(const char *dir, int *fd, struct why *why);
bool super_notify_read(int fd, char *text, size_t size, pid_t *pid); /* false: none left */

/* DIR/run/bulkhead.sock, mode 0600: one request a connection, one line. */
MUST_USE enum rc super_control_open(const char *dir, int *fd, struct why *why);
int super_control_accept(int fd, char *request, size_t size); /* the connection, or -1 */
void super_control_answer(int conn, struct slice answer);     /* closes it */
void super_remove_sockets(const char *dir, int control, int notify);

#endif
