/* common/daemon/report.c - the control commands that every daemon has */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "common/daemon/app.h"
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

static enum rc on_status(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct app *app = ctx;
    struct loop_stats loop = loop_stats(app->run.loop);
    uint64_t rss_kib, pss_kib;
    (void)args;
    (void)why;
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
    BUF_LIT(out, "}\n");
    return RC_OK;
}

static enum rc on_metrics(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct app *app = ctx;
    char labels[96];
    (void)args;
    (void)why;
    snprintf(labels, sizeof labels, "daemon=\"%s\"", app->run.instance);
    metrics_text(app->run.metrics, slice_cstr(labels), out);
    return RC_OK;
}

static enum rc on_metrics_json(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    struct app *app = ctx;
    (void)args;
    (void)why;
    metrics_json(app->run.metrics, out);
    buf_byte(out, '\n');
    return RC_OK;
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
