/* common/tools/ctl_server.c - bulkheadctl reload, restart, stop, tell: asks the control sockets in DIR/run */
#include "common/tools/tool.h"

#include "common/base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { STOP_MOST_MS = 120000, POLL_MS = 20 };
static const char supervisor[] = "bulkhead"; /* its name among the sockets */

static int unreachable(const struct tool *t)
{
    return tool_fail(TOOL_UNREACHABLE, "%s: the server does not run", t->dir);
}

int ctl_reload(struct tool *t, int argc, char **argv)
{
    size_t n, answered = 0;
    const char **names = tool_instances(t, &n);
    int code = TOOL_OK;
    (void)argc, (void)argv;
    for (size_t i = 0; i < n; i++) {
        struct slice body = SLICE_NONE, line;
        struct why why;
        enum rc rc = tool_ask(t, names[i], "reload", &body, &why);
        if (rc == RC_CLOSED)
            continue;
        answered++;
        if (rc != RC_OK)
            code = tool_fail(TOOL_FAILED, "%s: %s", names[i], why.text);
        while (slice_split(&body, '\n', &line))
            printf("%s: " SLICE_FMT "\n", names[i], SLICE_ARG(line));
    }
    return answered ? code : unreachable(t);
}

/* Waits until the supervisor has given its lock back. */
static bool gone(struct tool *t)
{
    int fd = open(tool_path(t, "run/bulkhead.pid"), O_RDONLY | O_CLOEXEC);
    uint64_t until = clock_mono_ms() + STOP_MOST_MS;
    bool ended = fd < 0;
    while (!ended && clock_mono_ms() < until) {
        const struct timespec pause = { 0, POLL_MS * 1000000L };
        ended = flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK;
        if (!ended)
            nanosleep(&pause, NULL);
    }
    if (fd >= 0)
        close(fd);
    return ended;
}

static int no_supervisor(const struct tool *t, const char *what)
{
    bool systemd = access("/run/systemd/system", F_OK) == 0;
    return tool_fail(TOOL_UNREACHABLE, "%s: no supervisor runs here%s%s", t->dir,
                     systemd ? " (under systemd: systemctl " : "", systemd ? what : "");
}

int ctl_stop(struct tool *t, int argc, char **argv)
{
    struct slice body;
    struct why why;
    (void)argc, (void)argv;
    enum rc rc = tool_ask(t, supervisor, "stop", &body, &why);
    if (rc == RC_CLOSED)
        return no_supervisor(t, "stop bulkhead.target)");
    if (rc != RC_OK)
        return tool_fail(TOOL_FAILED, "%s", why.text);
    return gone(t) ? TOOL_OK
                   : tool_fail(TOOL_FAILED, "%s: still running after %d s", t->dir, STOP_MOST_MS / 1000);
}

int ctl_restart(struct tool *t, int argc, char **argv)
{
    char request[64];
    struct slice body = SLICE_NONE;
    struct why why;
    if (argc != 1 || (size_t)snprintf(request, sizeof request, "restart %s", argv[0]) >= sizeof request)
        return tool_usage("restart DAEMON: router, sessman, c2s, s2s, httpgw, or one of them: c2s-1");
    enum rc rc = tool_ask(t, supervisor, request, &body, &why);
    if (rc == RC_CLOSED)
        return no_supervisor(t, "restart bulkhead-sessman@1)");
    uint64_t until = clock_mono_ms() + STOP_MOST_MS;
    bool ready = false;
    while (rc == RC_OK && !ready && clock_mono_ms() < until) {
        const struct timespec pause = { 0, POLL_MS * 1000000L };
        nanosleep(&pause, NULL);
        rc = tool_ask(t, supervisor, "restarting", &body, &why);
        ready = slice_starts(body, SLICE("no"));
    }
    if (rc != RC_OK)
        return tool_fail(TOOL_FAILED, "%s: %s", argv[0], why.text);
    return ready ? TOOL_OK : tool_fail(TOOL_FAILED, "%s: not ready after %d s", argv[0], STOP_MOST_MS / 1000);
}

int ctl_tell(struct tool *t, int argc, char **argv)
{
    struct buf line = BUF_INIT(0);
    struct slice body = SLICE_NONE;
    struct why why;
    if (argc < 2)
        return tool_usage("tell INSTANCE COMMAND [ARGUMENTS]; `tell c2s-1 help` lists what it understands");
    for (int i = 1; i < argc; i++) {
        if (i > 1)
            buf_byte(&line, ' ');
        buf_cstr(&line, argv[i]);
    }
    enum rc rc = slice_find(buf_get(&line), '\n') < 0 ? RC_OK : RC_SYNTAX;
    why_set(&why, "a command is one line");
    if (rc == RC_OK) {
        buf_byte(&line, '\0');
        rc = tool_ask(t, argv[0], line.p, &body, &why);
    }
    buf_fini(&line);
    if (rc == RC_CLOSED)
        return tool_fail(TOOL_UNREACHABLE, "%s: no such daemon runs in %s", argv[0], t->dir);
    if (rc != RC_OK)
        return tool_fail(TOOL_FAILED, "%s: %s", argv[0], why.text);
    printf(SLICE_FMT, SLICE_ARG(body));
    return TOOL_OK;
}
