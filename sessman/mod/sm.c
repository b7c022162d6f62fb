/* sessman/mod/sm.c - stream management is offered (XEP-0198); smqueue.c and resume.c do it */
#include "sessman/module.h"

const struct module mod_sm = {
    .name = "sm",
    .spec = "XEP-0198 1.6.3",
    .stream_features = "<sm xmlns='" NS_SM "'/>",
};
