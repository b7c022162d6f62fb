/* common/daemon/conf.c - reading; values to and from text are in confvalue.c */
#include "common/daemon/conf.h"

#include "common/base/mem.h"
#include "common/base/rate.h"
#include "common/daemon/confvalue.h"
#include <assert.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <stdarg.h>

enum {
    FILE_MAX = 1024 * 1024,
    LINE_MAX_BYTES = INI_MAX_LINE - 2, /* inih's buffer holds a line break and NUL too */
    SECTION_MAX = 200,
};

/* What we know while inih calls us. inih cuts names at 49 bytes, so section headers are read here, as its
 * lines pass. */
struct reader {
    const struct conf_table *table;
    void *conf;
    struct why *why;
    const char *file;
    struct slice rest;
    unsigned line;
    char section[SECTION_MAX];
    const struct conf_named *named; /* the section is one of these; its own name is: */
    const char *name;
    bool *seen; /* per option of the table */
    enum rc rc;
};

PRINTF_LIKE(3, 4) static void fail(struct reader *r, enum rc rc, const char *fmt, ...)
{
    char text[200];
    va_list args;
    if (r->rc != RC_OK)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    r->rc = rc;
    why_set(r->why, "%s:%u: %s", r->file, r->line, text);
}

static const struct conf_named *named_find(const struct reader *r, struct slice kind)
{
    for (const struct conf_named *at = r->table->named; at && at->kind; at++)
        if (slice_is(kind, at->kind))
            return at;
    return NULL;
}

static bool section_known(const struct conf_table *table, const char *section)
{
    for (size_t i = 0; i < table->n; i++)
        if (strcmp(table->options[i].section, section) == 0)
            return true;
    return false;
}

static void section_begins(struct reader *r, struct slice header)
{
    struct why why = { "" };
    if (slice_to_cstr(slice_trim(header), r->section, sizeof r->section) != RC_OK) {
        fail(r, RC_SYNTAX, "bad section header");
        return;
    }
    struct slice name = slice_cstr(r->section), kind;
    r->named = NULL;
    if (slice_find(name, ' ') < 0) {
        if (!section_known(r->table, r->section))
            fail(r, RC_NOTFOUND, "no section [%s]", r->section);
        return;
    }
    slice_split(&name, ' ', &kind);
    name = slice_trim(name);
    r->named = named_find(r, kind);
    r->name = name.p; /* ends where section ends */
    if (!r->named || !name.len)
        fail(r, RC_NOTFOUND, "no section [%s]", r->section);
    else if (r->named->begin) {
        enum rc rc = r->named->begin(r->conf, r->name, &why);
        if (rc != RC_OK)
            fail(r, rc, "[%s]: %s", r->section, why.text);
    }
}

/* Gives inih the next line, as fgets would. */
static char *next_line(char *out, int size, void *stream)
{
    struct reader *r = stream;
    if (!r->rest.len || r->rc != RC_OK)
        return NULL;
    struct slice line;
    slice_split(&r->rest, '\n', &line);
    r->line++;
    if (line.len > (size_t)size - 2 || line.len > LINE_MAX_BYTES) {
        fail(r, RC_LIMIT, "a line longer than %d bytes", LINE_MAX_BYTES);
        return NULL;
    }
    line = slice_trim(line); /* inih would take an indented line for more of the value before */
    if (slice_to_cstr(line, out, (size_t)size) != RC_OK || !slice_utf8_ok(line)) {
        fail(r, RC_SYNTAX, "not UTF-8 text");
        return NULL;
    }
    memcpy(out + line.len, "\n", 2);
    if (slice_starts(line, SLICE("["))) {
        ptrdiff_t end = slice_find(line, ']');
        if (end < 0)
            fail(r, RC_SYNTAX, "a section header without ]");
        else
            section_begins(r, slice_of(line.p + 1, (size_t)end - 1));
    }
    return r->rc == RC_OK ? out : NULL;
}

static void set_named(struct reader *r, const char *option, const char *value)
{
    struct why why = { "" };
    for (const char *const *at = r->named->names; *at; at++) {
        if (strcmp(*at, option) != 0)
            continue;
        enum rc rc = r->named->set(r->conf, r->name, option, value, &why);
        if (rc != RC_OK)
            fail(r, rc, "[%s] %s: %s", r->section, option, why.text);
        return;
    }
    fail(r, RC_NOTFOUND, "[%s] has no option %s", r->section, option);
}

static int on_option(void *user, const char *section, const char *option, const char *value)
{
    struct reader *r = user;
    struct why why = { "" };
    (void)section; /* cut at 49 bytes */
    if (r->rc != RC_OK)
        return 0;
    if (r->named) {
        set_named(r, option, value);
        return r->rc == RC_OK;
    }
    for (size_t i = 0; i < r->table->n; i++) {
        const struct option *o = &r->table->options[i];
        if (strcmp(o->section, r->section) != 0 || strcmp(o->name, option) != 0)
            continue;
        if (r->seen[i] && o->type != OPTION_T_LIST) {
            fail(r, RC_EXISTS, "[%s] %s is given twice", r->section, option);
            return 0;
        }
        if (!r->seen[i])
            confvalue_clear(o, r->conf); /* the default */
        r->seen[i] = true;
        enum rc rc = confvalue_set(o, r->conf, slice_trim(slice_cstr(value)), &why);
        if (rc == RC_OK && r->table->check)
            rc = r->table->check(o, r->conf, &why);
        if (rc != RC_OK)
            fail(r, rc, "[%s] %s: %s", r->section, option, why.text);
        return r->rc == RC_OK;
    }
    fail(r, RC_NOTFOUND, "[%s] has no option %s", r->section, option);
    return 0;
}

