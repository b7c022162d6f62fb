/* httpgw/formjson.h - data forms as JSON, and back (XEP-0004, XEP-0122, RFC 8259)
 *
 * A form that is submitted is one object: var → string, number, boolean, or an array of these; null: no value. What a field is, is told by
 * the form's field types: boolean → true and false, *-multi → an array, an integer of XEP-0122 → a number, the rest → a string.
 * What comes in is checked so that all of it can stand in XML. Pure; json_t are the caller's (json_decref). */
#ifndef HTTPGW_FORMJSON_H
#define HTTPGW_FORMJSON_H

#include "common/xmpp/form.h"
#include <jansson.h>

enum {
    FORMJSON_MEMBERS_MAX = 1000, /* of an object */
    FORMJSON_VALUES_MAX = 4000,  /* of all its members together */
};
/* One object and nothing else. RC_SYNTAX: no JSON, a member twice, a number that does not fit, no UTF-8, NUL; RC_LIMIT: too many members. */
MUST_USE enum rc formjson_read(struct slice text, json_t **out, struct why *why);
/* A text of JSON's as XML takes it, in the arena. RC_SYNTAX: it has characters that XML 1.0 does not allow. */
MUST_USE enum rc formjson_text(struct arena *a, const json_t *string, struct slice *out);
bool formjson_is_xml(struct slice utf8); /* no such characters */
/* <x type='submit'/> of an object. RC_SYNTAX: a member is none of the above; RC_LIMIT: too many values. */
MUST_USE enum rc formjson_submit(struct arena *a, json_t *object, struct node **out, struct why *why);

/* What a form asks for: { "title", "instructions": [], "fields": [ { "var", "type", "label", "required", … } ] }. */
json_t *formjson_form(struct arena *a, const struct node *form);
/* What a form tells: { "title", "instructions", "form_type", "fields": { var: value }, "items": [ { var: value } ] }; items: its table. */
json_t *formjson_result(struct arena *a, const struct node *form);
/* The JSON Schema of what may be submitted. form NULL: an empty object. */
json_t *formjson_schema(struct arena *a, const struct node *form);

json_t *formjson_string(struct slice utf8);
void formjson_forget(json_t *it); /* the last reference: its texts are wiped, for some are secrets; NULL is harmless */

#endif
