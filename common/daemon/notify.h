/* common/daemon/notify.h - telling the service manager (sd_notify(3)'s protocol: a datagram to $NOTIFY_SOCKET) */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

void notify(const char *state);      /* "READY=1"; nothing happens without a manager, errors are ignored */
uint32_t notify_watchdog_ms(void);   /* how often WATCHDOG=1 must come, halved; 0: not asked for */

#endif
