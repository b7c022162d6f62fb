/* common/xmpp/precis.h - the two PRECIS profiles XMPP uses (RFC 8264, 8265), by libunistring's tables
 *
 * Derived properties are computed from the Unicode version of libunistring, as RFC 8264 8 wants it. Enforcement is
 * repeated until nothing changes, so what comes out comes out again unchanged. Internal to jid. Pure. */
#ifndef XMPP_PRECIS_H
#define XMPP_PRECIS_H

#include "common/base/arena.h"

enum precis_profile {
    PRECIS_USERNAME_CASE_MAPPED, /* RFC 8265 3.3 */
    PRECIS_OPAQUE_STRING,        /* RFC 8265 4.2 */
};
/* RC_SYNTAX: not UTF-8, empty, or a character (combination) the profile forbids; why says which. */
MUST_USE enum rc precis_enforce(struct arena *a, enum precis_profile profile, struct slice in, struct slice *out,
                                struct why *why);

#endif
