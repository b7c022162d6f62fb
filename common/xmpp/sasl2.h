/* common/xmpp/sasl2.h - <authenticate/> as a client sends it, with all that is asked for inline (XEP-0388 2.3, 0386 3.2, 0484 3, 0509 2.2,
 * 0198 9.2)
 *
 * One reader for the edge, which refuses what is malformed, and for the session manager, which does what is asked. Pure. */
#ifndef XMPP_SASL2_H
#define XMPP_SASL2_H

#include "common/xmpp/node.h"
#include "common/xmpp/sasl.h"

#define SASL2_AGENT_LEN 36 /* characters of a UUID: XEP-0388 2.3 */

struct sasl2_request {
    struct slice mechanism;
    bool has_initial;
    struct slice initial;     /* decoded */
    struct slice agent;       /* user-agent id, lower case; empty: none */
    struct slice software;    /* of the user-agent, as it names itself; empty: not told */
    const struct node *bind;  /* <bind xmlns='urn:xmpp:bind:0'/> with what it asks for; NULL: none */
    struct slice tag;         /* of it, not prepared; empty: none */
    bool resume;              /* XEP-0198 5, inline */
    struct slice previd;
    uint32_t h;
    struct slice token_for;   /* mechanism that a token is asked for; empty: none */
    bool fast, invalidate;    /* it logs in with a token; the token is to be forgotten after it */
    uint32_t count;           /* of the attempt with this token; 0: not told */
    bool has_version;         /* what it knows of our features (XEP-0509) */
    struct slice version;
};
/* n may be NULL. SASL_OK, SASL_MALFORMED_REQUEST, or SASL_INCORRECT_ENCODING (base64). Slices point into the tree or the arena. */
enum sasl_fail sasl2_read(struct arena *a, const struct node *n, struct sasl2_request *out);

#endif
