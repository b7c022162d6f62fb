/* common/tools/bulkhead.c - the supervisor: starts the daemons of one host, starts again what ends, stops in
 * order
 *
 * Foreground. One poll over signals (signalfd), the readiness messages of the daemons (the protocol of
 * sd_notify) and the control socket DIR/run/bulkhead.sock (the protocol of common/daemon/ctl.h: status,
 * reload, restart NAME, restarting, stop). */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/version.h"
#include "common/daemon/conf.h"
#include "common/daemon/notify.h"
#include "common/tools/proc.h"
#include "common/tools/super.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_CONF = 3, TWICE_MS = 1000 };

struct bulkhead_conf {
    uint32_t counts[KINDS];
    uint32_t stop_ms;
    uint32_t pause_ms;
    size_t log_rotate_bytes;
    uint32_t log_rotate_keep;
};

static const struct option options[] = {
    OPTION_UINT("processes", "router", struct bulkhead_conf, counts[KIND_ROUTER], "1", "0", "64", RELOAD),
    OPTION_UINT("processes", "sessman", struct bulkhead_conf, counts[KIND_SESSMAN], "1", "0", "64", RELOAD),
    OPTION_UINT("processes", "c2s", struct bulkhead_conf, counts[KIND_C2S], "1", "0", "64", RELOAD),
    OPTION_UINT("processes", "s2s", struct bulkhead_conf, counts[KIND_S2S], "0", "0", "64", RELOAD),
    OPTION_UINT("processes", "httpgw", struct bulkhead_conf, counts[KIND_HTTPGW], "0", "0", "64", RELOAD),
    OPTION_TIME("stop", "time", struct bulkhead_conf, stop_ms, "15s", "1s", "10m", RELOAD),
    OPTION_TIME("restart", "pause", struct bulkhead_conf, pause_ms, "30s", "100ms", "1h", RELOAD),
    OPTION_BYTES("log", "rotate_size", struct bulkhead_conf, log_rotate_bytes, "10m", "0", "1g", RESTART),
    OPTION_UINT("log", "rotate_keep", struct bulkhead_conf, log_rotate_keep, "3", "0", "100", RESTART),
};
static const struct conf_table table = { options, sizeof options / sizeof options[0],
                                         NULL,    sizeof(struct bulkhead_conf),
                                         NULL,    NULL };

struct super {
    char dir[PATH_MAX], programs[PATH_MAX], notify_path[PATH_MAX + 32];
    struct bulkhead_conf conf;
    struct log *log, *terminal; /* DIR/log/bulkhead.log; standard error */
    struct procs *procs;
    int signals, lock, notify, control; /* descriptors */
    bool all_ready;                     /* has been so once */
    bool failed;                        /* the first start did not work out */
    bool stopping;
    uint64_t stop_began_ms;
    uint64_t kill_at_ms;                  /* stopping: when the stage is over */
    uint64_t watchdog_ms, watchdog_at_ms; /* of systemd; 0: none */
};

/* To the file and to standard error. */
static void say(struct super *s, enum log_level level, const char *event, const struct log_field *fields)
{
    struct log_ctx ctx = { s->log, LOG_DAEMON, 0, NULL, NULL };
    log_write(&ctx, level, event, fields);
    ctx.log = s->terminal;
    log_write(&ctx, level, event, fields);
}
#define SAY(s, level, ev, ...) say((s), (level), (ev), (const struct log_field[]){ __VA_ARGS__, F_END })

static enum rc conf_load(const char *dir, struct bulkhead_conf *out, struct why *why)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/bulkhead.conf", dir);
    *out = (struct bulkhead_conf){ { 0 }, 0, 0, 0, 0 };
    return conf_read(&table, path, true, out, why);
}

