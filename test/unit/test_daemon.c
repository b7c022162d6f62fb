/* test/unit/test_daemon.c - a whole daemon in a child process: arguments, control socket, reload, stopping */
#include "common/daemon/daemon.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

/* --- the daemon --- */

struct toy_conf {
    uint32_t size;
    char *name;
};
static const struct option toy_options[] = {
    OPTION_UINT("toy", "size", struct toy_conf, size, "1", "1", "100", RESTART),
    OPTION_STRING("toy", "name", struct toy_conf, name, "nobody", RELOAD),
};
static const struct conf_table toy_table = { .options = toy_options,
                                             .n = 2,
                                             .size = sizeof(struct toy_conf) };
enum { TOY_STARTS, TOY_METRICS };
static const struct metric_def toy_metrics[] = { { "bulkhead_toy_starts", METRIC_COUNTER, "Starts." } };

static enum rc toy_start(struct daemon_run *run, struct why *why)
{
    const struct toy_conf *conf = run->conf;
    if (conf->size == 13) {
        why_set(why, "thirteen is not a size");
        return RC_CONFLICT;
    }
    METRIC_INC(run->metrics, TOY_STARTS);
    run->ctx = mem_new(1);
    run->ready(run);
    return RC_OK;
}
static void toy_stop(struct daemon_run *run)
{
    (void)run;
}
static void toy_fini(struct daemon_run *run)
{
    MEM_FREE(&run->ctx);
}
static void toy_status(struct daemon_run *run, struct buf *json)
{
    const struct toy_conf *conf = run->conf;
    buf_fmt(json, "\"size\":%u,\"toy\":\"%s\"", conf->size, conf->name);
}
static enum rc toy_repeat(void *ctx, struct slice args, struct buf *out, struct why *why)
{
    (void)ctx;
    if (!args.len) {
        why_set(why, "nothing to repeat");
        return RC_SYNTAX;
    }
    buf_slice(out, args);
    return RC_OK;
}
static const struct ctl_command toy_commands[] = { { "repeat", "repeat TEXT", toy_repeat },
                                                   { NULL, NULL, NULL } };
static const struct daemon toy = {
    .name = "toy",
    .summary = "a daemon for a test",
    .conf = &toy_table,
    .metrics = toy_metrics,
    .n_metrics = TOY_METRICS,
    .start = toy_start,
    .stop = toy_stop,
    .fini = toy_fini,
    .status = toy_status,
    .commands = toy_commands,
};

/* --- running it --- */

struct place {
    char dir[64];
    char sock[96];
    pid_t pid;
};

static void put(const struct place *p, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    struct place *p = mem_new(sizeof *p);
    snprintf(p->dir, sizeof p->dir, "/tmp/test_daemon.XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    snprintf(p->sock, sizeof p->sock, "%s/run/toy.sock", p->dir);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    static const char *const files[] = { "toy.conf", "run/toy.sock", "run/toy.pid", "log/toy.log",
                                         "out",      "run",          "log" };
    char path[160];
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", p->dir, files[i]);
        remove(path);
    }
    rmdir(p->dir);
    mem_free(p);
    return 0;
}

/* What it writes goes to DIR/out. */
static pid_t spawn(const struct place *p, const char *arg)
{
    char path[160], name[] = "toy", d[] = "-d", dir[64], extra[64] = "";
    snprintf(path, sizeof path, "%s/out", p->dir);
    snprintf(dir, sizeof dir, "%s", p->dir);
    snprintf(extra, sizeof extra, "%s", arg ? arg : "");
    char *argv[] = { name, d, dir, arg ? extra : NULL, NULL };
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        int code = daemon_run(arg ? 4 : 3, argv, &toy);
        fflush(NULL);
        _exit(code);
    }
    return pid;
}

static int code_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool says(const struct place *p, const char *file, const char *text)
{
    char path[160], got[8192] = "";
    snprintf(path, sizeof path, "%s/%s", p->dir, file);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    got[fread(got, 1, sizeof got - 1, f)] = '\0';
    fclose(f);
    return strstr(got, text) != NULL;
}

/* The answer to a request, in a block of the caller's; waits until the daemon listens. */
static char *ask(const struct place *p, const char *request)
{
    uint64_t until = clock_mono_ms() + PATIENCE_MS;
    struct why why = { "" };
    for (;;) {
        struct buf out = BUF_INIT(0);
        size_t len;
        enum rc rc = ctl_ask(p->sock, slice_cstr(request), PATIENCE_MS, &out, &why);
        buf_byte(&out, '\0');
        if (rc == RC_OK)
            return buf_take(&out, &len);
        buf_fini(&out);
        if (rc != RC_CLOSED || clock_mono_ms() > until)
            fail_msg("%s: %s", request, why.text);
        usleep(2000);
    }
}

static void expect(const struct place *p, const char *request, const char *text)
{
    char *got = ask(p, request);
    if (!strstr(got, text))
        fail_msg("%s answered: %s", request, got);
    mem_free(got);
}

