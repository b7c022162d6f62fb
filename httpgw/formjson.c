/* httpgw/formjson.c - what comes in, and what goes out; schemas are in formschema.c */
#include "httpgw/formjson.h"

#include "common/base/secret.h"
#include "common/xmpp/ns.h"
#include "httpgw/formfield.h"
#include <math.h>

/* --- read --- */

enum rc formjson_read(struct slice text, json_t **out, struct why *why)
{
    json_error_t error;
    json_t *it = json_loadb(text.p ? text.p : "", text.len, JSON_REJECT_DUPLICATES, &error);
    if (!it) {
        const char *near = strstr(error.text, " near "); /* what stands there may be a password */
        why_set(why, "line %d, column %d: %.*s", error.line, error.column,
                near ? (int)(near - error.text) : (int)strlen(error.text), error.text);
        return RC_SYNTAX;
    }
    if (!json_is_object(it)) {
        json_decref(it);
        why_set(why, "one object is expected");
        return RC_SYNTAX;
    }
    if (json_object_size(it) > FORMJSON_MEMBERS_MAX) {
        json_decref(it);
        why_set(why, "more than %d members", FORMJSON_MEMBERS_MAX);
        return RC_LIMIT;
    }
    *out = it;
    return RC_OK;
}

static void wipe(json_t *it)
{
    const char *key;
    json_t *value;
    if (json_is_string(it) && json_string_length(it))
        secret_wipe((void *)(uintptr_t)json_string_value(it), json_string_length(it));
    for (size_t i = 0; i < json_array_size(it); i++)
        wipe(json_array_get(it, i));
    json_object_foreach(it, key, value) wipe(value);
}

void formjson_forget(json_t *it)
{
    wipe(it);
    json_decref(it);
}

/* XML 1.0 2.2; what UTF-8 does not allow has been refused before. */
bool formjson_is_xml(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        if (c == 0xef && i + 2 < s.len && (unsigned char)s.p[i + 1] == 0xbf &&
            (unsigned char)s.p[i + 2] >= 0xbe)
            return false; /* U+FFFE, U+FFFF */
    }
    return true;
}

enum rc formjson_text(struct arena *a, const json_t *string, struct slice *out)
{
    struct slice s = slice_of(json_string_value(string), json_string_length(string));
    if (!formjson_is_xml(s))
        return RC_SYNTAX;
    *out = arena_copy(a, s);
    return RC_OK;
}

/* A number as a form has it: whole ones without a point. */
static struct slice number_text(struct arena *a, const json_t *n)
{
    const double whole_max = 1e15;
    double d = json_number_value(n);
    if (json_is_integer(n))
        return arena_fmt(a, "%lld", (long long)json_integer_value(n));
    if (d >= -whole_max && d <= whole_max && !(d < rint(d)) && !(d > rint(d)))
        return arena_fmt(a, "%.0f", d);
    return arena_fmt(a, "%.17g", d);
}

MUST_USE static enum rc scalar_text(struct arena *a, const json_t *v, struct slice *out)
{
    if (json_is_string(v))
        return formjson_text(a, v, out);
    if (json_is_boolean(v))
        *out = arena_copy(a, json_is_true(v) ? SLICE("1") : SLICE("0")); /* XEP-0004 3.3 */
    else if (json_is_number(v))
        *out = number_text(a, v);
    else
        return RC_SYNTAX;
    return RC_OK;
}

struct submit {
    struct arena *a;
    struct node *form;
    size_t values;
};

MUST_USE static enum rc add_value(struct submit *s, struct node *field, const json_t *v)
{
    struct slice text;
    if (s->values++ == FORMJSON_VALUES_MAX)
        return RC_LIMIT;
    enum rc rc = scalar_text(s->a, v, &text);
    if (rc == RC_OK)
        form_value(s->a, field, text);
    return rc;
}

MUST_USE static enum rc add_member(struct submit *s, struct slice var, const json_t *value)
{
    enum rc rc = formjson_is_xml(var) ? RC_OK : RC_SYNTAX;
    if (rc != RC_OK)
        return rc;
    struct node *field = form_field(s->a, s->form, NULL, NULL, NULL, SLICE_NONE);
    node_set(s->a, field, "var", arena_copy(s->a, var));
    if (!json_is_array(value))
        return json_is_null(value) ? RC_OK : add_value(s, field, value);
    for (size_t i = 0; rc == RC_OK && i < json_array_size(value); i++)
        rc = add_value(s, field, json_array_get(value, i));
    return rc;
}

