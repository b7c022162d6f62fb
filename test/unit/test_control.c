/* test/unit/test_control.c - control.c: what a writer writes its reader reads, and lies are refused by name
 */
#include "common/link/control.h"
#include "common/xmpp/ns.h"
#include "common/xmpp/xmlin.h"
/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct xmlin_limits limits = { 1 << 20, 8, 8192, 32 };

struct fixture {
    struct arena_pool *arenas;
    struct xmlin_pool *xml;
    struct arena *a;
    struct buf b;
    struct why why;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->arenas = arena_pool_new(4096, 0, 2);
    f->xml = xmlin_pool_new(NS_CLIENT, f->arenas);
    f->a = arena_new(4096, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_fini(&f->b);
    arena_free(&f->a);
    xmlin_pool_free(&f->xml);
    arena_pool_free(&f->arenas);
    free(f);
    return 0;
}

static struct node *parse(struct fixture *f, struct slice text)
{
    struct node *n = NULL;
    enum rc rc = xmlin_parse(f->xml, f->a, text, &limits, &n, &f->why);
    if (rc != RC_OK)
        fail_msg("%s: " SLICE_FMT, f->why.text, SLICE_ARG(text));
    return n;
}

static struct node *written(struct fixture *f, enum control_kind kind)
{
    struct node *n = parse(f, arena_copy(f->a, buf_get(&f->b)));
    assert_int_equal(control_kind_of(n), kind);
    buf_reset(&f->b);
    return n;
}

static void nodes_and_names_come_back(void **state)
{
    struct fixture *f = *state;
    struct slice names[2] = { SLICE("im.example"), SLICE("bücher.example") }, *read;
    struct control_node_up in = { 0xfedcba9876543210, ROLE_SESSMAN, SLICE("sessman-1"), names, 2 }, out;
    uint64_t node;
    size_t n;
    control_write_node_up(&f->b, &in);
    assert_int_equal(control_read_node_up(f->a, written(f, CONTROL_NODE_UP), &out, &f->why), RC_OK);
    assert_true(out.node == in.node && out.role == ROLE_SESSMAN && slice_is(out.instance, "sessman-1"));
    assert_int_equal(out.n_names, 2);
    assert_true(slice_eq(out.names[1], names[1]));
    control_write_node_down(&f->b, 7);
    assert_int_equal(control_read_node_down(written(f, CONTROL_NODE_DOWN), &node, &f->why), RC_OK);
    assert_int_equal(node, 7);
    control_write_names(&f->b, names, 2);
    assert_int_equal(control_read_names(f->a, written(f, CONTROL_NAMES), &read, &n, &f->why), RC_OK);
    assert_true(n == 2 && slice_is(read[0], "im.example"));
    control_write_components(&f->b, names, 2);
    assert_int_equal(control_read_names(f->a, written(f, CONTROL_COMPONENTS), &read, &n, &f->why), RC_OK);
    assert_int_equal(n, 2);
    control_write_names(&f->b, NULL, 0);
    assert_int_equal(control_read_names(f->a, written(f, CONTROL_NAMES), &read, &n, &f->why), RC_OK);
    assert_int_equal(n, 0);
}

static void an_opening_comes_back(void **state)
{
    struct fixture *f = *state;
    struct slice jids[1] = { SLICE("romeo@im.example") };
    struct control_open in = { .domain = SLICE("im.example"),
                               .ip = SLICE("2001:db8::1"),
                               .secure = true,
                               .offered_plus = true,
                               .mechanisms = SLICE("SCRAM-SHA-1 PLAIN"),
                               .bindings = SLICE("tls-exporter"),
                               .cb = { SLICE("\x00\xff\x80"), SLICE("end") },
                               .cert_jids = jids,
                               .n_cert_jids = 1 },
                        out;
    control_write_open(&f->b, &in);
    assert_int_equal(control_read_open(f->a, written(f, CONTROL_OPEN), &out, &f->why), RC_OK);
    assert_true(slice_eq(out.domain, in.domain) && slice_eq(out.ip, in.ip) &&
                slice_eq(out.mechanisms, in.mechanisms) && slice_eq(out.bindings, in.bindings) &&
                slice_eq(out.cb.exporter, in.cb.exporter) && slice_eq(out.cb.end_point, in.cb.end_point) &&
                slice_eq(out.cert_jids[0], jids[0]));
    assert_true(out.secure && out.offered_plus && !out.trusted_plain && !out.api && out.n_cert_jids == 1);
    in.api = true;
    control_write_open(&f->b, &in);
    assert_int_equal(control_read_open(f->a, written(f, CONTROL_OPEN), &out, &f->why), RC_OK);
    assert_true(out.api && !out.trusted_plain);
}

static void empty_and_absent_data_are_two_things(void **state) /* RFC 6120 6.4.2 */
{
    struct fixture *f = *state;
    struct control_auth in = { .mechanism = SLICE("PLAIN"), .has_initial = true }, out;
    struct slice data;
    control_write_auth(&f->b, &in);
    assert_int_equal(control_read_auth(f->a, written(f, CONTROL_AUTH), &out, &f->why), RC_OK);
    assert_true(out.has_initial && out.initial.len == 0);
    in.has_initial = false;
    control_write_auth(&f->b, &in);
    assert_int_equal(control_read_auth(f->a, written(f, CONTROL_AUTH), &out, &f->why), RC_OK);
    assert_false(out.has_initial);
    control_write_response(&f->b, SLICE_NONE);
    assert_int_equal(control_read_data(f->a, written(f, CONTROL_RESPONSE), &data, &f->why), RC_OK);
    assert_int_equal(data.len, 0);
}

static void long_data_comes_back_whole(void **state)
{
    struct fixture *f = *state;
    char bytes[4000];
    struct slice data;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    for (size_t n = 766; n < 772; n++) { /* around the writer's piece */
        control_write_challenge(&f->b, slice_of(bytes, n));
        assert_int_equal(control_read_data(f->a, written(f, CONTROL_CHALLENGE), &data, &f->why), RC_OK);
        assert_true(slice_eq(data, slice_of(bytes, n)));
    }
    control_write_challenge(&f->b, slice_of(bytes, sizeof bytes));
    assert_int_equal(control_read_data(f->a, written(f, CONTROL_CHALLENGE), &data, &f->why), RC_OK);
    assert_true(slice_eq(data, slice_of(bytes, sizeof bytes)));
}

static void outcomes_come_back(void **state)
{
    struct fixture *f = *state;
    struct control_success success = { true, SLICE("v=abc"), SLICE("romeo@im.example") }, success_out;
    struct control_failure failure = { SASL_ACCOUNT_DISABLED, SLICE("<why> & 'how'") }, failure_out;
    struct control_bind_refused refused = { COND_CONFLICT, SLICE("taken") }, refused_out;
    struct control_close close = { STREAM_POLICY_VIOLATION, SLICE_NONE }, close_out;
    struct jid full;
    struct slice resource;
    bool lost;
    uint16_t flow;
    control_write_success(&f->b, &success);
    assert_int_equal(control_read_success(f->a, written(f, CONTROL_SUCCESS), &success_out, &f->why), RC_OK);
    assert_true(success_out.has_data && slice_eq(success_out.data, success.data) &&
                slice_eq(success_out.user, success.user));
    control_write_failure(&f->b, &failure);
    assert_int_equal(control_read_failure(f->a, written(f, CONTROL_FAILURE), &failure_out, &f->why), RC_OK);
    assert_true(failure_out.cond == SASL_ACCOUNT_DISABLED && slice_eq(failure_out.text, failure.text));
    control_write_bind_refused(&f->b, &refused);
    assert_int_equal(control_read_bind_refused(f->a, written(f, CONTROL_BIND_REFUSED), &refused_out, &f->why),
                     RC_OK);
    assert_int_equal(refused_out.cond, COND_CONFLICT);
    control_write_close(&f->b, &close);
    assert_int_equal(control_read_close(f->a, written(f, CONTROL_CLOSE), &close_out, &f->why), RC_OK);
    assert_int_equal(close_out.cond, STREAM_POLICY_VIOLATION);
    control_write_bound(&f->b, SLICE("romeo@im.example/bal'co\"ny"));
    assert_int_equal(control_read_bound(f->a, written(f, CONTROL_BOUND), &full, &f->why), RC_OK);
    assert_true(slice_is(full.resource, "bal'co\"ny"));
    control_write_bind(&f->b, SLICE_NONE);
    assert_int_equal(control_read_bind(f->a, written(f, CONTROL_BIND), &resource, &f->why), RC_OK);
    assert_int_equal(resource.len, 0);
    control_write_gone(&f->b, true);
    assert_int_equal(control_read_gone(written(f, CONTROL_GONE), &lost, &f->why), RC_OK);
    assert_true(lost);
    for (int active = 0; active < 2; active++) {
        bool read = !active;
        control_write_csi(&f->b, active);
        assert_int_equal(control_read_csi(written(f, CONTROL_CSI), &read, &f->why), RC_OK);
        assert_int_equal(read, active);
    }
    control_write_flow(&f->b, UINT16_MAX);
    assert_int_equal(control_read_flow(written(f, CONTROL_FLOW), &flow, &f->why), RC_OK);
    assert_int_equal(flow, UINT16_MAX);
    control_write_abort(&f->b);
    written(f, CONTROL_ABORT);
}

static void domains_keep_their_features(void **state)
{
    struct fixture *f = *state;
    struct slice features =
        SLICE("<ver xmlns='urn:xmpp:features:rosterver'/><c xmlns='http://jabber.org/protocol/caps' "
              "node='http://x.example/?a&amp;b' ver='q=='/>");
    struct control_domain in[2] = { { SLICE("im.example"), true, SLICE("SCRAM-SHA-1 PLAIN"),
                                      SLICE("urn:xmpp:sm:3 urn:xmpp:csi:0"), features },
                                    { .name = SLICE("two.example"), .mechanisms = SLICE("PLAIN") } },
                          *out;
    size_t n;
    control_write_domains(&f->b, in, 2);
    assert_int_equal(control_read_domains(f->a, written(f, CONTROL_DOMAINS), &out, &n, &f->why), RC_OK);
    assert_int_equal(n, 2);
    assert_true(out[0].registration && slice_eq(out[0].mechanisms, in[0].mechanisms));
    assert_true(slice_eq(out[0].features, features) && slice_eq(out[0].binds, in[0].binds));
    assert_true(!out[1].registration && out[1].features.len == 0 && out[1].binds.len == 0);
}

static void what_is_asked_for_with_a_login_comes_back(void **state) /* XEP-0388 2.3 */
{
    struct fixture *f = *state;
    struct control_authenticate out;
    const struct sasl2_request *r = &out.request;
    const struct node *asked = parse(
        f,
        SLICE(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'>"
            "<initial-response>AAEC</initial-response>"
            "<user-agent id='D4565FA7-4d72-4749-b3d3-740edbf87770'><software>A&amp;B</software></user-agent>"
            "<bind xmlns='urn:xmpp:bind:0'><tag>AwesomeXMPP</tag><enable xmlns='urn:xmpp:carbons:2'/></bind>"
            "<resume xmlns='urn:xmpp:sm:3' previd='x&lt;y' h='4294967295'/>"
            "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>"
            "<fast xmlns='urn:xmpp:fast:0' count='12' invalidate='true'/>"
            "<config-version xmlns='urn:xmpp:iap:0' value='v1'/><other xmlns='urn:x'/></authenticate>"));
    control_write_authenticate(&f->b, SLICE("romeo@im.example"), asked);
    assert_int_equal(control_read_authenticate(f->a, written(f, CONTROL_AUTHENTICATE), &out, &f->why), RC_OK);
    assert_true(slice_is(out.from, "romeo@im.example") && slice_is(r->mechanism, "HT-SHA-256-NONE"));
    assert_true(r->has_initial && slice_eq(r->initial, SLICE("\0\1\2")));
    assert_true(slice_is(r->agent, "d4565fa7-4d72-4749-b3d3-740edbf87770") && slice_is(r->software, "A&B"));
    assert_true(slice_is(r->tag, "AwesomeXMPP") && node_find(r->bind, "enable", "urn:xmpp:carbons:2"));
    assert_true(r->resume && slice_is(r->previd, "x<y") && r->h == UINT32_MAX);
    assert_true(slice_is(r->token_for, "HT-SHA-256-EXPR"));
    assert_true(r->fast && r->invalidate && r->count == 12);
    assert_true(r->has_version && slice_is(r->version, "v1"));
    control_write_authenticate(&f->b, SLICE_NONE,
                               parse(f, SLICE("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>")));
    assert_int_equal(control_read_authenticate(f->a, written(f, CONTROL_AUTHENTICATE), &out, &f->why), RC_OK);
    assert_true(!out.from.len && !r->has_initial && !r->agent.len && !r->bind && !r->resume && !r->fast &&
                !r->token_for.len && !r->has_version);
}

static void what_was_done_with_a_login_comes_back(void **state)
{
    struct fixture *f = *state;
    struct control_authenticated in = { .has_data = true,
                                        .user = SLICE("romeo@im.example"),
                                        .full = SLICE("romeo@im.example/A/x'y"),
                                        .bound = SLICE("<failed xmlns='urn:xmpp:sm:3'/><x xmlns='urn:x'/>"),
                                        .more = SLICE("<token xmlns='urn:xmpp:fast:0' token='a&amp;b'/>") },
                                 out;
    control_write_authenticated(&f->b, &in);
    assert_int_equal(control_read_authenticated(f->a, written(f, CONTROL_AUTHENTICATED), &out, &f->why),
                     RC_OK);
    assert_true(out.has_data && out.data.len == 0);
    assert_true(slice_eq(out.user, in.user) && slice_eq(out.full, in.full) && slice_eq(out.bound, in.bound) &&
                slice_eq(out.more, in.more));
    in = (struct control_authenticated){ .user = SLICE("romeo@im.example") };
    control_write_authenticated(&f->b, &in);
    assert_int_equal(control_read_authenticated(f->a, written(f, CONTROL_AUTHENTICATED), &out, &f->why),
                     RC_OK);
    assert_true(!out.has_data && !out.full.len && !out.bound.len && !out.more.len && !out.sm && !out.resumed);
    in = (struct control_authenticated){ .user = SLICE("romeo@im.example"),
                                         .full = SLICE("romeo@im.example/x") };
    in.sm = in.resumed = true; /* XEP-0198 9.2 */
    in.in = UINT32_MAX;
    control_write_authenticated(&f->b, &in);
    assert_int_equal(control_read_authenticated(f->a, written(f, CONTROL_AUTHENTICATED), &out, &f->why),
                     RC_OK);
    assert_true(out.sm && out.resumed && out.in == UINT32_MAX && out.out == 0);
}

static enum rc read_any(struct fixture *f, struct node *n)
{
    struct control_node_up up;
    struct control_open open;
    struct control_auth auth;
    struct control_success success;
    struct control_authenticate authenticate;
    struct control_authenticated authenticated;
    struct control_failure failure;
    struct control_domain *domains;
    struct control_close close;
    struct control_bind_refused refused;
    struct jid jid;
    struct control_sm_enable enable;
    struct control_sm_enabled enabled;
    struct control_resume resume;
    struct control_resumed resumed;
    struct control_resume_failed no;
    struct slice s, *names;
    struct node *stanza;
    uint64_t node;
    struct control_alive alive;
    const struct control_mark *marks;
    uint64_t number;
    uint32_t h;
    size_t count;
    bool lost;
    uint16_t flow;
    switch (control_kind_of(n)) {
    case CONTROL_NODE_UP:
        return control_read_node_up(f->a, n, &up, &f->why);
    case CONTROL_NODE_DOWN:
        return control_read_node_down(n, &node, &f->why);
    case CONTROL_NAMES:
        return control_read_names(f->a, n, &names, &count, &f->why);
    case CONTROL_OPEN:
        return control_read_open(f->a, n, &open, &f->why);
    case CONTROL_AUTH:
        return control_read_auth(f->a, n, &auth, &f->why);
    case CONTROL_RESPONSE:
        return control_read_data(f->a, n, &s, &f->why);
    case CONTROL_SUCCESS:
        return control_read_success(f->a, n, &success, &f->why);
    case CONTROL_AUTHENTICATE:
        return control_read_authenticate(f->a, n, &authenticate, &f->why);
    case CONTROL_AUTHENTICATED:
        return control_read_authenticated(f->a, n, &authenticated, &f->why);
    case CONTROL_FAILURE:
        return control_read_failure(f->a, n, &failure, &f->why);
    case CONTROL_BOUND:
        return control_read_bound(f->a, n, &jid, &f->why);
    case CONTROL_BIND:
        return control_read_bind(f->a, n, &s, &f->why);
    case CONTROL_BIND_REFUSED:
        return control_read_bind_refused(f->a, n, &refused, &f->why);
    case CONTROL_GONE:
        return control_read_gone(n, &lost, &f->why);
    case CONTROL_CSI:
        return control_read_csi(n, &lost, &f->why);
    case CONTROL_FLOW:
        return control_read_flow(n, &flow, &f->why);
    case CONTROL_CLOSE:
        return control_read_close(f->a, n, &close, &f->why);
    case CONTROL_DOMAINS:
        return control_read_domains(f->a, n, &domains, &count, &f->why);
    case CONTROL_ALIVE:
        return control_read_alive(f->a, n, &alive, &f->why);
    case CONTROL_UNDELIVERED:
    case CONTROL_UNREAD:
        return control_read_undelivered(f->a, n, &marks, &count, &f->why);
    case CONTROL_SETTLED:
        return control_read_settled(n, &number, &f->why);
    case CONTROL_SM_ENABLE:
        return control_read_sm_enable(n, &enable, &f->why);
    case CONTROL_SM_ENABLED:
        return control_read_sm_enabled(n, &enabled, &f->why);
    case CONTROL_ACKED:
        return control_read_acked(n, &h, &f->why);
    case CONTROL_RESUME:
        return control_read_resume(n, &resume, &f->why);
    case CONTROL_RESUMED:
        return control_read_resumed(f->a, n, &resumed, &f->why);
    case CONTROL_RESUME_FAILED:
        return control_read_resume_failed(n, &no, &f->why);
    case CONTROL_ECHO:
        return control_read_echo(n, &stanza, &f->why);
    default:
        return RC_UNSUPPORTED;
    }
}

static void lies_are_refused(void **state)
{
    static const char *const bad[] = {
        "<node-up %s node='0000000000000000' role='edge' instance='c'/>",
        "<node-up %s node='12' role='edge' instance='c'/>",
        "<node-up %s node='0000000000000001' role='king' instance='c'/>",
        "<node-up %s node='0000000000000001' role='edge'/>",
        "<node-up %s node='0000000000000001' role='edge' instance='c'><name>Im.Example</name></node-up>",
        "<node-down %s node='x'/>",
        "<names %s><name>a b</name></names>",
        "<names %s><name/></names>",
        "<open %s domain='' ip='::1'/>",
        "<open %s domain='im.example'/>",
        "<open %s domain='im.example' ip='::1' secure='maybe'/>",
        "<open %s domain='im.example' ip='::1'><exporter>!</exporter></open>",
        "<auth %s>QQ==</auth>",
        "<auth %s mechanism='PLAIN'>QQ</auth>",
        "<response %s>***</response>",
        "<success %s user='im.example'/>",
        "<success %s user='a@im.example/x'/>",
#define ASKS(inner)                                                                                          \
    "<authenticate %s><authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>" inner                        \
    "</authenticate></authenticate>"
        "<authenticate %s/>",
        "<authenticate %s><authenticate xmlns='urn:xmpp:sasl:2'/></authenticate>",
        "<authenticate %s from='im.example'><authenticate xmlns='urn:xmpp:sasl:2' "
        "mechanism='PLAIN'/></authenticate>",
        "<authenticate %s from='a@im.example/r'><authenticate xmlns='urn:xmpp:sasl:2' "
        "mechanism='PLAIN'/></authenticate>",
        ASKS("<initial-response>*</initial-response>"),
        ASKS("<initial-response/><initial-response/>"),
        ASKS("<initial-response><x/></initial-response>"),
        ASKS("<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf8777'/>"),
        ASKS("<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf8777g'/>"),
        ASKS("<user-agent id='d4565fa704d7204749-b3d3-740edbf87770'/>"),
        ASKS("<bind xmlns='urn:xmpp:bind:0'/><bind xmlns='urn:xmpp:bind:0'/>"),
        ASKS("<resume xmlns='urn:xmpp:sm:3' h='1'/>"),
        ASKS("<resume xmlns='urn:xmpp:sm:3' previd='x'/>"),
        ASKS("<resume xmlns='urn:xmpp:sm:3' previd='x' h='4294967296'/>"),
        ASKS("<resume xmlns='urn:xmpp:sm:3' previd='x' h='-1'/>"),
        ASKS("<fast xmlns='urn:xmpp:fast:0' count='0'/>"),
        ASKS("<fast xmlns='urn:xmpp:fast:0' count='2147483648'/>"),
        ASKS("<fast xmlns='urn:xmpp:fast:0' count='99999999999999999999'/>"),
        ASKS("<fast xmlns='urn:xmpp:fast:0' count=''/>"),
        ASKS("<fast xmlns='urn:xmpp:fast:0' invalidate='perhaps'/>"),
        ASKS("<request-token xmlns='urn:xmpp:fast:0'/>"),
        "<authenticated %s user='im.example'/>",
        "<authenticated %s user='a@im.example' jid='a@im.example'/>",
        "<authenticated %s user='a@im.example' jid='b@im.example/r'/>",
        "<authenticated %s user='a@im.example'><data>*</data></authenticated>",
        "<failure %s cond='no-such'/>",
        "<bound %s jid='a@im.example'/>",
        "<bound %s jid='@'/>",
        "<bind-refused %s cond=''/>",
        "<gone %s lost='x'/>",
        "<csi %s active='yes'/>",
        "<flow %s/>",
        "<flow %s n='65536'/>",
        "<close %s/>",
        "<domains %s><domain mechanisms='PLAIN'/></domains>",
        "<domains %s><domain name='a@b'/></domains>",
        "<alive %s/>",
        "<alive %s upto='1' end='yes'/>",
        "<alive %s upto='1'><s/></alive>",
        "<alive %s upto='1'><s id='1' out='4294967296' acked='1'/></alive>",
        "<alive %s upto='1'><s id='1' out='1'/></alive>",
        "<alive %s upto='1'><m id='1' pos='9223372036854775808'/></alive>",
        "<undelivered %s><m pos='1'/></undelivered>",
        "<undelivered %s><m id='1' pos='-1'/></undelivered>",
        "<unread %s><m id='1'/></unread>",
        "<alive %s upto='1'><m id='1' pos='1' origin='-1'/></alive>",
        "<settled %s/>",
        "<sm-enable %s resume='yes'/>",
        "<sm-enable %s max='-1'/>",
        "<sm-enabled %s id='x'/>",
        "<acked %s/>",
        "<acked %s h='4294967296'/>",
        "<acked %s h='+1'/>",
        "<resume %s h='1'/>",
        "<resume %s previd='x'/>",
        "<resumed %s previd='x' jid='a@im.example' in='1' out='1'/>",
        "<resumed %s previd='x' jid='a@im.example/r' in='1'/>",
        "<resumed %s jid='a@im.example/r' in='1' out='1'/>",
        "<resume-failed %s cond='none'/>",
        "<resume-failed %s cond='gone' h=''/>",
        "<echo %s><iq xmlns='jabber:client'/><iq xmlns='jabber:client'/></echo>",
        "<echo %s><iq/></echo>",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char at[sizeof f->why.text];
        const char *hole = strstr(bad[i], "%s");
        struct slice head = slice_of(bad[i], (size_t)(hole - bad[i]));
        struct slice text = arena_fmt(f->a, SLICE_FMT "xmlns='" NS_CONTROL "'%s", SLICE_ARG(head), hole + 2);
        f->why.text[0] = '\0';
        if (read_any(f, parse(f, text)) != RC_SYNTAX)
            fail_msg("%s was taken", bad[i]);
        snprintf(at, sizeof at, "%s", f->why.text);
        assert_true(at[0] == '<'); /* names the element */
    }
}

static void the_living_and_their_marks_come_back(void **state)
{
    struct fixture *f = *state;
    const struct control_alive_session sessions[2] = { { 1, false, 0, 0 },
                                                       { UINT64_MAX, true, UINT32_MAX, 5 } };
    const struct control_mark marks[2] = { { 1, 77, 0 }, { UINT64_MAX, INT64_MAX, UINT64_MAX } }, *read;
    struct control_alive in = { sessions, 2, marks, 2, 12345678901, true }, out;
    uint64_t seq;
    size_t n;
    control_write_alive(&f->b, &in);
    assert_int_equal(control_read_alive(f->a, written(f, CONTROL_ALIVE), &out, &f->why), RC_OK);
    assert_true(out.end && out.upto == in.upto && out.n_sessions == 2 && out.n_marks == 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(out.sessions[i].id == sessions[i].id && out.sessions[i].sm == sessions[i].sm);
        assert_true(out.sessions[i].out == sessions[i].out && out.sessions[i].acked == sessions[i].acked);
        assert_true(out.marks[i].session == marks[i].session && out.marks[i].pos == marks[i].pos);
        assert_true(out.marks[i].origin == marks[i].origin);
    }
    control_write_undelivered(&f->b, marks, 2);
    assert_int_equal(control_read_undelivered(f->a, written(f, CONTROL_UNDELIVERED), &read, &n, &f->why),
                     RC_OK);
    assert_true(n == 2 && read[1].session == UINT64_MAX && read[1].pos == INT64_MAX);
    control_write_unread(&f->b, marks, 2);
    assert_int_equal(control_read_undelivered(f->a, written(f, CONTROL_UNREAD), &read, &n, &f->why), RC_OK);
    assert_true(n == 2 && read[0].pos == 77 && read[0].origin == 0);
    control_write_read(&f->b, marks, 2);
    assert_int_equal(control_read_undelivered(f->a, written(f, CONTROL_READ), &read, &n, &f->why), RC_OK);
    assert_true(n == 2 && read[0].pos == 77);
    const struct control_run runs[] = { { 77, 1 }, { 100, CONTROL_SENT_RUN } }, *sent;
    control_write_sent(&f->b, runs, 2);
    assert_int_equal(control_read_sent(f->a, written(f, CONTROL_SENT), &sent, &n, &f->why), RC_OK);
    assert_true(n == 2 && sent[0].first == 77 && sent[0].n == 1 && sent[1].first == 100 && sent[1].n == 256);
    static const struct control_run bad[] = { { 5, 0 }, { 5, CONTROL_SENT_RUN + 1 }, { INT64_MAX, 2 } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        control_write_sent(&f->b, &bad[i], 1);
        assert_int_equal(control_read_sent(f->a, written(f, CONTROL_SENT), &sent, &n, &f->why), RC_SYNTAX);
    }
    control_write_settled(&f->b, 9);
    assert_int_equal(control_read_settled(written(f, CONTROL_SETTLED), &seq, &f->why), RC_OK);
    assert_int_equal(seq, 9);
}

static void too_many_marks_are_refused(void **state)
{
    struct fixture *f = *state;
    static struct control_mark marks[CONTROL_LIST_MAX + 1];
    const struct control_mark *read;
    size_t n;
    control_write_undelivered(&f->b, marks, CONTROL_LIST_MAX);
    assert_int_equal(control_read_undelivered(f->a, written(f, CONTROL_UNDELIVERED), &read, &n, &f->why),
                     RC_OK);
    control_write_undelivered(&f->b, marks, CONTROL_LIST_MAX + 1);
    assert_int_equal(control_read_undelivered(f->a, written(f, CONTROL_UNDELIVERED), &read, &n, &f->why),
                     RC_LIMIT);
}

static void stream_management_comes_back(void **state) /* XEP-0198 */
{
    struct fixture *f = *state;
    struct control_sm_enable enable = { true, 600 }, enable_out;
    struct control_sm_enabled enabled = { SLICE("a'b"), 300 }, enabled_out;
    struct control_resume resume = { SLICE("<id>"), UINT32_MAX }, resume_out;
    struct control_resumed resumed = { .previd = SLICE("id"), .in = UINT32_MAX, .out = 0 }, resumed_out;
    struct control_resume_failed no = { COND_ITEM_NOT_FOUND, true, true, 7, 9 }, no_out;
    struct node *stanza;
    uint32_t h;
    control_write_sm_enable(&f->b, &enable);
    assert_int_equal(control_read_sm_enable(written(f, CONTROL_SM_ENABLE), &enable_out, &f->why), RC_OK);
    assert_true(enable_out.resume && enable_out.max_s == 600);
    control_write_sm_enabled(&f->b, &enabled);
    assert_int_equal(control_read_sm_enabled(written(f, CONTROL_SM_ENABLED), &enabled_out, &f->why), RC_OK);
    assert_true(slice_eq(enabled_out.id, enabled.id) && enabled_out.max_s == 300);
    control_write_acked(&f->b, UINT32_MAX);
    assert_int_equal(control_read_acked(written(f, CONTROL_ACKED), &h, &f->why), RC_OK);
    assert_true(h == UINT32_MAX);
    control_write_resume(&f->b, &resume);
    assert_int_equal(control_read_resume(written(f, CONTROL_RESUME), &resume_out, &f->why), RC_OK);
    assert_true(slice_eq(resume_out.previd, resume.previd) && resume_out.h == UINT32_MAX);
    assert_int_equal(jid_parse(f->a, SLICE("romeo@im.example/o'r"), &resumed.full, &f->why), RC_OK);
    control_write_resumed(&f->b, &resumed);
    assert_int_equal(control_read_resumed(f->a, written(f, CONTROL_RESUMED), &resumed_out, &f->why), RC_OK);
    assert_true(slice_eq(resumed_out.full.full, resumed.full.full) && resumed_out.in == UINT32_MAX &&
                resumed_out.out == 0 && slice_is(resumed_out.previd, "id"));
    control_write_resume_failed(&f->b, &no);
    assert_int_equal(control_read_resume_failed(written(f, CONTROL_RESUME_FAILED), &no_out, &f->why), RC_OK);
    assert_true(no_out.cond == no.cond && no_out.has_h && no_out.h == 7 && no_out.too_high &&
                no_out.sent == 9);
    control_write_echo(&f->b, parse(f, SLICE("<iq id='1' type='error'><x xmlns='y'/></iq>")));
    assert_int_equal(control_read_echo(written(f, CONTROL_ECHO), &stanza, &f->why), RC_OK);
    assert_true(node_is(stanza, "iq", NS_CLIENT) && node_is(node_child(stanza), "x", "y"));
    control_write_echo(&f->b, NULL);
    assert_int_equal(control_read_echo(written(f, CONTROL_ECHO), &stanza, &f->why), RC_OK);
    assert_null(stanza);
}

static void asks_and_answers_come_back(void **state)
{
    struct fixture *f = *state;
    struct control_ask in = { UINT64_MAX, SLICE("log"), SLICE("warn <1>") }, out;
    struct control_told say = { .id = 7, .text = SLICE("a\n\tb & <c>") }, told;
    control_write_ask(&f->b, &in);
    assert_int_equal(control_read_ask(written(f, CONTROL_ASK), &out, &f->why), RC_OK);
    assert_true(out.id == in.id && slice_eq(out.what, in.what) && slice_eq(out.args, in.args));
    in.args = SLICE_NONE;
    control_write_ask(&f->b, &in);
    assert_int_equal(control_read_ask(written(f, CONTROL_ASK), &out, &f->why), RC_OK);
    assert_int_equal(out.args.len, 0);
    control_write_told(&f->b, &say);
    assert_int_equal(control_read_told(f->a, written(f, CONTROL_TOLD), &told, &f->why), RC_OK);
    assert_true(told.id == 7 && !told.failed && !told.node && slice_eq(told.text, say.text));
    say.node = 0xab, say.role = SLICE("s2s"), say.instance = SLICE("s2s-1"), say.more = 2, say.failed = true;
    control_write_told(&f->b, &say);
    assert_int_equal(control_read_told(f->a, written(f, CONTROL_TOLD), &told, &f->why), RC_OK);
    assert_true(told.failed && told.node == 0xab && told.more == 2 && slice_is(told.role, "s2s") &&
                slice_is(told.instance, "s2s-1"));
}

/* What a log holds may have come from anybody: the element is XML whatever it is, or its link would be
 * closed. */
static void an_answer_is_xml_whatever_it_says(void **state)
{
    const struct {
        struct slice said, read;
    } rows[] = {
        { SLICE("a\0b\x01\x1f\rc"), SLICE("a?b???c") },
        { SLICE("\xff\xc3 \xc3\xa4\xe2\x82"), SLICE("?? \xc3\xa4??") },
        { SLICE("\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd"), SLICE("??????\xef\xbf\xbd") },
        { SLICE("\xed\xa0\x80\xf0\x9f\x98\x80\x7f"), SLICE("???\xf0\x9f\x98\x80\x7f") },
        { SLICE(""), SLICE("") },
        { SLICE("]]>"), SLICE("]]>") },
    };
    struct fixture *f = *state;
    struct control_told told;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        control_write_told(&f->b, &(struct control_told){ .id = 1, .text = rows[i].said });
        assert_int_equal(control_read_told(f->a, written(f, CONTROL_TOLD), &told, &f->why), RC_OK);
        assert_true(slice_eq(told.text, rows[i].read));
    }
}

