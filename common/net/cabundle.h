/* common/net/cabundle.h - the certificates of authorities, from a file of them, kept small
 *
 * A CA that GnuTLS has parsed takes twenty times the memory of its bytes; a system has some 150 of them and a chain needs
 * one or two. So the bytes are kept, and who verifies a chain parses those that it names (peercert.c). */
#ifndef NET_CABUNDLE_H
#define NET_CABUNDLE_H

#include "common/base/slice.h"

struct cabundle;
struct cabundle_ca {
    struct slice der, subject; /* the subject is DER too, and as the certificate has it */
};

/* file: PEM, other things between the certificates are skipped; "system": where systems keep theirs. RC_IO: there is no such
 * file, it has no certificate, or one that cannot be read. */
MUST_USE enum rc cabundle_read(const char *file, struct cabundle **out, struct why *why);
void cabundle_free(struct cabundle **b);
/* In the order of the file; duplicates stay. NULL has none. */
size_t cabundle_n(const struct cabundle *b);
struct cabundle_ca cabundle_at(const struct cabundle *b, size_t i); /* i < cabundle_n */

#endif
