/* test/bench/loadgen.c - a load generator for XMPP servers: options and subcommands
 *
 * One process, one thread, thousands of clients (the limit is open files: about 18,000 of 20,000), from
 * several source addresses 127.0.1.x. It speaks what an ordinary client speaks, so it measures any server;
 * run.py beside this file drives it and reads the server's side. One JSON object on stdout, the same as a
 * table on stderr. Exit code: 0; 1 if a client failed, was dropped, or something did not arrive or arrived
 * twice; 2 for bad usage. */
#include "scenes.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: loadgen SCENE [option...]\n"
    "\n"
    "  register        make the accounts in band (XEP-0077); those that exist are left\n"
    "  rosters         mutual subscriptions: whole blocks of contacts + 1 accounts know each other\n"
    "  login           all log in, all leave; --rounds times\n"
    "  idle            login, then wait for a line on stdin before leaving (prints PHASE online)\n"
    "  storm           login, wait until the server has gone away and come back, then all at once\n"
    "  chat            pairs, closed loop: --in-flight messages in the air between the two of a pair\n"
    "  rate            pairs, open loop: --rate messages a second over all\n"
    "  presence        changes that fan out to the roster; --window of them under way\n"
    "  remotes         one client asks --remotes other domains, d0.F, d1.F, ... for a ping each (XEP-0199)\n"
    "  offline-store   account n sends --messages to n + 1, which is away (use --step 2)\n"
    "  offline-fetch   those accounts log in and receive them (--first one more)\n"
    "\n"
    "  --host A (127.0.0.1) --port N (5222; 5223 for direct) --domain D (localhost)\n"
    "  --far-domain F --far-port N: the odd accounts are at another server\n"
    "  --tls none|start|direct (none)   --mech auto|plain|scram1|scram256 (auto)\n"
    "  --by tcp|ws|bosh (tcp): WebSocket (RFC 7395) at /ws, BOSH (XEP-0124) at /http-bind; give their port\n"
    "  --prefix P (user) --password P (bench-secret) --resource R (bench)\n"
    "  --first N (0) --count N (100) --step N (1): the accounts P<first>, P<first+step>, ...\n"
    "  --concurrency N (64): logins at a time      --addresses N (8): source addresses\n"
    "  --contacts N (25): size of a roster         --rounds N (1)\n"
    "  --in-flight N (1)  --rate N (1000)  --window N (16)  --messages N (50)\n"
    "  --seconds N (5)    --warm-up N (1)  --timeout N (600): seconds for the whole run\n"
    "  --receipts: chat with XEP-0184 request and XEP-0359 origin-id   --full-jid: chat to full JIDs\n"
    "  --raw: chat and rate through the bare relay (relay.c), without XMPP\n"
    "  --scram-cache FILE: salted passwords, kept from run to run (PBKDF2 costs the client milliseconds)\n"
    "  --phases: print PHASE lines (begin, end, online, left) and wait for a line on stdin at each\n";

static const struct scene_row {
    const char *name;
    int (*run)(const struct options *o);
} scenes[] = {
    { "register", scene_register },
    { "rosters", scene_rosters },
    { "login", scene_login },
    { "idle", scene_login },
    { "storm", scene_storm },
    { "chat", scene_chat },
    { "rate", scene_rate },
    { "presence", scene_presence },
    { "remotes", scene_remotes },
    { "offline-store", scene_offline_store },
    { "offline-fetch", scene_offline_fetch },
};

enum { O_TEXT, O_UINT, O_FLAG };

/* Number of value among names, or ends the program. */
static int word(const char *value, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(value, names[i]) == 0)
            return i;
    fprintf(stderr, "loadgen: %s is none of", value);
    for (int i = 0; names[i]; i++)
        fprintf(stderr, " %s", names[i]);
    fprintf(stderr, "\n");
    exit(2);
}

static unsigned number(const char *name, const char *value, unsigned min, unsigned max)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (end == value || *end || n < min || n > max) {
        fprintf(stderr, "loadgen: --%s must be %u to %u\n", name, min, max);
        exit(2);
    }
    return (unsigned)n;
}

