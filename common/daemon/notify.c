/* common/daemon/notify.c */
#include "common/daemon/notify.h"

#include "common/base/slice.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    if (!path || (path[0] != '/' && path[0] != '@'))
        return;
    if (slice_to_cstr(slice_cstr(path), un.sun_path, sizeof un.sun_path) != RC_OK)
        return;
    if (un.sun_path[0] == '@')
        un.sun_path[0] = '\0'; /* an abstract name */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&un, len) < 0) {
        /* the manager is gone; nothing depends on it */
    }
    close(fd);
}

uint32_t notify_watchdog_ms(void)
{
    uint64_t us, pid;
    const char *for_pid = getenv("WATCHDOG_PID");
    if (for_pid && (slice_u64(slice_cstr(for_pid), UINT32_MAX, &pid) != RC_OK || pid != (uint64_t)getpid()))
        return 0;
    if (slice_u64(slice_cstr(getenv("WATCHDOG_USEC")), UINT32_MAX, &us) != RC_OK)
        return 0;
    return (uint32_t)(us / 2000);
}
