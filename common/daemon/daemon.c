/* common/daemon/daemon.c - the course of a daemon's life; what the control socket tells of it is in report.c
 */
#include "common/daemon/daemon.h"

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/version.h"
#include "common/daemon/app.h"
#include "common/daemon/notify.h"
#include "common/daemon/sandbox.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STOP_MS = 10000 };
enum { EXIT_STOPPED, EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG };

#define DC struct daemon_conf
static const struct option common_options[] = {
    OPTION_ENUM("log", "sink", DC, log_sink, "stderr", "stderr|file|syslog|journal", RESTART),
    OPTION_STRING("log", "path", DC, log_path, "", RESTART),
    OPTION_STRING("log", "level", DC, log_level, "info", RELOAD),
    OPTION_BYTES("log", "rotate_size", DC, log_rotate_bytes, "64m", "0", "16g", RESTART),
    OPTION_UINT("log", "rotate_keep", DC, log_rotate_keep, "5", "0", "1000", RESTART),
    OPTION_STRING("daemon", "user", DC, user, "", RESTART),
    OPTION_STRING("daemon", "pid_file", DC, pid_file, "", RESTART),
    OPTION_BOOL("daemon", "core", DC, core, "no", RESTART),
};
#undef DC

const struct option *daemon_common_options(size_t *n)
{
    *n = sizeof common_options / sizeof *common_options;
    return common_options;
}

char *daemon_path(const char *dir, const char *path)
{
    size_t size = strlen(dir) + strlen(path) + 2;
    char *out = mem_new(size);
    snprintf(out, size, "%s%s%s", path[0] == '/' ? "" : dir, path[0] == '/' ? "" : "/", path);
    return out;
}

/* --- configuration --- */

/* One table for one block of memory: the daemon's struct, and behind it struct daemon_conf. */
static void table_make(struct app *app)
{
    const struct conf_table *own = app->d->conf;
    size_t n_common, align = _Alignof(max_align_t);
    const struct option *rows = daemon_common_options(&n_common);
    app->common_at = (own->size + align - 1) & ~(align - 1);
    app->options = mem_array(own->n + n_common, sizeof *app->options);
    memcpy(app->options, own->options, own->n * sizeof *app->options);
    for (size_t i = 0; i < n_common; i++) {
        struct option *o = &app->options[own->n + i];
        *o = rows[i];
        o->offset += app->common_at;
    }
    app->table = *own;
    app->table.options = app->options;
    app->table.n = own->n + n_common;
    app->table.size = app->common_at + sizeof(struct daemon_conf);
}

static const struct daemon_conf *common_of(const struct app *app, const void *conf)
{
    return (const void *)((const char *)conf + app->common_at);
}

static void conf_free(struct app *app, void **conf)
{
    if (!*conf)
        return;
    conf_clear(&app->table, *conf);
    MEM_FREE(conf);
}

MUST_USE static enum rc conf_load(struct app *app, void **out, struct why *why)
{
    void *conf = mem_new(app->table.size);
    enum rc rc = conf_read(&app->table, app->conf_path, false, conf, why);
    if (rc != RC_OK)
        mem_free(conf);
    else
        *out = conf;
    return rc;
}

struct comparing {
    struct app *app;
    void *fresh;
    struct buf *report;
};

static void on_differ(void *ctx, const struct option *o)
{
    struct comparing *c = ctx;
    char name[80];
    snprintf(name, sizeof name, "[%s] %s", o->section, o->name);
    buf_fmt(c->report, "%s %s\n", o->reload == RELOAD ? "changed" : "needs a restart:", name);
    if (o->reload == RELOAD) {
        LOG_INFO(&c->app->log, "option_changed", F_STR("option", name));
    } else {
        LOG_WARN(&c->app->log, "option_needs_restart", F_STR("option", name));
        conf_copy(o, c->app->run.conf, c->fresh);
    }
}

