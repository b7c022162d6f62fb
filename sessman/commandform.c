/* sessman/commandform.c */
#include "sessman/commandform.h"

static const struct {
    const char *name;
    bool many;
} types[] = {
    [FIELD_TEXT] = { "text-single", false },    [FIELD_TEXTS] = { "text-multi", true },
    [FIELD_SECRET] = { "text-private", false }, [FIELD_BOOLEAN] = { "boolean", false },
    [FIELD_JID] = { "jid-single", false },      [FIELD_JIDS] = { "jid-multi", true },
    [FIELD_LIST] = { "list-single", false },    [FIELD_LISTS] = { "list-multi", true },
};

/* --- the form --- */

static void put_options(struct arena *a, struct node *field, const struct command_option *options)
{
    for (const struct command_option *o = options; o && o->value; o++) {
        struct node *option = node_add(a, field, "option", NULL);
        node_set(a, option, "label", slice_cstr(o->label ? o->label : o->value));
        node_add_text(a, node_add(a, option, "value", NULL), slice_cstr(o->value));
    }
}

/* XEP-0122 3. */
static void put_validation(struct arena *a, struct node *field, const struct command_field *f)
{
    if (!f->open && !f->integer)
        return;
    struct node *v = node_add(a, field, "validate", NS_VALIDATE);
    node_set(a, v, "datatype", f->integer ? SLICE("xs:integer") : SLICE("xs:string"));
    if (f->open) {
        node_add(a, v, "open", NULL);
        return;
    }
    struct node *range = node_add(a, v, "range", NULL);
    node_set(a, range, "min", arena_fmt(a, "%lld", (long long)f->least));
    node_set(a, range, "max", arena_fmt(a, "%lld", (long long)f->most));
}

struct node *commandform_new(struct arena *a, const char *title, const struct command_field *fields)
{
    struct node *form = form_new(a, NULL, FORM_FORM, NULL);
    node_add_text(a, node_add(a, form, "title", NULL),
                  slice_cstr(title)); /* XEP-0004 3.1: before the fields */
    form_field(a, form, "FORM_TYPE", "hidden", NULL, SLICE(NS_ADMIN));
    for (const struct command_field *f = fields; f->var; f++) {
        struct node *n = form_field(a, form, f->var, types[f->type].name, f->label, slice_cstr(f->value));
        if (f->required)
            node_add(a, n, "required", NULL);
        put_options(a, n, f->options);
        put_validation(a, n, f);
    }
    return form;
}

void commandform_reported(struct arena *a, struct node *form, const struct command_field *columns)
{
    struct node *reported = node_add(a, form, "reported", NULL);
    for (const struct command_field *f = columns; f->var; f++)
        form_field(a, reported, f->var, types[f->type].name, f->label, SLICE_NONE);
}

/* --- what was submitted --- */

static bool is_option(const struct command_option *options, struct slice value)
{
    for (const struct command_option *o = options; o && o->value; o++)
        if (slice_is(value, o->value))
            return true;
    return false;
}

static bool is_boolean(struct slice v)
{
    return slice_is(v, "0") || slice_is(v, "1") || slice_is(v, "true") || slice_is(v, "false");
}

static enum rc check_value(struct arena *a, const struct command_field *f, struct slice v,
                           enum stanza_cond *cond, struct why *why)
{
    struct why detail;
    struct jid jid;
    int64_t n;
    *cond = COND_NOT_ACCEPTABLE;
    if (f->integer && slice_i64(v, f->least, f->most, &n) != RC_OK) {
        why_set(why, "%s is a number from %lld to %lld", f->var, (long long)f->least, (long long)f->most);
        return RC_SYNTAX;
    }
    if (f->type == FIELD_TEXT && (slice_find(v, '\n') >= 0 || slice_find(v, '\r') >= 0)) {
        why_set(why, "%s is one line", f->var);
        return RC_SYNTAX;
    }
    if (f->type == FIELD_BOOLEAN && !is_boolean(v)) {
        why_set(why, "%s is 0 or 1", f->var);
        return RC_SYNTAX;
    }
    if ((f->type == FIELD_LIST || f->type == FIELD_LISTS) && !f->open && !is_option(f->options, v)) {
        why_set(why, "%s has a value that is none of its options", f->var);
        return RC_SYNTAX;
    }
    if ((f->type == FIELD_JID || f->type == FIELD_JIDS) && jid_parse(a, v, &jid, &detail) != RC_OK) {
        *cond = COND_JID_MALFORMED;
        why_set(why, "%s: %s", f->var, detail.text);
        return RC_SYNTAX;
    }
    return RC_OK;
}

static enum rc check_field(struct arena *a, const struct command_field *f, const struct node *form,
                           enum stanza_cond *cond, struct why *why)
{
    struct node *at = NULL;
    struct slice v;
    unsigned n = 0, filled = 0;
    while (form_next_value(a, form, f->var, &at, &v)) {
        if (++n > (types[f->type].many ? COMMANDFORM_VALUES_MAX : 1)) {
            *cond = types[f->type].many ? COND_RESOURCE_CONSTRAINT : COND_NOT_ACCEPTABLE;
            why_set(why, "%s has too many values", f->var);
            return RC_LIMIT;
        }
        if (!v.len)
            continue;
        filled++;
        enum rc rc = check_value(a, f, v, cond, why);
        if (rc != RC_OK)
            return rc;
    }
    if (filled || !f->required)
        return RC_OK;
    *cond = COND_BAD_REQUEST;
    why_set(why, "the form lacks %s", f->var);
    return RC_NOTFOUND;
}

enum rc commandform_check(struct arena *a, const struct command_field *fields, const struct node *form,
                          enum stanza_cond *cond, struct why *why)
{
    for (const struct command_field *f = fields; f->var; f++) {
        enum rc rc = check_field(a, f, form, cond, why);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}
