/* sessman/module.h - what a module is: one file with one table, and one line in modules.c (DESIGN 7)
 *
 * Writing one: a file sessman/mod/NAME.c with handlers, a `const struct module mod_NAME`, and its line in modules.c. Discovery
 * (XEP-0030), the caps hash and the list of commands are made from the tables, so nothing is advertised that nobody does.
 * Handlers get a struct incoming (dispatch.h), answer with in_result/in_error/in_reply or PASS to the next row. For an example
 * read mod/cputime.c. Modules call the core (account, session, roster, store, out, deliver), never each other. */
#ifndef SESSMAN_MODULE_H
#define SESSMAN_MODULE_H

#include "sessman/adhoc.h"
#include "sessman/dispatch.h"

enum handler_on {
    ON_IQ_GET = 1,
    ON_IQ_SET = 2,
    ON_MESSAGE_OUT = 4,   /* the sender's side */
    ON_MESSAGE_IN = 8,    /* the addressee's side */
    ON_PRESENCE_OUT = 16,
    ON_PRESENCE_IN = 32,
    ON_IQ_ANSWER = 64,    /* result or error, to a domain: ask for TO_DOMAIN */
};
struct handler {
    unsigned on;          /* enum handler_on */
    const char *ns, *name; /* of the iq's payload; NULL for messages and presence: all */
    unsigned to;          /* enum addressee */
    enum handled (*fn)(struct incoming *in);
};
/* What a client may ask for with its bind (XEP-0386 3): an element in <bind/>. ns is offered as the feature's name. bind is called once, when
 * the resource is bound and before anything is sent to the session; what it answers goes behind what out holds: canonical elements of
 * <bound/>. */
struct bind_inline {
    const char *ns, *name;
    void (*bind)(struct sessman *sm, struct session *s, struct arena *a, const struct node *request, struct buf *out);
};
struct disco_identity {
    const char *category, *type, *name;
};
struct module {
    const char *name, *spec;             /* "ping", "XEP-0199 2.0.1" */
    const char *const *features;         /* disco#info of the domain, NULL-terminated */
    const struct disco_identity *identity; /* and what else the domain is by them; NULL: nothing */
    void (*form)(const struct sessman *sm, struct arena *a, struct node *query); /* adds what is told with them (XEP-0128); NULL: nothing */
    bool (*offered)(const struct sessman *sm, const struct domain *d); /* whether that domain has all that; NULL: every one has */
    const char *const *account_features; /* disco#info of accounts */
    const char *stream_features;         /* canonical elements offered after login */
    const struct handler *handlers;      /* terminated by on 0 */
    const struct bind_inline *binds;     /* terminated by ns NULL */
    const struct command *commands;      /* ad-hoc commands, terminated by node NULL */
    /* Sessions: bound; available: presence became available (was_available: it was before), after the broadcast; ended. */
    void (*session_available)(struct sessman *sm, struct session *s, struct incoming *in, bool was_available);
    void (*session_end)(struct sessman *sm, struct session *s);
    /* A message to in->target has been given to its resources or kept for it; match: the one it was addressed to, or NULL. */
    void (*message_done)(struct incoming *in, const struct session *match);
};
extern const struct module *const modules[]; /* modules.c; NULL-terminated; in running order */

/* Built from the tables once. */
struct module_index *module_index_new(void);
void module_index_free(struct module_index **ix);
/* Runs the rows that match, in order, until one has HANDLED. */
enum handled module_run(struct incoming *in, unsigned on);
void module_message_done(struct incoming *in, const struct session *match);
/* True if some row would handle this iq if the addressee were of another kind (service-unavailable either way, for logs). */
const struct command *module_command(const struct sessman *sm, struct slice node);

#endif