enum rc app_reload(struct app *app, struct buf *report, struct why *why)
{
    void *fresh = NULL;
    char state[80];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_mono_us());
    notify(state);
    enum rc rc = conf_load(app, &fresh, why);
    if (rc != RC_OK) {
        LOG_ERROR(&app->log, "reload_failed", F_STR("why", why->text));
    } else {
        struct comparing c = { app, fresh, report };
        struct why bad;
        conf_compare(&app->table, app->conf, fresh, on_differ, &c);
        const char *level = common_of(app, fresh)->log_level;
        if (log_levels_parse(app->run.log, slice_cstr(level), &bad) != RC_OK)
            LOG_ERROR(&app->log, "bad_log_level", F_WHY(&bad));
        if (app->d->reload)
            rc = app->d->reload(&app->run, fresh, why);
        conf_free(app, &app->conf);
        app->run.conf = app->conf = fresh;
        LOG_INFO(&app->log, "reloaded", F_STR("file", app->conf_path));
    }
    if (app->ready)
        notify("READY=1");
    return rc;
}

/* --- stopping, signals, watchdog --- */

static void on_stop_late(struct timer *t)
{
    struct app *app = CONTAINER(t, struct app, stop_timer);
    LOG_ERROR(&app->log, "stop_late", F_UINT("after_ms", STOP_MS));
    app_forget_files(app);
    log_close(&app->run.log);
    _exit(EXIT_FAILED); /* something holds the loop: its handles cannot be freed */
}

static void on_stop(struct turn *t)
{
    struct app *app = CONTAINER(t, struct app, stop_turn);
    if (app->stopping)
        return;
    app->stopping = true;
    notify("STOPPING=1");
    LOG_INFO(&app->log, "stopping", F_STR("instance", app->run.instance));
    timer_stop(&app->watchdog);
    loop_timer(app->run.loop, &app->stop_timer, STOP_MS, on_stop_late);
    app->d->stop(&app->run);
    ctl_close(&app->ctl);
    loop_stop(app->run.loop);
}

void app_stop(struct app *app)
{
    app->stop_turn.fn = on_stop;
    loop_at_turn_end(app->run.loop, &app->stop_turn); /* so that who asked gets an answer first */
}

static void on_signal(void *ctx, int signum)
{
    struct app *app = ctx;
    struct buf report = BUF_INIT(16384);
    struct why why;
    LOG_INFO(&app->log, "signal", F_STR("name", strsignal(signum)));
    if (signum != SIGHUP) {
        app_stop(app);
        return;
    }
    log_reopen(app->run.log);
    if (app_reload(app, &report, &why) == RC_OK)
        buf_reset(&report); /* what it says was logged */
    buf_fini(&report);
}

static void on_watchdog(struct timer *t)
{
    struct app *app = CONTAINER(t, struct app, watchdog);
    notify("WATCHDOG=1");
    loop_timer(app->run.loop, t, app->watchdog_ms, on_watchdog);
}

static void on_ready(struct daemon_run *run)
{
    struct app *app = (struct app *)run;
    if (app->ready)
        return;
    app->ready = true;
    notify("READY=1");
    LOG_INFO(&app->log, "ready", F_STR("instance", run->instance), F_STR("version", BULKHEAD_VERSION));
}

/* --- files --- */

MUST_USE static enum rc folder_make(const struct app *app, const char *name, struct why *why)
{
    uint32_t uid, gid;
    char *path = daemon_path(app->run.dir, name);
    const char *user = common_of(app, app->conf)->user;
    enum rc rc = RC_OK;
    if (mkdir(path, 0750) < 0 && errno != EEXIST) {
        why_set(why, "%s: %s", path, strerror(errno));
        rc = RC_IO;
    } else if (user && geteuid() == 0) {
        rc = sandbox_user(user, &uid, &gid, why);
        if (rc == RC_OK && chown(path, uid, gid) < 0) {
            why_set(why, "%s: %s", path, strerror(errno));
            rc = RC_IO;
        }
    }
    mem_free(path);
    return rc;
}

MUST_USE static enum rc pid_write(struct app *app, struct why *why)
{
    const char *name = common_of(app, app->conf)->pid_file;
    if (!name)
        return RC_OK;
    app->pid_path = daemon_path(app->run.dir, name);
    FILE *f = fopen(app->pid_path, "we");
    bool ok = f && fprintf(f, "%ld\n", (long)getpid()) > 0;
    if (f && fclose(f) != 0)
        ok = false;
    if (!ok)
        why_set(why, "%s: %s", app->pid_path, strerror(errno));
    return ok ? RC_OK : RC_IO;
}

void app_forget_files(struct app *app)
{
    if (app->pid_path)
        unlink(app->pid_path);
}

