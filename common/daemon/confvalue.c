/* common/daemon/confvalue.c */
#include "common/daemon/confvalue.h"

#include "common/base/mem.h"
#include <ctype.h>

struct unit {
    const char *name;
    uint64_t factor;
};
/* Largest first: the text of a value takes the first that divides it. */
static const struct unit byte_units[] = { { "g", 1 << 30 }, { "m", 1 << 20 }, { "k", 1 << 10 }, { "", 1 } };
static const struct unit count_units[] = { { "m", 1000000 }, { "k", 1000 }, { "", 1 } };
static const struct unit time_units[] = {
    { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};
static const struct {
    const struct unit *units;
    size_t n;
    uint64_t max;
    const char *expected;
} numbers[] = {
    [OPTION_T_UINT] = { count_units, 3, UINT32_MAX, "a number, such as 5, 20k or 1m" },
    [OPTION_T_BYTES] = { byte_units, 4, SIZE_MAX, "a number of bytes, such as 512, 256k, 2m or 1g" },
    [OPTION_T_TIME] = { time_units, 5, UINT32_MAX, "a time, such as 100ms, 30s, 5m, 12h or 7d" },
};

static bool is_number(const struct option *o)
{
    return o->type == OPTION_T_UINT || o->type == OPTION_T_BYTES || o->type == OPTION_T_TIME;
}

static enum rc number_read(enum option_type type, struct slice text, uint64_t *out)
{
    size_t digits = 0;
    uint64_t n;
    while (digits < text.len && isdigit((unsigned char)text.p[digits]))
        digits++;
    struct slice suffix = slice_from(text, digits);
    enum rc rc = slice_u64(slice_to(text, digits), UINT64_MAX, &n);
    if (rc != RC_OK)
        return rc;
    if (n == 0 && !suffix.len) { /* zero needs no unit */
        *out = 0;
        return RC_OK;
    }
    for (size_t i = 0; i < numbers[type].n; i++) {
        const struct unit *u = &numbers[type].units[i];
        if (!slice_eq_nocase(suffix, slice_cstr(u->name)))
            continue;
        if (n > numbers[type].max / u->factor)
            return RC_LIMIT;
        *out = n * u->factor;
        return RC_OK;
    }
    return RC_SYNTAX;
}

static void number_text(enum option_type type, uint64_t n, struct buf *out)
{
    for (size_t i = 0; i < numbers[type].n; i++) {
        const struct unit *u = &numbers[type].units[i];
        if (n % u->factor == 0 && (n || u->factor == 1)) {
            buf_u64(out, n / u->factor);
            if (n)
                buf_cstr(out, u->name);
            return;
        }
    }
}

static enum rc number_set(const struct option *o, char *field, struct slice text, struct why *why)
{
    uint64_t n, min = 0, max = UINT64_MAX;
    enum rc rc = number_read(o->type, text, &n);
    if (rc != RC_OK) {
        why_set(why, "\"" SLICE_FMT "\" is not %s", SLICE_ARG(text), numbers[o->type].expected);
        return rc;
    }
    if (o->min && number_read(o->type, slice_cstr(o->min), &min) != RC_OK)
        min = 0;
    if (o->max && number_read(o->type, slice_cstr(o->max), &max) != RC_OK)
        max = UINT64_MAX;
    if (n < min || n > max) {
        why_set(why, "" SLICE_FMT " is not within %s and %s", SLICE_ARG(text), o->min ? o->min : "0",
                o->max ? o->max : "any");
        return RC_LIMIT;
    }
    if (o->type == OPTION_T_BYTES)
        memcpy(field, &(size_t){ (size_t)n }, sizeof(size_t));
    else
        memcpy(field, &(uint32_t){ (uint32_t)n }, sizeof(uint32_t));
    return RC_OK;
}

static uint64_t number_of(const struct option *o, const void *conf)
{
    size_t bytes;
    uint32_t n;
    const char *field = (const char *)conf + o->offset;
    if (o->type == OPTION_T_BYTES) {
        memcpy(&bytes, field, sizeof bytes);
        return bytes;
    }
    memcpy(&n, field, sizeof n);
    return n;
}

static enum rc bool_set(char *field, struct slice text, struct why *why)
{
    static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };
    for (size_t i = 0; i < 6; i++) {
        if (slice_eq_nocase(text, slice_cstr(words[i]))) {
            bool value = i % 2;
            memcpy(field, &value, sizeof value);
            return RC_OK;
        }
    }
    why_set(why, "\"" SLICE_FMT "\" is not yes or no", SLICE_ARG(text));
    return RC_SYNTAX;
}

