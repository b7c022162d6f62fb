/* sessman/mod/sm.c - stream management is offered (XEP-0198); smqueue.c and resume.c do it */
#include "common/edge/smelement.h"
#include "sessman/module.h"
#include "sessman/session.h"
#include "sessman/smqueue.h"

static void on_bind(struct sessman *sm, struct session *s, struct arena *a, const struct node *request,
                    struct buf *out) /* XEP-0198 9.1 */
{
    struct control_sm_enable enable;
    (void)a;
    if (s->sm)
        smelement_write_failed(out, COND_UNEXPECTED_REQUEST, NULL);
    else if (smelement_read_enable(request, &enable) != RC_OK)
        smelement_write_failed(out, COND_BAD_REQUEST, NULL);
    else
        smqueue_enable_inline(sm, s, &enable, out);
}

static const struct bind_inline binds[] = {
    { NS_SM, "enable", on_bind },
    { 0 },
};
const struct module mod_sm = {
    .name = "sm",
    .spec = "XEP-0198 1.6.3",
    .stream_features = "<sm xmlns='" NS_SM "'/>",
    .binds = binds,
};