static void begin_stop(struct super *s)
{
    if (!s->stopping) {
        SAY(s, LOG_LEVEL_INFO, "stopping", F_STR("dir", s->dir));
        notify("STOPPING=1");
        s->stopping = true;
        s->stop_began_ms = clock_mono_ms();
        s->kill_at_ms = s->stop_began_ms + s->conf.stop_ms;
        procs_stop_stage(s->procs, false);
    } else if (clock_mono_ms() - s->stop_began_ms >= TWICE_MS) { /* asked twice: no more patience */
        s->kill_at_ms = 0;
    } /* else one Ctrl-C that came by two ways: from the terminal and from the parent */
}

/* Our own part; `bulkheadctl reload` asks the daemons by itself, for it shows their answers. */
static void reload(struct super *s)
{
    struct bulkhead_conf fresh;
    struct why why;
    log_reopen(s->log);
    if (conf_load(s->dir, &fresh, &why) != RC_OK) {
        SAY(s, LOG_LEVEL_ERROR, "reload_failed", F_WHY(&why));
    } else {
        s->conf = fresh;
        procs_want(s->procs, s->conf.counts, clock_mono_ms());
        SAY(s, LOG_LEVEL_INFO, "reload", F_STR("dir", s->dir));
    }
}

/* A daemon that refuses to run at the very first start tells why on standard error; starting it again and
 * again would hide that. Later, or after a crash, it is started again. */
static void ended(struct super *s, struct proc *proc, int status)
{
    bool refused = WIFEXITED(status) && WEXITSTATUS(status) != 0 && !proc->ready && !s->all_ready;
    enum log_level level =
        proc->stopping && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR;
    long pid = proc->pid;
    procs_ended(proc, clock_mono_ms(), s->conf.pause_ms);
    if (WIFSIGNALED(status))
        SAY(s, level, "killed", F_STR("process", proc->instance), F_INT("pid", pid),
            F_INT("signal", WTERMSIG(status)), F_STR("name", strsignal(WTERMSIG(status))));
    else
        SAY(s, level, "ended", F_STR("process", proc->instance), F_INT("pid", pid),
            F_INT("status", WEXITSTATUS(status)));
    if (refused && !s->stopping) {
        s->failed = true;
        begin_stop(s);
    }
}

static void reap(struct super *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct proc *proc = procs_by_pid(s->procs, pid);
        if (proc)
            ended(s, proc, status);
    }
}

static void on_signals(struct super *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        switch ((int)info.ssi_signo) {
        case SIGCHLD:
            reap(s);
            break;
        case SIGHUP:
            reload(s);
            procs_signal_all(s->procs, SIGHUP);
            break;
        default:
            begin_stop(s);
        }
    }
}

static void on_notify(struct super *s)
{
    pid_t pid;
    char text[512];
    while (super_notify_read(s->notify, text, sizeof text, &pid)) {
        struct proc *proc = procs_by_pid(s->procs, pid);
        if (!proc || proc->ready || !strstr(text, "READY=1"))
            continue;
        proc->ready = true;
        proc->renewed = false;
        SAY(s, LOG_LEVEL_INFO, "process_ready", F_STR("process", proc->instance), F_INT("pid", pid));
    }
}

static void on_control(struct super *s)
{
    char request[64];
    struct buf answer = BUF_INIT(0);
    int conn = super_control_accept(s->control, request, sizeof request);
    if (conn < 0)
        return;
    if (strcmp(request, "status") == 0) {
        BUF_LIT(&answer, "ok\n{\"daemon\":\"bulkhead\",");
        buf_fmt(&answer, "\"pid\":%ld,\"ready\":%s,\"processes\":", (long)getpid(),
                s->all_ready ? "true" : "false");
        procs_json(s->procs, clock_mono_ms(), &answer);
        BUF_LIT(&answer, "}\n");
    } else if (strncmp(request, "restart ", 8) == 0) {
        unsigned n = s->stopping ? 0 : procs_restart(s->procs, request + 8);
        if (n)
            buf_fmt(&answer, "ok\n%u\n", n);
        else
            BUF_LIT(&answer, "error no such daemon runs here\n");
    } else if (strcmp(request, "restarting") == 0) {
        buf_cstr(&answer, procs_restarting(s->procs) ? "ok\nyes\n" : "ok\nno\n");
    } else if (strcmp(request, "stop") == 0 || strcmp(request, "reload") == 0) {
        BUF_LIT(&answer, "ok\n");
    } else {
        BUF_LIT(&answer, "error unknown command; there are status, reload, restart and stop\n");
    }
    super_control_answer(conn, buf_get(&answer));
    buf_fini(&answer);
    if (strcmp(request, "stop") == 0)
        begin_stop(s);
    else if (strcmp(request, "reload") == 0)
        reload(s);
}

