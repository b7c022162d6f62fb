/* common/xmpp/ht.c - the HT family of SASL mechanisms */
#include "common/xmpp/sasl.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

enum { USER_MAX = 1023 }; /* bytes: RFC 7622 3.3 */

static const char *const names[HT_BINDINGS] = {
    [HT_NONE] = "HT-SHA-256-NONE",
    [HT_EXPR] = "HT-SHA-256-EXPR",
    [HT_ENDP] = "HT-SHA-256-ENDP",
};

const char *ht_name(enum ht_binding b)
{
    return names[b];
}

bool ht_parse_name(struct slice mech, enum ht_binding *out)
{
    for (unsigned i = 0; i < HT_BINDINGS; i++) {
        if (slice_is(mech, names[i])) {
            *out = (enum ht_binding)i;
            return true;
        }
    }
    return false;
}

enum sasl_fail ht_first_read(struct slice message, struct ht_first *out)
{
    ptrdiff_t nul = slice_find(message, '\0');
    if (nul <= 0 || nul > USER_MAX || message.len != (size_t)nul + 1 + HT_HASH_BYTES ||
        !slice_utf8_ok(slice_to(message, (size_t)nul)))
        return SASL_MALFORMED_REQUEST;
    out->user = slice_to(message, (size_t)nul);
    out->hash = slice_from(message, (size_t)nul + 1);
    return SASL_OK;
}

void ht_hash(struct slice token, bool initiator, struct slice binding, uint8_t out[HT_HASH_BYTES])
{
    struct slice who = initiator ? SLICE("Initiator") : SLICE("Responder");
    gnutls_hmac_hd_t h;
    if (gnutls_hmac_init(&h, GNUTLS_MAC_SHA256, token.p, token.len) < 0) /* for lack of memory alone */
        abort();
    if (gnutls_hmac(h, who.p, who.len) < 0 || (binding.len && gnutls_hmac(h, binding.p, binding.len) < 0))
        abort();
    gnutls_hmac_deinit(h, out);
}
