/* common/edge/features.h - what is offered to a client in which state (RFC 6120 4.3.2; XEP-0077, 0388, 0386, 0440, 0478, 0484, 0509)
 *
 * Pure: the owner says what holds, the functions say what follows. */
#ifndef EDGE_FEATURES_H
#define EDGE_FEATURES_H

#include "common/base/arena.h"
#include "common/base/buf.h"

/* What decides which mechanisms are offered. */
struct features_auth {
    struct slice hosted;  /* the domain's mechanisms, space-separated, without -PLUS, HT without its binding (control_domain) */
    bool tls;
    bool plain;           /* passwords may cross this stream: TLS, or a test installation's loopback */
    bool cert;            /* the client has a verified certificate with an address in this domain (XEP-0178) */
    bool exporter, end_point; /* channel bindings that are available */
};
/* The mechanisms to offer, space-separated, the strongest first where the domain lists them so; the -PLUS
 * ones lead. In the arena. Empty: none may be used here. */
struct slice features_mechanisms(struct arena *a, const struct features_auth *auth);
/* Those that log in with a token, to be offered inside of SASL2 alone (XEP-0484 3.1). */
struct slice features_fast(struct arena *a, const struct features_auth *auth);
/* "tls-server-end-point tls-exporter", as far as available. Static storage. */
struct slice features_bindings(bool exporter, bool end_point);
/* True if word stands in the space-separated list. */
bool features_lists(struct slice list, struct slice word);

struct features {
    bool starttls, starttls_required; /* RFC 6120 5.4.1 */
    struct slice mechanisms;          /* offered; empty: SASL is not offered */
    struct slice bindings;            /* types, space-separated; told with the mechanisms */
    bool sasl2;                       /* XEP-0388: the same mechanisms, and the three below inside */
    struct slice fast;                /* XEP-0484 mechanisms; empty: none */
    struct slice binds;               /* what may come with Bind 2, namespaces, space-separated (XEP-0386 3.1) */
    bool registration;                /* XEP-0077 */
    bool bind;                        /* after SASL: resource binding and the session element of old */
    struct slice more;                /* canonical elements of the domain (control_domain), after login */
    size_t max_bytes;                 /* XEP-0478; 0: not told */
    uint32_t idle_s;                  /* XEP-0478; 0: not told */
};
void features_write(struct buf *out, const struct features *f); /* <stream:features>…</stream:features> */

#define FEATURES_VERSION_LEN 16 /* characters of a version: base64 of a hash of what is offered */
/* Puts <config-version/> into the features that end out and begin at `from` (XEP-0509 2.1): version, NUL-terminated, says what is offered. */
void features_seal(struct buf *out, size_t from, char version[FEATURES_VERSION_LEN + 1]);

#endif
