/* sessman/adhoc.h - ad-hoc commands (XEP-0050, XEP-0133): one table row, four faces (DESIGN 7)
 *
 * A command is a row in a module's table. Its run function is called for each step with the submitted form and
 * either asks (adhoc_ask: another form), finishes (adhoc_done) or fails (adhoc_fail), now or later from a callback of the store. */
#ifndef SESSMAN_ADHOC_H
#define SESSMAN_ADHOC_H

#include "common/xmpp/form.h"
#include "common/xmpp/stanza.h"

struct sessman;
enum adhoc_scope { ADHOC_ADMIN, ADHOC_USER, ADHOC_ANYONE }; /* administrators; local accounts; everybody */
struct adhoc;                            /* one running step */
struct command {
    const char *node;                    /* "http://jabber.org/protocol/admin#add-user" */
    const char *title;
    enum adhoc_scope scope;
    void (*run)(struct adhoc *c);        /* form NULL: first step */
};
struct sessman *adhoc_sessman(const struct adhoc *c);
struct arena *adhoc_arena(const struct adhoc *c);       /* lives until ask/done/fail */
const struct jid *adhoc_from(const struct adhoc *c);
const struct node *adhoc_form(const struct adhoc *c);   /* submitted <x/>, or NULL on the first step */
struct slice adhoc_value(const struct adhoc *c, const char *var); /* of the submitted form, or empty */
/* Each ends the step; c is gone after. form: made with form_new in the arena. */
void adhoc_ask(struct adhoc *c, struct node *form);                       /* status executing, actions complete */
void adhoc_done(struct adhoc *c, struct node *result_form, const char *note); /* either may be NULL */
void adhoc_fail(struct adhoc *c, enum stanza_cond cond, const char *text);

#endif
