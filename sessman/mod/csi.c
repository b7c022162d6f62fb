/* sessman/mod/csi.c - client state indication (XEP-0352): offered after login; what it does is in csi.h */
#include "sessman/module.h"

const struct module mod_csi = {
    .name = "csi",
    .spec = "XEP-0352 1.0.0",
    .stream_features = "<csi xmlns='" NS_CSI "'/>",
};
