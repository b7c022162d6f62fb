/* common/daemon/report.c - the control commands that every daemon has */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "common/daemon/app.h"
#include "common/daemon/flat.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* "Pss:   1234 kB" of /proc/self/smaps_rollup; 0 where the kernel does not tell. */
static void memory(uint64_t *rss_kib, uint64_t *pss_kib)
{
    char line[128];
    *rss_kib = *pss_kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "re");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "Rss:", 4) == 0)
            *rss_kib = strtoull(line + 4, NULL, 10);
        else if (strncmp(line, "Pss:", 4) == 0)
            *pss_kib = strtoull(line + 4, NULL, 10);
    }
    fclose(f);
}

static uint64_t open_files(void)
{
    uint64_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", "..", and the one we read */
}

/* Resident memory, without the walk through all pages that PSS costs. */
static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void member_text(struct buf *out, const char *name, const char *value)
{
    buf_fmt(out, "\"%s\":", name);
    text_json(out, slice_cstr(value));
    buf_byte(out, ',');
}

static void member(struct buf *out, const char *name, uint64_t value)
{
    buf_fmt(out, "\"%s\":%llu,", name, (unsigned long long)value);
}

static void measure(struct app *app)
{
    if (app->d->measure)
        app->d->measure(&app->run);
}

/* One object. */
static void put_status(struct app *app, struct buf *out)
{
    struct loop_stats loop = loop_stats(app->run.loop);
    uint64_t rss_kib, pss_kib;
    measure(app);
    memory(&rss_kib, &pss_kib);
    buf_byte(out, '{');
    member_text(out, "name", app->d->name);
    member_text(out, "instance", app->run.instance);
    member_text(out, "version", BULKHEAD_VERSION);
    buf_fmt(out, "\"ready\":%s,", app->ready ? "true" : "false");
    member(out, "pid", (uint64_t)getpid());
    member(out, "uptime_s", (clock_mono_ms() - app->started_ms) / 1000);
    member(out, "cpu_us", clock_cpu_us());
    member(out, "rss_kib", rss_kib);
    member(out, "pss_kib", pss_kib);
    member(out, "fds", open_files());
    buf_fmt(out, "\"loop\":{\"turns\":%llu,\"busy_us\":%llu,\"longest_turn_us\":%llu}",
            (unsigned long long)loop.turns, (unsigned long long)loop.busy_us,
            (unsigned long long)loop.longest_turn_us);
    struct buf own = BUF_INIT(0);
    if (app->d->status)
        app->d->status(&app->run, &own);
    if (own.len)
        buf_byte(out, ',');
    buf_slice(out, buf_get(&own));
    buf_fini(&own);
    buf_byte(out, '}');
}

static enum rc on_status(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    (void)args;
    (void)why;
    put_status(ctx, out);
    buf_byte(out, '\n');
    return RC_OK;
}

/* What status and metrics-json tell, for who has no parser of JSON. */
static enum rc on_figures(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct app *app = ctx;
    struct buf status = BUF_INIT(0);
    (void)args;
    (void)why;
    buf_fmt(out, "name %s\ninstance %s\nversion " BULKHEAD_VERSION "\n", app->d->name, app->run.instance);
    put_status(app, &status);
    flat_numbers(buf_get(&status), out);
    buf_fini(&status);
    metrics_lines(app->run.metrics, out);
    return RC_OK;
}

/* What every daemon has beside its own metrics. Times in microseconds, as in a struct histogram. */
static void common_metrics(struct app *app, struct buf *out)
{
    struct loop_stats loop = loop_stats(app->run.loop);
    const struct {
        const char *name, *suffix, *kind, *help;
        uint64_t value;
        bool time;
    } all[] = {
        { "cpu_seconds", "_total", "counter", "Time of a processor that it used", clock_cpu_us(), true },
        { "uptime_seconds", "", "gauge", "Time since it was started",
          (clock_mono_ms() - app->started_ms) * 1000, true },
        { "resident_bytes", "", "gauge", "Memory that is resident", resident_bytes(), false },
        { "open_files", "", "gauge", "Descriptors that are open", open_files(), false },
        { "ready", "", "gauge", "Whether it can serve", app->ready, false },
        { "loop_turns", "_total", "counter", "Turns of its event loop", loop.turns, false },
        { "loop_busy_seconds", "_total", "counter", "Time of these in which it did something", loop.busy_us,
          true },
        { "loop_longest_turn_seconds", "", "gauge", "The longest turn since it was started",
          loop.longest_turn_us, true },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        unsigned long long whole = all[i].time ? all[i].value / 1000000 : all[i].value;
        buf_fmt(out, "# TYPE bulkhead_%s %s\n# HELP bulkhead_%s %s\nbulkhead_%s%s{daemon=\"%s\"} %llu",
                all[i].name, all[i].kind, all[i].name, all[i].help, all[i].name, all[i].suffix,
                app->run.instance, whole);
        if (all[i].time)
            buf_fmt(out, ".%06llu", (unsigned long long)(all[i].value % 1000000));
        buf_byte(out, '\n');
    }
}

