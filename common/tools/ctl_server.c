/* common/tools/ctl_server.c - bulkheadctl status, reload, stop: asks the control sockets in DIR/run */
#include "common/tools/tool.h"

#include "common/base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
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

/* Proportional share of memory in KiB, 0 where the system does not tell. */
static unsigned long pss_kib(long pid)
{
    char path[64], line[128];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "Pss: %lu kB", &kib) == 1)
            break;
    }
    if (f)
        fclose(f);
    return kib;
}

/* Calls row for each scalar in a JSON text, with its path such as "$.links[0].state". False: not JSON. SQLite
 * reads it. */
static bool json_scalars(struct slice json, void (*row)(void *ctx, const char *path, const char *value),
                         void *ctx)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int step = SQLITE_ERROR;
    if (sqlite3_open(":memory:", &db) == SQLITE_OK &&
        sqlite3_prepare_v2(
            db,
            "SELECT fullkey, CASE type WHEN 'true' THEN 'yes' WHEN 'false' THEN 'no' ELSE atom END"
            " FROM json_tree(?1) WHERE atom IS NOT NULL",
            -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_bind_text(stmt, 1, json.p, (int)json.len, SQLITE_STATIC) == SQLITE_OK) {
        while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
            row(ctx, (const char *)sqlite3_column_text(stmt, 0), (const char *)sqlite3_column_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return step == SQLITE_DONE;
}

static void find_pid(void *ctx, const char *path, const char *value)
{
    long *pid = ctx;
    if (strcmp(path, "$.pid") == 0)
        sscanf(value, "%ld", pid);
}

static void print_row(void *ctx, const char *path, const char *value)
{
    char name[128];
    size_t n = 0;
    (void)ctx;
    for (const char *p = strncmp(path, "$.", 2) == 0 ? path + 2 : path; *p && n < sizeof name - 1; p++) {
        if (*p != '"') /* SQLite quotes names with an underscore */
            name[n++] = *p;
    }
    name[n] = '\0';
    printf("  %-40s %s\n", name, value);
}

static void print_daemon(const char *instance, struct slice json)
{
    long pid = 0;
    json_scalars(json, find_pid, &pid);
    printf("%s  memory %lu KiB\n", instance, pid ? pss_kib(pid) : 0UL);
    if (!json_scalars(json, print_row, NULL))
        printf("  (no JSON)\n");
}

int ctl_status(struct tool *t, int argc, char **argv)
{
    size_t n, answered = 0;
    struct buf json = BUF_INIT(0);
    const char **names = tool_instances(t, &n);
    int code = TOOL_OK;
    (void)argc, (void)argv;
    BUF_LIT(&json, "{");
    for (size_t i = 0; i < n; i++) {
        struct slice body;
        struct why why;
        enum rc rc = tool_ask(t, names[i], "status", &body, &why);
        if (rc == RC_CLOSED)
            continue; /* a socket that someone killed has left */
        if (rc != RC_OK) {
            code = tool_fail(TOOL_FAILED, "%s: %s", names[i], why.text);
            continue;
        }
        if (!t->json)
            print_daemon(names[i], slice_trim(body));
        buf_fmt(&json, "%s\"%s\":", answered++ ? "," : "", names[i]);
        buf_slice(&json, slice_trim(body));
    }
    BUF_LIT(&json, "}\n");
    if (answered && t->json)
        fwrite(json.p, 1, json.len, stdout);
    buf_fini(&json);
    return answered || code != TOOL_OK ? code : unreachable(t);
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

int ctl_stop(struct tool *t, int argc, char **argv)
{
    struct slice body;
    struct why why;
    (void)argc, (void)argv;
    enum rc rc = tool_ask(t, supervisor, "stop", &body, &why);
    if (rc == RC_CLOSED)
        return tool_fail(TOOL_UNREACHABLE, "%s: no supervisor runs here%s", t->dir,
                         access("/run/systemd/system", F_OK) == 0
                             ? " (under systemd: systemctl stop bulkhead.target)"
                             : "");
    if (rc != RC_OK)
        return tool_fail(TOOL_FAILED, "%s", why.text);
    return gone(t) ? TOOL_OK
                   : tool_fail(TOOL_FAILED, "%s: still running after %d s", t->dir, STOP_MOST_MS / 1000);
}
