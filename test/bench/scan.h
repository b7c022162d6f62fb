/* test/bench/scan.h - cuts what a server sends into top-level elements
 *
 * Not an XML parser: it counts depth, and knows quotes, comments, CDATA and processing instructions, which is
 * all that is needed to tell where an element of a well-formed stream ends. Stateless: it is given everything
 * that has not been consumed, from the start. It allocates nothing; what it returns points into the input. */
#ifndef BENCH_SCAN_H
#define BENCH_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scan_kind {
    SCAN_MORE,    /* incomplete: read on, and come again with the same bytes and more */
    SCAN_SKIP,    /* white space, a comment or a declaration */
    SCAN_HEADER,  /* the start tag of the stream */
    SCAN_ELEMENT, /* one whole element */
    SCAN_CLOSE,   /* the end tag of the stream */
    SCAN_BAD      /* not XML */
};

struct element {
    const char *p; /* from "<" on */
    size_t len;    /* to the last byte of the end tag */
    size_t head;   /* bytes of the start tag */
    const char *name;
    size_t name_len; /* local name, without its prefix */
};

/* Looks at the next thing in p[0..n). out->len is the number of bytes to consume, unless SCAN_MORE or
 * SCAN_BAD. in_stream: the header has been seen; without it the first start tag is the header. */
enum scan_kind scan_next(const char *p, size_t n, bool in_stream, struct element *out);

/* True if the local name of the element is name. */
bool element_is(const struct element *e, const char *name);

/* The raw value of an attribute of the start tag, NULL if there is none. */
const char *element_attr(const struct element *e, const char *name, size_t *len);
bool element_attr_is(const struct element *e, const char *name, const char *value);

/* Finds text anywhere in the element; NULL if it is not there. For features, conditions and marks of our own.
 */
const char *element_find(const struct element *e, const char *text);

/* The first start tag "<name" at or after from; *out is that tag alone (len is head). False if there is none.
 */
bool element_tag(const struct element *e, const char *from, const char *name, struct element *out);

/* Text between the start tag and the next "<" of the element itself (e.g. a SASL challenge). */
const char *element_text(const struct element *e, size_t *len);

#endif
