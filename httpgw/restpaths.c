/* httpgw/restpaths.c - what may be called: each path in XMPP, and its answer in JSON (XEP-0050, RFC 6121 5)
 */
#include "common/xmpp/ns.h"
#include "httpgw/restin.h"

/* --- making what is sent --- */

/* An iq to the domain that is asked; its answer is waited for. */
static struct node *new_iq(struct rest_call *c, const char *type, struct node *payload)
{
    struct node *iq = node_new(c->arena, "iq", NS_CLIENT);
    c->iq_id = rest_new_id(c, 'r');
    node_set(c->arena, iq, "type", slice_cstr(type));
    node_set(c->arena, iq, "id", c->iq_id);
    node_set(c->arena, iq, "to", c->domain);
    node_append(iq, payload);
    c->stanzas[c->n_stanzas++] = iq; /* for rest_on_ready */
    return iq;
}

/* What the commands are, all or one, with their forms. */
static bool make_describe(struct rest_call *c, json_t *body)
{
    struct node *commands = node_new(c->arena, "commands", NS_DESCRIPTIONS);
    (void)body;
    if (c->node.len)
        node_set(c->arena, commands, "node", c->node);
    new_iq(c, "get", commands);
    return true;
}

/* The form goes with the first step: whoever calls knows it, and there is no second one. */
static bool make_command(struct rest_call *c, json_t *body)
{
    struct why why = { "" };
    struct node *form, *command = node_new(c->arena, "command", NS_COMMANDS);
    enum rc rc = formjson_submit(c->arena, body, &form, &why);
    if (rc != RC_OK) {
        rest_refuse(c, 422, why.text);
        return false;
    }
    node_set(c->arena, command, "node", c->node);
    node_set(c->arena, command, "action", SLICE("execute"));
    node_append(command, form);
    new_iq(c, "set", command);
    return true;
}

/* A member that is a text; empty: it is not there. False: the call is refused. */
static bool text_member(struct rest_call *c, const json_t *body, const char *key, bool required,
                        struct slice *out)
{
    const json_t *it = json_object_get(body, key);
    *out = SLICE_NONE;
    if (it && (!json_is_string(it) || formjson_text(c->arena, it, out) != RC_OK)) {
        rest_problem(
            c, &(struct rest_problem){ .status = 422, .detail = arena_fmt(c->arena, "%s: no text", key) });
        return false;
    }
    if (required && !out->len) {
        rest_problem(
            c, &(struct rest_problem){ .status = 422, .detail = arena_fmt(c->arena, "%s: is missing", key) });
        return false;
    }
    return true;
}

static bool known_members(struct rest_call *c, json_t *body)
{
    static const char *const known[] = { "to", "body", "type", "subject", "thread", NULL };
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i]) {
            rest_refuse(c, 422, "to, body, type, subject and thread are all that a message has here");
            return false;
        }
    }
    return true;
}

static void add_child(struct rest_call *c, struct node *to, const char *name, struct slice text)
{
    if (text.len)
        node_add_text(c->arena, node_add(c->arena, to, name, NULL), text);
}

/* The ping behind it is answered when the message has been dealt with, and what was written of it is
 * committed. */
static void add_ping(struct rest_call *c)
{
    struct node *iq = new_iq(c, "get", node_new(c->arena, "ping", NS_PING));
    node_set(c->arena, iq, "to", c->user.domain);
}

static bool make_message(struct rest_call *c, json_t *body)
{
    struct slice to, text, type, subject, thread;
    struct jid jid;
    struct why why = { "" };
    if (!known_members(c, body) || !text_member(c, body, "to", true, &to) ||
        !text_member(c, body, "body", true, &text) || !text_member(c, body, "type", false, &type) ||
        !text_member(c, body, "subject", false, &subject) || !text_member(c, body, "thread", false, &thread))
        return false;
    if (jid_parse(c->arena, to, &jid, &why) != RC_OK) {
        rest_problem(
            c, &(struct rest_problem){ .status = 422, .detail = arena_fmt(c->arena, "to: %s", why.text) });
        return false;
    }
    if (type.len && !slice_is(type, "chat") && !slice_is(type, "normal") && !slice_is(type, "headline")) {
        rest_refuse(c, 422, "type: chat, normal or headline");
        return false;
    }
    struct node *message = node_new(c->arena, "message", NS_CLIENT);
    c->message_id = rest_new_id(c, 'm');
    node_set(c->arena, message, "type", type.len ? type : SLICE("chat"));
    node_set(c->arena, message, "id", c->message_id);
    node_set(c->arena, message, "to", jid.full);
    add_child(c, message, "subject", subject);
    add_child(c, message, "body", text);
    add_child(c, message, "thread", thread);
    c->stanzas[c->n_stanzas++] = message;
    add_ping(c);
    return true;
}

