/* common/tools/check.h - findings of bulkheadctl check, and the parts that make them */
#ifndef TOOLS_CHECK_H
#define TOOLS_CHECK_H

#include "common/tools/tool.h"

enum finding { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct check {
    struct tool *tool;
    struct buf json;   /* the findings so far, comma-separated */
    unsigned counts[3]; /* by enum finding */
    bool terse;        /* only what is wrong */
    bool running;      /* a supervisor runs here */
    struct slice *domains; /* of the store */
    size_t n_domains;
};
/* One line: what was looked at, and what is right or wrong with it and how to change that. */
void check_say(struct check *c, enum finding finding, const char *subject, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* ctl_check_conf.c: files, certificate, ports; the ports alone. */
void check_files(struct check *c);
void check_ports(struct check *c);
/* ctl_check_store.c: also fills domains. */
void check_store(struct check *c);
/* ctl_check_host.c: limits, kernel settings, randomness, clock. */
void check_host(struct check *c);

#endif