static enum rc enum_set(const struct option *o, char *field, struct slice text, struct why *why)
{
    struct slice rest = slice_cstr(o->values), word;
    for (int i = 0; slice_split(&rest, '|', &word); i++) {
        if (slice_eq_nocase(text, word)) {
            memcpy(field, &i, sizeof i);
            return RC_OK;
        }
    }
    why_set(why, "\"" SLICE_FMT "\" is not one of %s", SLICE_ARG(text), o->values);
    return RC_SYNTAX;
}

static void list_add(char *field, struct slice text)
{
    struct conf_list *list = (void *)field;
    struct slice item;
    while (slice_split(&text, ',', &item)) {
        item = slice_trim(item);
        if (!item.len)
            continue;
        list->items = mem_resize(list->items, (list->n + 1) * sizeof *list->items);
        list->items[list->n++] = mem_copy(item);
    }
}

enum rc confvalue_set(const struct option *o, void *conf, struct slice text, struct why *why)
{
    char *field = (char *)conf + o->offset;
    switch (o->type) {
    case OPTION_T_BOOL:
        return bool_set(field, text, why);
    case OPTION_T_UINT:
    case OPTION_T_BYTES:
    case OPTION_T_TIME:
        return number_set(o, field, text, why);
    case OPTION_T_STRING:
        mem_free(*(char **)(void *)field);
        *(char **)(void *)field = text.len ? mem_copy(text) : NULL;
        return RC_OK;
    case OPTION_T_ENUM:
        return enum_set(o, field, text, why);
    case OPTION_T_LIST:
        list_add(field, text);
        return RC_OK;
    }
    return RC_UNSUPPORTED;
}

void confvalue_clear(const struct option *o, void *conf)
{
    char *field = (char *)conf + o->offset;
    struct conf_list *list = (void *)field;
    if (o->type == OPTION_T_STRING) {
        mem_free(*(char **)(void *)field);
        *(char **)(void *)field = NULL;
    } else if (o->type == OPTION_T_LIST) {
        for (size_t i = 0; i < list->n; i++)
            mem_free(list->items[i]);
        mem_free(list->items);
        *list = (struct conf_list){ NULL, 0 };
    }
}

void confvalue_text(const struct option *o, const void *conf, struct buf *out)
{
    const char *field = (const char *)conf + o->offset;
    const struct conf_list *list = (const void *)field;
    struct slice rest = slice_cstr(o->values), word = SLICE_NONE;
    int at;
    if (is_number(o)) {
        number_text(o->type, number_of(o, conf), out);
    } else if (o->type == OPTION_T_BOOL) {
        buf_cstr(out, *(const bool *)field ? "yes" : "no");
    } else if (o->type == OPTION_T_STRING) {
        buf_slice(out, slice_cstr(*(char *const *)(const void *)field));
    } else if (o->type == OPTION_T_ENUM) {
        memcpy(&at, field, sizeof at);
        for (int i = 0; i <= at && slice_split(&rest, '|', &word); i++)
            ;
        buf_slice(out, word);
    } else {
        for (size_t i = 0; i < list->n; i++) {
            buf_cstr(out, i ? ", " : "");
            buf_cstr(out, list->items[i]);
        }
    }
}

bool confvalue_same(const struct option *o, const void *a, const void *b)
{
    struct buf left = BUF_INIT(0), right = BUF_INIT(0);
    confvalue_text(o, a, &left);
    confvalue_text(o, b, &right);
    bool same = slice_eq(buf_get(&left), buf_get(&right));
    buf_fini(&left);
    buf_fini(&right);
    return same;
}
