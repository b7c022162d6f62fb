/* common/xmpp/form.h - data forms (XEP-0004), read and built; validation of field types (XEP-0122 basics)  Pure. */
#ifndef XMPP_FORM_H
#define XMPP_FORM_H

#include "common/xmpp/jid.h"
#include "common/xmpp/node.h"

enum form_type { FORM_FORM, FORM_SUBMIT, FORM_CANCEL, FORM_RESULT };
/* A new <x xmlns='jabber:x:data'/> under parent (NULL: free-standing), with FORM_TYPE where form_type is not NULL. */
struct node *form_new(struct arena *a, struct node *parent, enum form_type type, const char *form_type);
struct node *form_field(struct arena *a, struct node *form, const char *var, const char *type, const char *label,
                        struct slice value); /* value empty: none */
void form_value(struct arena *a, struct node *field, struct slice value); /* one more value */
struct node *form_of(const struct node *parent);              /* the <x/> child, or NULL */
bool form_type_is(const struct node *form, const char *type); /* the type attribute */
struct slice form_get(struct arena *a, const struct node *form, const char *var); /* first value or empty */
bool form_has(const struct node *form, const char *var);
/* All values: call with *at NULL first; false at the end. */
bool form_next_value(struct arena *a, const struct node *form, const char *var, struct node **at, struct slice *out);

#endif