static void start_due(struct super *s)
{
    struct proc *proc;
    while ((proc = procs_restart_next(s->procs, clock_mono_ms(), s->conf.stop_ms)))
        SAY(s, proc->kill_at_ms ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
            proc->kill_at_ms ? "restarting" : "stop_takes_too_long", F_STR("process", proc->instance),
            F_INT("pid", proc->pid));
    while ((proc = procs_start(s->procs, clock_mono_ms())))
        SAY(s, LOG_LEVEL_INFO, "started", F_STR("process", proc->instance), F_INT("pid", proc->pid),
            F_UINT("restarts", proc->restarts));
    if (!s->all_ready && !s->stopping && procs_all_ready(s->procs)) {
        s->all_ready = true;
        SAY(s, LOG_LEVEL_INFO, "ready", F_STR("dir", s->dir));
        notify("READY=1");
    }
}

/* True when everything has ended. */
static bool stop_further(struct super *s)
{
    uint64_t now = clock_mono_ms();
    if (procs_stage_done(s->procs)) {
        s->kill_at_ms = now + s->conf.stop_ms;
        return !procs_stop_stage(s->procs, false);
    }
    if (now >= s->kill_at_ms) {
        s->kill_at_ms = UINT64_MAX;
        SAY(s, LOG_LEVEL_ERROR, "stop_takes_too_long", F_UINT("ms", s->conf.stop_ms));
        procs_stop_stage(s->procs, true);
    }
    return false;
}

static int poll_ms(const struct super *s)
{
    uint64_t now = clock_mono_ms(), next = s->stopping ? s->kill_at_ms : procs_next_ms(s->procs);
    if (s->watchdog_ms && s->watchdog_at_ms < next)
        next = s->watchdog_at_ms;
    if (next == UINT64_MAX)
        return -1;
    return next <= now ? 0 : next - now > INT_MAX ? INT_MAX : (int)(next - now);
}

static void supervise(struct super *s)
{
    for (;;) {
        start_due(s);
        if (s->stopping && stop_further(s))
            return;
        struct pollfd fds[] = { { s->signals, POLLIN, 0 },
                                { s->notify, POLLIN, 0 },
                                { s->control, POLLIN, 0 } };
        poll(fds, 3, poll_ms(s));
        if (fds[1].revents) /* before the signals: readiness of one that has ended meanwhile */
            on_notify(s);
        if (fds[0].revents)
            on_signals(s);
        if (fds[2].revents)
            on_control(s);
        if (s->watchdog_ms && clock_mono_ms() >= s->watchdog_at_ms) {
            notify("WATCHDOG=1");
            s->watchdog_at_ms = clock_mono_ms() + s->watchdog_ms;
        }
    }
}

