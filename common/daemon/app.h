/* common/daemon/app.h - a running daemon, as daemon.c and report.c see it */
#ifndef DAEMON_APP_H
#define DAEMON_APP_H

#include "common/daemon/daemon.h"

struct app {
    struct daemon_run run;        /* first: what the daemon's functions are given */
    const struct daemon *d;
    struct log_ctx log;
    struct conf_table table;      /* the daemon's and the common rows */
    struct option *options;       /* the table's */
    size_t common_at;             /* where struct daemon_conf lies in a conf */
    void *conf;                   /* the same as run.conf; owned */
    char *conf_path, *pid_path;
    struct ctl *ctl;
    struct ctl_command *commands; /* the common ones and the daemon's */
    struct turn stop_turn;
    struct timer stop_timer, watchdog;
    uint32_t watchdog_ms;
    uint64_t started_ms;
    bool check, dump, ready, stopping;
};

void app_commands(struct app *app);  /* makes the table for the control socket */
/* daemon_run.answer */
MUST_USE enum rc app_answer(void *app, struct slice what, struct slice args, struct buf *out, struct why *why);
void app_stop(struct app *app);      /* at the end of this turn */
/* Reads the configuration again; report says, a line each, which options changed or need a restart. */
MUST_USE enum rc app_reload(struct app *app, struct buf *report, struct why *why);
void app_forget_files(struct app *app);

#endif