static void the_largest_answer_fits_a_frame(void **state)
{
    struct fixture *f = *state;
    struct control_told told;
    char *text = arena_zero(f->a, CONTROL_TOLD_MAX + 1);
    memset(text, '&', CONTROL_TOLD_MAX + 1);
    control_write_told(&f->b, &(struct control_told){ .id = 1, .text = slice_of(text, CONTROL_TOLD_MAX) });
    assert_true(f->b.len + 1024 < 1 << 20); /* FRAME_MAX */
    assert_int_equal(control_read_told(f->a, written(f, CONTROL_TOLD), &told, &f->why), RC_OK);
    assert_int_equal(told.text.len, CONTROL_TOLD_MAX);
    memset(text, 'x', CONTROL_TOLD_MAX + 1);
    control_write_told(&f->b,
                       &(struct control_told){ .id = 1, .text = slice_of(text, CONTROL_TOLD_MAX + 1) });
    assert_int_equal(control_read_told(f->a, written(f, CONTROL_TOLD), &told, &f->why), RC_LIMIT);
}

static void asks_that_are_none_are_refused(void **state)
{
    static const char *const asks[] = { "<ask xmlns='" NS_CONTROL "' what='x'/>",
                                        "<ask xmlns='" NS_CONTROL "' id='x' what='x'/>",
                                        "<ask xmlns='" NS_CONTROL "' id='1'/>" };
    static const char *const tolds[] = { "<told xmlns='" NS_CONTROL "'/>",
                                         "<told xmlns='" NS_CONTROL "' id='1' failed='x'/>",
                                         "<told xmlns='" NS_CONTROL "' id='1' node='1'/>",
                                         "<told xmlns='" NS_CONTROL "' id='1' node='00000000000000ab'/>",
                                         "<told xmlns='" NS_CONTROL
                                         "' id='1' node='00000000000000ab' more='1' role='edge'/>" };
    struct fixture *f = *state;
    struct control_ask ask;
    struct control_told told;
    char long_args[CONTROL_ARGS_MAX];
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        assert_int_equal(control_read_ask(parse(f, slice_cstr(asks[i])), &ask, &f->why), RC_SYNTAX);
    for (size_t i = 0; i < sizeof tolds / sizeof *tolds; i++)
        assert_int_equal(control_read_told(f->a, parse(f, slice_cstr(tolds[i])), &told, &f->why), RC_SYNTAX);
    memset(long_args, 'x', sizeof long_args);
    control_write_ask(&f->b, &(struct control_ask){ 1, SLICE("log"), slice_of(long_args, sizeof long_args) });
    assert_int_equal(control_read_ask(written(f, CONTROL_ASK), &ask, &f->why), RC_LIMIT);
}

