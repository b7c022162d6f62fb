/* router/conf.h - router.conf */
#ifndef ROUTER_CONF_H
#define ROUTER_CONF_H

#include "common/daemon/conf.h"
#include "common/link/control.h"

struct section { /* [component NAME] */
    struct section *next;
    char *name, *secret;
    char
        *fingerprint; /* SHA-256 of the client certificate for EXTERNAL, hex; NULL: name in the certificate */
    enum node_role role;
    char **names; /* it may bind these; "*.example.net" stands for all below */
    size_t n_names;
    bool spread_hash;
};
enum router_tls { ROUTER_TLS_REQUIRED, ROUTER_TLS_OPTIONAL };
struct router_conf {
    char *unix_path;
    struct conf_list address;
    uint32_t port;
    int tls; /* enum router_tls */
    char *cert_file, *key_file, *ca_file;
    uint32_t auth_ms, full_ms, silence_ms, peers_max;
    size_t stanza_bytes, queue_bytes;
    struct section *sections; /* in file order */
};
extern const struct conf_table router_conf_table;

const struct section *section_find(const struct router_conf *conf, struct slice name);
/* May a peer that is logged in as s bind name (prepared)? */
bool section_may_bind(const struct router_conf *conf, const struct section *s, struct slice name);

#endif
