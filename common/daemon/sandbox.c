/* common/daemon/sandbox.c */
#include "common/daemon/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void sandbox_limits(bool core)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = core ? limit.rlim_max : 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
}

enum rc sandbox_user(const char *user, uint32_t *uid, uint32_t *gid, struct why *why)
{
    const struct passwd *pw = getpwnam(user);
    if (!pw) {
        why_set(why, "no user %s on this host", user);
        return RC_NOTFOUND;
    }
    *uid = pw->pw_uid;
    *gid = pw->pw_gid;
    return RC_OK;
}

enum rc sandbox_become(const char *user, struct why *why)
{
    uint32_t uid, gid;
    enum rc rc = sandbox_user(user, &uid, &gid, why);
    if (rc != RC_OK)
        return rc;
    if (getuid() == uid && geteuid() == uid)
        return RC_OK;
    if (geteuid() != 0) {
        why_set(why, "only root can become %s", user);
        return RC_DENIED;
    }
    if (initgroups(user, gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) {
        why_set(why, "cannot become %s: %s", user, strerror(errno));
        return RC_DENIED;
    }
    if (uid != 0 && setuid(0) == 0) {
        why_set(why, "privileges could be taken back");
        return RC_DENIED;
    }
    return RC_OK;
}

enum rc sandbox_no_new_privs(struct why *why)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        why_set(why, "no_new_privs: %s", strerror(errno));
        return RC_IO;
    }
    return RC_OK;
}
