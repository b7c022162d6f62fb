/* common/xmpp/form.c */
#include "common/xmpp/form.h"

#include "common/xmpp/ns.h"

static const char *const types[] = { "form", "submit", "cancel", "result" };

struct node *form_new(struct arena *a, struct node *parent, enum form_type type, const char *form_type)
{
    struct node *form = parent ? node_add(a, parent, "x", NS_FORM) : node_new(a, "x", NS_FORM);
    node_set(a, form, "type", slice_cstr(types[type]));
    if (form_type)
        form_field(a, form, "FORM_TYPE", "hidden", NULL, slice_cstr(form_type));
    return form;
}

struct node *form_field(struct arena *a, struct node *form, const char *var, const char *type,
                        const char *label, struct slice value)
{
    struct node *field = node_add(a, form, "field", NS_FORM);
    if (var)
        node_set(a, field, "var", slice_cstr(var));
    if (type)
        node_set(a, field, "type", slice_cstr(type));
    if (label)
        node_set(a, field, "label", slice_cstr(label));
    if (value.len)
        form_value(a, field, value);
    return field;
}

void form_value(struct arena *a, struct node *field, struct slice value)
{
    struct node *v = node_add(a, field, "value", NS_FORM);
    if (value.len)
        node_add_text(a, v, value);
}

struct node *form_of(const struct node *parent)
{
    return node_find(parent, "x", NS_FORM);
}

bool form_type_is(const struct node *form, const char *type)
{
    return form && slice_is(node_attr(form, "type"), type);
}

static struct node *field_of(const struct node *form, const char *var)
{
    struct node *field = node_find(form, "field", NS_FORM);
    while (field && !slice_is(node_attr(field, "var"), var))
        field = node_find_next(field, "field", NS_FORM);
    return field;
}

bool form_has(const struct node *form, const char *var)
{
    return field_of(form, var) != NULL;
}

struct slice form_get(struct arena *a, const struct node *form, const char *var)
{
    return node_child_text(a, field_of(form, var), "value", NS_FORM);
}

bool form_next_value(struct arena *a, const struct node *form, const char *var, struct node **at,
                     struct slice *out)
{
    *at = *at ? node_find_next(*at, "value", NS_FORM) : node_find(field_of(form, var), "value", NS_FORM);
    if (*at)
        *out = node_text(a, *at);
    return *at != NULL;
}
