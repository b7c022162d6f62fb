/* common/tools/ctl_run.c - any administrative command by its name: the table that XMPP clients see */
#include "common/tools/admin.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/ns.h"
#include <stdio.h>
#include <string.h>

#define OURS "urn:bulkhead:commands:"

/* VAR=VALUE; a VAR that comes again has one value more. */
static bool add_argument(struct tool *t, struct node *form, const char *argument)
{
    struct slice rest = slice_cstr(argument), var;
    if (slice_find(rest, '=') < 1)
        return false;
    slice_split(&rest, '=', &var);
    for (struct node *f = node_find(form, "field", NULL); f; f = node_find_next(f, "field", NULL)) {
        if (slice_eq(node_attr(f, "var"), var)) {
            form_value(t->arena, f, rest);
            return true;
        }
    }
    form_value(t->arena, form_field(t->arena, form, arena_cstr(t->arena, var), NULL, NULL, SLICE_NONE), rest);
    return true;
}

/* What a terminal would take for something else than text is left out. */
static void put(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        putchar((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? '?' : text.p[i]);
}

/* "a b": the values of one field. */
static void put_values(struct tool *t, const struct node *field)
{
    const struct node *v = node_find(field, "value", NULL);
    for (const char *between = ""; v; v = node_find_next(v, "value", NULL), between = " ") {
        fputs(between, stdout);
        put(node_text(t->arena, v));
    }
}

/* Fields a line, and items a line with tabs between, under their names. */
static void print_form(struct tool *t, const struct node *form)
{
    for (const struct node *n = node_child(form); n; n = node_sibling(n)) {
        bool head = node_is(n, "reported", NULL);
        if (head || node_is(n, "item", NULL)) {
            const char *between = "";
            for (const struct node *f = node_find(n, "field", NULL); f;
                 f = node_find_next(f, "field", NULL)) {
                fputs(between, stdout);
                between = "\t";
                if (head)
                    put(node_attr(f, "var"));
                else
                    put_values(t, f);
            }
            putchar('\n');
        } else if (node_is(n, "field", NULL) && !slice_is(node_attr(n, "var"), "FORM_TYPE")) {
            put(node_attr(n, "var"));
            fputs(": ", stdout);
            put_values(t, n);
            putchar('\n');
        }
    }
}

int ctl_run(struct tool *t, int argc, char **argv)
{
    struct admin *ad = NULL;
    struct node *result = NULL, *form = admin_form(t);
    struct slice domain;
    struct why why;
    if (argc < 2)
        return tool_usage("a DOMAIN and a COMMAND");
    if (jid_prepare_domain(t->arena, slice_cstr(argv[0]), &domain, &why) != RC_OK)
        return tool_fail(TOOL_USAGE, "%s: %s", argv[0], why.text);
    for (int i = 2; i < argc; i++)
        if (!add_argument(t, form, argv[i]))
            return tool_usage("%s: not VAR=VALUE", argv[i]);
    if (!form_has(form, "domain")) /* what concerns a domain concerns this one */
        form_field(t->arena, form, "domain", NULL, NULL, domain);
    const char *node = strchr(argv[1], ':') ? argv[1] : arena_fmt(t->arena, OURS "%s", argv[1]).p;
    enum rc rc = admin_open(t, &ad, &why);
    if (rc == RC_OK)
        rc = admin_run(ad, domain, node, form, &result, &why);
    admin_close(&ad);
    if (rc == RC_CLOSED || rc == RC_TIMEOUT)
        return tool_fail(TOOL_UNREACHABLE, "%s: the server cannot be reached: %s", t->dir, why.text);
    if (rc != RC_OK)
        return tool_fail(TOOL_FAILED, "%s: %s", argv[1], why.text);
    print_form(t, result);
    return form_type_is(result, "form") ? tool_fail(TOOL_FAILED, "%s: it asks for this", argv[1]) : TOOL_OK;
}
