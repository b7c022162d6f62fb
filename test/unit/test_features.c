/* test/unit/test_features.c */
#include "common/edge/features.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = arena_new(1024, 0);
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    arena_free(&a);
    return 0;
}

#define LISTED "SCRAM-SHA-512 SCRAM-SHA-1 EXTERNAL PLAIN"
#define HOSTED SLICE(LISTED)

static void mechanisms_follow_from_the_connection(void **state) /* RFC 6120 6.3.4, 13.8; XEP-0178 2 */
{
    static const struct {
        struct features_auth auth;
        const char *offered;
    } rows[] = {
        { { SLICE_INIT(LISTED), false, false, false, false }, "SCRAM-SHA-512 SCRAM-SHA-1" },
        { { SLICE_INIT(LISTED), true, false, false, false }, "SCRAM-SHA-512 SCRAM-SHA-1 PLAIN" },
        { { SLICE_INIT(LISTED), true, false, true, false },
          "SCRAM-SHA-512-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-1 PLAIN" },
        { { SLICE_INIT(LISTED), true, true, false, true },
          "SCRAM-SHA-512-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-1 EXTERNAL PLAIN" },
        { { SLICE_INIT("PLAIN"), false, false, true, true }, "" },
        { { SLICE_INIT(""), true, true, true, true }, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(slice_is(features_mechanisms(*state, &rows[i].auth), rows[i].offered));
}

static void a_mechanism_is_found_whole(void **state)
{
    (void)state;
    assert_true(features_lists(HOSTED, SLICE("PLAIN")));
    assert_true(features_lists(HOSTED, SLICE("SCRAM-SHA-512")));
    assert_false(features_lists(HOSTED, SLICE("SCRAM-SHA-512-PLUS")));
    assert_false(features_lists(HOSTED, SLICE("SCRAM-SHA")));
    assert_false(features_lists(HOSTED, SLICE("")));
    assert_false(features_lists(SLICE("A  B"), SLICE("")));
}

static void check_written(const struct features *f, const char *want)
{
    struct buf out = BUF_INIT(0);
    features_write(&out, f);
    assert_true(slice_is(buf_get(&out), want));
    buf_fini(&out);
}

static void before_tls_there_is_starttls_alone(void **state) /* RFC 6120 5.3.1, 5.4.1 */
{
    (void)state;
    check_written(&(struct features){ .starttls = true, .starttls_required = true },
                  "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
                  "</stream:features>");
}

static void mechanisms_come_with_their_bindings(void **state) /* XEP-0440 3 */
{
    (void)state;
    check_written(&(struct features){ .mechanisms = SLICE("A B"), .bindings = features_bindings(true, true) },
                  "<stream:features><sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"
                  "<channel-binding type='tls-server-end-point'/><channel-binding type='tls-exporter'/>"
                  "</sasl-channel-binding><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
                  "<mechanism>A</mechanism><mechanism>B</mechanism></mechanisms></stream:features>");
}

static void after_sasl_there_are_binding_and_limits(void **state) /* RFC 6120 7.4, RFC 6121 1.4, XEP-0478 3 */
{
    (void)state;
    check_written(&(struct features){ .bind = true,
                                      .more = SLICE("<ver xmlns='urn:xmpp:features:rosterver'/>"),
                                      .max_bytes = 262144,
                                      .idle_s = 300 },
                  "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
                  "<ver xmlns='urn:xmpp:features:rosterver'/>"
                  "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"
                  "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes>"
                  "<idle-seconds>300</idle-seconds></limits></stream:features>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mechanisms_follow_from_the_connection, setup, teardown),
        cmocka_unit_test(a_mechanism_is_found_whole),
        cmocka_unit_test(before_tls_there_is_starttls_alone),
        cmocka_unit_test(mechanisms_come_with_their_bindings),
        cmocka_unit_test(after_sasl_there_are_binding_and_limits),
    };
    return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
