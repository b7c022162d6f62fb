/* httpgw/metrictext.c */
#include "httpgw/metrictext.h"

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include <math.h>
#include <stdlib.h>

enum {
    NAME_MAX_BYTES = 128,
    HELP_MAX = 300,
    VALUE_MAX = 40,
    FAMILIES_MAX = 2000,
    PAGE_MAX = 16 << 20, /* bytes of samples, of all */
};

enum kind { COUNTER, GAUGE, HISTOGRAM, KINDS };
static const char *const kind_names[KINDS] = { "counter", "gauge", "histogram" };

struct family {
    struct link all; /* in the order in which they were first seen */
    char *name;
    char *help; /* NULL: none was said */
    enum kind kind;
    struct buf samples;
    unsigned turn; /* of metrictext_add; what follows is of this one */
    double le;     /* of the last bucket */
    bool plain, sum, bucket;
};
struct daemon_seen {
    struct link all;
    char *label; /* daemon="…" */
    char *role;
    bool up;
};
struct metrictext {
    struct map *families; /* by name; owns them */
    struct link in_order;
    struct link daemons;
    unsigned turn;
    size_t bytes;
};

static struct slice family_key(const void *value)
{
    return slice_cstr(((const struct family *)value)->name);
}

struct metrictext *metrictext_new(void)
{
    struct metrictext *t = mem_new(sizeof *t);
    t->families = map_new(family_key);
    list_init(&t->in_order);
    list_init(&t->daemons);
    return t;
}

void metrictext_free(struct metrictext **tp)
{
    struct metrictext *t = *tp;
    if (!t)
        return;
    LIST_EACH(&t->in_order, at) {
        struct family *f = CONTAINER(at, struct family, all);
        mem_free(f->name);
        mem_free(f->help);
        buf_fini(&f->samples);
        mem_free(f);
    }
    LIST_EACH(&t->daemons, at) {
        struct daemon_seen *d = CONTAINER(at, struct daemon_seen, all);
        mem_free(d->label);
        mem_free(d->role);
        mem_free(d);
    }
    map_free(&t->families);
    MEM_FREE(tp);
}

/* --- words --- */

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9')))
            return false;
    }
    return s.len && s.len <= NAME_MAX_BYTES;
}

/* What may stand behind HELP unescaped. */
static bool is_help(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == '\\' || s.p[i] == 0x7f)
            return false;
    }
    return s.len && s.len <= HELP_MAX;
}

/* Digits, a sign, a point: daemons write no others. */
static bool is_number(struct slice s, double *out)
{
    char text[VALUE_MAX], *end;
    bool digit = false;
    for (size_t i = 0; i < s.len; i++) {
        bool is_digit = s.p[i] >= '0' && s.p[i] <= '9';
        digit = digit || is_digit;
        if (!is_digit && s.p[i] != '.' && !(s.p[i] == '-' && i == 0))
            return false;
    }
    if (!digit || slice_to_cstr(s, text, sizeof text) != RC_OK)
        return false;
    *out = strtod(text, &end);
    return *end == '\0';
}

/* Of a label: the format's three escapes. */
static void put_escaped(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\n')
            BUF_LIT(out, "\\n");
        else if (s.p[i] == '\\' || s.p[i] == '"')
            buf_fmt(out, "\\%c", s.p[i]);
        else
            buf_byte(out, s.p[i]);
    }
}

static char *label(const char *name, struct slice value)
{
    struct buf out = BUF_INIT(0);
    size_t len;
    buf_fmt(&out, "%s=\"", name);
    put_escaped(&out, value);
    buf_put(&out, "\"", 2); /* and its end */
    return buf_take(&out, &len);
}

/* --- lines --- */

static bool take_word(struct slice *rest, struct slice *out)
{
    return slice_split(rest, ' ', out) && out->len;
}

/* A counter's name gets an ending, and a histogram's several: no other one may look like that. */
static bool ends_as_others_do(struct slice name)
{
    static const char *const endings[] = { "_total", "_bucket", "_sum", "_count" };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (name.len > n && slice_is(slice_from(name, name.len - n), endings[i]))
            return true;
    }
    return false;
}

/* The family that the lines from here on are of; NULL: none that is taken. */
static struct family *take_type(struct metrictext *t, struct slice rest)
{
    struct slice name;
    unsigned kind = 0;
    if (!take_word(&rest, &name) || !is_name(name))
        return NULL;
    while (kind < KINDS && !slice_is(rest, kind_names[kind]))
        kind++;
    if (kind == KINDS || slice_is(name, "bulkhead_up") || /* that is for us to say */
        (kind != COUNTER && ends_as_others_do(name)))
        return NULL;
    struct family *f = map_get(t->families, name);
    if (f)
        return f->kind == (enum kind)kind ? f : NULL;
    if (map_count(t->families) >= FAMILIES_MAX)
        return NULL;
    f = mem_new(sizeof *f);
    f->name = mem_copy(name);
    f->kind = (enum kind)kind;
    f->samples = BUF_INIT(PAGE_MAX);
    map_put(t->families, f);
    list_append(&t->in_order, &f->all);
    return f;
}

