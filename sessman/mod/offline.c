/* sessman/mod/offline.c - advertises offline storage (XEP-0160); the work is the journal's and the delivery
 * rules' */
#include "sessman/module.h"

static const char *const features[] = { NS_OFFLINE_FEATURE, NULL };
const struct module mod_offline = {
    .name = "offline",
    .spec = "XEP-0160 1.0.1",
    .features = features,
};
