/* sessman/mod/operator.c - what the operator looks at: daemons, figures, logs, certificates, components, as
 * tables
 *
 * Each asks all daemons over the router (common/link/rlink.h:rlink_ask). What an edge says of itself may be a
 * lie: it is checked for its form and cut, and shown as that daemon's. */
#include "common/base/list.h"
#include "common/base/mem.h"
#include "sessman/module.h"
#include <stdlib.h>

#define OURS(name) "urn:bulkhead:commands:" name

enum {
    TEXT_MOST = 64 * 1024,   /* bytes of one daemon's answer that are looked at */
    TABLE_MOST = 512 * 1024, /* of all rows: a frame's half */
    ROW_BYTES = 160,         /* what a row's elements come to */
    WORD_MOST = 512,         /* of a cell */
    LINES_MOST = 500,
};

/* --- collecting --- */

struct answer {
    struct slice role, instance, text;
    bool failed;
};
struct report {
    struct adhoc *c;
    void (*show)(struct report *r); /* when all have been heard */
    struct node *table;
    struct answer *answers;
    size_t n, cap;
    size_t bytes; /* of the rows */
    bool more;    /* they were too many */
};

static int by_instance(const void *a, const void *b)
{
    const struct answer *x = a, *y = b;
    return slice_cmp(x->instance, y->instance);
}

static void on_told(void *ctx, const struct rlink_told *told)
{
    struct report *r = ctx;
    struct arena *a = adhoc_arena(r->c);
    if (!told) {
        if (r->n)
            qsort(r->answers, r->n, sizeof *r->answers, by_instance);
        r->show(r);
        return;
    }
    if (r->n == r->cap) {
        struct answer *old = r->answers;
        r->cap = r->cap ? 2 * r->cap : 8;
        r->answers = ARENA_ARRAY(a, r->cap, struct answer);
        if (r->n)
            memcpy(r->answers, old, r->n * sizeof *old);
    }
    r->answers[r->n++] = (struct answer){
        .role = arena_copy(a, slice_utf8_cut(told->role, WORD_MOST)),
        .instance = arena_copy(a, slice_utf8_cut(told->instance, WORD_MOST)),
        .text = told->failed ? SLICE_NONE : arena_copy(a, slice_utf8_cut(told->text, TEXT_MOST)),
        .failed = told->failed,
    };
}

static void ask(struct adhoc *c, struct slice what, struct slice args, const struct command_field *columns,
                void (*show)(struct report *r))
{
    struct report *r = ARENA_NEW(adhoc_arena(c), struct report);
    *r = (struct report){ .c = c, .show = show, .table = adhoc_table(c, columns) };
    rlink_ask(adhoc_sessman(c)->rlink, what, args, on_told, r);
}

/* NULL: there is no room for one more. */
static struct node *row(struct report *r, size_t bytes)
{
    r->bytes += bytes + ROW_BYTES;
    r->more = r->more || r->bytes > TABLE_MOST;
    return r->more ? NULL : adhoc_row(r->c, r->table);
}

static void cell(struct report *r, struct node *to, const char *var, struct slice value)
{
    adhoc_cell(r->c, to, var, slice_utf8_cut(value, WORD_MOST));
}

static void done(struct report *r)
{
    if (r->more)
        form_field(adhoc_arena(r->c), r->table, "more", "boolean", "There are more", SLICE("1"));
    adhoc_done(r->c, r->table, NULL);
}

/* --- figures --- */

static bool is_figure_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '.'))
            return false;
    }
    return s.len > 0 && s.len < 100;
}

/* The value of "NAME VALUE"; empty: there is no such line. */
static struct slice value_of(struct slice text, const char *name)
{
    struct slice line, word;
    while (slice_split(&text, '\n', &line)) {
        if (slice_split(&line, ' ', &word) && slice_is(word, name))
            return line;
    }
    return SLICE_NONE;
}

static uint64_t number_of(struct slice text, const char *name)
{
    uint64_t n = 0;
    if (slice_u64(value_of(text, name), UINT64_MAX, &n) != RC_OK)
        return 0;
    return n;
}

static const struct command_field daemon_columns[] = {
    { .var = "daemon", .label = "Daemon" },
    { .var = "role", .label = "Role" },
    { .var = "version", .label = "Version" },
    { .var = "ready", .type = FIELD_BOOLEAN, .label = "Ready" },
    { .var = "uptime", .label = "Up, seconds" },
    { .var = "cpu", .label = "Processor time, seconds" },
    { .var = "memory", .label = "Memory, bytes (PSS)" },
    { .var = "sessions", .label = "Sessions, or connections with other servers" },
    { .var = NULL },
};

