/* common/base/rc.h - what a function that can fail returns, and the text that says why
 *
 * Whoever detects an error fills `why`; whoever decides what to do about it logs it, once; those between
 * pass it on. Every function takes `why` as NULL where the caller does not want the text. */
#ifndef BASE_RC_H
#define BASE_RC_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

enum rc {
    RC_OK = 0,
    RC_AGAIN,       /* not now: more bytes, or a later turn, are needed */
    RC_SYNTAX,      /* the bytes are not what the specification allows */
    RC_LIMIT,       /* well-formed, but larger or more often than a limit allows */
    RC_NOTFOUND,    /* no such thing */
    RC_EXISTS,      /* there already */
    RC_DENIED,      /* not allowed to the one who asked */
    RC_UNSUPPORTED, /* understood, not offered here */
    RC_CONFLICT,    /* two things exclude each other */
    RC_IO,          /* the operating system, the disk or the network said no */
    RC_TIMEOUT,     /* nobody answered in time */
    RC_CLOSED,      /* the other end is gone */
};

/* "syntax", "limit" … for logs and tests; never NULL. */
const char *rc_name(enum rc rc);

struct why {
    char text[240]; /* NUL-terminated, UTF-8, one line */
};

/* Fills why (NULL: does nothing). Longer text is cut. Control characters become '?'. */
void why_set(struct why *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
