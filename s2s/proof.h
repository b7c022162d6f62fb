/* s2s/proof.h - what the certificate of a stream's peer proves: PKIX or DANE (external.h), asked of a connection */
#ifndef S2S_PROOF_H
#define S2S_PROOF_H

#include "s2s/external.h"
#include "s2s/wire.h"

/* at: of an outgoing stream, what was connected to; NULL: nothing is known from DNS. Where there are TLSA records that can be used, they
 * alone decide, and a certificate that they do not fit is not to be talked to: *binding (RFC 7673 3.2). why: what is wrong, for PROOF_NONE. */
enum proof proof_of(struct wire *w, struct arena *a, struct slice domain, const struct target_attempt *at, bool *binding,
                    struct why *why);
bool proof_has_cert(struct wire *w, struct arena *a);

#endif
