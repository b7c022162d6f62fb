/* common/tools/ctl_check_conf.c - configuration files (each daemon reads its own), certificate, ports */
#include "common/tools/check.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/tls.h"
#include "common/tools/super.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MOST = 1024 * 1024 };
#define DAY_MS INT64_C(86400000)

/* Runs a program of ours; *out is what it wrote to standard output and, with errors, to standard error. Its
 * exit code, or -1. */
static int run_program(const char *program, const char *dir, const char *option, bool errors, struct buf *out)
{
    int pipes[2], status = 0;
    char piece[4096];
    ssize_t n;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        if (errors)
            dup2(pipes[1], STDERR_FILENO);
        execl(program, program, "-d", dir, option, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    while (pid > 0 && ((n = read(pipes[0], piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR)))
        buf_put(out, piece, n > 0 ? (size_t)n : 0);
    close(pipes[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

/* daemon NULL: the supervisor. */
static const char *program_of(struct check *c, const char *daemon)
{
    const char *suffix = daemon ? arena_fmt(c->tool->arena, "-%s", daemon).p : "";
    char folder[PATH_MAX];
    super_programs(folder, sizeof folder);
    const char *path = arena_fmt(c->tool->arena, "%s/bulkhead%s", folder, suffix).p;
    if (access(path, X_OK) == 0)
        return path;
    return arena_fmt(c->tool->arena, "%s/../sbin/bulkhead%s", folder, suffix).p;
}

/* Secrets are in these files. */
static void check_mode(struct check *c, const char *name)
{
    struct stat st;
    if (stat(tool_path(c->tool, name), &st) < 0)
        return;
    if (st.st_mode & S_IRWXO)
        check_say(c, CHECK_FAIL, name, "everybody may read it, and it holds secrets: chmod o-rwx %s",
                  tool_path(c->tool, name));
}

/* The effective options of one daemon, as it prints them. */
struct options {
    struct arena *arena;
    struct {
        const char *section, *name, *value;
    } rows[512];
    size_t n;
};

static int on_option(void *user, const char *section, const char *name, const char *value)
{
    struct options *o = user;
    if (o->n == sizeof o->rows / sizeof o->rows[0])
        return 0;
    o->rows[o->n].section = arena_cstr(o->arena, slice_cstr(section));
    o->rows[o->n].name = arena_cstr(o->arena, slice_cstr(name));
    o->rows[o->n++].value = arena_cstr(o->arena, slice_cstr(value));
    return 1;
}

static const char *option(const struct options *o, const char *section, const char *name, size_t nth)
{
    for (size_t i = 0; i < o->n; i++) {
        if (strcmp(o->rows[i].section, section) == 0 && strcmp(o->rows[i].name, name) == 0 && nth-- == 0)
            return o->rows[i].value;
    }
    return NULL;
}

static const char *below_dir(struct check *c, const char *path)
{
    return path[0] == '/' ? path : tool_path(c->tool, path);
}

static void check_certificate(struct check *c, const char *path)
{
    struct tls_cert_info info;
    struct why why;
    int64_t now = clock_wall_ms();
    if (tls_cert_info(path, &info, &why) != RC_OK) {
        check_say(c, CHECK_FAIL, "certificate", "%s", why.text);
        return;
    }
    long days = (long)((info.not_after_ms - now) / DAY_MS);
    if (now < info.not_before_ms || now > info.not_after_ms)
        check_say(c, CHECK_FAIL, "certificate", "%s: not valid now; renew it, then bulkheadctl reload", path);
    else if (days < 14)
        check_say(c, CHECK_WARN, "certificate", "%s: ends in %ld days; renew it, then bulkheadctl reload",
                  path, days);
    else if (info.self_signed)
        check_say(c, CHECK_WARN, "certificate", "%s: self-signed, so clients ask their users; SHA-256 %s",
                  path, info.fingerprint);
    else
        check_say(c, CHECK_OK, "certificate", "%s: %s, %ld more days", path, info.key, days);
    for (size_t i = 0; i < c->n_domains; i++) {
        const char *domain = arena_cstr(c->tool->arena, c->domains[i]);
        bool covers = false;
        if (tls_cert_covers(path, domain, &covers, &why) == RC_OK && !covers)
            check_say(c, CHECK_FAIL, "certificate", "%s: not for %s; get one that names it", path, domain);
    }
}

/* Whether a listener could be opened; the server must not run. */
static void check_port(struct check *c, const char *daemon, const char *address, const char *port_text)
{
    uint64_t port = 0;
    int on = 1, off = 0;
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    if (slice_u64(slice_cstr(port_text), UINT16_MAX, &port) != RC_OK || port == 0)
        return;
    in.sin_port = in6.sin6_port = htons((uint16_t)port);
    bool v4 = inet_pton(AF_INET, address, &in.sin_addr) == 1;
    if (!v4 && inet_pton(AF_INET6, address, &in6.sin6_addr) != 1) {
        check_say(c, CHECK_FAIL, daemon, "%s is not an IP address to listen on", address);
        return;
    }
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 && !v4)
        return; /* no IPv6 on this host: the daemon does without */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    int rc = v4 ? bind(fd, (const struct sockaddr *)&in, sizeof in)
                : bind(fd, (const struct sockaddr *)&in6, sizeof in6);
    if (rc < 0)
        check_say(c, CHECK_FAIL, daemon, "%s port %s: %s%s", address, port_text, strerror(errno),
                  errno == EADDRINUSE ? "; stop what has it (ss -ltnp), or choose another port" : "");
    else
        check_say(c, CHECK_OK, daemon, "%s port %s is free", address, port_text);
    close(fd);
}

static void check_listeners(struct check *c, const char *daemon, const struct options *o)
{
    static const char *const ports[] = { "port", "port_tls" };
    for (size_t i = 0; i < 2; i++) {
        const char *port = option(o, "listen", ports[i], 0), *address;
        for (size_t nth = 0; port && (address = option(o, "listen", "address", nth)); nth++) {
            struct slice rest = slice_cstr(address), one;
            while (slice_split(&rest, ',', &one))
                check_port(c, daemon, arena_cstr(c->tool->arena, slice_trim(one)), port);
        }
    }
}

/* The options in effect, as the daemon prints them; mem_free them. */
static struct options *options_of(struct check *c, const char *program)
{
    struct buf out = BUF_INIT(OUTPUT_MOST);
    struct options *o = mem_new(sizeof *o);
    o->arena = c->tool->arena;
    if (run_program(program, c->tool->dir, "--dump-config", false, &out) == 0) {
        buf_byte(&out, '\0');
        ini_parse_string(out.p, on_option, o);
    }
    buf_fini(&out);
    return o;
}

/* Whether the program understands its configuration. */
static bool check_conf(struct check *c, const char *program, const char *name)
{
    struct buf out = BUF_INIT(OUTPUT_MOST);
    int status = run_program(program, c->tool->dir, "--check-config", true, &out);
    struct slice said = slice_trim(arena_copy(c->tool->arena, buf_get(&out)));
    if (status == 0)
        check_say(c, CHECK_OK, name, "understood");
    else if (status == 127 || status < 0)
        check_say(c, CHECK_FAIL, name, "%s cannot be run", program);
    else
        check_say(c, CHECK_FAIL, name, SLICE_FMT, SLICE_ARG(said));
    buf_fini(&out);
    return status == 0;
}

/* Daemons with no configuration here run on another host. */
static bool is_here(struct check *c, const char *daemon)
{
    return access(tool_path(c->tool, arena_fmt(c->tool->arena, "%s.conf", daemon).p), F_OK) == 0;
}

/* The folder of pages, as the gateway looks for it (httpgw/web.c). */
static void check_pages(struct check *c, const char *program, const struct options *o)
{
    const char *folder = option(o, "web", "path", 0);
    const char *pages[] = { "admin", "chat" };
    struct slice beside = slice_of(program, (size_t)(strrchr(program, '/') - program));
    if (folder && *folder)
        folder = below_dir(c, folder);
    else
        folder = arena_fmt(c->tool->arena, SLICE_FMT "/web", SLICE_ARG(beside)).p;
    if (access(folder, R_OK) != 0 && !*option(o, "web", "path", 0))
        folder = arena_fmt(c->tool->arena, SLICE_FMT "/../share/bulkhead/web", SLICE_ARG(beside)).p;
    for (size_t i = 0; i < 2; i++) {
        const char *on = option(o, "web", pages[i], 0);
        const char *index = arena_fmt(c->tool->arena, "%s/%s/index.html", folder, pages[i]).p;
        if (!on || strcmp(on, "yes") != 0)
            continue;
        if (access(index, R_OK) == 0)
            check_say(c, CHECK_OK, "pages", "/%s/ is there", pages[i]);
        else
            check_say(c, CHECK_WARN, "pages",
                      "%s cannot be read, so there is no /%s/; [web] of httpgw.conf switches it off", index,
                      pages[i]);
    }
}

static void check_daemon(struct check *c, const char *daemon)
{
    const char *program = program_of(c, daemon), *name = arena_fmt(c->tool->arena, "%s.conf", daemon).p;
    check_mode(c, name);
    if (!check_conf(c, program, name))
        return;
    struct options *o = options_of(c, program);
    const char *cert = option(o, "tls", "cert", 0);
    bool serves = strcmp(daemon, "c2s") == 0 || strcmp(daemon, "s2s") == 0 || strcmp(daemon, "httpgw") == 0;
    if (cert && *cert && serves)
        check_certificate(c, below_dir(c, cert));
    if (option(o, "web", "path", 0))
        check_pages(c, program, o);
    if (!c->running)
        check_listeners(c, daemon, o);
    mem_free(o);
}

/* The two halves of uploads, where both are on this host: the one signs what the other takes. */
static void check_uploads(struct check *c)
{
    static const char *const halves[] = { "sessman", "httpgw" };
    const char *secrets[2] = { "", "" };
    struct options *all[2] = { NULL, NULL };
    for (size_t i = 0; i < 2 && is_here(c, halves[i]); i++) {
        all[i] = options_of(c, program_of(c, halves[i]));
        const char *secret = option(all[i], "upload", "secret", 0);
        secrets[i] = secret ? secret : "";
    }
    if (all[1] && all[1]->n && strcmp(secrets[0], secrets[1]) != 0)
        check_say(c, CHECK_FAIL, "uploads",
                  "[upload] secret is not the same in sessman.conf and httpgw.conf");
    mem_free(all[0]);
    mem_free(all[1]);
}

static const char *const daemons[] = { "router", "c2s", "s2s", "sessman", "httpgw" };

void check_files(struct check *c)
{
    size_t longest = strlen(tool_path(c->tool, "run/bulkhead.notify"));
    if (longest >= sizeof((struct sockaddr_un *)0)->sun_path)
        check_say(c, CHECK_FAIL, "folder", "%s: too long for the sockets in it; use a shorter path",
                  c->tool->dir);
    check_conf(c, program_of(c, NULL), "bulkhead.conf");
    check_mode(c, "bulkheadctl.conf");
    for (size_t i = 0; i < sizeof daemons / sizeof daemons[0]; i++) {
        if (is_here(c, daemons[i]))
            check_daemon(c, daemons[i]);
    }
    check_uploads(c);
}

void check_ports(struct check *c)
{
    for (size_t i = 0; i < sizeof daemons / sizeof daemons[0]; i++) {
        if (!is_here(c, daemons[i]))
            continue;
        struct options *o = options_of(c, program_of(c, daemons[i]));
        check_listeners(c, daemons[i], o);
        mem_free(o);
    }
}