/* All is empty of one that has not answered, but that it is not ready. */
static void show_daemon(struct report *r, const struct answer *it, struct node *to)
{
    struct arena *a = adhoc_arena(r->c);
    struct slice text = it->text, sessions = value_of(text, "sessions"), cpu = SLICE_NONE,
                 memory = SLICE_NONE;
    unsigned long long cpu_us = number_of(text, "cpu_us"), pss_kib = number_of(text, "pss_kib");
    if (!it->failed) {
        cpu = arena_fmt(a, "%llu.%02llu", cpu_us / 1000000, cpu_us / 10000 % 100);
        memory = arena_fmt(a, "%llu", pss_kib * 1024);
    }
    cell(r, to, "version", value_of(text, "version"));
    cell(r, to, "ready", slice_is(value_of(text, "ready"), "1") ? SLICE("1") : SLICE("0"));
    cell(r, to, "uptime", value_of(text, "uptime_s"));
    cell(r, to, "cpu", cpu);
    cell(r, to, "memory", memory);
    cell(r, to, "sessions", sessions.len ? sessions : value_of(text, "connections"));
}

static void show_daemons(struct report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct answer *it = &r->answers[i];
        struct node *to = row(r, it->instance.len);
        if (!to)
            break;
        cell(r, to, "daemon", it->instance);
        cell(r, to, "role", it->role);
        show_daemon(r, it, to);
    }
    done(r);
}

static void daemons(struct adhoc *c)
{
    ask(c, SLICE("figures"), SLICE_NONE, daemon_columns, show_daemons);
}

static const struct command_field figure_columns[] = {
    { .var = "daemon", .label = "Daemon" },
    { .var = "figure", .label = "Figure" },
    { .var = "value", .label = "Value" },
    { .var = NULL },
};
static const struct command_field figure_fields[] = {
    { .var = "figures", .type = FIELD_TEXTS, .label = "Only those whose names begin with one of these" },
    { .var = NULL },
};

static bool is_wanted(struct adhoc *c, struct slice name)
{
    struct node *at = NULL;
    struct slice head;
    bool any = false;
    while (adhoc_form(c) && form_next_value(adhoc_arena(c), adhoc_form(c), "figures", &at, &head)) {
        if (!head.len)
            continue;
        if (slice_starts(name, head))
            return true;
        any = true;
    }
    return !any;
}

static void show_figures(struct report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct slice rest = r->answers[i].text, line, name;
        int64_t value;
        while (!r->more && slice_split(&rest, '\n', &line)) {
            if (!slice_split(&line, ' ', &name) || !is_figure_name(name) ||
                slice_i64(line, INT64_MIN, INT64_MAX, &value) != RC_OK || !is_wanted(r->c, name))
                continue;
            struct node *to = row(r, r->answers[i].instance.len + name.len + line.len);
            if (!to)
                break;
            cell(r, to, "daemon", r->answers[i].instance);
            cell(r, to, "figure", name);
            cell(r, to, "value", line);
        }
    }
    done(r);
}

static void figures(struct adhoc *c)
{
    ask(c, SLICE("figures"), SLICE_NONE, figure_columns, show_figures);
}

/* --- logs --- */

static const struct command_field log_columns[] = {
    { .var = "daemon", .label = "Daemon" },
    { .var = "line", .label = "Line" },
    { .var = NULL },
};
static const struct command_option levels[] = {
    { "error", NULL }, { "warn", NULL }, { "info", NULL }, { "debug", NULL }, { NULL, NULL },
};
static const struct command_field log_fields[] = {
    { .var = "daemon", .label = "Daemon, such as c2s-1 (none: all)" },
    { .var = "level",
      .type = FIELD_LIST,
      .label = "Of this level, or worse",
      .value = "info",
      .options = levels },
    { .var = "lines",
      .label = "Lines of each, the newest",
      .value = "100",
      .integer = true,
      .least = 1,
      .most = LINES_MOST },
    { .var = NULL },
};

struct log_line {
    struct slice instance, text;
};

/* A line begins with its time. */
static int by_time(const void *a, const void *b)
{
    const struct log_line *x = a, *y = b;
    return slice_cmp(slice_to(x->text, 24), slice_to(y->text, 24));
}

static size_t count_lines(const struct report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        for (size_t at = 0; at < r->answers[i].text.len; at++)
            n += r->answers[i].text.p[at] == '\n';
        n++;
    }
    return n;
}

