/* common/tools/bulkheadctl.c - the control tool: its table of subcommands, and what they share */
#include "common/tools/tool.h"

#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/version.h"
#include "common/daemon/ctl.h"
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ASK_MS = 10000, ANSWER_MOST = 64 * 1024 * 1024, ARENA_CHUNK = 16384 };

static const struct subcommand subcommands[] = {
    { "init",
      "--domain D [--domain D2 ...] [--admin JID [--password P]] [--port-offset N]\n"
      "       [--tls required|optional] [--register open|closed]",
      "make DIR: configuration, certificate, store, an administrator", false, ctl_init },
    { "check", "[--ports]",
      "say what is wrong with the files, the ports, the store and this host, and what to change", true,
      ctl_check },
    { "status", "", "show each daemon, its links, sessions, rates and memory", true, ctl_status },
    { "s2s", "[DOMAIN] | close DOMAIN | probe DOMAIN [FROM]",
      "list the connections with other servers, and those that could not be made; close those with one; try "
      "to\n"
      "      reach one, step by step",
      true, ctl_s2s },
    { "reload", "", "apply changed configuration and certificates; says what needs a restart", false,
      ctl_reload },
    { "restart", "DAEMON",
      "start a daemon anew (router, sessman, c2s, s2s, httpgw, or one of them: c2s-1) and wait until it is "
      "ready",
      false, ctl_restart },
    { "stop", "", "stop the server in order and wait for its end", false, ctl_stop },
    { "tell", "INSTANCE COMMAND [ARGUMENTS]",
      "one line to a daemon's control socket: loglevel wire=debug, log warn, metrics, certs, peers ... (help "
      "lists them)",
      false, ctl_tell },
    { "adduser", "JID PASSWORD", "make an account; PASSWORD - reads it from standard input", false,
      ctl_adduser },
    { "passwd", "JID PASSWORD", "give an account a new password; - as above", false, ctl_passwd },
    { "deluser", "JID", "remove an account and all that it owns", false, ctl_deluser },
    { "users", "DOMAIN", "list the accounts of a domain", true, ctl_users },
    { "sessions", "[DOMAIN]", "list the sessions, of all domains or of one", true, ctl_sessions },
    { "kick", "FULLJID", "end a session", false, ctl_kick },
    { "run", "DOMAIN COMMAND [VAR=VALUE ...]",
      "any administrative command by its name: domains, set-archive, set-offline ...", false, ctl_run },
};

int tool_fail(int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("bulkheadctl: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

int tool_usage(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("bulkheadctl: ", stderr);
    vfprintf(stderr, fmt, args);
    fputs("; see bulkheadctl --help\n", stderr);
    va_end(args);
    return TOOL_USAGE;
}

const char *tool_path(struct tool *t, const char *name)
{
    return arena_fmt(t->arena, "%s/%s", t->dir, name).p;
}

enum rc tool_ask(struct tool *t, const char *instance, const char *request, struct slice *body,
                 struct why *why)
{
    struct buf answer = BUF_INIT(ANSWER_MOST);
    const char *path = arena_fmt(t->arena, "%s/run/%s.sock", t->dir, instance).p;
    enum rc rc = ctl_ask(path, slice_cstr(request), ASK_MS, &answer, why);
    struct slice rest = arena_copy(t->arena, buf_get(&answer)), first = SLICE_NONE;
    buf_fini(&answer);
    if (rc != RC_OK)
        return rc;
    slice_split(&rest, '\n', &first);
    if (slice_is(first, "ok")) {
        *body = rest;
        return RC_OK;
    }
    struct slice text = slice_starts(first, SLICE("error ")) ? slice_from(first, 6) : first;
    why_set(why, SLICE_FMT, SLICE_ARG(text));
    return RC_DENIED;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **tool_instances(struct tool *t, size_t *n)
{
    enum { MOST = 512 };
    const char **names = ARENA_ARRAY(t->arena, MOST, const char *);
    DIR *run = opendir(tool_path(t, "run"));
    const struct dirent *entry;
    *n = 0;
    while (run && *n < MOST && (entry = readdir(run))) {
        struct slice name = slice_cstr(entry->d_name);
        if (name.len > 5 && slice_is(slice_from(name, name.len - 5), ".sock") &&
            !slice_is(name, "router.sock"))
            names[(*n)++] = arena_cstr(t->arena, slice_to(name, name.len - 5));
    }
    if (run)
        closedir(run);
    qsort(names, *n, sizeof *names, by_name);
    return names;
}

static void usage(FILE *out)
{
    fputs("usage: bulkheadctl [-d DIR] COMMAND [ARGUMENTS]\n"
          "  -d, --dir DIR   the installation (default " BULKHEAD_DIR ")\n"
          "      --json      data as JSON, where a command has any\n"
          "      --version, --help\n\n",
          out);
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        const struct subcommand *s = &subcommands[i];
        fprintf(out, "  %s%s%s%s\n      %s\n", s->name, s->json ? " [--json]" : "", *s->args ? " " : "",
                s->args, s->help);
    }
    fputs("\nExit codes: 0 done, 1 refused or failed, 2 usage, 3 the server cannot be reached. See "
          "bulkheadctl(8).\n",
          out);
}

static int run(struct tool *t, const struct subcommand *s, int argc, char **argv)
{
    int n = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return TOOL_OK;
        }
        if (strcmp(argv[i], "--json") == 0 && s->json)
            t->json = true;
        else
            argv[n++] = argv[i];
    }
    if (!*s->args && n)
        return tool_usage("%s takes no arguments", s->name);
    return s->run(t, n, argv);
}

/* The options in front of the command. Returns the index of the command, or -1 with *code. */
static int arguments(struct tool *t, int argc, char **argv, int *code)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if ((strcmp(argv[i], "-d") == 0 || strcmp(argv[i], "--dir") == 0) && i + 1 < argc) {
            t->dir = argv[++i];
        } else if (strcmp(argv[i], "--json") == 0) {
            t->json = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            *code = TOOL_OK;
            return -1;
        } else if (strcmp(argv[i], "--version") == 0) {
            puts("bulkheadctl " BULKHEAD_VERSION);
            *code = TOOL_OK;
            return -1;
        } else {
            *code = tool_usage("unknown option %s", argv[i]);
            return -1;
        }
    }
    if (i < argc)
        return i;
    *code = tool_usage("no command");
    return -1;
}

int main(int argc, char **argv)
{
    struct tool t = { .dir = BULKHEAD_DIR };
    struct why why;
    char absolute[PATH_MAX];
    int code = TOOL_USAGE, at = arguments(&t, argc, argv, &code);
    if (at < 0)
        return code;
    if (secret_init(&why) != RC_OK)
        return tool_fail(TOOL_FAILED, "%s", why.text);
    if (realpath(t.dir, absolute))
        t.dir = absolute;
    t.arena = arena_new(ARENA_CHUNK, 0);
    const struct subcommand *s = NULL;
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        if (strcmp(argv[at], subcommands[i].name) == 0)
            s = &subcommands[i];
    }
    code = s ? run(&t, s, argc - at - 1, argv + at + 1) : tool_usage("unknown command %s", argv[at]);
    arena_free(&t.arena);
    return code;
}
