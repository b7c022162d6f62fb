/* httpgw/formschema.c - what may be submitted, as JSON Schema 2020-12 (which OpenAPI 3.1 builds on) */
#include "common/xmpp/ns.h"
#include "httpgw/formfield.h"

static json_t *options_enum(struct arena *a, const struct node *field)
{
    json_t *list = json_array();
    for (struct node *o = node_find(field, "option", NS_FORM); o; o = node_find_next(o, "option", NS_FORM))
        json_array_append_new(list, formjson_string(node_child_text(a, o, "value", NS_FORM)));
    return list;
}

static void set_bound(json_t *to, const char *key, const struct node *range, const char *attr)
{
    int64_t n;
    if (slice_i64(node_attr(range, attr), INT64_MIN, INT64_MAX, &n) == RC_OK)
        json_object_set_new(to, key, json_integer(n));
}

/* Of one value. */
static json_t *one(struct arena *a, const struct node *field, const struct formfield *f)
{
    struct node *validate = node_find(field, "validate", NS_VALIDATE);
    struct node *range = node_find(validate, "range", NS_VALIDATE);
    bool open =
        node_find(validate, "open", NS_VALIDATE) != NULL; /* XEP-0122 3.2: other values may be given */
    json_t *out = json_object();
    const char *type = f->kind == FORMFIELD_BOOLEAN ? "boolean" : f->integer ? "integer" : "string";
    json_object_set_new(out, "type", json_string(type));
    if (f->integer && range) {
        set_bound(out, "minimum", range, "min");
        set_bound(out, "maximum", range, "max");
    }
    if (slice_is(f->type, "text-private"))
        json_object_set_new(out, "format", json_string("password"));
    if (node_find(field, "option", NS_FORM))
        json_object_set_new(out, open ? "examples" : "enum", options_enum(a, field));
    return out;
}

static json_t *property(struct arena *a, const struct node *field)
{
    struct formfield f = formfield_of(field);
    struct slice label = node_attr(field, "label"), desc = node_child_text(a, field, "desc", NS_FORM);
    json_t *out = one(a, field, &f);
    if (f.kind == FORMFIELD_MULTI) {
        json_t *list = json_object();
        json_object_set_new(list, "type", json_string("array"));
        json_object_set_new(list, "items", out);
        out = list;
    }
    if (label.len)
        json_object_set_new(out, "title", formjson_string(label));
    if (desc.len)
        json_object_set_new(out, "description", formjson_string(desc));
    if (node_find(field, "value", NS_FORM))
        json_object_set_new(out, "default", formfield_value(a, &f, field));
    return out;
}

json_t *formjson_schema(struct arena *a, const struct node *form)
{
    json_t *out = json_object(), *properties = json_object(), *required = json_array();
    json_object_set_new(out, "type", json_string("object"));
    for (struct node *f = node_find(form, "field", NS_FORM); f; f = node_find_next(f, "field", NS_FORM)) {
        struct slice var = node_attr(f, "var"), type = node_attr(f, "type");
        if (!var.len || slice_is(type, "fixed") || slice_is(type, "hidden"))
            continue;
        json_object_set_new_nocheck(properties, arena_cstr(a, var), property(a, f));
        if (node_find(f, "required", NS_FORM) && !node_find(f, "value", NS_FORM))
            json_array_append_new(required, formjson_string(var));
    }
    json_object_set_new(out, "properties", properties);
    if (json_array_size(required))
        json_object_set_new(out, "required", required);
    else
        json_decref(required);
    return out;
}
