/* httpgw/formfield.h - what formjson.c and formschema.c know of a field; nobody else includes it */
#ifndef HTTPGW_FORMFIELD_H
#define HTTPGW_FORMFIELD_H

#include "httpgw/formjson.h"

enum formfield_kind { FORMFIELD_SINGLE, FORMFIELD_BOOLEAN, FORMFIELD_MULTI };
struct formfield {
    struct slice type, datatype; /* XEP-0004 3.3, XEP-0122 3.1 */
    enum formfield_kind kind;
    bool integer;
};
struct formfield formfield_of(const struct node *field);
json_t *formfield_value(struct arena *a, const struct formfield *f, const struct node *field);

#endif
