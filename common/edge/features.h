/* common/edge/features.h - what is offered to a client in which state (RFC 6120 4.3.2; XEP-0077, 0440, 0478)
 *
 * Pure: the owner says what holds, the functions say what follows. */
#ifndef EDGE_FEATURES_H
#define EDGE_FEATURES_H

#include "common/base/arena.h"
#include "common/base/buf.h"

/* What decides which mechanisms are offered. */
struct features_auth {
    struct slice hosted;  /* the domain's mechanisms, space-separated, without -PLUS (control_domain) */
    bool plain;           /* passwords may cross this stream: TLS, or a test installation's loopback */
    bool cert;            /* the client has a verified certificate with an address in this domain (XEP-0178) */
    bool exporter, end_point; /* channel bindings that are available */
};
/* The mechanisms to offer, space-separated, the strongest first where the domain lists them so; the -PLUS
 * ones lead. In the arena. Empty: none may be used here. */
struct slice features_mechanisms(struct arena *a, const struct features_auth *auth);
/* "tls-server-end-point tls-exporter", as far as available. Static storage. */
struct slice features_bindings(bool exporter, bool end_point);
/* True if word stands in the space-separated list. */
bool features_lists(struct slice list, struct slice word);

struct features {
    bool starttls, starttls_required; /* RFC 6120 5.4.1 */
    struct slice mechanisms;          /* offered; empty: SASL is not offered */
    struct slice bindings;            /* types, space-separated; told with the mechanisms */
    bool registration;                /* XEP-0077 */
    bool bind;                        /* after SASL: resource binding and the session element of old */
    struct slice more;                /* canonical elements that follow <bind/> (control_domain) */
    size_t max_bytes;                 /* XEP-0478; 0: not told */
    uint32_t idle_s;                  /* XEP-0478; 0: not told */
};
void features_write(struct buf *out, const struct features *f); /* <stream:features>…</stream:features> */

#endif
