/* common/tools/tool.h - what the subcommands of bulkheadctl share
 *
 * A subcommand is a row of the table in bulkheadctl.c and a function in a ctl_*.c. What it finds goes to standard
 * output, what went wrong to standard error; its return value is the exit code. */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include "common/base/arena.h"
#include "common/base/buf.h"

enum tool_exit {
    TOOL_OK = 0,
    TOOL_FAILED = 1,      /* refused, or it did not work */
    TOOL_USAGE = 2,
    TOOL_UNREACHABLE = 3, /* nobody answers: the server does not run, or not here */
};

struct tool {
    const char *dir;   /* the installation; absolute, except for init, where it may not exist yet */
    bool json;         /* --json */
    struct arena *arena; /* for as long as the program runs */
};

struct subcommand {
    const char *name, *args, *help;
    bool json; /* has --json */
    int (*run)(struct tool *t, int argc, char **argv); /* argv: what follows the name, without --json; argc their number */
};

int ctl_init(struct tool *t, int argc, char **argv);
int ctl_check(struct tool *t, int argc, char **argv);
int ctl_status(struct tool *t, int argc, char **argv);
int ctl_s2s(struct tool *t, int argc, char **argv);
int ctl_stop(struct tool *t, int argc, char **argv);
int ctl_restart(struct tool *t, int argc, char **argv);
int ctl_tell(struct tool *t, int argc, char **argv);
int ctl_reload(struct tool *t, int argc, char **argv);
int ctl_adduser(struct tool *t, int argc, char **argv);
int ctl_passwd(struct tool *t, int argc, char **argv);
int ctl_deluser(struct tool *t, int argc, char **argv);
int ctl_users(struct tool *t, int argc, char **argv);
int ctl_sessions(struct tool *t, int argc, char **argv);
int ctl_kick(struct tool *t, int argc, char **argv);
int ctl_run(struct tool *t, int argc, char **argv);

/* Prints "bulkheadctl: TEXT" on standard error; returns code. */
int tool_fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);
int tool_usage(const char *fmt, ...) PRINTF_LIKE(1, 2); /* the same, with a hint at --help; TOOL_USAGE */
/* DIR/NAME in the arena. */
const char *tool_path(struct tool *t, const char *name);
/* Asks DIR/run/NAME.sock; *body is what follows "ok\n", in the arena. RC_DENIED with the daemon's text: it answered "error". */
MUST_USE enum rc tool_ask(struct tool *t, const char *instance, const char *request, struct slice *body, struct why *why);
/* Prints each section's rows, which are lines: SQL over the JSON (?1), which SQLite reads and formats. */
int tool_page(const char *const *sections, size_t n, struct slice json);
/* The names of the sockets in DIR/run, without ".sock", sorted, without the router's link socket; *n of them, in the arena. */
const char **tool_instances(struct tool *t, size_t *n);

#endif