static enum rc on_metrics(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct app *app = ctx;
    char labels[96];
    (void)args;
    (void)why;
    measure(app);
    common_metrics(app, out);
    snprintf(labels, sizeof labels, "daemon=\"%s\"", app->run.instance);
    metrics_text(app->run.metrics, slice_cstr(labels), out);
    return RC_OK;
}

static enum rc on_metrics_json(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct app *app = ctx;
    (void)args;
    (void)why;
    measure(app);
    metrics_json(app->run.metrics, out);
    buf_byte(out, '\n');
    return RC_OK;
}

static enum rc on_log(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct app *app = ctx;
    return log_last(app->run.log, args, out, why);
}

static enum rc on_loglevel(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct app *app = ctx;
    (void)out;
    if (!args.len) {
        why_set(why, "a level is missing, such as info or wire=debug");
        return RC_SYNTAX;
    }
    enum rc rc = log_levels_parse(app->run.log, args, why);
    if (rc == RC_OK)
        LOG_INFO(&app->log, "log_level", F_SLICE("level", args));
    return rc;
}

static enum rc on_reload(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    (void)args;
    return app_reload(ctx, out, why);
}

static enum rc on_reopen(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct app *app = ctx;
    (void)args;
    (void)out;
    (void)why;
    log_reopen(app->run.log);
    return RC_OK;
}

static enum rc on_stop(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    (void)args;
    (void)out;
    (void)why;
    app_stop(ctx);
    return RC_OK;
}

static const struct ctl_command common[] = {
    { "status", "status: one JSON object", on_status },
    { "metrics", "metrics: OpenMetrics text", on_metrics },
    { "metrics-json", "metrics-json: one JSON object, name to number", on_metrics_json },
    { "figures", "figures: the numbers of status and of metrics-json, NAME VALUE, a line each", on_figures },
    { "log", "log [LEVEL] [HOW MANY]: the last lines of the log, of this level or worse", on_log },
    { "loglevel", "loglevel LEVEL[,SUB=LEVEL ...]: until the next reload or restart", on_loglevel },
    { "reload", "reload: reads the configuration again; says what changed and what needs a restart",
      on_reload },
    { "reopen", "reopen: opens the log file again", on_reopen },
    { "stop", "stop: ends the daemon", on_stop },
};

void app_commands(struct app *app)
{
    size_t n_common = sizeof common / sizeof *common, n_own = 0;
    const struct ctl_command *own = app->d->commands;
    while (own && own[n_own].name)
        n_own++;
    app->commands = mem_array(n_common + n_own + 1, sizeof *app->commands); /* ends with a zeroed one */
    memcpy(app->commands, common, sizeof common);
    if (n_own)
        memcpy(app->commands + n_common, own, n_own * sizeof *own);
}

/* What other daemons may ask for: it tells, and changes nothing. Which of them may ask for what, the router
 * knows. */
static const char *const told[] = { "status", "metrics", "metrics-json", "figures", "certs", "log" };

enum rc app_answer(void *ctx, struct slice what, struct slice args, struct buf *out, struct why *why)
{
    const struct app *app = ctx;
    bool allowed = false;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        allowed = allowed || slice_is(what, told[i]);
    const struct ctl_command *c = app->commands;
    while (c->name && !slice_is(what, c->name))
        c++;
    if (!allowed || !c->name) {
        why_set(why, "no such report");
        return RC_NOTFOUND;
    }
    enum rc rc = c->run(ctx, args, out, why);
    if (rc != RC_OK || !out->over)
        return rc;
    why_set(why, "the answer is too large");
    return RC_LIMIT;
}
