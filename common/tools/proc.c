/* common/tools/proc.c */
#include "common/tools/proc.h"

#include "common/base/mem.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { FIRST_PAUSE_MS = 100, LIVED_MS = 60000 };

const char *const daemon_names[KINDS] = {
    [KIND_ROUTER] = "router", [KIND_SESSMAN] = "sessman", [KIND_C2S] = "c2s",
    [KIND_S2S] = "s2s",       [KIND_HTTPGW] = "httpgw",
};

/* The edges first, so that what they have taken still gets through; the router last. */
static const unsigned stop_stage[KINDS] = {
    [KIND_C2S] = 0, [KIND_S2S] = 0, [KIND_HTTPGW] = 0, [KIND_SESSMAN] = 1, [KIND_ROUTER] = 2,
};
enum { STAGES = 3 };

struct procs {
    const char *programs, *dir, *notify;
    struct proc *list; /* in the order of starting within a kind */
    size_t n;
    bool stopping;
};

struct procs *procs_new(const char *programs, const char *dir, const char *notify)
{
    struct procs *p = mem_new(sizeof *p);
    p->programs = programs;
    p->dir = dir;
    p->notify = notify;
    p->list = mem_array((size_t)KINDS * PROCS_PER_KIND, sizeof *p->list);
    return p;
}

void procs_free(struct procs **p)
{
    if (!*p)
        return;
    mem_free((*p)->list);
    MEM_FREE(p);
}

static struct proc *find(struct procs *p, enum daemon_kind kind, unsigned number)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->list[i].kind == kind && p->list[i].number == number)
            return &p->list[i];
    }
    struct proc *proc = &p->list[p->n++];
    proc->kind = kind;
    proc->number = number;
    snprintf(proc->instance, sizeof proc->instance, "%s-%u", daemon_names[kind], number);
    return proc;
}

static void tell(struct proc *proc, int signum)
{
    if (proc->pid > 0)
        kill(proc->pid, signum);
}

void procs_want(struct procs *p, const uint32_t counts[KINDS], uint64_t now_ms)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (unsigned number = 1; number <= counts[kind] && number <= PROCS_PER_KIND; number++) {
            struct proc *proc = find(p, (enum daemon_kind)kind, number);
            if (!proc->wanted)
                proc->start_at_ms = now_ms;
            proc->wanted = true;
        }
    }
    for (size_t i = 0; i < p->n; i++) {
        struct proc *proc = &p->list[i];
        if (proc->number <= counts[proc->kind])
            continue;
        proc->wanted = false;
        proc->stopping = true;
        tell(proc, SIGTERM);
    }
}

/* In the child: a group of its own, so that Ctrl-C reaches the supervisor alone, and no life without it. */
_Noreturn static void run_program(const struct procs *p, const struct proc *proc, pid_t parent)
{
    char program[PATH_MAX];
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    setenv("NOTIFY_SOCKET", p->notify, 1);
    unsetenv("WATCHDOG_USEC"); /* ours, not theirs */
    unsetenv("WATCHDOG_PID");
    snprintf(program, sizeof program, "%s/bulkhead-%s", p->programs, daemon_names[proc->kind]);
    execl(program, program, "-d", p->dir, "-i", proc->instance, (char *)NULL);
    fprintf(stderr, "bulkhead: %s: %s\n", program, strerror(errno));
    _exit(127);
}

static bool due(const struct proc *proc)
{
    return proc->wanted && proc->pid == 0;
}

struct proc *procs_start(struct procs *p, uint64_t now_ms)
{
    for (size_t i = 0; i < p->n && !p->stopping; i++) {
        struct proc *proc = &p->list[i];
        if (!due(proc) || proc->start_at_ms > now_ms)
            continue;
        pid_t parent = getpid(), pid = fork();
        if (pid == 0)
            run_program(p, proc, parent);
        proc->ready = proc->stopping = false;
        proc->started_ms = now_ms;
        if (pid < 0) {
            proc->start_at_ms = now_ms + FIRST_PAUSE_MS;
            continue;
        }
        proc->pid = pid;
        return proc;
    }
    return NULL;
}

unsigned procs_restart(struct procs *p, const char *name)
{
    unsigned n = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct proc *proc = &p->list[i];
        if (!proc->wanted ||
            (strcmp(name, daemon_names[proc->kind]) != 0 && strcmp(name, proc->instance) != 0))
            continue;
        proc->restart = true;
        n++;
    }
    return n;
}

