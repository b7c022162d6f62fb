/* sessman/discoinfo.h - what the domain says of itself: the union of the modules' tables (XEP-0030, 0115, 0128, 0157) */
#ifndef SESSMAN_DISCOINFO_H
#define SESSMAN_DISCOINFO_H

#include "common/xmpp/node.h"
#include "sessman/sessman.h"

#define DISCO_CAPS_NODE "https://bulkhead.im/caps" /* XEP-0115 5.1: identifies the software */
/* The <query/> of the domain, without a node attribute. */
struct node *disco_domain_info(const struct sessman *sm, const struct domain *d, struct arena *a);
struct slice disco_caps_ver(const struct sessman *sm, const struct domain *d, struct arena *a);
/* What stands in the stream features after login: those of the modules, and the caps element. */
struct slice disco_stream_features(const struct sessman *sm, const struct domain *d, struct arena *a);
/* Namespaces of what may be asked for with Bind 2, space-separated, each once. */
struct slice disco_binds(struct arena *a);

#endif
