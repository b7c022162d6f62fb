/* common/tools/ctl_status.c - bulkheadctl status: what each daemon's control socket tells, as a page or as
 * JSON */
#include "common/tools/tool.h"

#include <stdio.h>

/* The page, section by section, over the object of all answers (?1). SQLite reads and formats the JSON. */
static const char *const page[] = {
    "SELECT format('%-14s %8s %8s %10s %9s %9s', 'daemon', 'pid', 'up', 'memory', 'CPU', 'restarts')",
    "SELECT format('%-14s %8d %7ds %6.1f MiB %7.2f s %9s', d.key, d.value->>'pid', d.value->>'uptime_s',"
    " (d.value->>'pss_kib') / 1024.0, (d.value->>'cpu_us') / 1e6,"
    " coalesce((SELECT p.value->>'restarts' FROM json_each(?1, '$.bulkhead.processes') p"
    " WHERE p.value->>'instance' = d.key), '-')) FROM json_each(?1) d WHERE d.key <> 'bulkhead'",
    "SELECT ''",
    /* clients */
    "SELECT format('%s: %d sessions, %d connections, %d not logged in; stanzas a second in %d, "
    "out %d%s', d.key,"
    " d.value->>'sessions', d.value->>'connections', d.value->>'pending', "
    "d.value->'per_second'->>'stanzas_in',"
    " d.value->'per_second'->>'stanzas_out',"
    " CASE WHEN d.value->>'draining' THEN ' (draining)' WHEN NOT d.value->>'accepting' THEN ' (accepting "
    "pauses)' ELSE '' END)"
    " FROM json_each(?1) d WHERE d.value->>'name' IN ('c2s', 'httpgw')",
    "SELECT format('%s: certificate %s, %s, expires %s (%d days)', d.key, c.value->>'name', c.value->>'key',"
    " substr(c.value->>'expires', 1, 10), c.value->>'days_left')"
    " FROM json_each(?1) d, json_each(d.value, '$.certificates') c",
    /* accounts and the store */
    "SELECT format('%s: %d sessions, %d accounts in memory, %d domains; store: %d commits, longest %.1f ms, "
    "%d waiting%s',"
    " d.key, d.value->>'sessions', d.value->>'accounts_loaded', d.value->>'domains', "
    "d.value->'store'->>'commits',"
    " (d.value->'store'->>'commit_us_max') / 1000.0, d.value->'store'->>'waiting',"
    " CASE WHEN d.value->'store'->>'retries' > 0 THEN format(', %d retries', d.value->'store'->>'retries') "
    "ELSE '' END)"
    " FROM json_each(?1) d WHERE d.value->>'name' = 'sessman'",
    /* who is linked to whom */
    "SELECT format('%s: link to %s is %s, %d bytes wait', d.key, l.value->>'router',"
    " CASE WHEN l.value->>'up' THEN 'up' ELSE 'DOWN' END, l.value->>'waiting_bytes')"
    " FROM json_each(?1) d, json_each(d.value, '$.links') l",
    "SELECT format('%s: %s %s (level %d, %s%s)%s', d.key, p.value->>'role',"
    " coalesce(nullif(p.value->>'instance', ''), p.value->>'name'), p.value->>'level', p.value->>'ip',"
    " CASE WHEN p.value->>'tls' THEN ', TLS' ELSE '' END,"
    " coalesce(' serves ' || (SELECT group_concat(n.value, ' ') FROM json_each(p.value, '$.names') n), '')"
    " || CASE WHEN p.value->>'queue_bytes' > 0 THEN format(', %d bytes queued', p.value->>'queue_bytes') "
    "ELSE '' END)"
    " FROM json_each(?1) d, json_each(d.value, '$.peers') p",
};

int ctl_status(struct tool *t, int argc, char **argv)
{
    size_t n, answered = 0;
    struct buf json = BUF_INIT(0);
    const char **names = tool_instances(t, &n);
    int code = TOOL_OK;
    (void)argc, (void)argv;
    BUF_LIT(&json, "{");
    for (size_t i = 0; i < n; i++) {
        struct slice body;
        struct why why;
        enum rc rc = tool_ask(t, names[i], "status", &body, &why);
        if (rc == RC_CLOSED)
            continue; /* a socket that someone killed has left */
        if (rc != RC_OK) {
            code = tool_fail(TOOL_FAILED, "%s: %s", names[i], why.text);
            continue;
        }
        buf_fmt(&json, "%s\"%s\":", answered++ ? "," : "", names[i]);
        buf_slice(&json, slice_trim(body));
    }
    BUF_LIT(&json, "}");
    if (answered && t->json)
        printf(SLICE_FMT "\n", SLICE_ARG(buf_get(&json)));
    else if (answered && tool_page(page, sizeof page / sizeof page[0], buf_get(&json)) != TOOL_OK)
        code = TOOL_FAILED;
    buf_fini(&json);
    return answered || code != TOOL_OK ? code
                                       : tool_fail(TOOL_UNREACHABLE, "%s: the server does not run", t->dir);
}
