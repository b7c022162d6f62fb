/* sessman/commandform.h - forms of commands (XEP-0004, XEP-0122): what a command asks for is a table; the form is made of it and
 * what is submitted is checked against it
 *
 * Pure. */
#ifndef SESSMAN_COMMANDFORM_H
#define SESSMAN_COMMANDFORM_H

#include "common/xmpp/form.h"
#include "common/xmpp/stanza.h"

enum field_type {     /* XEP-0004 3.3 */
    FIELD_TEXT,       /* text-single: one line */
    FIELD_TEXTS,      /* text-multi */
    FIELD_SECRET,     /* text-private */
    FIELD_BOOLEAN,
    FIELD_JID,        /* jid-single */
    FIELD_JIDS,       /* jid-multi */
    FIELD_LIST,       /* list-single: one of the options */
    FIELD_LISTS,      /* list-multi */
};
struct command_option {
    const char *value, *label; /* label NULL: the value */
};
struct command_field {
    const char *var;
    enum field_type type;
    const char *label;
    bool required;
    const char *value;         /* what the form proposes; NULL: nothing. What was not submitted stays empty for whoever reads it */
    const struct command_option *options; /* of lists, terminated by value NULL */
    bool open;                 /* XEP-0122 3.2.2: of lists: other values, too */
    bool integer;              /* XEP-0122: xs:integer, in this range */
    int64_t least, most;
};
#define COMMANDFORM_VALUES_MAX 1000 /* of one field */

/* A form to be filled in. fields: terminated by var NULL. */
struct node *commandform_new(struct arena *a, const char *title, const struct command_field *fields);
/* Whether form is a good answer to it; what it has beyond the fields is ignored, an empty value of a field that is not required is as good as
 * none. RC_NOTFOUND: a required field has no value; else *cond is what it is to be refused with. why names the field. */
MUST_USE enum rc commandform_check(struct arena *a, const struct command_field *fields, const struct node *form,
                                   enum stanza_cond *cond, struct why *why);

/* The columns of a table of results (XEP-0004 3.4): of each field var, type and label. */
void commandform_reported(struct arena *a, struct node *form, const struct command_field *columns);

#endif
