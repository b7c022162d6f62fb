/* s2s/own.h - addresses of this host, so that it does not connect to itself */
#ifndef S2S_OWN_H
#define S2S_OWN_H

#include "s2s/dns.h"

/* For target_rules.own: the addresses (with ports) that are listened to; 0.0.0.0 and :: stay in the list, and those of the host's interfaces
 * follow each. Returns how many; they are in the arena. Interfaces change: to be asked again on reload. */
size_t own_addresses(struct arena *a, const union dns_addr *listening, size_t n, union dns_addr **out);

#endif
