/* httpgw/restdoc.c - the API described by OpenAPI 3.1: of the table of paths, and of the commands that the
 * asker may run */
#include "common/base/version.h"
#include "common/xmpp/ns.h"
#include "httpgw/restin.h"
#include <assert.h>

/* { "description": …, "content": { type: { "schema": … } } } */
static json_t *response(const char *description, const char *type, json_t *schema)
{
    json_t *out = json_object(), *media = json_object(), *content = json_object();
    json_object_set_new(out, "description", json_string(description));
    json_object_set_new(media, "schema", schema);
    json_object_set_new(content, type, media);
    json_object_set_new(out, "content", content);
    return out;
}

static json_t *ref(const char *name)
{
    return json_pack("{s:s+}", "$ref", "#/components/schemas/", name);
}

static json_t *responses(const char *status, const char *description, json_t *schema)
{
    json_t *out = json_object();
    json_object_set_new(out, status, response(description, "application/json", schema));
    json_object_set_new(out, "default",
                        response("What is wrong (RFC 9457)", "application/problem+json", ref("Problem")));
    return out;
}

static json_t *request_body(json_t *schema, bool required)
{
    json_t *out = response("", "application/json", schema);
    json_object_del(out, "description");
    json_object_set_new(out, "required", json_boolean(required));
    return out;
}

static json_t *domain_parameter(void)
{
    return json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", "domain", "in", "query", "description",
                     "The domain that is asked, where it is not that of the Host header", "schema", "type",
                     "string");
}

static json_t *operation(const char *id, json_t *summary, json_t *answers)
{
    json_t *out = json_object(), *parameters = json_array();
    json_object_set_new(out, "operationId", json_string(id));
    json_object_set_new(out, "summary", summary);
    json_array_append_new(parameters, domain_parameter());
    json_object_set_new(out, "parameters", parameters);
    json_object_set_new(out, "responses", answers);
    return out;
}

static void set_operation(json_t *paths, const char *path, const char *method, json_t *operation_new)
{
    json_t *item = json_object_get(paths, path);
    if (!item) {
        item = json_object();
        json_object_set_new_nocheck(paths, path, item);
    }
    json_object_set_new(item, method, operation_new);
}

/* --- schemas --- */

/* JSON of the schemas that do not depend on who asks; quotes are single ones. */
/* clang-format off */
static const char schemas_text[] =
    "{'Problem': {'type': 'object', 'required': ['type', 'title', 'status'], 'properties': {"
    "  'type': {'type': 'string'}, 'title': {'type': 'string'}, 'status': {'type': 'integer'},"
    "  'detail': {'type': 'string'}, 'form': {'$ref': '#/components/schemas/Form'},"
    "  'condition': {'type': 'string', 'description': 'of the stanza error behind it (RFC 6120 8.3.3)'}}},"
    " 'Result': {'type': 'object', 'required': ['status', 'note'], 'properties': {"
    "  'status': {'type': 'string'},"
    "  'note': {'type': 'array', 'items': {'type': 'object', 'properties': {"
    "   'type': {'type': 'string'}, 'text': {'type': 'string'}}}},"
    "  'form': {'type': 'object', 'required': ['fields'], 'properties': {"
    "   'title': {'type': 'string'}, 'instructions': {'type': 'array', 'items': {'type': 'string'}},"
    "   'form_type': {'type': 'string'},"
    "   'fields': {'type': 'object', 'description': 'var: value'},"
    "   'items': {'type': 'array', 'description': 'a table, by rows', 'items': {'type': 'object'}}}}}},"
    " 'Form': {'type': 'object', 'required': ['fields'], 'properties': {"
    "  'title': {'type': 'string'}, 'instructions': {'type': 'array', 'items': {'type': 'string'}},"
    "  'fields': {'type': 'array', 'items': {'type': 'object', 'required': ['type', 'required'], 'properties': {"
    "   'var': {'type': 'string'}, 'type': {'type': 'string', 'description': 'XEP-0004 3.3'},"
    "   'label': {'type': 'string'}, 'desc': {'type': 'string'}, 'required': {'type': 'boolean'},"
    "   'value': {'description': 'what it is where nothing else is said'},"
    "   'options': {'type': 'array', 'items': {'type': 'object', 'properties': {"
    "    'label': {'type': 'string'}, 'value': {'type': 'string'}}}},"
    "   'datatype': {'type': 'string', 'description': 'XEP-0122 3.1'},"
    "   'min': {'type': 'string'}, 'max': {'type': 'string'}}}}}},"
    " 'Command': {'type': 'object', 'required': ['node', 'title', 'changes'], 'properties': {"
    "  'node': {'type': 'string'}, 'title': {'type': 'string'}, 'changes': {'type': 'boolean'},"
    "  'form': {'$ref': '#/components/schemas/Form'}}},"
    " 'Commands': {'type': 'object', 'required': ['domain', 'commands'], 'properties': {"
    "  'domain': {'type': 'string'},"
    "  'commands': {'type': 'array', 'items': {'$ref': '#/components/schemas/Command'}}}},"
    " 'Message': {'type': 'object', 'required': ['to', 'body'], 'additionalProperties': false, 'properties': {"
    "  'to': {'type': 'string'}, 'body': {'type': 'string'}, 'subject': {'type': 'string'},"
    "  'thread': {'type': 'string'},"
    "  'type': {'type': 'string', 'enum': ['chat', 'normal', 'headline'], 'default': 'chat'}}},"
    " 'Accepted': {'type': 'object', 'required': ['status', 'id'], 'properties': {"
    "  'status': {'type': 'string'}, 'id': {'type': 'string'}}}}";
