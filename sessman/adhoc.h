/* sessman/adhoc.h - ad-hoc commands (XEP-0050, XEP-0133): one table row, four faces (DESIGN 7)
 *
 * A command is a row in a module's table. Its run function is called for each step with the submitted form and
 * either asks (adhoc_ask: another form), finishes (adhoc_done) or fails (adhoc_fail), now or later from a callback of the store.
 * A session of a command belongs to the full JID that began it, lives for ADHOC_IDLE_MS between steps, and there are
 * at most ADHOC_PER_JID of them each: one more ends the oldest. Whoever knows the form may also send it with the first step. */
#ifndef SESSMAN_ADHOC_H
#define SESSMAN_ADHOC_H

#include "common/xmpp/form.h"
#include "common/xmpp/stanza.h"

struct sessman;
struct incoming;
enum adhoc_scope { ADHOC_ADMIN, ADHOC_USER, ADHOC_ANYONE }; /* administrators; local accounts; everybody */
struct adhoc;                            /* one running step */
struct command {
    const char *node;                    /* "http://jabber.org/protocol/admin#add-user" */
    const char *title;
    enum adhoc_scope scope;
    void (*run)(struct adhoc *c);        /* form NULL: first step */
};
const struct command *adhoc_command(const struct adhoc *c);
struct sessman *adhoc_sessman(const struct adhoc *c);
struct arena *adhoc_arena(const struct adhoc *c);       /* lives until ask/done/fail */
const struct jid *adhoc_from(const struct adhoc *c);
const struct jid *adhoc_to(const struct adhoc *c);      /* the hosted domain that was asked */
const struct node *adhoc_form(const struct adhoc *c);   /* submitted <x/>, or NULL on the first step */
struct slice adhoc_value(const struct adhoc *c, const char *var); /* of the submitted form, or empty */
/* Each ends the step; c is gone after. form: made with form_new in the arena. */
void adhoc_ask(struct adhoc *c, struct node *form);                       /* status executing, actions complete */
void adhoc_done(struct adhoc *c, struct node *result_form, const char *note); /* either may be NULL */
void adhoc_fail(struct adhoc *c, enum stanza_cond cond, const char *text);

/* --- for mod/commands.c --- */
#define ADHOC_IDLE_MS 600000
#define ADHOC_PER_JID 8
#define ADHOC_MOST 1000 /* of all */

bool adhoc_may(const struct incoming *in, const struct command *cmd);
void adhoc_iq(struct incoming *in, const struct command *cmd); /* an iq set with <command/>, allowed or not; cmd NULL: no such node */
void adhoc_fini(struct sessman *sm);

#endif
