/* common/xmpp/stream.h - stream headers and stream errors (RFC 6120 4)  Pure. */
#ifndef XMPP_STREAM_H
#define XMPP_STREAM_H

#include "common/base/buf.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/node.h"
#include "common/xmpp/ns.h"

#define STREAM_CONDITIONS(X) /* RFC 6120 4.9.3 */            \
    X(BAD_FORMAT, "bad-format")                              \
    X(BAD_NAMESPACE_PREFIX, "bad-namespace-prefix")          \
    X(CONFLICT, "conflict")                                  \
    X(CONNECTION_TIMEOUT, "connection-timeout")              \
    X(HOST_GONE, "host-gone")                                \
    X(HOST_UNKNOWN, "host-unknown")                          \
    X(IMPROPER_ADDRESSING, "improper-addressing")            \
    X(INTERNAL_SERVER_ERROR, "internal-server-error")        \
    X(INVALID_FROM, "invalid-from")                          \
    X(INVALID_NAMESPACE, "invalid-namespace")                \
    X(INVALID_XML, "invalid-xml")                            \
    X(NOT_AUTHORIZED, "not-authorized")                      \
    X(NOT_WELL_FORMED, "not-well-formed")                    \
    X(POLICY_VIOLATION, "policy-violation")                  \
    X(REMOTE_CONNECTION_FAILED, "remote-connection-failed")  \
    X(RESET, "reset")                                        \
    X(RESOURCE_CONSTRAINT, "resource-constraint")            \
    X(RESTRICTED_XML, "restricted-xml")                      \
    X(SEE_OTHER_HOST, "see-other-host")                      \
    X(SYSTEM_SHUTDOWN, "system-shutdown")                    \
    X(UNDEFINED_CONDITION, "undefined-condition")            \
    X(UNSUPPORTED_ENCODING, "unsupported-encoding")          \
    X(UNSUPPORTED_FEATURE, "unsupported-feature")            \
    X(UNSUPPORTED_STANZA_TYPE, "unsupported-stanza-type")    \
    X(UNSUPPORTED_VERSION, "unsupported-version")
enum stream_cond {
#define X(id, name) STREAM_##id,
    STREAM_CONDITIONS(X)
#undef X
    STREAM_COND_COUNT
};
const char *stream_cond_name(enum stream_cond c);
/* The other way, for control messages. RC_NOTFOUND. */
MUST_USE enum rc stream_cond_parse(struct slice name, enum stream_cond *out);

/* What a received stream header says. */
struct stream_header {
    bool has_to, has_from;
    struct jid to, from;
    struct slice id, lang;
    bool version_1; /* version='1.0' or a later minor; absent means 0.9 (XEP-0114) */
};
/* Checks name, prefix-independent namespace, content namespace, version, to, from. On error *cond is the stream
 * error to send (invalid-namespace, bad-format, unsupported-version, improper-addressing …). */
MUST_USE enum rc stream_header_read(struct arena *a, const struct node *header, const char *content_ns,
                                    struct stream_header *out, enum stream_cond *cond);
struct stream_open {       /* a header to write */
    const char *content_ns;
    struct slice from, to, id, lang; /* empty: left out */
    bool version_1;
    bool dialback; /* declares its prefix (XEP-0220 2.1) */
};
void stream_header_write(struct buf *out, const struct stream_open *h); /* with the XML declaration */
/* <stream:error> with condition and text (text may be NULL; content, for see-other-host, may be empty, and so may app, the canonical
 * application-specific condition: 4.9.4); the end tag of the stream is not included. */
void stream_error_write(struct buf *out, enum stream_cond cond, const char *text, struct slice content, struct slice app);
#define STREAM_END "</stream:stream>"
/* The stream error for what xmlin_feed returned. */
enum stream_cond stream_cond_of_xml(enum rc rc);

#endif