MUST_USE static enum rc log_start(struct app *app, struct why *why)
{
    const struct daemon_conf *conf = common_of(app, app->conf);
    char name[128];
    snprintf(name, sizeof name, "log/%s.log", app->run.instance);
    char *path = daemon_path(app->run.dir, conf->log_path ? conf->log_path : name);
    struct log_conf log = { .sink = (enum log_sink)conf->log_sink,
                            .path = path,
                            .rotate_bytes = conf->log_rotate_bytes,
                            .rotate_keep = conf->log_rotate_keep };
    enum rc rc = RC_OK;
    if (log.sink == LOG_FILE && !conf->log_path)
        rc = folder_make(app, "log", why);
    if (rc == RC_OK)
        rc = log_open(app->run.instance, &log, &app->run.log, why);
    if (rc == RC_OK)
        rc = log_levels_parse(app->run.log, slice_cstr(conf->log_level), why);
    mem_free(path);
    app->log = (struct log_ctx){ .log = app->run.log, .sub = LOG_DAEMON };
    return rc;
}

/* --- arguments --- */

static void usage(const struct daemon *d, FILE *to)
{
    fprintf(to,
            "bulkhead-%s: %s\n"
            "usage: bulkhead-%s [-d DIR] [-i INSTANCE] [--check-config | --dump-config]\n"
            "  -d, --dir DIR        installation folder (default " BULKHEAD_DIR
            "); configuration is DIR/%s.conf\n"
            "  -i, --instance NAME  name of this process where several run (default %s)\n"
            "      --check-config   read the configuration, say what is wrong, exit\n"
            "      --dump-config    print every option with the value in effect, exit\n"
            "      --version, --help\n"
            "signals: TERM, INT stop; HUP reopens the log and reloads the configuration\n"
            "exit codes: 0 stopped as asked, 1 failed, 2 usage, 3 configuration\n",
            d->name, d->summary, d->name, d->name, d->name);
}

