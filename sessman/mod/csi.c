/* sessman/mod/csi.c - client state indication (XEP-0352): offered after login; what it does is in csi.h */
#include "sessman/csi.h"
#include "sessman/module.h"

static void on_bind(struct sessman *sm, struct session *s, struct arena *a, const struct node *request,
                    struct buf *out)
{
    (void)a;
    (void)request;
    (void)out;
    csi_set(sm, s, false);
}

static const struct bind_inline binds[] = {
    { NS_CSI, "inactive", on_bind },
    { 0 },
};

const struct module mod_csi = {
    .name = "csi",
    .spec = "XEP-0352 1.0.0",
    .binds = binds,
    .stream_features = "<csi xmlns='" NS_CSI "'/>",
};
