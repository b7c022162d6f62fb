/* test/bench/gen.c - see gen.h */
#include "gen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS            512
#define READ_BUFFER_BYTES 262144
#define STALL_NS          UINT64_C(30000000000)
#define TURN_NS           UINT64_C(200000000) /* a loop looks at its clock at least this often */

void *gen_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        abort();
    return p;
}

int gen_init(struct gen *g, const struct options *opt, unsigned slots)
{
    struct rlimit files;
    *g = (struct gen){ .opt = *opt, .slots = slots };
    g->clients = gen_alloc(slots, sizeof(*g->clients));
    g->dirty = gen_alloc(slots, sizeof(struct client *));
    g->read_buffer = gen_alloc(1, READ_BUFFER_BYTES);
    g->login_ns = gen_alloc(1, sizeof(*g->login_ns));
    g->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (g->epoll < 0)
        return -1;
    g->way = opt->by == BY_WS ? &way_ws : opt->by == BY_BOSH ? &way_bosh : &way_tcp;
    for (unsigned i = 0; i < slots; i++)
        g->clients[i] = (struct client){ .g = g, .slot = i };
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        if (files.rlim_cur < slots + 16U)
            fprintf(stderr, "loadgen: %u clients need more open files than the limit\n", slots);
    }
    prctl(PR_SET_TIMERSLACK, 1UL);
    /* the server's certificate is self-signed and is not checked: that is not what is measured */
    if (gnutls_certificate_allocate_credentials(&g->credentials) < 0)
        return -1;
    g->scram = scram_cache_new();
    scram_cache_load(g->scram, opt->scram_cache, opt->password);
    if (opt->phases) {
        struct epoll_event ev = { .events = EPOLLIN, .data = { .ptr = NULL } };
        epoll_ctl(g->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev);
    }
    g->moved_ns = now_ns();
    g->deadline_ns = g->moved_ns + opt->timeout_s * UINT64_C(1000000000);
    return 0;
}

void gen_fini(struct gen *g)
{
    for (unsigned i = 0; i < g->slots; i++)
        for (unsigned k = 0; k < WIRES; k++)
            conn_free(&g->clients[i].wires[k]);
    if (g->failed == 0)
        scram_cache_save(g->scram, g->opt.scram_cache, g->opt.password);
    scram_cache_free(&g->scram);
    gnutls_certificate_free_credentials(g->credentials);
    close(g->epoll);
    free(g->login_ns);
    free(g->read_buffer);
    free(g->dirty);
    free(g->clients);
}

static void read_stdin(struct gen *g)
{
    char text[256];
    ssize_t n = read(STDIN_FILENO, text, sizeof(text));
    g->stdin_line = g->stdin_line || n <= 0 || memchr(text, '\n', (size_t)n);
    if (n <= 0) /* the driver is gone: nobody to wait for */
        epoll_ctl(g->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    if (n <= 0)
        g->opt.phases = false;
}

static void flush_dirty(struct gen *g)
{
    for (unsigned i = 0; i < g->dirty_count; i++) { /* a write error may close, not add */
        struct client *c = g->dirty[i];
        c->dirty = false;
        if (c->state != CLIENT_FREE && g->way->flush)
            g->way->flush(c);
        for (unsigned k = 0; k < WIRES; k++)
            conn_flush(&c->wires[k]);
    }
    g->dirty_count = 0;
}

void gen_turn(struct gen *g, uint64_t until_ns)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = { 0, 0 };
    flush_dirty(g);
    uint64_t now = until_ns ? now_ns() : 0;
    if (until_ns > now) {
        uint64_t ns = until_ns - now < TURN_NS ? until_ns - now : TURN_NS;
        wait.tv_nsec = (long)ns;
    }
    int n = epoll_pwait2(g->epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < n; i++) {
        struct wire *w = events[i].data.ptr;
        if (!w)
            read_stdin(g);
        else if (w->state != WIRE_CLOSED)
            conn_event(w, events[i].events);
    }
    flush_dirty(g);
}

void gen_moved(struct gen *g)
{
    g->moved_ns = now_ns();
}

bool gen_stalled(struct gen *g)
{
    uint64_t now = now_ns();
    return now > g->deadline_ns || now - g->moved_ns > STALL_NS;
}

void gen_phase(struct gen *g, const char *name)
{
    if (!g->opt.phases)
        return;
    g->stdin_line = false;
    printf("PHASE %s\n", name);
    fflush(stdout);
    while (!g->stdin_line && g->opt.phases && now_ns() < g->deadline_ns)
        gen_turn(g, now_ns() + TURN_NS);
    gen_moved(g);
}

unsigned gen_account(const struct gen *g, unsigned slot)
{
    return g->opt.first + slot * g->opt.step;
}

static bool is_far(const struct gen *g, unsigned account)
{
    return g->opt.far_domain && account % 2 == 1;
}

const char *gen_domain(const struct gen *g, unsigned account)
{
    return is_far(g, account) ? g->opt.far_domain : g->opt.domain;
}

uint16_t gen_port(const struct gen *g, unsigned account)
{
    return is_far(g, account) ? g->opt.far_port : g->opt.port;
}

bool gen_account_of(const struct gen *g, const char *jid, size_t len, unsigned *out)
{
    size_t prefix = strlen(g->opt.prefix), i = prefix;
    unsigned n = 0;
    if (len <= prefix || memcmp(jid, g->opt.prefix, prefix) != 0)
        return false;
    for (; i < len && jid[i] >= '0' && jid[i] <= '9' && n < 100000000; i++)
        n = n * 10 + (unsigned)(jid[i] - '0');
    *out = n;
    return i > prefix && i < len && jid[i] == '@';
}

void gen_settle(struct gen *g)
{
    uint64_t seen = g->stanzas_in - 1, quiet_ns = 0;
    gen_moved(g);
    while (!gen_stalled(g)) {
        if (seen != g->stanzas_in) {
            seen = g->stanzas_in;
            quiet_ns = now_ns() + UINT64_C(300000000);
        }
        if (now_ns() >= quiet_ns)
            return;
        gen_turn(g, quiet_ns);
    }
}

void gen_login(struct gen *g, unsigned count, unsigned concurrency)
{
    unsigned next = 0;
    gen_moved(g);
    while ((next < count || g->busy > 0) && !gen_stalled(g)) {
        while (next < count && g->busy < concurrency) {
            client_start(g, next, gen_account(g, next));
            next++;
        }
        gen_turn(g, now_ns() + TURN_NS);
    }
    g->failed += count - next + g->busy; /* those that a stall left behind */
}

void gen_leave(struct gen *g)
{
    for (unsigned i = 0; i < g->slots; i++)
        client_leave(&g->clients[i]);
    gen_moved(g);
    while (g->open > 0 && !gen_stalled(g))
        gen_turn(g, now_ns() + TURN_NS);
    for (unsigned i = 0; i < g->slots; i++)
        client_close(&g->clients[i], NULL);
}

void gen_report_logins(struct gen *g, struct report *r)
{
    report_uint(r, "logins", g->logins);
    report_uint(r, "failed", g->failed);
    report_uint(r, "dropped", g->dropped);
    report_hist(r, "login", g->login_ns);
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    report_real(r, "generator_cpu_s",
                (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
                    (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6);
}

int gen_result(const struct gen *g)
{
    return g->failed || g->dropped ? 1 : 0;
}
