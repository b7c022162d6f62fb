/* common/link/service.h - a component in C: a table of handlers, run as a process of its own or within
 * another
 *
 * The same table and the same few functions serve both ways:
 *
 *     static void on_message(struct service *s, struct arena *a, const struct stanza *st)
 *     {
 *         struct node *answer = service_answer(a, st);        (to and from swapped, type and id kept)
 *         node_add_text(a, node_add(a, answer, "body", NS_CLIENT), SLICE("hello"));
 *         service_send(s, answer);
 *     }
 *     static const struct service_handler handlers[] = {
 *         { SERVICE_MESSAGE, NULL, NULL, on_message },
 *         { 0 },
 *     };
 *     static const struct service_def hello = { .title = "Hello", .category = "component", .type = "generic",
 *                                               .handlers = handlers };
 *
 * Out of process: service_run(&hello, &conf, &why) connects to the router by XEP-0114, answers, connects
 * again when the router was gone, and returns after SIGTERM or SIGINT. Several processes may run under one
 * name: the router spreads stanzas over them and takes the others when one dies. In process: service_new with
 * the host's way of sending, and service_take for each stanza that is addressed to the service's name.
 *
 * Of itself it answers disco#info (XEP-0030) from the table, ping (XEP-0199), and every request that no
 * handler takes with <service-unavailable/> (RFC 6120 8.4). Installed as
 * <common/link/service.h> below PREFIX/include/bulkhead; programs are linked with -lbulkhead -luv -lxml2 -lgnutls -lsodium
 * -lidn2 -lunistring -pthread. common/tools/echo.c is an example. */
#ifndef LINK_SERVICE_H
#define LINK_SERVICE_H

#include "common/xmpp/stanza.h"

struct service;
enum service_on { SERVICE_MESSAGE = 1, SERVICE_PRESENCE, SERVICE_IQ_GET, SERVICE_IQ_SET, SERVICE_IQ_ANSWER };
struct service_handler {
    enum service_on on;
    const char *ns, *name; /* of the iq's payload; NULL: any */
    /* The tree is dropped when fn returns. Errors come too (stanza_is_error) and are never answered. */
    void (*fn)(struct service *s, struct arena *a, const struct stanza *st);
};
struct service_def {
    const char *title, *category, *type; /* its identity in service discovery */
    const char *const *features; /* more than the namespaces of its iq handlers; NULL-terminated or NULL */
    const struct service_handler *handlers; /* terminated by on 0; the first that fits takes it */
    void *ctx;                              /* the caller's: service_ctx */
};

/* --- within handlers --- */
void *service_ctx(const struct service *s);
struct slice service_name(const struct service *s); /* the domain it answers for */
void service_send(struct service *s,
                  struct node *n); /* with `from` in its domain; without: its name is put */
struct node *service_answer(struct arena *a,
                            const struct stanza *st); /* the same kind and type back to the sender */
/* The iq result, with payload (NULL: none). */
void service_result(struct service *s, struct arena *a, const struct stanza *st, struct node *payload);
void service_error(struct service *s, struct arena *a, const struct stanza *st, enum stanza_cond cond,
                   const char *text);

/* --- in process --- */
/* send gets trees that live until it returns. name is copied, def borrowed. */
struct service *service_new(const struct service_def *def, struct slice name,
                            void (*send)(void *host, struct node *n), void *host);
void service_free(struct service **s);
void service_take(struct service *s, struct arena *a, struct node *n);

/* --- as a process --- */
struct service_conf {
    const char *name, *secret; /* the [component NAME] section of router.conf */
    const char
        *address; /* "unix:run/router.sock", "tcp:127.0.0.1:5347", "tls:router.example.net:5347" (XEP-0225) */
    const char *ca_file;    /* tls: PEM authorities; NULL: known by the channel binding of the secret */
    const char *log_levels; /* "info"; NULL: warnings only, on stderr */
};
/* RC_OK: stopped by a signal. RC_SYNTAX: the address. RC_DENIED: the router knows no such name or secret
 * (asked once more would not help). All other trouble is tried again, for ever. */
MUST_USE enum rc service_run(const struct service_def *def, const struct service_conf *conf, struct why *why);

#endif
