/* httpgw/webfile.h - one file of our own pages: its name, its type, and what a request's header fields say of it (RFC 9110)  Pure. */
#ifndef HTTPGW_WEBFILE_H
#define HTTPGW_WEBFILE_H

#include "common/base/slice.h"

enum { WEBFILE_NAME_MAX = 100 };

/* Whether a file or folder of this name is given out: letters, digits, '-', '_', '.', '+', '@'; not hidden, and so no "..". Such a name
 * stands in a URL as it is, so nothing has to be decoded and what is encoded is another name. */
bool webfile_name_ok(struct slice name);
const char *webfile_type(struct slice name); /* Content-Type, by what the name ends in */
bool webfile_is_gzip(struct slice name);     /* NAME.gz: the same in gzip's format */

/* If-None-Match (RFC 9110 13.1.2): whether etag, with its quotes, is in the list. */
bool webfile_known(struct slice if_none_match, struct slice etag);
/* Accept-Encoding (12.5.3): whether gzip may come. Absent: no. */
bool webfile_takes_gzip(struct slice accept_encoding);

#endif
