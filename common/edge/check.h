/* common/edge/check.h - what an edge checks in a client's elements (RFC 6120 8, 4.9)
 *
 * After CHECK_PASS the element is fit to be written by xmlout_node and sent on: it is a stanza of
 * jabber:client, its `to` is prepared, it has no `from` (the session manager stamps it) and carries the
 * stream's language. Pure. */
#ifndef EDGE_CHECK_H
#define EDGE_CHECK_H

#include "common/xmpp/stanza.h"
#include "common/xmpp/stream.h"

struct check_session {     /* whose element it is */
    struct slice full;     /* full JID, canonical */
    size_t bare_len;       /* bytes of it before '/resource' */
    struct slice lang;     /* xml:lang of the stream header; empty: none */
};
enum check_verdict {
    CHECK_PASS,   /* send it on */
    CHECK_ANSWER, /* refused: write out->answer to the client (NULL: drop silently) */
    CHECK_FATAL,  /* stream error out->stream_cond; out->text says more */
    CHECK_END,    /* the peer sent a stream error: close without one (RFC 6120 4.9.1.1) */
};
struct check {
    struct stanza stanza;        /* valid with PASS */
    struct node *answer;         /* ANSWER: a stanza error in the arena */
    enum stanza_cond cond;       /* ANSWER: what it says */
    enum stream_cond stream_cond;
    const char *text;            /* FATAL: static storage, or NULL */
};
/* Checks n and changes it in place. */
enum check_verdict check_element(struct arena *a, struct node *n, const struct check_session *s, struct check *out);
/* The part of it that needs no session: the stream error for an element that is no stanza of jabber:client,
 * by its name and namespace (RFC 6120 4.9.3.10, 4.9.3.24). CHECK_PASS: it is one. */
enum check_verdict check_kind(const struct node *n, struct check *out);

#endif
