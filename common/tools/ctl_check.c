/* common/tools/ctl_check.c - bulkheadctl check: the list of findings */
#include "common/tools/check.h"

#include "common/base/text.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static const char *const finding_names[] = { "ok", "warn", "fail" };

void check_say(struct check *c, enum finding finding, const char *subject, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->counts[finding]++;
    if (c->terse && finding == CHECK_OK)
        return;
    if (!c->tool->json) {
        printf("%-4s  %s: %s\n", finding_names[finding], subject, text);
        return;
    }
    buf_fmt(&c->json, "%s{\"finding\":\"%s\",\"subject\":", c->json.len ? "," : "", finding_names[finding]);
    text_json(&c->json, slice_cstr(subject));
    BUF_LIT(&c->json, ",\"text\":");
    text_json(&c->json, slice_cstr(text));
    buf_byte(&c->json, '}');
}

static bool supervised(struct tool *t)
{
    int fd = open(tool_path(t, "run/bulkhead.pid"), O_RDONLY | O_CLOEXEC);
    bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
    if (fd >= 0)
        close(fd);
    return held;
}

int ctl_check(struct tool *t, int argc, char **argv)
{
    bool ports_only = argc == 1 && strcmp(argv[0], "--ports") == 0;
    struct check c = { .tool = t, .json = BUF_INIT(0), .terse = ports_only, .running = supervised(t) };
    if (argc && !ports_only)
        return tool_usage("check: there is only --ports");
    if (access(tool_path(t, "bulkhead.conf"), R_OK) < 0)
        return tool_fail(
            TOOL_FAILED,
            "%s: no bulkhead.conf to be read here; make one with: bulkheadctl -d %s init --domain ...",
            t->dir, t->dir);
    if (ports_only) {
        check_ports(&c);
    } else {
        check_store(&c);
        check_files(&c);
        check_host(&c);
    }
    if (t->json)
        printf("[" SLICE_FMT "]\n", SLICE_ARG(buf_get(&c.json)));
    else if (!c.terse)
        printf("%u fine, %u to think about, %u wrong\n", c.counts[CHECK_OK], c.counts[CHECK_WARN],
               c.counts[CHECK_FAIL]);
    buf_fini(&c.json);
    return c.counts[CHECK_FAIL] ? TOOL_FAILED : TOOL_OK;
}
