/* test/unit/test_proc.c */
#include "common/tools/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Daemons that do nothing until they are told to end; they lie in a folder of the test. */
struct place {
    char dir[64];
    struct procs *procs;
};

static const enum daemon_kind kinds[] = { KIND_ROUTER, KIND_SESSMAN, KIND_C2S };
enum { N_KINDS = 3 };

static void program_path(const struct place *p, enum daemon_kind kind, char out[128])
{
    snprintf(out, 128, "%s/bulkhead-%s", p->dir, daemon_names[kind]);
}

static int setup(void **state)
{
    static const char script[] = "#!/bin/sh\nexec sleep 1000\n";
    struct place *p = calloc(1, sizeof *p);
    if (!p)
        return -1;
    strcpy(p->dir, "/tmp/bulkhead-test-proc-XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    for (size_t i = 0; i < N_KINDS; i++) {
        char path[128];
        program_path(p, kinds[i], path);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
        if (fd < 0 || write(fd, script, sizeof script - 1) < 0 || close(fd) < 0)
            return -1;
    }
    p->procs = procs_new(p->dir, p->dir, "/nonexistent");
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    procs_signal_all(p->procs, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
    procs_free(&p->procs);
    for (size_t i = 0; i < N_KINDS; i++) {
        char path[128];
        program_path(p, kinds[i], path);
        unlink(path);
    }
    int rc = rmdir(p->dir);
    free(p);
    return rc;
}

static const uint32_t one_each[KINDS] = { [KIND_ROUTER] = 1, [KIND_SESSMAN] = 1, [KIND_C2S] = 1 };

static unsigned start_all(struct place *p, uint64_t now)
{
    unsigned n = 0;
    while (procs_start(p->procs, now))
        n++;
    return n;
}

/* Waits for one end; returns whose. */
static struct proc *wait_for_end(struct place *p, uint64_t now)
{
    pid_t pid = waitpid(-1, NULL, 0);
    struct proc *proc = procs_by_pid(p->procs, pid);
    assert_non_null(proc);
    procs_ended(proc, now, 30000);
    return proc;
}

static void daemons_start_in_order_router_first(void **state)
{
    struct place *p = *state;
    procs_want(p->procs, one_each, 1000);
    assert_int_equal(procs_next_ms(p->procs), 1000);
    assert_string_equal(procs_start(p->procs, 1000)->instance, "router-1");
    assert_string_equal(procs_start(p->procs, 1000)->instance, "sessman-1");
    assert_string_equal(procs_start(p->procs, 1000)->instance, "c2s-1");
    assert_null(procs_start(p->procs, 1000));
    assert_true(procs_next_ms(p->procs) == UINT64_MAX);
}

static void pauses_double_up_to_the_longest_and_begin_again(void **state)
{
    static const uint32_t expected[] = {
        0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000
    };
    struct proc proc = { .kind = KIND_C2S, .wanted = true };
    uint64_t now = 5000;
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        proc.started_ms = now;
        now += 10;
        procs_ended(&proc, now, 30000);
        assert_int_equal(proc.start_at_ms - now, expected[i]);
        now = proc.start_at_ms;
    }
    proc.started_ms = now;
    procs_ended(&proc, now + 60000, 30000);
    assert_int_equal(proc.start_at_ms, now + 60000);
    assert_int_equal(proc.restarts, sizeof expected / sizeof expected[0] + 1);
}

static void what_ends_is_started_again_when_it_is_time(void **state)
{
    struct place *p = *state;
    const uint32_t counts[KINDS] = { [KIND_C2S] = 1 };
    procs_want(p->procs, counts, 1000);
    struct proc *proc = procs_start(p->procs, 1000);
    for (unsigned i = 0; i < 2; i++) {
        kill(proc->pid, SIGKILL);
        assert_ptr_equal(wait_for_end(p, 2000), proc);
        assert_int_equal(procs_next_ms(p->procs), i ? 2100 : 2000);
        assert_ptr_equal(procs_start(p->procs, procs_next_ms(p->procs)), proc);
    }
    assert_null(procs_start(p->procs, 1000000));
}

static void program_that_cannot_run_ends_at_once(void **state)
{
    struct place *p = *state;
    const uint32_t counts[KINDS] = { [KIND_S2S] = 1 }; /* there is no such program in the folder */
    int status = 0;
    procs_want(p->procs, counts, 0);
    struct proc *proc = procs_start(p->procs, 0);
    assert_int_equal(waitpid(proc->pid, &status, 0), proc->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 127);
    procs_ended(proc, 0, 30000);
}

static void counts_may_change(void **state)
{
    struct place *p = *state;
    uint32_t counts[KINDS] = { [KIND_C2S] = 3 };
    procs_want(p->procs, counts, 0);
    assert_int_equal(start_all(p, 0), 3);
    counts[KIND_C2S] = 1;
    procs_want(p->procs, counts, 0);
    for (int i = 0; i < 2; i++)
        assert_true(wait_for_end(p, 0)->number > 1);
    assert_int_equal(start_all(p, 0), 0);
    counts[KIND_C2S] = 2;
    procs_want(p->procs, counts, 0);
    assert_int_equal(start_all(p, 100000), 1);
}

static void stop_takes_edges_first_and_the_router_last(void **state)
{
    static const char *const order[] = { "c2s-1", "sessman-1", "router-1" };
    struct place *p = *state;
    procs_want(p->procs, one_each, 0);
    start_all(p, 0);
    for (size_t i = 0; i < N_KINDS; i++) {
        assert_true(procs_stop_stage(p->procs, false));
        assert_false(procs_stage_done(p->procs));
        assert_string_equal(wait_for_end(p, 0)->instance, order[i]);
        assert_true(procs_stage_done(p->procs));
        assert_null(procs_start(p->procs, 1000000)); /* nothing is started any more */
    }
    assert_false(procs_stop_stage(p->procs, false));
}

static void all_ready_waits_for_each(void **state)
{
    struct place *p = *state;
    const uint32_t counts[KINDS] = { [KIND_ROUTER] = 1, [KIND_C2S] = 1 };
    procs_want(p->procs, counts, 0);
    struct proc *one = procs_start(p->procs, 0), *two = procs_start(p->procs, 0);
    one->ready = true;
    assert_false(procs_all_ready(p->procs));
    two->ready = true;
    assert_true(procs_all_ready(p->procs));
    kill(two->pid, SIGKILL);
    wait_for_end(p, 0);
    assert_false(procs_all_ready(p->procs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(daemons_start_in_order_router_first, setup, teardown),
        cmocka_unit_test(pauses_double_up_to_the_longest_and_begin_again),
        cmocka_unit_test_setup_teardown(what_ends_is_started_again_when_it_is_time, setup, teardown),
        cmocka_unit_test_setup_teardown(program_that_cannot_run_ends_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_may_change, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_takes_edges_first_and_the_router_last, setup, teardown),
        cmocka_unit_test_setup_teardown(all_ready_waits_for_each, setup, teardown),
    };
    return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