static enum rc defaults(const struct conf_table *table, void *conf, struct why *why)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct option *o = &table->options[i];
        struct why bad = { "" };
        enum rc rc = confvalue_set(o, conf, slice_cstr(o->def), &bad);
        if (rc != RC_OK) { /* an error in the table */
            why_set(why, "default of [%s] %s: %s", o->section, o->name, bad.text);
            return rc;
        }
    }
    return RC_OK;
}

static enum rc read_text(const struct conf_table *table, const char *file, struct slice text, void *conf,
                         struct why *why)
{
    struct reader r = { .table = table, .conf = conf, .why = why, .file = file, .rest = text };
    r.rc = defaults(table, conf, why);
    if (r.rc == RC_OK) {
        r.seen = mem_array(table->n, sizeof *r.seen);
        int bad_line = ini_parse_stream(next_line, &r, on_option, &r);
        if (bad_line > 0 && r.rc == RC_OK) {
            r.line = (unsigned)bad_line;
            fail(&r, RC_SYNTAX, "neither a [section] nor an option = value");
        }
        mem_free(r.seen);
    }
    if (r.rc != RC_OK)
        conf_clear(table, conf);
    return r.rc;
}

enum rc conf_read_text(const struct conf_table *table, struct slice text, void *conf, struct why *why)
{
    return read_text(table, "text", text, conf, why);
}

static enum rc file_read(const char *path, char **out, size_t *len, struct why *why)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        why_set(why, "%s: %s", path, strerror(errno));
        return errno == ENOENT ? RC_NOTFOUND : RC_IO;
    }
    char *text = mem_resize(NULL, FILE_MAX);
    size_t n = fread(text, 1, FILE_MAX, f);
    enum rc rc = ferror(f) ? RC_IO : n == FILE_MAX ? RC_LIMIT : RC_OK;
    fclose(f);
    if (rc != RC_OK) {
        why_set(why, "%s: %s", path, rc == RC_IO ? "cannot be read" : "too large for a configuration file");
        mem_free(text);
        return rc;
    }
    *out = text;
    *len = n;
    return RC_OK;
}

enum rc conf_read(const struct conf_table *table, const char *path, bool must_exist, void *conf,
                  struct why *why)
{
    char *text = NULL;
    size_t len = 0;
    if (path) {
        enum rc rc = file_read(path, &text, &len, why);
        if (rc != RC_OK && (rc != RC_NOTFOUND || must_exist))
            return rc;
    }
    enum rc rc = read_text(table, path ? path : "defaults", slice_of(text, len), conf, why);
    mem_free(text);
    return rc;
}

void conf_clear(const struct conf_table *table, void *conf)
{
    for (size_t i = 0; i < table->n; i++)
        confvalue_clear(&table->options[i], conf);
    if (table->clear)
        table->clear(conf);
}

void conf_copy(const struct option *o, const void *from, void *to)
{
    struct buf text = BUF_INIT(0);
    confvalue_text(o, from, &text);
    confvalue_clear(o, to);
    enum rc rc = confvalue_set(o, to, buf_get(&text), NULL);
    assert(rc == RC_OK); /* it was read from text like this */
    (void)rc;
    buf_fini(&text);
}

void conf_compare(const struct conf_table *table, const void *a, const void *b,
                  void (*differ)(void *ctx, const struct option *o), void *ctx)
{
    for (size_t i = 0; i < table->n; i++)
        if (!confvalue_same(&table->options[i], a, b))
            differ(ctx, &table->options[i]);
}

void conf_value(const struct option *o, const void *conf, char *out, size_t size)
{
    struct buf text = BUF_INIT(size - 1);
    confvalue_text(o, conf, &text);
    if (text.len)
        memcpy(out, text.p, text.len);
    out[text.len] = '\0';
    buf_fini(&text);
}

void conf_print(const struct conf_table *table, const void *conf, struct slice file_name)
{
    const char *section = "";
    printf("# " SLICE_FMT "\n", SLICE_ARG(file_name));
    for (size_t i = 0; i < table->n; i++) {
        const struct option *o = &table->options[i];
        struct buf text = BUF_INIT(0);
        if (strcmp(section, o->section) != 0)
            printf("\n[%s]\n", o->section);
        section = o->section;
        confvalue_text(o, conf, &text);
        printf("%s = " SLICE_FMT "\n", o->name, SLICE_ARG(buf_get(&text)));
        buf_fini(&text);
    }
}

enum rc conf_networks(const struct conf_list *list, struct net_list **out, struct why *why)
{
    struct buf all = BUF_INIT(65536);
    *out = NULL;
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            buf_byte(&all, ',');
        buf_cstr(&all, list->items[i]);
    }
    enum rc rc = all.len ? net_list_parse(buf_get(&all), out, why) : RC_OK;
    buf_fini(&all);
    return rc;
}