static void parse(int argc, char **argv, struct options *o)
{
    static const char *const tls[] = { "none", "start", "direct", NULL };
    static const char *const mechs[] = { "auto", "plain", "scram1", "scram256", NULL };
    static const char *const ways[] = { "tcp", "ws", "bosh", NULL };
    const char *tls_name = "none", *mech_name = "auto", *by_name = "tcp";
    unsigned port = 0, far_port = 0, rate = 1000;
    const struct row {
        const char *name;
        int kind;
        void *to;
        unsigned min, max;
    } rows[] = {
        { "host", O_TEXT, &o->host, 0, 0 },
        { "domain", O_TEXT, &o->domain, 0, 0 },
        { "far-domain", O_TEXT, &o->far_domain, 0, 0 },
        { "password", O_TEXT, &o->password, 0, 0 },
        { "prefix", O_TEXT, &o->prefix, 0, 0 },
        { "resource", O_TEXT, &o->resource, 0, 0 },
        { "scram-cache", O_TEXT, &o->scram_cache, 0, 0 },
        { "tls", O_TEXT, &tls_name, 0, 0 },
        { "by", O_TEXT, &by_name, 0, 0 },
        { "mech", O_TEXT, &mech_name, 0, 0 },
        { "port", O_UINT, &port, 1, 65535 },
        { "far-port", O_UINT, &far_port, 1, 65535 },
        { "first", O_UINT, &o->first, 0, 10000000 },
        { "count", O_UINT, &o->count, 1, 100000 },
        { "step", O_UINT, &o->step, 1, 1000 },
        { "concurrency", O_UINT, &o->concurrency, 1, 20000 },
        { "addresses", O_UINT, &o->addresses, 1, 200 },
        { "contacts", O_UINT, &o->contacts, 1, 63 },
        { "in-flight", O_UINT, &o->in_flight, 1, 60 },
        { "rate", O_UINT, &rate, 1, 10000000 },
        { "window", O_UINT, &o->window, 1, 100000 },
        { "messages", O_UINT, &o->messages, 1, 100000 },
        { "remotes", O_UINT, &o->remotes, 1, 100000 },
        { "rounds", O_UINT, &o->rounds, 1, 100000 },
        { "seconds", O_UINT, &o->seconds, 1, 86400 },
        { "warm-up", O_UINT, &o->warm_up, 0, 3600 },
        { "timeout", O_UINT, &o->timeout_s, 1, 86400 },
        { "receipts", O_FLAG, &o->receipts, 0, 0 },
        { "full-jid", O_FLAG, &o->full_jid, 0, 0 },
        { "raw", O_FLAG, &o->raw, 0, 0 },
        { "phases", O_FLAG, &o->phases, 0, 0 },
    };
    struct option known[sizeof(rows) / sizeof(rows[0]) + 1];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        known[i] = (struct option){ rows[i].name, rows[i].kind == O_FLAG ? no_argument : required_argument,
                                    NULL, 0 };
    known[sizeof(rows) / sizeof(rows[0])] = (struct option){ NULL, 0, NULL, 0 };
    int c, i = 0;
    while ((c = getopt_long(argc, argv, "", known, &i)) != -1) {
        if (c != 0)
            exit(2);
        if (rows[i].kind == O_TEXT)
            *(const char **)rows[i].to = optarg;
        else if (rows[i].kind == O_UINT)
            *(unsigned *)rows[i].to = number(rows[i].name, optarg, rows[i].min, rows[i].max);
        else
            *(bool *)rows[i].to = true;
    }
    o->tls = (enum tls_use)word(tls_name, tls);
    o->mech = (enum mech)word(mech_name, mechs);
    o->by = (enum transport)word(by_name, ways);
    o->port = (uint16_t)(port ? port : o->tls == TLS_DIRECT ? 5223 : 5222);
    o->far_port = (uint16_t)(far_port ? far_port : o->port);
    o->rate = rate;
}

int main(int argc, char **argv)
{
    struct options o = {
        .host = "127.0.0.1",
        .domain = "localhost",
        .password = "bench-secret",
        .prefix = "user",
        .resource = "bench",
        .count = 100,
        .step = 1,
        .concurrency = 64,
        .addresses = 8,
        .contacts = 25,
        .in_flight = 1,
        .seconds = 5,
        .warm_up = 1,
        .rounds = 1,
        .messages = 50,
        .window = 16,
        .remotes = 1000,
        .timeout_s = 600,
    };
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        fputs(usage, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    signal(SIGPIPE, SIG_IGN);
    parse(argc - 1, argv + 1, &o);
    if (strcmp(argv[1], "idle") == 0)
        o.phases = true;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
        if (strcmp(scenes[i].name, argv[1]) == 0)
            return scenes[i].run(&o);
    fprintf(stderr, "loadgen: no scene %s; see --help\n", argv[1]);
    return 2;
}
