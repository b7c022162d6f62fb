/* common/xmpp/jid.h - addresses: parse, prepare, compare (RFC 7622)
 *
 * A struct jid is always valid and prepared (domain: IDNA2008 U-labels, lower case, no trailing dot; local: PRECIS
 * UsernameCaseMapped; resource: OpaqueString): whoever holds one compares bytes. Its slices point into the arena it
 * was parsed with. local and resource are empty when absent. ASCII input that is prepared already costs one pass and
 * is not copied (the slices then point into text). Pure: no I/O, no clock. */
#ifndef XMPP_JID_H
#define XMPP_JID_H

#include "common/base/arena.h"
#include "common/base/buf.h"

struct jid {
    struct slice local, domain, resource;
    struct slice full; /* the canonical text of all three; a bare JID's is a prefix of its full JID's */
    size_t bare_len;   /* bytes of full before '/resource' */
};

/* Parses text. RC_SYNTAX: not an address; *out is untouched and why (may be NULL) names the part.
 * RC_LIMIT: a part is longer than JID_PART_MAX bytes. text must live as long as the arena. */
MUST_USE enum rc jid_parse(struct arena *a, struct slice text, struct jid *out, struct why *why);
/* From parts that are not prepared yet (local and resource may be empty). */
MUST_USE enum rc jid_make(struct arena *a, struct slice local, struct slice domain, struct slice resource,
                          struct jid *out, struct why *why);
MUST_USE enum rc jid_prepare_local(struct arena *a, struct slice in, struct slice *out, struct why *why);
MUST_USE enum rc jid_prepare_domain(struct arena *a, struct slice in, struct slice *out, struct why *why);
MUST_USE enum rc jid_prepare_resource(struct arena *a, struct slice in, struct slice *out, struct why *why);
/* A prepared domain as DNS and certificates spell it: A-labels. RC_SYNTAX: no name for DNS (an address, a label over 63
 * bytes); RC_LIMIT: longer than 253. */
MUST_USE enum rc jid_domain_ascii(struct arena *a, struct slice domain, struct slice *out, struct why *why);
/* Passwords: RFC 8265 OpaqueString (for SCRAM, RFC 5802 asks for SASLprep, of which it is the successor). */
MUST_USE enum rc jid_prepare_password(struct arena *a, struct slice in, struct slice *out, struct why *why);

static inline struct slice jid_bare(const struct jid *j) /* "local@domain" or "domain" */
{
    return (struct slice){ j->full.p, j->bare_len };
}
static inline bool jid_eq(const struct jid *a, const struct jid *b)
{
    return slice_eq(a->full, b->full);
}
static inline bool jid_bare_eq(const struct jid *a, const struct jid *b)
{
    return slice_eq(jid_bare(a), jid_bare(b));
}
/* The domain in the text of a prepared address of any kind (RFC 7622 3.1: the first '/' ends it, then the first '@' begins it). */
struct slice jid_domain_in(struct slice text);
struct jid jid_to_bare(const struct jid *j); /* the same bytes without the resource */
struct jid jid_copy(struct arena *a, const struct jid *j);
/* Same bare JID with another, already prepared, resource. */
struct jid jid_with_resource(struct arena *a, const struct jid *bare, struct slice resource);

#endif
