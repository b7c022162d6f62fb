/* sessman/mod/commands.c - ad-hoc commands of the domain (XEP-0050): the list, what each is, and running them
 */
#include "sessman/module.h"

static enum handled on_command(struct incoming *in)
{
    adhoc_iq(in, module_command(in->sm, node_attr(in->st.payload, "node")));
    return HANDLED;
}

/* XEP-0050 2.2: whoever asks sees what he may run. */
static enum handled on_items(struct incoming *in)
{
    if (!slice_is(node_attr(in->st.payload, "node"), NS_COMMANDS))
        return PASS;
    struct node *query = node_new(in->a, "query", NS_DISCO_ITEMS);
    node_set(in->a, query, "node", SLICE(NS_COMMANDS));
    for (size_t m = 0; modules[m]; m++)
        for (const struct command *c = modules[m]->commands; c && c->node; c++) {
            if (!adhoc_may(in, c))
                continue;
            struct node *item = node_add(in->a, query, "item", NS_DISCO_ITEMS);
            node_set(in->a, item, "jid", in->st.to.domain);
            node_set(in->a, item, "node", slice_cstr(c->node));
            node_set(in->a, item, "name", slice_cstr(c->title));
        }
    in_result(in, query);
    return HANDLED;
}

static enum handled on_info(struct incoming *in)
{
    struct slice node = node_attr(in->st.payload, "node");
    const struct command *c = node.len ? module_command(in->sm, node) : NULL;
    if (c ? !adhoc_may(in, c) : !slice_is(node, NS_COMMANDS))
        return PASS;
    struct node *query = node_new(in->a, "query", NS_DISCO_INFO);
    node_set(in->a, query, "node", node);
    struct node *identity = node_add(in->a, query, "identity", NS_DISCO_INFO);
    node_set(in->a, identity, "category", SLICE("automation"));
    node_set(in->a, identity, "type", c ? SLICE("command-node") : SLICE("command-list"));
    node_set(in->a, identity, "name", c ? slice_cstr(c->title) : SLICE("Commands"));
    static const char *const vars[] = { NS_COMMANDS, NS_FORM };
    for (size_t i = 0; i < 2; i++)
        node_set(in->a, node_add(in->a, query, "feature", NS_DISCO_INFO), "var", slice_cstr(vars[i]));
    in_result(in, query);
    return HANDLED;
}

/* --- all at once --- */

static void describe(struct incoming *in, struct node *list, const struct command *c)
{
    struct node *n = node_add(in->a, list, "command", NS_DESCRIPTIONS), *form = adhoc_form_new(in->a, c);
    node_set(in->a, n, "node", slice_cstr(c->node));
    node_set(in->a, n, "title", slice_cstr(c->title));
    node_set(in->a, n, "changes", c->effect == ADHOC_CHANGES ? SLICE("1") : SLICE("0"));
    if (form)
        node_append(n, form);
}

/* <commands xmlns='urn:bulkhead:commands:0' node='...'/>: what the asker may run, with forms and without a
 * session for each; node: that one alone. */
static enum handled on_describe(struct incoming *in)
{
    struct node *list = node_new(in->a, "commands", NS_DESCRIPTIONS);
    struct slice node = node_attr(in->st.payload, "node");
    const struct command *one = node.len ? module_command(in->sm, node) : NULL;
    if (node.len && !one) {
        in_error(in, COND_ITEM_NOT_FOUND, "no such command");
        return HANDLED;
    }
    if (one && !adhoc_may(in, one)) {
        in_error(in, COND_FORBIDDEN, NULL);
        return HANDLED;
    }
    for (size_t m = 0; modules[m]; m++)
        for (const struct command *c = modules[m]->commands; c && c->node; c++)
            if ((!one || c == one) && adhoc_may(in, c))
                describe(in, list, c);
    in_result(in, list);
    return HANDLED;
}

static const struct handler handlers[] = {
    { ON_IQ_SET, NS_COMMANDS, "command", TO_DOMAIN, on_command },
    { ON_IQ_GET, NS_DESCRIPTIONS, "commands", TO_DOMAIN, on_describe },
    { ON_IQ_GET, NS_DISCO_ITEMS, "query", TO_DOMAIN, on_items },
    { ON_IQ_GET, NS_DISCO_INFO, "query", TO_DOMAIN, on_info },
    { 0 },
};
static const char *const features[] = { NS_COMMANDS, NS_DESCRIPTIONS, NULL };
const struct module mod_commands = {
    .name = "commands",
    .spec = "XEP-0050 1.3.0",
    .features = features,
    .handlers = handlers,
};
