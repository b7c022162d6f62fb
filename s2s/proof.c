/* s2s/proof.c */
#include "s2s/proof.h"

bool proof_has_cert(struct wire *w, struct arena *a)
{
    struct slice der;
    return conn_peer_cert(w->conn, a, &der) == RC_OK;
}

enum proof proof_of(struct wire *w, struct arena *a, struct slice domain, const struct target_attempt *at,
                    bool *binding, struct why *why)
{
    *binding = false;
    struct slice chain[PEERCERT_CHAIN_MAX];
    struct external_peer peer = { .chain = chain,
                                  .purpose = w->incoming ? PEERCERT_CLIENT : PEERCERT_SERVER,
                                  .domain = domain };
    struct external_dane dane;
    enum rc rc = conn_peer_chain(w->conn, a, chain, PEERCERT_CHAIN_MAX, &peer.chain_n);
    if (rc != RC_OK) {
        why_set(why, rc == RC_NOTFOUND ? "no TLS certificate was shown"
                                       : "a TLS certificate chain that is too long");
        return PROOF_NONE;
    }
    if (at && at->secure)
        peer.host = at->host;
    if (at && at->tlsa_n && w->d->conf->dane) {
        rc = external_dane(a, w->d->trust, &peer, at->tlsa, at->tlsa_n, &dane, why);
        *binding = rc != RC_OK && rc != RC_UNSUPPORTED;
        if (rc != RC_UNSUPPORTED)
            return rc == RC_OK ? PROOF_DANE : PROOF_NONE;
    }
    return external_pkix(a, w->d->trust, &peer, why) == RC_OK ? PROOF_PKIX : PROOF_NONE;
}
