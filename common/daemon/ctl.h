/* common/daemon/ctl.h - local control socket DIR/run/NAME.sock (mode 0600): status, metrics, reload, log level, drain, stop
 *
 * One request a connection: a line of text; the answer is "ok" or "error TEXT" on the first line, then the body
 * (JSON for status and metrics), then the end of the connection. */
#ifndef DAEMON_CTL_H
#define DAEMON_CTL_H

#include "common/base/buf.h"

struct ctl;
struct daemon_run;
struct ctl_command {
    const char *name, *help;      /* "loglevel", "loglevel SUB=LEVEL: …" */
    enum rc (*run)(void *ctx, struct slice args, struct buf *out, struct why *why);
};
struct loop;
/* commands: terminated by name NULL; ctx is given to them. */
MUST_USE enum rc ctl_open(struct loop *loop, const char *path, const struct ctl_command *commands, void *ctx,
                          struct ctl **out, struct why *why);
void ctl_close(struct ctl **ctl);

/* Client side, blocking, for bulkheadctl and the supervisor: RC_CLOSED: nobody listens; RC_TIMEOUT.
 * out: the whole answer, its first line too. request: one line, without the line break. */
MUST_USE enum rc ctl_ask(const char *path, struct slice request, uint32_t timeout_ms, struct buf *out, struct why *why);

#endif