static void it_serves_and_stops(void **state)
{
    struct place *p = *state;
    put(p, "toy.conf", "[toy]\nsize = 7\n[daemon]\npid_file = run/toy.pid\n");
    p->pid = spawn(p, NULL);
    expect(p, "status", "\"size\":7");
    expect(p, "status", "\"version\":\"" BULKHEAD_VERSION "\"");
    expect(p, "status", "\"pss_kib\":");
    expect(p, "metrics", "bulkhead_toy_starts_total{daemon=\"toy\"} 1");
    expect(p, "metrics-json", "bulkhead_toy_starts");
    expect(p, "help", "repeat TEXT");
    expect(p, "repeat  this and that", "ok\nthis and that");
    expect(p, "repeat", "error nothing to repeat");
    expect(p, "dance", "error no such command");
    expect(p, "", "error empty request");
    expect(p, "loglevel debug,wire=info", "ok");
    expect(p, "loglevel loud", "error");
    char number[32];
    snprintf(number, sizeof number, "%d\n", (int)p->pid);
    assert_true(says(p, "run/toy.pid", number));
    expect(p, "stop", "ok");
    assert_int_equal(code_of(p->pid), 0);
    p->pid = 0;
    assert_false(says(p, "run/toy.pid", ""));
    assert_int_equal(access(p->sock, F_OK), -1);
}

static void signals_reload_and_stop(void **state)
{
    struct place *p = *state;
    put(p, "toy.conf", "[log]\nsink = file\n");
    p->pid = spawn(p, NULL);
    expect(p, "status", "\"toy\":\"nobody\"");
    put(p, "toy.conf", "[log]\nsink = file\n[toy]\nname = ann\nsize = 50\n");
    expect(p, "reload", "changed [toy] name\n");
    expect(p, "reload", "needs a restart: [toy] size\n");
    expect(p, "status", "\"size\":1,\"toy\":\"ann\""); /* what needs a restart stays as it was */
    put(p, "toy.conf", "[toy]\nname = bob\nsize = many\n[log]\nsink = file\n");
    expect(p, "reload", "error ");
    expect(p, "status", "\"toy\":\"ann\"");
    put(p, "toy.conf", "[log]\nsink = file\n[toy]\nname = bob\n");
    kill(p->pid, SIGHUP);
    for (uint64_t until = clock_mono_ms() + PATIENCE_MS;;) {
        char *got = ask(p, "status");
        bool there = strstr(got, "\"toy\":\"bob\"") != NULL;
        mem_free(got);
        if (there)
            break;
        assert_true(clock_mono_ms() < until);
        usleep(2000);
    }
    kill(p->pid, SIGTERM);
    assert_int_equal(code_of(p->pid), 0);
    p->pid = 0;
    assert_true(says(p, "log/toy.log", "ev=ready"));
    assert_true(says(p, "log/toy.log", "ev=stopped"));
}

static void a_second_one_does_not_start(void **state)
{
    struct place *p = *state;
    p->pid = spawn(p, NULL);
    expect(p, "status", "ok");
    assert_int_equal(code_of(spawn(p, NULL)), 1);
    assert_true(says(p, "out", "somebody listens there already"));
    expect(p, "status", "ok"); /* the first is not disturbed */
}

static void exit_codes(void **state)
{
    struct place *p = *state;
    assert_int_equal(code_of(spawn(p, "--version")), 0);
    assert_true(says(p, "out", "bulkhead-toy " BULKHEAD_VERSION));
    assert_int_equal(code_of(spawn(p, "--help")), 0);
    assert_int_equal(code_of(spawn(p, "--nonsense")), 2);
    assert_int_equal(code_of(spawn(p, "-i")), 2);
    assert_int_equal(code_of(spawn(p, "-i../x")), 2);
    assert_int_equal(code_of(spawn(p, "--check-config")), 0);
    assert_int_equal(code_of(spawn(p, "--dump-config")), 0);
    assert_true(says(p, "out", "[toy]\nsize = 1\nname = nobody\n\n[log]\nsink = stderr\n"));
    put(p, "toy.conf", "[toy]\nsize = 101\n");
    assert_int_equal(code_of(spawn(p, "--check-config")), 3);
    assert_int_equal(code_of(spawn(p, NULL)), 3);
    assert_true(says(p, "out", "toy.conf:2: [toy] size: 101 is not within 1 and 100"));
    put(p, "toy.conf", "[toy]\nsize = 13\n");
    assert_int_equal(code_of(spawn(p, NULL)), 1);
    assert_true(says(p, "out", "thirteen is not a size"));
    put(p, "toy.conf", "[daemon]\nuser = no-such-user\n");
    assert_int_equal(code_of(spawn(p, NULL)), 1);
    assert_true(says(p, "out", "no user no-such-user"));
    strcat(p->dir, "/missing");
    assert_int_equal(code_of(spawn(p, NULL)), 3);
    p->dir[strlen(p->dir) - strlen("/missing")] = '\0';
}

static void nobody_there_to_ask(void **state)
{
    struct place *p = *state;
    struct buf out = BUF_INIT(0);
    struct why why = { "" };
    assert_int_equal(ctl_ask(p->sock, SLICE("status"), 1000, &out, &why), RC_CLOSED);
    assert_true(why.text[0] != '\0');
    buf_fini(&out);
}

static void paths(void **state)
{
    (void)state;
    char *path = daemon_path("/srv/x", "tls/cert.pem");
    assert_string_equal(path, "/srv/x/tls/cert.pem");
    mem_free(path);
    path = daemon_path("/srv/x", "/etc/cert.pem");
    assert_string_equal(path, "/etc/cert.pem");
    mem_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_serves_and_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_reload_and_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_one_does_not_start, setup, teardown),
        cmocka_unit_test_setup_teardown(exit_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_to_ask, setup, teardown),
        cmocka_unit_test(paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