bool procs_restarting(const struct procs *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].restart || p->list[i].renewed)
            return true;
    return false;
}

/* NULL: none is on its way. */
static struct proc *renewed(struct procs *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].renewed)
            return &p->list[i];
    return NULL;
}

struct proc *procs_restart_next(struct procs *p, uint64_t now_ms, uint32_t stop_ms)
{
    struct proc *proc = renewed(p);
    if (p->stopping || (proc && (!proc->kill_at_ms || now_ms < proc->kill_at_ms)))
        return NULL;
    if (proc) {
        proc->kill_at_ms = 0;
        tell(proc, SIGKILL);
        return proc;
    }
    for (size_t i = 0; i < p->n; i++) {
        proc = &p->list[i];
        if (!proc->restart)
            continue;
        proc->restart = false;
        proc->renewed = proc->wanted;
        if (!proc->wanted)
            continue;
        proc->start_at_ms = now_ms; /* one that waits after a crash waits no more */
        if (proc->pid == 0)
            return NULL;
        proc->stopping = true;
        proc->kill_at_ms = now_ms + stop_ms;
        tell(proc, SIGTERM);
        return proc;
    }
    return NULL;
}

uint64_t procs_next_ms(const struct procs *p)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < p->n && !p->stopping; i++) {
        if (p->list[i].kill_at_ms && p->list[i].kill_at_ms < next)
            next = p->list[i].kill_at_ms;
        if (due(&p->list[i]) && p->list[i].start_at_ms < next)
            next = p->list[i].start_at_ms;
    }
    return next;
}

struct proc *procs_by_pid(struct procs *p, pid_t pid)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->list[i].pid == pid)
            return &p->list[i];
    }
    return NULL;
}

void procs_ended(struct proc *proc, uint64_t now_ms, uint32_t longest_pause_ms)
{
    if (now_ms - proc->started_ms >= LIVED_MS)
        proc->pause_ms = 0;
    proc->pid = 0;
    proc->ready = false;
    if (proc->kill_at_ms || (proc->renewed && proc->stopping)) { /* as it was told */
        proc->kill_at_ms = 0;
        proc->start_at_ms = now_ms;
        proc->restarts++;
        return;
    }
    proc->start_at_ms = now_ms + proc->pause_ms;
    proc->restarts++;
    if (proc->pause_ms == 0)
        proc->pause_ms = FIRST_PAUSE_MS;
    else
        proc->pause_ms = proc->pause_ms > longest_pause_ms / 2 ? longest_pause_ms : proc->pause_ms * 2;
}

bool procs_all_ready(const struct procs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->list[i].wanted && !p->list[i].ready)
            return false;
    }
    return true;
}

void procs_signal_all(struct procs *p, int signum)
{
    for (size_t i = 0; i < p->n; i++)
        tell(&p->list[i], signum);
}

bool procs_stop_stage(struct procs *p, bool kill_it)
{
    unsigned stage = STAGES;
    p->stopping = true;
    for (size_t i = 0; i < p->n; i++) {
        if (p->list[i].pid && stop_stage[p->list[i].kind] < stage)
            stage = stop_stage[p->list[i].kind];
    }
    for (size_t i = 0; i < p->n; i++) {
        struct proc *proc = &p->list[i];
        if (proc->pid == 0 || stop_stage[proc->kind] != stage)
            continue;
        proc->stopping = true;
        tell(proc, kill_it ? SIGKILL : SIGTERM);
    }
    return stage < STAGES;
}

bool procs_stage_done(const struct procs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->list[i].pid && p->list[i].stopping)
            return false;
    }
    return true;
}

void procs_json(const struct procs *p, uint64_t now_ms, struct buf *out)
{
    bool first = true;
    buf_byte(out, '[');
    for (size_t i = 0; i < p->n; i++) {
        const struct proc *proc = &p->list[i];
        if (!proc->wanted && proc->pid == 0)
            continue;
        buf_fmt(out,
                "%s{\"instance\":\"%s\",\"daemon\":\"%s\",\"pid\":%ld,\"ready\":%s,\"restarts\":%u,\"up_ms\":"
                "%llu}",
                first ? "" : ",", proc->instance, daemon_names[proc->kind], (long)proc->pid,
                proc->ready ? "true" : "false", proc->restarts,
                proc->pid ? (unsigned long long)(now_ms - proc->started_ms) : 0ULL);
        first = false;
    }
    buf_byte(out, ']');
}