/* Ports that another server has: our daemons would not notice, since several may share one (SO_REUSEPORT). */
static bool ports_free(const struct super *s)
{
    char program[PATH_MAX + 16];
    int status = 0;
    snprintf(program, sizeof program, "%s/bulkheadctl", s->programs);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execl(program, program, "-d", s->dir, "check", "--ports", (char *)NULL);
        _exit(0); /* not installed here */
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Folder, lock, logs, sockets: what is needed before the first daemon. Returns an exit code, 0: all is there.
 */
static int prepare(struct super *s, struct why *why)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/run", s->dir);
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        why_set(why, "%s: %s", path, strerror(errno));
        return EXIT_FAILURE;
    }
    if (super_lock(s->dir, &s->lock, why) != RC_OK)
        return EXIT_FAILURE;
    if (conf_load(s->dir, &s->conf, why) != RC_OK)
        return EXIT_CONF;
    if (!ports_free(s)) {
        why_set(why, "%s: a port is in use", s->dir);
        return EXIT_FAILURE;
    }
    snprintf(path, sizeof path, "%s/log", s->dir);
    mkdir(path, 0750);
    snprintf(path, sizeof path, "%s/log/bulkhead.log", s->dir);
    struct log_conf file = { LOG_FILE, path, s->conf.log_rotate_bytes, s->conf.log_rotate_keep };
    struct log_conf terminal = { LOG_STDERR, NULL, 0, 0 };
    if (log_open("bulkhead", &terminal, &s->terminal, why) != RC_OK ||
        log_open("bulkhead", &file, &s->log, why) != RC_OK ||
        super_control_open(s->dir, &s->control, why) != RC_OK ||
        super_notify_open(s->dir, &s->notify, why) != RC_OK)
        return EXIT_FAILURE;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    snprintf(s->notify_path, sizeof s->notify_path, "%s/run/bulkhead.notify", s->dir);
    s->procs = procs_new(s->programs, s->dir, s->notify_path);
    procs_want(s->procs, s->conf.counts, clock_mono_ms());
    return 0;
}

static void finish(struct super *s)
{
    procs_free(&s->procs);
    super_remove_sockets(s->dir, s->control, s->notify);
    log_close(&s->log);
    log_close(&s->terminal);
    if (s->signals >= 0)
        close(s->signals);
    super_unlock(s->lock);
}

static int supervisor(const char *dir)
{
    struct super s = { .signals = -1, .lock = -1, .notify = -1, .control = -1 };
    struct why why = { "" };
    if (!realpath(dir, s.dir)) {
        fprintf(stderr, "bulkhead: %s: %s\n", dir, strerror(errno));
        return EXIT_FAILURE;
    }
    super_programs(s.programs, sizeof s.programs);
    umask(027);
    s.watchdog_ms = notify_watchdog_ms();
    int status = prepare(&s, &why);
    if (status == 0) {
        supervise(&s);
        SAY(&s, LOG_LEVEL_INFO, "stopped", F_STR("dir", s.dir));
        status = s.failed ? EXIT_FAILURE : EXIT_SUCCESS;
    } else {
        fprintf(stderr, "bulkhead: %s\n", why.text);
    }
    finish(&s);
    return status;
}

static int check_config(const char *dir)
{
    struct bulkhead_conf conf;
    struct why why;
    if (conf_load(dir, &conf, &why) == RC_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "bulkhead: %s\n", why.text);
    return EXIT_CONF;
}

static void usage(FILE *out)
{
    fputs("usage: bulkhead [-d DIR] [--check-config]\n"
          "Starts the daemons listed in DIR/bulkhead.conf and keeps them running, in the foreground.\n"
          "  -d, --dir DIR   installation made by `bulkheadctl -d DIR init` (default " BULKHEAD_DIR ")\n"
          "      --check-config  read DIR/bulkhead.conf, say what is wrong, exit\n"
          "      --version, --help\n"
          "SIGTERM and SIGINT stop all in order, SIGHUP reloads. Exit codes: 0 stopped as asked, 1 cannot "
          "run,\n"
          "2 usage, 3 configuration. See bulkhead(8).\n",
          out);
}

int main(int argc, char **argv)
{
    const char *dir = BULKHEAD_DIR;
    bool check = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return EXIT_SUCCESS;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("bulkhead " BULKHEAD_VERSION);
            return EXIT_SUCCESS;
        }
        if (strcmp(argv[i], "--check-config") == 0) {
            check = true;
            continue;
        }
        if ((strcmp(argv[i], "-d") == 0 || strcmp(argv[i], "--dir") == 0) && i + 1 < argc) {
            dir = argv[++i];
            continue;
        }
        usage(stderr);
        return EXIT_USAGE;
    }
    return check ? check_config(dir) : supervisor(dir);
}