/* clang-format on */

static json_t *schemas(void)
{
    char text[sizeof schemas_text];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = schemas_text[i] == '\'' ? '"' : schemas_text[i];
    json_t *out = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert(out);
    return out;
}

/* --- the table of paths --- */

/* The star of a path is its {node} there. */
static json_t *own_operation(const struct rest_path *p, char *path, size_t size)
{
    size_t len = strlen(p->path);
    bool of_node = p->path[len - 1] == '*', list = strcmp(p->path, "/api/commands") == 0;
    bool message = strcmp(p->path, "/api/messages") == 0;
    json_t *answers;
    const char *id;
    struct buf out = { path, 0, size - 1, size - 1, false };
    buf_put(&out, p->path, of_node ? len - 1 : len);
    if (of_node)
        BUF_LIT(&out, "{node}");
    path[out.len] = '\0';
    if (p->method == HTTP_POST) {
        id = message ? "sendMessage" : "runCommand";
        answers = message ? responses("202", "It is in safe hands", ref("Accepted"))
                          : responses("200", "What came of it", ref("Result"));
    } else {
        id = list ? "listCommands" : of_node ? "describeCommand" : "describeApi";
        answers =
            responses("200", p->summary, of_node ? ref("Command") : json_pack("{s:s}", "type", "object"));
    }
    json_t *op = operation(id, json_string(p->summary), answers);
    if (of_node)
        json_array_append_new(json_object_get(op, "parameters"),
                              json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", "node", "in", "path", "required",
                                        1, "schema", "type", "string"));
    if (p->method == HTTP_POST)
        json_object_set_new(
            op, "requestBody",
            request_body(message ? ref("Message") : json_pack("{s:s}", "type", "object"), message));
    return op;
}

/* --- the commands --- */

static void percent(struct buf *out, struct slice text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"; /* RFC 3986 2.3 */
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] && strchr(plain, text.p[i]))
            buf_byte(out, text.p[i]);
        else
            buf_fmt(out, "%%%02X", (unsigned)(unsigned char)text.p[i]);
    }
}

static void add_command(struct rest_call *c, json_t *paths, const struct node *command)
{
    struct node *form = form_of(command);
    struct slice node = node_attr(command, "node"), title = node_attr(command, "title");
    struct buf path = BUF_INIT(0), id = BUF_INIT(0);
    json_t *schema = formjson_schema(c->arena, form);
    bool required = json_object_get(schema, "required") != NULL;
    BUF_LIT(&path, "/api/commands/");
    percent(&path, node);
    BUF_LIT(&id, "run:");
    percent(&id, node);
    json_t *op = operation(arena_cstr(c->arena, buf_get(&id)), formjson_string(title),
                           responses("200", "What came of it", ref("Result")));
    json_object_set_new(op, "requestBody", request_body(schema, required));
    set_operation(paths, arena_cstr(c->arena, buf_get(&path)), "post", op);
    buf_fini(&path);
    buf_fini(&id);
}

json_t *restdoc_openapi(struct rest_call *c, const struct node *commands)
{
    json_t *paths = json_object();
    char path[128];
    for (const struct rest_path *p = rest_paths; p->path; p++) {
        json_t *op = own_operation(p, path, sizeof path);
        set_operation(paths, path, p->method == HTTP_POST ? "post" : "get", op);
    }
    for (struct node *n = node_find(commands, "command", NULL); n; n = node_find_next(n, "command", NULL))
        add_command(c, paths, n);
    return json_pack(
        "{s:s, s:{s:s, s:s}, s:[{s:s}], s:[{s:[]}, {s:[]}], s:o, s:{s:{s:{s:s, s:s}, s:{s:s, s:s}}, s:o}}",
        "openapi", "3.1.0", "info", "title", "Bulkhead", "version", BULKHEAD_VERSION, "servers", "url", "/",
        "security", "basic", "bearer", "paths", paths, "components", "securitySchemes", "basic", "type",
        "http", "scheme", "basic", "bearer", "type", "http", "scheme", "bearer", "schemas", schemas());
}
