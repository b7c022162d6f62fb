/* common/daemon/certs.h - the certificates a daemon serves with: read at the start and on reload, served as they were read
 *
 * A [certificate NAME] section is one name's certificate, chosen by SNI; cert and key of the [tls] section are for all
 * others. One struct certs is one state of the files; a reload makes another and frees the old one, whose connections go on. */
#ifndef DAEMON_CERTS_H
#define DAEMON_CERTS_H

#include "common/base/buf.h"
#include "common/daemon/conf.h"
#include "common/net/tls.h"

struct certs_section { /* a [certificate NAME] section */
    struct certs_section *next;
    char *name, *cert, *key;
};
/* What a daemon's struct conf_named row is made of; list is its own, newest first. */
extern const char *const certs_options[]; /* names of a conf_named */
MUST_USE enum rc certs_section_begin(struct certs_section **list, const char *name);
MUST_USE enum rc certs_section_set(struct certs_section *list, const char *name, const char *option, const char *value,
                                   struct why *why);
void certs_sections_free(struct certs_section **list);

struct certs_conf {
    const char *dir;           /* what relative paths are relative to */
    const char *cert, *key;    /* of names without a section; NULL: none */
    const struct certs_section *sections;
    const char *trust;         /* whose certificates of peers are good; NULL: peers are not asked for one, "system" */
    bool ask;                  /* ask peers for a certificate, whatever trust says */
    bool may_lack;             /* a test installation: without section and default file there is no TLS, and no error */
    const char *priority;      /* GnuTLS; NULL: the default of net/tls.h */
    const char *const *alpn;   /* as of net/tls.h */
};
struct certs;
/* RC_OK with *out NULL: may_lack, and there is nothing. */
MUST_USE enum rc certs_load(const struct certs_conf *conf, struct certs **out, struct why *why);
void certs_free(struct certs **certs);
struct tls_ctx *certs_tls(const struct certs *certs); /* NULL allowed: NULL */
void certs_json(const struct certs *certs, struct buf *out); /* an array, as they were loaded */
/* The control command certs: JSON; or with "lines" a line each, the fields separated by tabs: name of the section, names in the
 * certificate (else its subject), issuer, end (XEP-0082), days that are left. */
MUST_USE enum rc certs_command(const struct certs *certs, struct slice args, struct buf *out, struct why *why);
#define CERTS_HELP "certs [lines]: the certificates in use, with their expiry (JSON, or a line each)"

#endif