static struct log_line *all_lines(struct report *r, size_t *n)
{
    struct log_line *list = ARENA_ARRAY(adhoc_arena(r->c), count_lines(r) + 1, struct log_line);
    struct slice daemon = adhoc_value(r->c, "daemon"), line;
    *n = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct slice rest = r->answers[i].text;
        if (daemon.len && !slice_eq(daemon, r->answers[i].instance))
            continue;
        while (slice_split(&rest, '\n', &line)) {
            if (line.len)
                list[(*n)++] = (struct log_line){ r->answers[i].instance, line };
        }
    }
    if (*n)
        qsort(list, *n, sizeof *list, by_time);
    return list;
}

static void show_log(struct report *r)
{
    size_t n, first, bytes = 0;
    struct log_line *list = all_lines(r, &n);
    for (first = n; first > 0 && bytes < TABLE_MOST - 4096; first--) /* the newest, where not all fit */
        bytes += list[first - 1].instance.len + list[first - 1].text.len + ROW_BYTES;
    for (size_t i = first; i < n; i++) {
        struct node *to = row(r, list[i].instance.len + list[i].text.len);
        if (!to)
            break;
        cell(r, to, "daemon", list[i].instance);
        adhoc_cell(r->c, to, "line", list[i].text);
    }
    r->more = r->more || first > 0;
    done(r);
}

static void show_last(struct adhoc *c)
{
    struct slice level = adhoc_value(c, "level");
    if (!level.len)
        level = SLICE("info");
    ask(c, SLICE("log"),
        arena_fmt(adhoc_arena(c), SLICE_FMT " %lld", SLICE_ARG(level),
                  (long long)adhoc_number(c, "lines", 100)),
        log_columns, show_log);
}

/* --- certificates --- */

static const struct command_field certificate_columns[] = {
    { .var = "daemon", .label = "Daemon" },       { .var = "names", .label = "Names" },
    { .var = "issuer", .label = "Issuer" },       { .var = "not-after", .label = "Good until" },
    { .var = "days-left", .label = "Days left" }, { .var = NULL },
};

/* A line of certs_command: section, names, issuer, end, days left. */
static void show_certificate(struct report *r, const struct answer *it, struct slice line)
{
    enum { FIELDS = 5 };
    static const char *const vars[FIELDS] = { NULL, "names", "issuer", "not-after", "days-left" };
    struct slice fields[FIELDS];
    for (size_t i = 0; i < FIELDS; i++) {
        if (!slice_split(&line, '\t', &fields[i]))
            return;
    }
    struct node *to = row(r, it->instance.len + fields[1].len + fields[2].len);
    if (!to)
        return;
    cell(r, to, "daemon", it->instance);
    for (size_t i = 1; i < FIELDS; i++)
        cell(r, to, vars[i], fields[i]);
}

static void show_certificates(struct report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct slice rest = r->answers[i].text, line;
        while (!r->more && slice_split(&rest, '\n', &line))
            show_certificate(r, &r->answers[i], line);
    }
    done(r);
}

static void certificates(struct adhoc *c)
{
    ask(c, SLICE("certs"), SLICE("lines"), certificate_columns, show_certificates);
}

/* --- components --- */

static const struct command_field component_columns[] = {
    { .var = "name", .type = FIELD_JID, .label = "Name" },
    { .var = "router", .label = "Bound at" },
    { .var = NULL },
};

static void components(struct adhoc *c)
{
    const struct rlink *rl = adhoc_sessman(c)->rlink;
    struct report r = { .c = c, .table = adhoc_table(c, component_columns) };
    unsigned router = 0;
    size_t at = 0;
    for (struct slice name; !r.more && (name = rlink_next_component(rl, &router, &at)).len;) {
        struct node *to = row(&r, name.len);
        if (!to)
            break;
        cell(&r, to, "name", arena_copy(adhoc_arena(c), name));
        cell(&r, to, "router", arena_copy(adhoc_arena(c), slice_cstr(rlink_router(rl, router))));
    }
    done(&r);
}

static const struct command commands[] = {
    /* clang-format off */
    { OURS("daemons"), "Daemons", ADHOC_ADMIN, ADHOC_READS, NULL, daemons },
    { OURS("figures"), "Figures of the daemons", ADHOC_ADMIN, ADHOC_SHOWS, figure_fields, figures },
    { OURS("log"), "Last lines of the logs", ADHOC_ADMIN, ADHOC_SHOWS, log_fields, show_last },
    { OURS("certificates"), "Certificates in use", ADHOC_ADMIN, ADHOC_READS, NULL, certificates },
    { OURS("components"), "Names that components have bound", ADHOC_ADMIN, ADHOC_READS, NULL, components },
    { 0 },
    /* clang-format on */
};
const struct module mod_operator = {
    .name = "operator",
    .spec = "XEP-0050 1.3.0",
    .commands = commands,
};
