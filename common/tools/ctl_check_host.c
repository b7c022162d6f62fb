/* common/tools/ctl_check_host.c - limits and settings of the host that a busy server runs into */
#include "common/tools/check.h"

#include "common/base/clock.h"
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

enum { FILES_LEAST = 65536, PORTS_LEAST = 20000 };
#define YEAR_2026_MS INT64_C(1767225600000)

static void check_open_files(struct check *c)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    unsigned long long most = (unsigned long long)limit.rlim_max;
    if (most < FILES_LEAST)
        check_say(c, CHECK_WARN, "open files",
                  "a process may have %llu, about as many clients as one c2s or httpgw can serve, and a "
                  "third of that "
                  "where they use BOSH over TLS; "
                  "raise it: LimitNOFILE= of the unit, or /etc/security/limits.conf",
                  most);
    else
        check_say(c, CHECK_OK, "open files", "a process may have %llu", most);
}

/* The first numbers of a file below /proc/sys; how many there were. */
static int settings(const char *path, unsigned long out[3])
{
    FILE *f = fopen(path, "r");
    int n = f ? fscanf(f, "%lu %lu %lu", &out[0], &out[1], &out[2]) : 0;
    if (f)
        fclose(f);
    return n;
}

/* A setting that should be `least` or more. */
static void check_least(struct check *c, const char *name, unsigned long least, const char *why)
{
    char path[128];
    unsigned long has[3] = { 0 };
    snprintf(path, sizeof path, "/proc/sys/%s", name);
    for (char *p = path + sizeof "/proc/sys/" - 1; *p; p++)
        *p = *p == '.' ? '/' : *p;
    if (settings(path, has) < 1)
        return;
    if (has[0] < least)
        check_say(c, CHECK_WARN, name, "%lu: %s; set it: sysctl -w %s=%lu", has[0], why, name, least);
    else
        check_say(c, CHECK_OK, name, "%lu", has[0]);
}

static void check_tcp_memory(struct check *c)
{
    unsigned long pages[3] = { 0 };
    unsigned long long page = (unsigned long long)sysconf(_SC_PAGESIZE);
    unsigned long long total = (unsigned long long)sysconf(_SC_PHYS_PAGES) * page >> 20;
    if (settings("/proc/sys/net/ipv4/tcp_mem", pages) != 3)
        return;
    unsigned long long most = pages[2] * page >> 20;
    if (most < total / 32)
        check_say(c, CHECK_WARN, "net.ipv4.tcp_mem",
                  "all sockets together get %llu MiB of %llu MiB memory; "
                  "with many clients raise its third number",
                  most, total);
    else
        check_say(c, CHECK_OK, "net.ipv4.tcp_mem", "%llu MiB for all sockets", most);
}

static void check_port_range(struct check *c)
{
    unsigned long range[3] = { 0 };
    if (settings("/proc/sys/net/ipv4/ip_local_port_range", range) < 2)
        return;
    unsigned long n = range[1] >= range[0] ? range[1] - range[0] + 1 : 0;
    if (n < PORTS_LEAST)
        check_say(c, CHECK_WARN, "net.ipv4.ip_local_port_range",
                  "%lu ports for outgoing connections; "
                  "set it: sysctl -w net.ipv4.ip_local_port_range=\"10240 65000\"",
                  n);
    else
        check_say(c, CHECK_OK, "net.ipv4.ip_local_port_range", "%lu ports for outgoing connections", n);
}

static void check_random(struct check *c)
{
    unsigned char byte;
    if (getrandom(&byte, 1, GRND_NONBLOCK) == 1)
        check_say(c, CHECK_OK, "randomness", "the kernel's source is ready");
    else
        check_say(c, CHECK_FAIL, "randomness",
                  "the kernel has not gathered enough yet (%s): install rng-tools or haveged",
                  strerror(errno));
}

static void check_clock(struct check *c)
{
    struct timex t = { .modes = 0 };
    if (clock_wall_ms() < YEAR_2026_MS)
        check_say(c, CHECK_FAIL, "clock",
                  "is before 2026: certificates and time stamps will be wrong; set it");
    else if (adjtimex(&t) < 0 || t.status & STA_UNSYNC)
        check_say(c, CHECK_WARN, "clock", "is not synchronised: run systemd-timesyncd or chrony");
    else
        check_say(c, CHECK_OK, "clock", "is synchronised");
}

void check_host(struct check *c)
{
    check_open_files(c);
    check_least(c, "fs.file-max", 200000, "open files of the whole host");
    check_least(c, "net.core.somaxconn", 4096,
                "connections that wait to be accepted; a storm of clients loses some");
    check_least(c, "net.ipv4.tcp_max_syn_backlog", 1024, "connections that are being opened");
    check_tcp_memory(c);
    check_port_range(c);
    check_random(c);
    check_clock(c);
}
