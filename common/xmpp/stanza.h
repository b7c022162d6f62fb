/* common/xmpp/stanza.h - what kind of stanza an element is; replies and errors (RFC 6120 8, RFC 6121 4, 5)
 * Pure. */
#ifndef XMPP_STANZA_H
#define XMPP_STANZA_H

#include "common/xmpp/jid.h"
#include "common/xmpp/node.h"
#include "common/xmpp/ns.h"

enum stanza_kind { STANZA_MESSAGE, STANZA_PRESENCE, STANZA_IQ };
enum stanza_type {
    /* message: RFC 6121 5.2.2; unknown types are normal */
    MESSAGE_NORMAL, MESSAGE_CHAT, MESSAGE_GROUPCHAT, MESSAGE_HEADLINE, MESSAGE_ERROR,
    /* presence: RFC 6121 4.7.1 */
    PRESENCE_AVAILABLE, PRESENCE_UNAVAILABLE, PRESENCE_SUBSCRIBE, PRESENCE_SUBSCRIBED, PRESENCE_UNSUBSCRIBE,
    PRESENCE_UNSUBSCRIBED, PRESENCE_PROBE, PRESENCE_ERROR,
    /* iq: RFC 6120 8.2.3 */
    IQ_GET, IQ_SET, IQ_RESULT, IQ_ERROR,
};

/* RFC 6120 8.3.3: condition and the error type that goes with it, as an X-list so that nothing is listed twice. */
#define STANZA_CONDITIONS(X)                                   \
    X(BAD_REQUEST, "bad-request", "modify")                    \
    X(CONFLICT, "conflict", "cancel")                          \
    X(FEATURE_NOT_IMPLEMENTED, "feature-not-implemented", "cancel") \
    X(FORBIDDEN, "forbidden", "auth")                          \
    X(GONE, "gone", "cancel")                                  \
    X(INTERNAL_SERVER_ERROR, "internal-server-error", "cancel") \
    X(ITEM_NOT_FOUND, "item-not-found", "cancel")              \
    X(JID_MALFORMED, "jid-malformed", "modify")                \
    X(NOT_ACCEPTABLE, "not-acceptable", "modify")              \
    X(NOT_ALLOWED, "not-allowed", "cancel")                    \
    X(NOT_AUTHORIZED, "not-authorized", "auth")                \
    X(POLICY_VIOLATION, "policy-violation", "modify")          \
    X(RECIPIENT_UNAVAILABLE, "recipient-unavailable", "wait")  \
    X(REDIRECT, "redirect", "modify")                          \
    X(REGISTRATION_REQUIRED, "registration-required", "auth")  \
    X(REMOTE_SERVER_NOT_FOUND, "remote-server-not-found", "cancel") \
    X(REMOTE_SERVER_TIMEOUT, "remote-server-timeout", "wait")  \
    X(RESOURCE_CONSTRAINT, "resource-constraint", "wait")      \
    X(SERVICE_UNAVAILABLE, "service-unavailable", "cancel")    \
    X(SUBSCRIPTION_REQUIRED, "subscription-required", "auth")  \
    X(UNDEFINED_CONDITION, "undefined-condition", "cancel")    \
    X(UNEXPECTED_REQUEST, "unexpected-request", "wait")
enum stanza_cond {
#define X(id, name, type) COND_##id,
    STANZA_CONDITIONS(X)
#undef X
};
const char *stanza_cond_name(enum stanza_cond c);
const char *stanza_cond_type(enum stanza_cond c);
enum stanza_cond stanza_cond_of(enum rc rc); /* the one map from our errors to XMPP's */

struct stanza {
    struct node *node;
    enum stanza_kind kind;
    enum stanza_type type;
    bool has_to, has_from;
    struct jid to, from;     /* valid when has_… */
    struct slice id;         /* empty when absent */
    struct node *payload;    /* iq get/set: its one child; else NULL */
};
/* Classifies n (in NS_CLIENT, NS_SERVER or NS_COMPONENT_ACCEPT). On an error *cond is what the sender is to be told:
 * RC_SYNTAX with COND_JID_MALFORMED (to or from), COND_BAD_REQUEST (iq without id, with an unknown type, get or set
 * without exactly one child, presence of unknown type, id over STANZA_ID_MAX); what could be read is in *out all the same, so that
 * stanza_error can answer. RC_UNSUPPORTED: not a stanza at all (stream error unsupported-stanza-type). */
MUST_USE enum rc stanza_read(struct arena *a, struct node *n, struct stanza *out, enum stanza_cond *cond);
const char *stanza_type_name(enum stanza_type t); /* "chat", "get", …; NULL for normal messages and available */
static inline bool stanza_is_error(const struct stanza *s)
{
    return s->type == MESSAGE_ERROR || s->type == PRESENCE_ERROR || s->type == IQ_ERROR;
}

/* Answers: new trees in a, with to and from swapped and the id kept. */
struct node *stanza_reply(struct arena *a, const struct stanza *s);  /* iq type=result without child */
/* An error in answer to s, the original payload not included; NULL where none may be sent (s is an error, or an iq
 * result: RFC 6120 8.3.1). text may be NULL. */
struct node *stanza_error(struct arena *a, const struct stanza *s, enum stanza_cond cond, const char *text);
/* Turns n itself into its error answer (for bounces of bytes that were only classified by their top tag). */
struct node *stanza_bounce(struct arena *a, struct node *n, enum stanza_cond cond, const char *text);

#endif