static bool take_help(struct family *f, struct slice rest)
{
    struct slice name;
    if (!take_word(&rest, &name) || !slice_is(name, f->name) || !is_help(rest))
        return false;
    if (!f->help)
        f->help = mem_copy(rest);
    return true;
}

static bool cut(struct slice *s, struct slice head)
{
    if (!slice_starts(*s, head))
        return false;
    *s = slice_from(*s, head.len);
    return true;
}

/* Which part of its family a sample is. */
enum part { PLAIN, SUM, BUCKET };

static bool take_suffix(const struct family *f, struct slice *rest, enum part *out)
{
    *out = PLAIN;
    if (f->kind == COUNTER)
        return cut(rest, SLICE("_total{"));
    if (f->kind == GAUGE)
        return cut(rest, SLICE("{"));
    if (cut(rest, SLICE("_bucket{")))
        *out = BUCKET;
    else if (cut(rest, SLICE("_sum{")))
        *out = SUM;
    return *out != PLAIN || cut(rest, SLICE("_count{"));
}

static bool take_le(struct slice *rest, double *out)
{
    struct slice le;
    *out = HUGE_VAL;
    return cut(rest, SLICE(",le=\"")) && slice_split(rest, '"', &le) &&
           (slice_is(le, "+Inf") || is_number(le, out));
}

/* Each part comes once; buckets come in order, and the last one is all there is. */
static bool is_first(struct family *f, enum part part, double le)
{
    bool *seen = part == PLAIN ? &f->plain : part == SUM ? &f->sum : &f->bucket;
    if (*seen && (part != BUCKET || le <= f->le))
        return false;
    *seen = true;
    f->le = part == BUCKET ? le : f->le;
    return true;
}

static bool take_sample(struct metrictext *t, struct family *f, struct slice line, struct slice own)
{
    struct slice rest = line;
    enum part part;
    double value, le = 0;
    if (f->turn != t->turn) {
        f->turn = t->turn;
        f->plain = f->sum = f->bucket = false;
    }
    if (!cut(&rest, slice_cstr(f->name)) || !take_suffix(f, &rest, &part) || !cut(&rest, own) ||
        (part == BUCKET && !take_le(&rest, &le)) || !cut(&rest, SLICE("} ")) || !is_number(rest, &value))
        return false;
    if (t->bytes + line.len > PAGE_MAX || !is_first(f, part, le))
        return false;
    t->bytes += line.len + 1;
    buf_slice(&f->samples, line);
    buf_byte(&f->samples, '\n');
    return true;
}

/* --- daemons --- */

static bool is_new(const struct metrictext *t, const char *own)
{
    LIST_EACH(&t->daemons, at) {
        const struct daemon_seen *d = CONTAINER(at, struct daemon_seen, all);
        if (strcmp(d->label, own) == 0)
            return false;
    }
    return true;
}

static void note(struct metrictext *t, char *own, char *role, bool up)
{
    LIST_EACH(&t->daemons, at) {
        struct daemon_seen *d = CONTAINER(at, struct daemon_seen, all);
        if (strcmp(d->label, own) == 0 && strcmp(d->role, role) == 0) {
            mem_free(own);
            mem_free(role);
            return;
        }
    }
    struct daemon_seen *d = mem_new(sizeof *d);
    d->label = own;
    d->role = role;
    d->up = up;
    list_append(&t->daemons, &d->all);
}

size_t metrictext_add(struct metrictext *t, struct slice role, struct slice instance, bool up,
                      struct slice text)
{
    char *own = label("daemon", instance);
    bool fresh = is_new(t, own);
    struct slice line;
    struct family *f = NULL;
    size_t bad = 0;
    t->turn++;
    while (slice_split(&text, '\n', &line)) {
        bool ok = fresh && line.len;
        if (ok && cut(&line, SLICE("# TYPE ")))
            ok = (f = take_type(t, line)) != NULL;
        else if (ok && cut(&line, SLICE("# HELP ")))
            ok = f && take_help(f, line);
        else
            ok = ok && f && take_sample(t, f, line, slice_cstr(own));
        bad += !ok;
    }
    note(t, own, label("role", role), up);
    return bad;
}

/* --- the page --- */

void metrictext_write(const struct metrictext *t, struct buf *out)
{
    if (!list_empty(&t->daemons))
        BUF_LIT(out, "# HELP bulkhead_up Whether the daemon has answered\n# TYPE bulkhead_up gauge\n");
    LIST_EACH(&t->daemons, at) {
        const struct daemon_seen *d = CONTAINER(at, struct daemon_seen, all);
        buf_fmt(out, "bulkhead_up{%s,%s} %d\n", d->label, d->role, d->up);
    }
    LIST_EACH(&t->in_order, at) {
        const struct family *f = CONTAINER(at, struct family, all);
        const char *suffix = f->kind == COUNTER ? "_total" : "";
        if (!f->samples.len)
            continue;
        if (f->help)
            buf_fmt(out, "# HELP %s%s %s\n", f->name, suffix, f->help);
        buf_fmt(out, "# TYPE %s%s %s\n", f->name, suffix, kind_names[f->kind]);
        buf_slice(out, buf_get(&f->samples));
    }
}
