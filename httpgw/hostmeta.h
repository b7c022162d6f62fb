/* httpgw/hostmeta.h - where the web clients of a domain connect to: what host-meta says (XEP-0156), and our own pages */
#ifndef HTTPGW_HOSTMETA_H
#define HTTPGW_HOSTMETA_H

#include "httpgw/http.h"
#include "httpgw/httpgw.h"

struct hostmeta_place { /* of one domain */
    struct slice domain, host;
    char ws[512], bosh[512]; /* URLs, as configured or made of host, port and path */
};
/* domain: prepared, not copied. RC_NOTFOUND: not hosted here. */
MUST_USE enum rc hostmeta_place(const struct httpgw *d, struct slice domain, struct hostmeta_place *out);
/* The domain that the Host header names, in the arena. RC_NOTFOUND: none of ours. */
MUST_USE enum rc hostmeta_domain(const struct http_request *r, struct arena *a, struct slice *out);

#endif
