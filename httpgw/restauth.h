/* httpgw/restauth.h - the credentials of an API call: a header becomes the first step of SASL (RFC 7617, RFC 6750, RFC 7628)
 *
 * Nobody's password is kept: what a header gave is wiped when it has been passed on. Pure. */
#ifndef HTTPGW_RESTAUTH_H
#define HTTPGW_RESTAUTH_H

#include "common/xmpp/jid.h"

struct restauth {
    struct jid user;       /* bare: whose account */
    const char *mechanism; /* "PLAIN", "OAUTHBEARER" */
    struct slice initial;  /* its first message, in the arena */
};
/* header: the value of Authorization. domain: that of a user name without one. RC_NOTFOUND: there is none; RC_SYNTAX: it is of no use. */
MUST_USE enum rc restauth_read(struct arena *a, struct slice header, struct slice domain, struct restauth *out);
void restauth_wipe(struct restauth *who); /* the secret in it; harmless twice */

#endif
