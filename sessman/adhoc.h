/* sessman/adhoc.h - ad-hoc commands (XEP-0050, XEP-0133): one table row, four faces (DESIGN 7)
 *
 * A command is a row in a module's table: what it is, who may run it, and the fields of its form, of which the form is made and by which
 * what is submitted is checked. Its run function is called once, with a good form (or without one, where it takes none), and finishes
 * (adhoc_done) or fails (adhoc_fail), now or later from a callback of the store.
 * A session of a command belongs to the full JID that began it, lives for ADHOC_IDLE_MS between steps, and there are at most
 * ADHOC_PER_JID of them each, and ADHOC_PER_ACCOUNT of one account: one more ends the oldest. Whoever knows the form may also send it with
 * the first step. A form that is not good ends nothing: it may be corrected. */
#ifndef SESSMAN_ADHOC_H
#define SESSMAN_ADHOC_H

#include "sessman/commandform.h"

struct sessman;
struct incoming;
/* Administrators; local accounts; those that have not come by a token; everybody. */
enum adhoc_scope { ADHOC_ADMIN, ADHOC_USER, ADHOC_PERSON, ADHOC_ANYONE };
/* Whether anything is different after it. ADHOC_SHOWS: it reads, and its form is for who wants less: without one it runs at once. */
enum adhoc_effect { ADHOC_CHANGES, ADHOC_READS, ADHOC_SHOWS };
struct adhoc;                            /* one running step */
struct command {
    const char *node;                    /* "http://jabber.org/protocol/admin#add-user" */
    const char *title;
    enum adhoc_scope scope;
    enum adhoc_effect effect;
    const struct command_field *fields;  /* of its form, terminated by var NULL; NULL: it takes none */
    void (*run)(struct adhoc *c);
};
const struct command *adhoc_command(const struct adhoc *c);
struct sessman *adhoc_sessman(const struct adhoc *c);
struct arena *adhoc_arena(const struct adhoc *c);       /* lives until ask/done/fail */
const struct jid *adhoc_from(const struct adhoc *c);
bool adhoc_by_admin(const struct adhoc *c);             /* who runs it is an administrator */
bool adhoc_by_token(const struct adhoc *c);             /* he has come by a token of the HTTP API */
const struct jid *adhoc_to(const struct adhoc *c);      /* the hosted domain that was asked */
const struct node *adhoc_form(const struct adhoc *c);   /* submitted <x/>, good; NULL where none came and none is needed */
struct slice adhoc_value(const struct adhoc *c, const char *var); /* of the submitted form, the first one, or empty */
bool adhoc_true(const struct adhoc *c, const char *var);          /* of a boolean */
int64_t adhoc_number(const struct adhoc *c, const char *var, int64_t otherwise); /* of an integer */
/* Of an account of a hosted domain; the hosted domain (or one that need not be) in `domain`. False: c has been answered. */
bool adhoc_account(struct adhoc *c, struct slice text, struct jid *out);
/* All values of `var` that are not empty, at most `most` (NULL: c has been answered). */
struct adhoc_accounts {
    struct adhoc *c;
    size_t n, at;          /* at: the caller's */
    struct jid *list;
};
struct adhoc_accounts *adhoc_accounts(struct adhoc *c, const char *var, size_t most);
bool adhoc_domain(struct adhoc *c, bool hosted, struct slice *out);
struct node *adhoc_result(struct adhoc *c); /* a form of type result to be filled */
struct node *adhoc_table(struct adhoc *c, const struct command_field *columns); /* the same with columns (XEP-0004 3.4) */
struct node *adhoc_row(struct adhoc *c, struct node *table);                     /* one more row of it */
void adhoc_cell(struct adhoc *c, struct node *row, const char *var, struct slice value); /* value lives as long as the arena */
/* Each ends the step; c is gone after. */
void adhoc_done(struct adhoc *c, struct node *result_form, const char *note); /* either may be NULL */
void adhoc_fail(struct adhoc *c, enum stanza_cond cond, const char *text);
void adhoc_fail_rc(struct adhoc *c, enum rc rc, const struct why *why); /* why may be NULL or empty */

/* --- for mod/commands.c --- */
#define ADHOC_IDLE_MS 600000
#define ADHOC_PER_JID 8
#define ADHOC_PER_ACCOUNT 24 /* whatever its resources are called */
#define ADHOC_MOST 1000 /* of all */

struct node *adhoc_form_new(struct arena *a, const struct command *cmd); /* NULL: it takes none */
bool adhoc_may(const struct incoming *in, const struct command *cmd);
void adhoc_iq(struct incoming *in, const struct command *cmd); /* an iq set with <command/>, allowed or not; cmd NULL: no such node */
void adhoc_fini(struct sessman *sm);

#endif