enum rc formjson_submit(struct arena *a, json_t *object, struct node **out, struct why *why)
{
    struct submit s = { a, form_new(a, NULL, FORM_SUBMIT, NULL), 0 };
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        enum rc rc = add_member(&s, slice_cstr(key), value);
        if (rc == RC_OK)
            continue;
        struct slice shown = slice_utf8_cut(slice_cstr(key), 64);
        if (rc == RC_LIMIT)
            why_set(why, "more than %d values", FORMJSON_VALUES_MAX);
        else
            why_set(why,
                    SLICE_FMT
                    ": neither a text that XML takes, a number, true or false, nor an array of these",
                    SLICE_ARG(shown));
        return rc;
    }
    *out = s.form;
    return RC_OK;
}

/* --- written --- */

json_t *formjson_string(struct slice s)
{
    return json_stringn_nocheck(s.p ? s.p : "", s.len);
}

static void set_text(struct arena *a, json_t *to, const char *key, const struct node *n, const char *name)
{
    struct node *child = node_find(n, name, NS_FORM);
    if (child)
        json_object_set_new(to, key, formjson_string(node_text(a, child)));
}

static void set_texts(struct arena *a, json_t *to, const char *key, const struct node *n, const char *name)
{
    struct node *child = node_find(n, name, NS_FORM);
    json_t *list = child ? json_array() : NULL;
    for (; child; child = node_find_next(child, name, NS_FORM))
        json_array_append_new(list, formjson_string(node_text(a, child)));
    if (list)
        json_object_set_new(to, key, list);
}

/* As an integer where XEP-0122 says that it is one. */
static json_t *scalar(const struct formfield *f, struct slice text)
{
    int64_t n;
    if (f->kind == FORMFIELD_BOOLEAN && (slice_is(text, "1") || slice_is(text, "true")))
        return json_true();
    if (f->kind == FORMFIELD_BOOLEAN && (slice_is(text, "0") || slice_is(text, "false") || !text.len))
        return json_false();
    if (f->integer && slice_i64(text, INT64_MIN, INT64_MAX, &n) == RC_OK)
        return json_integer(n);
    return formjson_string(text);
}

json_t *formfield_value(struct arena *a, const struct formfield *f, const struct node *field)
{
    struct node *v = node_find(field, "value", NS_FORM);
    bool several = v && node_find_next(v, "value", NS_FORM);
    if (f->kind != FORMFIELD_MULTI && !several)
        return v ? scalar(f, node_text(a, v)) : json_null();
    json_t *list = json_array();
    for (; v; v = node_find_next(v, "value", NS_FORM))
        json_array_append_new(list, scalar(f, node_text(a, v)));
    return list;
}

struct formfield formfield_of(const struct node *field)
{
    static const char *const multi[] = { "jid-multi", "list-multi", "text-multi" };
    static const char *const integers[] = { "xs:integer",         "xs:int",        "xs:long",
                                            "xs:short",           "xs:byte",       "xs:nonNegativeInteger",
                                            "xs:positiveInteger", "xs:unsignedInt" };
    struct formfield f = { .type = node_attr(field, "type"),
                           .datatype = node_attr(node_find(field, "validate", NS_VALIDATE), "datatype") };
    if (slice_is(f.type, "boolean"))
        f.kind = FORMFIELD_BOOLEAN;
    for (size_t i = 0; i < sizeof multi / sizeof *multi; i++)
        f.kind = slice_is(f.type, multi[i]) ? FORMFIELD_MULTI : f.kind;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        f.integer |= slice_is(f.datatype, integers[i]);
    return f;
}

/* --- what a form tells --- */

/* An object's member by a var as XML had it, so without NUL. */
static void set_var(struct arena *a, json_t *to, struct slice var, json_t *value)
{
    json_object_set_new_nocheck(to, arena_cstr(a, var), value);
}

