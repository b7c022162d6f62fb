/* common/xmpp/amp.h - message processing rules: read, judge, answer (XEP-0079)
 *
 * Pure: what the server would do with the message and what time it is come in. */
#ifndef XMPP_AMP_H
#define XMPP_AMP_H

#include "common/xmpp/stanza.h"

enum amp_condition { AMP_DELIVER, AMP_EXPIRE_AT, AMP_MATCH_RESOURCE };
enum amp_action { AMP_ALERT, AMP_DROP, AMP_ERROR, AMP_NOTIFY };
enum amp_deliver { AMP_DIRECT, AMP_FORWARD, AMP_GATEWAY, AMP_NONE, AMP_STORED }; /* values of AMP_DELIVER */
enum amp_match { AMP_ANY, AMP_EXACT, AMP_OTHER };                               /* values of AMP_MATCH_RESOURCE */
struct amp_rule {
    struct node *node;
    enum amp_condition condition;
    enum amp_action action;
    int value;      /* enum amp_deliver, enum amp_match */
    int64_t at_ms;  /* of AMP_EXPIRE_AT: wall clock */
};
struct amp {
    struct node *node; /* <amp/> of the message */
    bool per_hop;
    size_t n;
    struct amp_rule *rules; /* in their order */
};
enum amp_fault {
    AMP_FINE,
    AMP_ABSENT,                 /* no <amp/>, an event (it has a status), or an error: nothing to judge */
    AMP_MALFORMED,              /* bad-request */
    AMP_TOO_MANY,               /* policy-violation: more rules than max */
    AMP_UNSUPPORTED_ACTIONS,    /* XEP-0079 8.1: what follows says which rules */
    AMP_UNSUPPORTED_CONDITIONS,
    AMP_INVALID_RULES,
};
/* Of a message. On a fault out->rules are those at fault (only node is set). */
enum amp_fault amp_read(struct arena *a, const struct stanza *message, size_t max, struct amp *out);

/* What the server would do with the message if it had no rules. */
struct amp_outlook {
    enum amp_deliver deliver;
    bool to_resource; /* addressed to a resource */
    bool exact;       /* goes to just that one */
    bool edge;        /* this is the server of the sender or of the addressee: match-resource counts */
};
/* The first rule whose condition is met, or NULL. */
const struct amp_rule *amp_met(const struct amp *amp, const struct amp_outlook *o, int64_t now_ms);
/* The first expire-at whose time has come, or NULL: for what was stored (XEP-0079 9). */
const struct amp_rule *amp_expired(const struct amp *amp, int64_t now_ms);
/* Whether what the sender hears of it tells him if the addressee is online (XEP-0079 11). */
bool amp_tells(const struct amp_rule *rule);

/* The message that tells the sender of a met rule: alert, error or notify; NULL for drop. from: the server's domain. */
struct node *amp_event(struct arena *a, const struct stanza *message, const struct amp_rule *rule, struct slice from);
/* The error for rules that are at fault. */
struct node *amp_refusal(struct arena *a, const struct stanza *message, enum amp_fault fault, const struct amp *amp,
                         struct slice from);
/* Makes <amp/> what a server passes on: original sender and addressee, no status (XEP-0079 6.1). */
void amp_stamp(struct arena *a, struct node *amp, const struct stanza *message);

#endif
