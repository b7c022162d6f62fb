/* sessman/adhocargs.c - what commands read of their form, and what they answer: on top of adhoc.c */
#include "sessman/adhoc.h"
#include "sessman/sessman.h"

/* --- values --- */

struct slice adhoc_value(const struct adhoc *c, const char *var)
{
    return adhoc_form(c) ? form_get(adhoc_arena(c), adhoc_form(c), var) : SLICE_NONE;
}

bool adhoc_true(const struct adhoc *c, const char *var)
{
    struct slice v = adhoc_value(c, var);
    return slice_is(v, "1") || slice_is(v, "true");
}

int64_t adhoc_number(const struct adhoc *c, const char *var, int64_t otherwise)
{
    int64_t n;
    return slice_i64(adhoc_value(c, var), INT64_MIN, INT64_MAX, &n) == RC_OK ? n : otherwise;
}

bool adhoc_account(struct adhoc *c, struct slice text, struct jid *out)
{
    struct why why = { "the form lacks an address" };
    if (!text.len || jid_parse(adhoc_arena(c), text, out, &why) != RC_OK) {
        adhoc_fail(c, COND_JID_MALFORMED, why.text);
        return false;
    }
    if (!out->local.len) {
        adhoc_fail(c, COND_JID_MALFORMED, "this is not the address of an account");
        return false;
    }
    if (!sessman_domain(adhoc_sessman(c), out->domain)) {
        adhoc_fail(c, COND_ITEM_NOT_FOUND, "the domain is not hosted here");
        return false;
    }
    return true;
}

struct adhoc_accounts *adhoc_accounts(struct adhoc *c, const char *var, size_t most)
{
    struct arena *a = adhoc_arena(c);
    struct adhoc_accounts *j = ARENA_NEW(a, struct adhoc_accounts);
    struct node *at = NULL;
    struct slice value;
    j->c = c;
    while (form_next_value(a, adhoc_form(c), var, &at, &value))
        j->n += value.len > 0;
    if (j->n > most) {
        adhoc_fail(c, COND_RESOURCE_CONSTRAINT, "too many addresses at once");
        return NULL;
    }
    j->list = ARENA_ARRAY(a, j->n, struct jid);
    at = NULL;
    j->n = 0;
    while (form_next_value(a, adhoc_form(c), var, &at, &value))
        if (value.len && !adhoc_account(c, value, &j->list[j->n++]))
            return NULL;
    return j;
}

bool adhoc_domain(struct adhoc *c, bool hosted, struct slice *out)
{
    struct why why;
    if (jid_prepare_domain(adhoc_arena(c), adhoc_value(c, "domain"), out, &why) != RC_OK) {
        adhoc_fail(c, COND_JID_MALFORMED, why.text);
        return false;
    }
    if (hosted && !sessman_domain(adhoc_sessman(c), *out)) {
        adhoc_fail(c, COND_ITEM_NOT_FOUND, "the domain is not hosted here");
        return false;
    }
    return true;
}

/* --- answers --- */

void adhoc_fail_rc(struct adhoc *c, enum rc rc, const struct why *why)
{
    static const enum stanza_cond conds[] = {
        [RC_EXISTS] = COND_CONFLICT,       [RC_NOTFOUND] = COND_ITEM_NOT_FOUND,
        [RC_SYNTAX] = COND_NOT_ACCEPTABLE, [RC_UNSUPPORTED] = COND_NOT_ALLOWED,
        [RC_CONFLICT] = COND_CONFLICT,     [RC_LIMIT] = COND_RESOURCE_CONSTRAINT,
        [RC_DENIED] = COND_NOT_ALLOWED,
    };
    enum stanza_cond cond = COND_INTERNAL_SERVER_ERROR;
    if ((size_t)rc < sizeof conds / sizeof *conds && conds[rc])
        cond = conds[rc];
    adhoc_fail(c, cond, why && why->text[0] ? why->text : rc_name(rc));
}

struct node *adhoc_result(struct adhoc *c)
{
    return form_new(adhoc_arena(c), NULL, FORM_RESULT, NS_ADMIN);
}

struct node *adhoc_table(struct adhoc *c, const struct command_field *columns)
{
    struct node *form = adhoc_result(c);
    commandform_reported(adhoc_arena(c), form, columns);
    return form;
}

struct node *adhoc_row(struct adhoc *c, struct node *table)
{
    return node_add(adhoc_arena(c), table, "item", NULL);
}

void adhoc_cell(struct adhoc *c, struct node *row, const char *var, struct slice value)
{
    form_field(adhoc_arena(c), row, var, NULL, NULL, value);
}