/* --- answers --- */

static json_t *described(struct rest_call *c, const struct node *command)
{
    json_t *out = json_object();
    struct node *form = form_of(command);
    struct slice changes = node_attr(command, "changes");
    json_object_set_new(out, "node", formjson_string(node_attr(command, "node")));
    json_object_set_new(out, "title", formjson_string(node_attr(command, "title")));
    json_object_set_new(out, "changes", json_boolean(slice_is(changes, "1") || slice_is(changes, "true")));
    if (form)
        json_object_set_new(out, "form", formjson_form(c->arena, form));
    return out;
}

static void answer_list(struct rest_call *c, const struct node *iq)
{
    struct node *all = node_find(iq, "commands", NS_DESCRIPTIONS);
    json_t *out = json_object(), *list = json_array();
    for (struct node *n = node_find(all, "command", NULL); n; n = node_find_next(n, "command", NULL))
        json_array_append_new(list, described(c, n));
    json_object_set_new(out, "domain", formjson_string(c->domain));
    json_object_set_new(out, "commands", list);
    rest_answer(c, 200, out);
}

static void answer_one(struct rest_call *c, const struct node *iq)
{
    struct node *command = node_find(node_find(iq, "commands", NS_DESCRIPTIONS), "command", NULL);
    if (command)
        rest_answer(c, 200, described(c, command));
    else
        rest_refuse(c, 404, "no such command");
}

static void answer_openapi(struct rest_call *c, const struct node *iq)
{
    rest_answer(c, 200, restdoc_openapi(c, node_find(iq, "commands", NS_DESCRIPTIONS)));
}

static json_t *notes_of(struct rest_call *c, const struct node *command)
{
    json_t *list = json_array();
    for (struct node *n = node_find(command, "note", NS_COMMANDS); n;
         n = node_find_next(n, "note", NS_COMMANDS)) {
        json_t *note = json_object();
        struct slice type = node_attr(n, "type");
        json_object_set_new(note, "type", formjson_string(type.len ? type : SLICE("info")));
        json_object_set_new(note, "text", formjson_string(node_text(c->arena, n)));
        json_array_append_new(list, note);
    }
    return list;
}

static void cancel(struct rest_call *c, const struct node *command)
{
    struct node *n = node_new(c->arena, "command", NS_COMMANDS);
    node_set(c->arena, n, "node", c->node);
    node_set(c->arena, n, "sessionid", arena_copy(c->arena, node_attr(command, "sessionid")));
    node_set(c->arena, n, "action", SLICE("cancel"));
    restsession_send(c->session, new_iq(c, "set", n));
}

static void answer_command(struct rest_call *c, const struct node *iq)
{
    struct node *command = node_find(iq, "command", NS_COMMANDS), *form = form_of(command);
    struct slice status = node_attr(command, "status");
    if (!slice_is(status, "completed")) { /* it asks for more, which there is no second step for here */
        cancel(c, command);
        rest_problem(c, &(struct rest_problem){ .status = 422,
                                                .detail = SLICE("the command asks for this form"),
                                                .form = form ? formjson_form(c->arena, form) : NULL });
        return;
    }
    json_t *out = json_object();
    json_object_set_new(out, "status", formjson_string(status));
    json_object_set_new(out, "note", notes_of(c, command));
    if (form)
        json_object_set_new(out, "form", formjson_result(c->arena, form));
    rest_answer(c, 200, out);
}

static void answer_message(struct rest_call *c, const struct node *iq)
{
    json_t *out = json_object();
    (void)iq; /* whatever it says, it says it after the message */
    json_object_set_new(out, "status", json_string("accepted"));
    json_object_set_new(out, "id", formjson_string(c->message_id));
    rest_answer(c, 202, out);
}

/* clang-format off */
const struct rest_path rest_paths[] = {
    { HTTP_GET,  "/api/commands",     "The commands that you may run, with what each asks for", make_describe, answer_list },
    { HTTP_GET,  "/api/commands/*",   "What a command asks for", make_describe, answer_one },
    { HTTP_POST, "/api/commands/*",   "Runs a command", make_command, answer_command },
    { HTTP_POST, "/api/messages",     "Sends a message as you; it is answered when the message is in safe hands", make_message, answer_message },
    { HTTP_GET,  "/api/openapi.json", "This description, of what you may call", make_describe, answer_openapi },
    { 0, NULL, NULL, NULL, NULL },
};
/* clang-format on */
