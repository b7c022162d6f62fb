/* test/fuzz/fuzz_control.c - payloads of control frames, as a router or another daemon that lies would send
 * them */
#include "common/link/control.h"
#include "common/link/frame.h"
#include "common/xmpp/xmlin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum rc read_any(struct arena *a, const struct node *n, struct why *why)
{
    union {
        struct control_node_up up;
        struct control_open open;
        struct control_auth auth;
        struct control_success success;
        struct control_authenticate authenticate;
        struct control_authenticated authenticated;
        struct control_failure failure;
        struct control_close close;
        struct control_bind_refused refused;
        struct control_alive alive;
        struct control_ask ask;
        struct control_told told;
        struct jid jid;
        struct slice s;
        struct control_sm_enable enable;
        struct control_sm_enabled enabled;
        struct control_resume resume;
        struct control_resumed resumed;
        struct control_resume_failed failed;
        struct node *stanza;
        uint64_t node;
        uint32_t h;
        uint16_t flow;
        bool lost;
    } out;
    struct slice *names;
    struct control_domain *domains;
    const struct control_mark *marks;
    const struct control_run *runs;
    size_t count;
    switch (control_kind_of(n)) {
    case CONTROL_NODE_UP:
        return control_read_node_up(a, n, &out.up, why);
    case CONTROL_NODE_DOWN:
        return control_read_node_down(n, &out.node, why);
    case CONTROL_NAMES:
    case CONTROL_COMPONENTS:
        return control_read_names(a, n, &names, &count, why);
    case CONTROL_ASK:
        return control_read_ask(n, &out.ask, why);
    case CONTROL_TOLD:
        return control_read_told(a, n, &out.told, why);
    case CONTROL_OPEN:
        return control_read_open(a, n, &out.open, why);
    case CONTROL_AUTH:
        return control_read_auth(a, n, &out.auth, why);
    case CONTROL_CHALLENGE:
    case CONTROL_RESPONSE:
        return control_read_data(a, n, &out.s, why);
    case CONTROL_SUCCESS:
        return control_read_success(a, n, &out.success, why);
    case CONTROL_AUTHENTICATE:
        return control_read_authenticate(a, n, &out.authenticate, why);
    case CONTROL_AUTHENTICATED:
        return control_read_authenticated(a, n, &out.authenticated, why);
    case CONTROL_FAILURE:
        return control_read_failure(a, n, &out.failure, why);
    case CONTROL_BOUND:
        return control_read_bound(a, n, &out.jid, why);
    case CONTROL_BIND:
        return control_read_bind(a, n, &out.s, why);
    case CONTROL_BIND_REFUSED:
        return control_read_bind_refused(a, n, &out.refused, why);
    case CONTROL_GONE:
        return control_read_gone(n, &out.lost, why);
    case CONTROL_CSI:
        return control_read_csi(n, &out.lost, why);
    case CONTROL_CLOSE:
        return control_read_close(a, n, &out.close, why);
    case CONTROL_DOMAINS:
        return control_read_domains(a, n, &domains, &count, why);
    case CONTROL_ALIVE:
        return control_read_alive(a, n, &out.alive, why);
    case CONTROL_FLOW:
        return control_read_flow(n, &out.flow, why);
    case CONTROL_UNDELIVERED:
    case CONTROL_UNREAD:
    case CONTROL_READ:
        return control_read_undelivered(a, n, &marks, &count, why);
    case CONTROL_SENT:
        return control_read_sent(a, n, &runs, &count, why);
    case CONTROL_SETTLED:
        return control_read_settled(n, &out.node, why);
    case CONTROL_SM_ENABLE:
        return control_read_sm_enable(n, &out.enable, why);
    case CONTROL_SM_ENABLED:
        return control_read_sm_enabled(n, &out.enabled, why);
    case CONTROL_ACKED:
        return control_read_acked(n, &out.h, why);
    case CONTROL_RESUME:
        return control_read_resume(n, &out.resume, why);
    case CONTROL_RESUMED:
        return control_read_resumed(a, n, &out.resumed, why);
    case CONTROL_RESUME_FAILED:
        return control_read_resume_failed(n, &out.failed, why);
    case CONTROL_ECHO:
        return control_read_echo(n, &out.stanza, why);
    case CONTROL_ABORT:
    case CONTROL_NONE:
        break;
    }
    return RC_UNSUPPORTED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct xmlin_limits limits = { FRAME_MAX, 8, 4096, 32 };
    struct arena_pool *arenas = arena_pool_new(4096, 1 << 20, 1);
    struct xmlin_pool *xml = xmlin_pool_new(NS_CLIENT, arenas);
    struct arena *a = arena_take(arenas);
    struct node *n = NULL;
    struct why why;
    enum rc rc = xmlin_parse(xml, a, slice_of((const char *)data, size), &limits, &n, &why);
    if (rc == RC_OK)
        rc = read_any(a, n, &why);
    arena_give(arenas, &a);
    xmlin_pool_free(&xml);
    arena_pool_free(&arenas);
    (void)rc;
    return 0;
}
