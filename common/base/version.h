/* common/base/version.h - the one place that says which version this is, and where an installation lies unless -d says
 * otherwise */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define BULKHEAD_VERSION "0.1.0"
#define BULKHEAD_DIR     "/var/lib/bulkhead" /* as in conf/systemd/ */

#endif