static void other_elements_are_none_of_ours(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(control_kind_of(parse(f, SLICE("<open/>"))), CONTROL_NONE);
    assert_int_equal(control_kind_of(parse(f, SLICE("<king xmlns='" NS_CONTROL "'/>"))), CONTROL_NONE);
    assert_int_equal(control_kind_of(NULL), CONTROL_NONE);
}

static void too_many_names_are_refused(void **state)
{
    struct fixture *f = *state;
    struct slice names[CONTROL_NAMES_MAX + 1], *read;
    size_t n;
    for (size_t i = 0; i <= CONTROL_NAMES_MAX; i++)
        names[i] = arena_fmt(f->a, "d%zu.example", i);
    control_write_names(&f->b, names, CONTROL_NAMES_MAX);
    assert_int_equal(control_read_names(f->a, written(f, CONTROL_NAMES), &read, &n, &f->why), RC_OK);
    control_write_names(&f->b, names, CONTROL_NAMES_MAX + 1);
    assert_int_equal(control_read_names(f->a, written(f, CONTROL_NAMES), &read, &n, &f->why), RC_LIMIT);
}

static void roles_have_names(void **state)
{
    enum node_role role;
    (void)state;
    for (int r = ROLE_COMPONENT; r <= ROLE_ADMIN; r++) {
        assert_true(node_role_parse(slice_cstr(node_role_name((enum node_role)r)), &role));
        assert_int_equal(role, r);
    }
    assert_false(node_role_parse(SLICE("Edge"), &role));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_and_names_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(an_opening_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_and_absent_data_are_two_things, setup, teardown),
        cmocka_unit_test_setup_teardown(long_data_comes_back_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(outcomes_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(domains_keep_their_features, setup, teardown),
        cmocka_unit_test_setup_teardown(the_living_and_their_marks_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_marks_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_asked_for_with_a_login_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_done_with_a_login_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(stream_management_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(lies_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_and_answers_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_is_xml_whatever_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(the_largest_answer_fits_a_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_that_are_none_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(other_elements_are_none_of_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_names_are_refused, setup, teardown),
        cmocka_unit_test(roles_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
