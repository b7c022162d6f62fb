/* common/tools/ctl_tls.h - a TLS client on a blocking socket, for bulkheadctl (GnuTLS)
 *
 * The daemons' TLS lives on their loops (common/net/tls.h); a tool that asks one thing and waits has none. */
#ifndef TOOLS_CTL_TLS_H
#define TOOLS_CTL_TLS_H

#include "common/base/arena.h"
#include "common/xmpp/sasl.h"
#include <stdbool.h>
#include <sys/types.h>

struct ctl_tls;
/* Handshake on fd, which stays the caller's. ca_file: PEM authorities that must have signed host's certificate,
 * RC_DENIED where they have not; NULL: anybody's is taken, and the caller proves the peer by the channel binding.
 * *cb lives in the arena. */
MUST_USE enum rc ctl_tls_open(struct arena *a, int fd, const char *host, const char *ca_file, struct ctl_tls **out,
                              struct sasl_cb *cb, struct why *why);
void ctl_tls_close(struct ctl_tls **tls); /* says goodbye to the peer */
bool ctl_tls_pending(const struct ctl_tls *tls); /* bytes are there that poll does not know of */
/* As recv and send: the number of bytes, 0 at the end, -1 with errno. */
ssize_t ctl_tls_recv(struct ctl_tls *tls, void *bytes, size_t size);
ssize_t ctl_tls_send(struct ctl_tls *tls, const void *bytes, size_t size);

#endif