static bool instance_ok(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < 64 && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* -d DIR, -dDIR, --dir DIR, --dir=DIR: 1, *value is set and *at stands on the last word used; 0: another
 * option; -1: no value. (getopt's struct option would clash with ours.) */
static int takes_value(char short_name, const char *long_name, int argc, char **argv, int *at,
                       const char **value)
{
    const char *arg = argv[*at];
    size_t len = strlen(long_name);
    if (strncmp(arg, long_name, len) == 0 && arg[len] == '=') {
        *value = arg + len + 1;
        return 1;
    }
    if (arg[0] == '-' && arg[1] == short_name && arg[2]) {
        *value = arg + 2;
        return 1;
    }
    if (strcmp(arg, long_name) != 0 && !(arg[0] == '-' && arg[1] == short_name))
        return 0;
    if (*at + 1 >= argc)
        return -1;
    *value = argv[++*at];
    return 1;
}

/* Less than 0: go on; otherwise the exit code. */
static int arguments(struct app *app, int argc, char **argv, const char **dir)
{
    const char *name = app->d->name;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        int got = takes_value('d', "--dir", argc, argv, &i, dir);
        if (got == 0)
            got = takes_value('i', "--instance", argc, argv, &i, &app->run.instance);
        if (got > 0)
            continue;
        if (got == 0 && strcmp(arg, "--check-config") == 0) {
            app->check = true;
        } else if (got == 0 && strcmp(arg, "--dump-config") == 0) {
            app->dump = true;
        } else if (got == 0 && strcmp(arg, "--help") == 0) {
            usage(app->d, stdout);
            return EXIT_STOPPED;
        } else if (got == 0 && strcmp(arg, "--version") == 0) {
            printf("bulkhead-%s %s\n", name, BULKHEAD_VERSION);
            return EXIT_STOPPED;
        } else {
            fprintf(stderr, "bulkhead-%s: %s: %s\n", name, arg,
                    got < 0 ? "needs a value" : "unknown argument");
            usage(app->d, stderr);
            return EXIT_USAGE;
        }
    }
    if (!instance_ok(app->run.instance)) {
        fprintf(stderr, "bulkhead-%s: bad instance name\n", name);
        return EXIT_USAGE;
    }
    return -1;
}

/* --- the course --- */

/* Everything that can fail before the loop runs. */
MUST_USE static enum rc start(struct app *app, struct why *why)
{
    const struct daemon_conf *conf = common_of(app, app->conf);
    char sock[96];
    sandbox_limits(conf->core);
    enum rc rc = log_start(app, why);
    if (rc == RC_OK)
        rc = secret_init(why);
    if (rc == RC_OK)
        rc = folder_make(app, "run", why);
    if (rc == RC_OK && conf->user)
        rc = sandbox_become(conf->user, why);
    if (rc == RC_OK)
        rc = sandbox_no_new_privs(why);
    if (rc != RC_OK)
        return rc;
    loop_on_signal(app->run.loop, SIGTERM, on_signal, app);
    loop_on_signal(app->run.loop, SIGINT, on_signal, app);
    loop_on_signal(app->run.loop, SIGHUP, on_signal, app);
    snprintf(sock, sizeof sock, "run/%s.sock", app->run.instance);
    char *path = daemon_path(app->run.dir, sock);
    app_commands(app);
    rc = ctl_open(app->run.loop, path, app->commands, &app->run, &app->ctl, why);
    mem_free(path);
    if (rc == RC_OK) /* after the socket: it tells whether this instance runs already */
        rc = pid_write(app, why);
    if (rc == RC_OK)
        rc = app->d->start(&app->run, why);
    return rc;
}

static int serve(struct app *app)
{
    struct why why = { "" };
    app->started_ms = clock_mono_ms();
    app->run.loop = loop_new();
    app->run.metrics = metrics_new(app->d->metrics, app->d->n_metrics);
    app->run.ready = on_ready;
    app->run.answer = app_answer;
    enum rc rc = start(app, &why);
    if (rc == RC_OK) {
        app->watchdog_ms = notify_watchdog_ms();
        if (app->watchdog_ms)
            loop_timer(app->run.loop, &app->watchdog, app->watchdog_ms, on_watchdog);
        loop_run(app->run.loop);
        app->d->fini(&app->run);
        timer_stop(&app->stop_timer);
        LOG_INFO(&app->log, "stopped", F_STR("instance", app->run.instance));
    } else {
        LOG_ERROR(&app->log, "start_failed", F_WHY(&why));
        if (!app->run.log || common_of(app, app->conf)->log_sink != LOG_STDERR)
            fprintf(stderr, "bulkhead-%s: %s\n", app->d->name, why.text);
        app_forget_files(app);
        log_close(&app->run.log);
        _exit(EXIT_FAILED); /* what start had opened before it failed is the kernel's to close */
    }
    app_forget_files(app);
    loop_free(&app->run.loop);
    metrics_free(&app->run.metrics);
    log_close(&app->run.log);
    return EXIT_STOPPED;
}

static int configured(struct app *app, const char *dir)
{
    struct why why = { "" };
    char file[80];
    app->run.dir = realpath(dir, NULL);
    if (!app->run.dir) {
        fprintf(stderr, "bulkhead-%s: %s: %s\n", app->d->name, dir, strerror(errno));
        return EXIT_CONFIG;
    }
    snprintf(file, sizeof file, "%s.conf", app->d->name);
    app->conf_path = daemon_path(app->run.dir, file);
    table_make(app);
    if (conf_load(app, &app->conf, &why) != RC_OK) {
        fprintf(stderr, "bulkhead-%s: %s\n", app->d->name, why.text);
        return EXIT_CONFIG;
    }
    app->run.conf = app->conf;
    if (app->dump)
        conf_print(&app->table, app->conf, slice_cstr(app->conf_path));
    else if (app->check)
        printf("%s: ok\n", app->conf_path);
    return app->dump || app->check ? EXIT_STOPPED : serve(app);
}

int daemon_run(int argc, char **argv, const struct daemon *d)
{
    mem_one_heap();
    struct app app = { .d = d };
    const char *dir = BULKHEAD_DIR;
    app.run.instance = d->name;
    int code = arguments(&app, argc, argv, &dir);
    if (code >= 0)
        return code;
    code = configured(&app, dir);
    conf_free(&app, &app.conf);
    mem_free(app.options);
    mem_free(app.commands);
    mem_free(app.conf_path);
    mem_free(app.pid_path);
    free((void *)(uintptr_t)app.run.dir); /* realpath's */
    return code;
}
