/* common/daemon/daemon.h - what every daemon's main is made of: arguments, configuration, log, signals, control socket
 *
 * A main() is one struct daemon and daemon_run(). Arguments: -d DIR (default /var/lib/bulkhead …), -i INSTANCE (default: the
 * daemon's name; "c2s-2"), --check-config, --dump-config, --version, --help. Configuration is DIR/NAME.conf; the
 * [log] section and [daemon] section (user, pid_file) are common to all and read into struct daemon_conf.
 * SIGTERM, SIGINT: stop(), then the loop ends when all handles are closed, or after 10 s. SIGHUP: reopen the log, reload.
 * Exit codes: 0 stopped as asked, 1 failed at start or run, 2 usage, 3 configuration. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "common/base/log.h"
#include "common/base/metric.h"
#include "common/daemon/conf.h"
#include "common/daemon/ctl.h"
#include "common/net/loop.h"

struct daemon_conf { /* [log] and [daemon] */
    int log_sink;            /* enum log_sink */
    char *log_path;          /* NULL: log/INSTANCE.log */
    char *log_level;
    size_t log_rotate_bytes;
    uint32_t log_rotate_keep;
    char *user;              /* NULL: stay who we are */
    char *pid_file;          /* NULL: none */
    bool core;               /* core dumps allowed */
};
/* The rows of [log] and [daemon], with offsets into struct daemon_conf: every daemon's file has them. */
const struct option *daemon_common_options(size_t *n);

struct daemon_run {            /* what the daemon's functions get; owned by daemon_run */
    const char *dir;           /* the installation folder, absolute */
    const char *instance;      /* "c2s-1" */
    struct loop *loop;
    struct log *log;
    struct metrics *metrics;
    const void *conf;          /* the daemon's struct, current */
    void *ctx;                 /* set by start */
    void (*ready)(struct daemon_run *run); /* the daemon calls it when it can serve: sd_notify READY=1 (once) */
    /* For struct rlink_conf: what is said to other daemons, which ask over the router. run is ours. RC_OK: out; else why is set. Only
     * what tells and changes nothing is answered: an allow-list of control commands (report.c). */
    enum rc (*answer)(void *run, struct slice what, struct slice args, struct buf *out, struct why *why);
};
struct daemon {
    const char *name;          /* "c2s" */
    const char *summary;       /* for --help */
    const struct conf_table *conf;
    const struct metric_def *metrics;
    size_t n_metrics;
    enum rc (*start)(struct daemon_run *run, struct why *why); /* opens everything; the loop runs after */
    void (*stop)(struct daemon_run *run);                       /* closes everything, gracefully; called once */
    void (*fini)(struct daemon_run *run);                       /* frees ctx; after the loop has ended */
    /* A new configuration was read: take what can change. run->conf is still the old one; both valid during the call.
     * An error: something of it was not to be had (why; the daemon has logged it and goes on with the old), the rest was taken. */
    enum rc (*reload)(struct daemon_run *run, const void *new_conf, struct why *why);
    void (*measure)(struct daemon_run *run);                    /* before somebody looks at the metrics: sets those that change all
                                                                   the time, such as lengths of queues; NULL: nothing to do */
    void (*status)(struct daemon_run *run, struct buf *json);   /* members of one JSON object, no braces */
    const struct ctl_command *commands;                         /* more than the common ones; NULL: none. ctx: run */
};
int daemon_run(int argc, char **argv, const struct daemon *d);
/* A path of the configuration: absolute as it is, relative below dir. mem_free it. */
char *daemon_path(const char *dir, const char *path);

#endif