static const struct node *reported_field(const struct node *form, struct slice var)
{
    struct node *reported = node_find(form, "reported", NS_FORM);
    struct node *field = node_find(reported, "field", NS_FORM);
    while (field && !slice_eq(node_attr(field, "var"), var))
        field = node_find_next(field, "field", NS_FORM);
    return field;
}

static json_t *row(struct arena *a, const struct node *form, const struct node *item)
{
    json_t *out = json_object();
    for (struct node *f = node_find(item, "field", NS_FORM); f; f = node_find_next(f, "field", NS_FORM)) {
        struct slice var = node_attr(f, "var");
        const struct node *head = reported_field(form, var);
        struct formfield kind = formfield_of(head && !node_has(f, "type") ? head : f);
        set_var(a, out, var, formfield_value(a, &kind, f));
    }
    return out;
}

json_t *formjson_result(struct arena *a, const struct node *form)
{
    json_t *out = json_object(), *fields = json_object();
    set_text(a, out, "title", form, "title");
    set_texts(a, out, "instructions", form, "instructions");
    for (struct node *f = node_find(form, "field", NS_FORM); f; f = node_find_next(f, "field", NS_FORM)) {
        struct slice var = node_attr(f, "var");
        struct formfield kind = formfield_of(f);
        if (slice_is(var, "FORM_TYPE"))
            json_object_set_new(out, "form_type", formfield_value(a, &kind, f));
        else if (var.len)
            set_var(a, fields, var, formfield_value(a, &kind, f));
    }
    json_object_set_new(out, "fields", fields);
    struct node *item = node_find(form, "item", NS_FORM);
    if (!item && !node_find(form, "reported", NS_FORM))
        return out;
    json_t *items = json_array();
    for (; item; item = node_find_next(item, "item", NS_FORM))
        json_array_append_new(items, row(a, form, item));
    json_object_set_new(out, "items", items);
    return out;
}

/* --- what a form asks --- */

static json_t *options_of(struct arena *a, const struct node *field)
{
    json_t *list = json_array();
    for (struct node *o = node_find(field, "option", NS_FORM); o; o = node_find_next(o, "option", NS_FORM)) {
        json_t *it = json_object();
        if (node_has(o, "label"))
            json_object_set_new(it, "label", formjson_string(node_attr(o, "label")));
        json_object_set_new(it, "value", formjson_string(node_child_text(a, o, "value", NS_FORM)));
        json_array_append_new(list, it);
    }
    return list;
}

static void set_attr(json_t *to, const char *key, const struct node *n, const char *attr)
{
    if (node_has(n, attr))
        json_object_set_new(to, key, formjson_string(node_attr(n, attr)));
}

static json_t *asked(struct arena *a, const struct node *field)
{
    struct formfield kind = formfield_of(field);
    struct node *validate = node_find(field, "validate", NS_VALIDATE);
    struct node *range = node_find(validate, "range", NS_VALIDATE);
    json_t *out = json_object();
    set_attr(out, "var", field, "var");
    json_object_set_new(out, "type", formjson_string(kind.type.len ? kind.type : SLICE("text-single")));
    set_attr(out, "label", field, "label");
    set_text(a, out, "desc", field, "desc");
    json_object_set_new(out, "required", json_boolean(node_find(field, "required", NS_FORM) != NULL));
    if (node_find(field, "value", NS_FORM))
        json_object_set_new(out, "value", formfield_value(a, &kind, field));
    if (node_find(field, "option", NS_FORM))
        json_object_set_new(out, "options", options_of(a, field));
    if (validate)
        set_attr(out, "datatype", validate, "datatype");
    if (range) {
        set_attr(out, "min", range, "min");
        set_attr(out, "max", range, "max");
    }
    return out;
}

json_t *formjson_form(struct arena *a, const struct node *form)
{
    json_t *out = json_object(), *fields = json_array();
    set_text(a, out, "title", form, "title");
    set_texts(a, out, "instructions", form, "instructions");
    for (struct node *f = node_find(form, "field", NS_FORM); f; f = node_find_next(f, "field", NS_FORM)) {
        if (!slice_is(node_attr(f, "var"), "FORM_TYPE"))
            json_array_append_new(fields, asked(a, f));
    }
    json_object_set_new(out, "fields", fields);
    return out;
}
