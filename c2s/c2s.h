/* c2s/c2s.h - the context of the client daemon: configuration, and what hangs from it */
#ifndef C2S_C2S_H
#define C2S_C2S_H

#include "common/daemon/certs.h"
#include "common/daemon/daemon.h"
#include "common/daemon/doors.h"
#include "common/daemon/linkconf.h"
#include "common/edge/clients.h"
#include "common/net/conn.h"
#include "common/net/tls.h"

enum tls_policy { TLS_REQUIRED, TLS_OPTIONAL }; /* OPTIONAL: a test installation */

struct c2s_conf {
    /* [listen] */
    struct conf_list address, proxy_from;
    uint32_t port, port_tls, proxy_ms;
    /* [tls] */
    int policy; /* enum tls_policy */
    char *cert, *key, *client_ca, *priority;
    struct certs_section *certs;
    struct rlink_options router;
    struct clients_conf clients;
};
extern const struct conf_table c2s_conf_table;

struct c2s {
    struct clients clients;
    struct daemon_run *run;            /* not ours */
    const struct c2s_conf *conf;       /* current; the daemon skeleton owns it */
    struct conn_conf conn_conf;        /* of every client's connection */
    struct certs *certs;               /* what is served; replaced as a whole on reload; NULL: no TLS */
    struct doors *doors;               /* where we listen; NULL: not yet */
    struct timer second;               /* house-keeping, once a second */
};

/* c2s.c */
struct c2s *c2s_new(struct daemon_run *run);                        /* without edge, certificates and listeners */
MUST_USE enum rc c2s_certs(struct c2s *d, struct why *why);          /* reads the certificates; on an error the old ones stay */
void c2s_take_conf(struct c2s *d, const struct c2s_conf *conf);     /* what can change at run time; conf is borrowed */
void c2s_stop(struct c2s *d); /* ends every stream and the links; the loop runs on until all is closed */
void c2s_free(struct c2s **d); /* after the loop has ended */

/* admit.c: who is let in when */
MUST_USE enum rc admit_open(struct c2s *d, struct why *why);
void admit_on_accepting(struct clients *clients); /* pauses or resumes accepting */

/* status.c: what is told to bulkheadctl */
void status_measure(struct daemon_run *run);
void status_json(struct daemon_run *run, struct buf *json);
extern const struct ctl_command c2s_commands[];
extern const struct metric_def c2s_metrics[];

#endif
