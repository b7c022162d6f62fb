/* common/tools/ctl_s2s.c - bulkheadctl s2s: connections with other servers; to close them; to try one, step
 * by step */
#include "common/tools/tool.h"

#include "common/base/clock.h"
#include <stdio.h>
#include <time.h>

enum { PROBE_MOST_MS = 120000, POLL_MS = 100 };

/* Over the object of all answers: instance → { connections, pairs }. */
#define EACH(list) " FROM json_each(?1) d, json_each(d.value, '$." list "') c"
static const char *const page[] = {
    "SELECT format('%-7s %-3s %-28s %-28s %-13s %-22s %-7s %8s %6s %6s', 's2s', 'way', 'here', 'there', "
    "'proven by', 'tls', 'age', 'in',"
    " 'out', 'queue')"
    " WHERE EXISTS(SELECT 1" EACH("connections") ")",
    "SELECT format('%-7s %-3s %-28s %-28s %-13s %-22s %6ds %8d %6d %6d%s%s', d.key, c.value->>'direction',"
    " coalesce((SELECT group_concat(DISTINCT p.value->>'local') FROM json_each(c.value, '$.domains') p), "
    "c.value->>'local'),"
    " coalesce((SELECT group_concat(p.value->>'remote') FROM json_each(c.value, '$.domains') p), "
    "c.value->>'remote'),"
    " c.value->>'auth',"
    " CASE WHEN c.value->>'tls' = 'none' THEN 'none' ELSE (c.value->>'tls') || ' ' || (c.value->>'cipher') "
    "END,"
    " c.value->>'age_s', c.value->>'stanzas_in', c.value->>'stanzas_out', c.value->>'queue',"
    " CASE WHEN c.value->>'bidi' THEN ' both ways' ELSE '' END,"
    " CASE WHEN c.value->'sm'->>'resumable' THEN ' resumable' ELSE '' END)" EACH("connections"),
    "SELECT format('%s: %s to %s: %d wait, %s%s', d.key, c.value->>'local', c.value->>'remote', "
    "c.value->>'queue', c.value->>'state',"
    " coalesce(format('; %s, %s (%s): %s', c.value->'failure'->>'at', c.value->'failure'->>'step', "
    "c.value->'failure'->>'error',"
    " c.value->'failure'->>'why'), ''))" EACH("pairs"),
};

static bool is_s2s(const char *instance)
{
    return slice_starts(slice_cstr(instance), SLICE("s2s"));
}

typedef int each_fn(struct tool *t, const char *instance, struct slice body, void *ctx);

/* The same question to every s2s of this host. TOOL_UNREACHABLE: there is none. */
static int ask_all(struct tool *t, const char *request, each_fn *each, void *ctx)
{
    size_t n, answered = 0;
    const char **names = tool_instances(t, &n);
    int code = TOOL_OK;
    for (size_t i = 0; i < n; i++) {
        struct slice body;
        struct why why;
        enum rc rc = is_s2s(names[i]) ? tool_ask(t, names[i], request, &body, &why) : RC_CLOSED;
        if (rc == RC_CLOSED)
            continue;
        answered++;
        if (rc != RC_OK)
            code = tool_fail(TOOL_FAILED, "%s: %s", names[i], why.text);
        else if (each(t, names[i], body, ctx) != TOOL_OK)
            code = TOOL_FAILED;
    }
    return answered ? code : tool_fail(TOOL_UNREACHABLE, "%s: no s2s runs here", t->dir);
}

/* --- the list --- */

static int add(struct tool *t, const char *instance, struct slice body, void *ctx)
{
    struct buf *json = ctx;
    (void)t;
    buf_fmt(json, "%s\"%s\":", json->len > 1 ? "," : "", instance);
    buf_slice(json, slice_trim(body));
    return TOOL_OK;
}

static int list(struct tool *t, const char *domain)
{
    struct buf json = BUF_INIT(0);
    const char *request = domain ? arena_fmt(t->arena, "s2s %s", domain).p : "s2s";
    BUF_LIT(&json, "{");
    int code = ask_all(t, request, add, &json);
    BUF_LIT(&json, "}");
    if (json.len > 2 && t->json)
        printf(SLICE_FMT "\n", SLICE_ARG(buf_get(&json)));
    else if (json.len > 2 && tool_page(page, sizeof page / sizeof page[0], buf_get(&json)) != TOOL_OK)
        code = TOOL_FAILED;
    buf_fini(&json);
    return code;
}

/* --- closing --- */

static int print_answer(struct tool *t, const char *instance, struct slice body, void *ctx)
{
    (void)t;
    (void)ctx;
    printf("%s: " SLICE_FMT, instance, SLICE_ARG(body));
    return TOOL_OK;
}

/* --- a probe --- */

static struct slice last_line(struct slice text)
{
    struct slice line = SLICE_NONE;
    text = slice_trim(text);
    while (text.len && slice_split(&text, '\n', &line))
        continue;
    return line;
}

/* Prints what was not there the last time. */
static int follow(struct tool *t, const char *instance, struct slice number)
{
    const char *request = arena_fmt(t->arena, "s2s-probe " SLICE_FMT, SLICE_ARG(number)).p;
    uint64_t until = clock_mono_ms() + PROBE_MOST_MS;
    size_t printed = 0;
    while (clock_mono_ms() < until) {
        const struct timespec pause = { 0, POLL_MS * 1000000L };
        struct slice body;
        struct why why;
        if (tool_ask(t, instance, request, &body, &why) != RC_OK)
            return tool_fail(TOOL_FAILED, "%s: %s", instance, why.text);
        struct slice more = slice_from(body, printed);
        printf(SLICE_FMT, SLICE_ARG(more));
        fflush(stdout);
        printed = body.len;
        if (slice_starts(last_line(body), SLICE("done:")))
            return slice_is(last_line(body), "done: ok") ? TOOL_OK : TOOL_FAILED;
        nanosleep(&pause, NULL);
    }
    return tool_fail(TOOL_FAILED, "%s: not done after %d s", instance, PROBE_MOST_MS / 1000);
}

static int probe(struct tool *t, const char *domain, const char *from)
{
    size_t n;
    const char **names = tool_instances(t, &n);
    struct slice body = SLICE_NONE;
    struct why why = { "" };
    for (size_t i = 0; i < n; i++) {
        if (!is_s2s(names[i]))
            continue;
        enum rc rc = tool_ask(
            t, names[i], arena_fmt(t->arena, "s2s-probe %s%s%s", domain, from ? " " : "", from ? from : "").p,
            &body, &why);
        if (rc == RC_CLOSED)
            continue;
        if (rc != RC_OK)
            return tool_fail(TOOL_FAILED, "%s: %s", names[i], why.text);
        return follow(t, names[i], slice_from(slice_trim(body), sizeof "probe " - 1));
    }
    return tool_fail(TOOL_UNREACHABLE, "%s: no s2s runs here", t->dir);
}

int ctl_s2s(struct tool *t, int argc, char **argv)
{
    const char *what = argc ? argv[0] : "";
    if (strcmp(what, "close") == 0 && argc == 2)
        return ask_all(t, arena_fmt(t->arena, "s2s-close %s", argv[1]).p, print_answer, NULL);
    if (strcmp(what, "probe") == 0 && (argc == 2 || argc == 3))
        return probe(t, argv[1], argc == 3 ? argv[2] : NULL);
    if (argc > 1 || strcmp(what, "close") == 0 || strcmp(what, "probe") == 0)
        return tool_usage("s2s [DOMAIN], s2s close DOMAIN or s2s probe DOMAIN [FROM]");
    return list(t, argc ? what : NULL);
}
