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

#define LISTED "SCRAM-SHA-512 SCRAM-SHA-1 EXTERNAL PLAIN HT-SHA-256"
#define HOSTED SLICE(LISTED)

static void mechanisms_follow_from_the_connection(void **state) /* RFC 6120 6.3.4, 13.8; XEP-0178 2 */
{
    static const struct {
        struct features_auth auth;
        const char *offered;
    } rows[] = {
        { { SLICE_INIT(LISTED), false, false, false, false, false }, "SCRAM-SHA-512 SCRAM-SHA-1" },
        { { SLICE_INIT(LISTED), false, true, false, false, false }, "SCRAM-SHA-512 SCRAM-SHA-1 PLAIN" },
        { { SLICE_INIT(LISTED), true, true, false, true, false },
          "SCRAM-SHA-512-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-1 PLAIN" },
        { { SLICE_INIT(LISTED), true, true, true, false, true },
          "SCRAM-SHA-512-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-512 SCRAM-SHA-1 EXTERNAL PLAIN" },
        { { SLICE_INIT("PLAIN"), true, false, false, true, true }, "" },
        { { SLICE_INIT(""), true, true, true, true, true }, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(slice_is(features_mechanisms(*state, &rows[i].auth), rows[i].offered));
}

static void tokens_log_in_under_tls_alone(void **state) /* XEP-0484 3.1, 7 */
{
    struct features_auth auth = { .hosted = HOSTED, .plain = true, .exporter = true, .end_point = true };
    assert_int_equal(features_fast(*state, &auth).len, 0);
    auth.tls = true;
    assert_true(slice_is(features_fast(*state, &auth), "HT-SHA-256-EXPR HT-SHA-256-ENDP HT-SHA-256-NONE"));
    auth.exporter = false;
    assert_true(slice_is(features_fast(*state, &auth), "HT-SHA-256-ENDP HT-SHA-256-NONE"));
    auth.hosted = SLICE("PLAIN HT-SHA-256");
    assert_true(slice_is(features_fast(*state, &auth),
                         "HT-SHA-256-NONE")); /* no binding types are told: XEP-0440 3 */
    auth.hosted = SLICE("PLAIN");
    assert_int_equal(features_fast(*state, &auth).len, 0);
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
    if (!slice_is(buf_get(&out), want))
        fail_msg(SLICE_FMT " is not %s", SLICE_ARG(buf_get(&out)), want);
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

static void what_a_login_may_bring_with_it(void **state) /* XEP-0388 2.1, 0386 3.1, 0484 3.1 */
{
    (void)state;
    check_written(
        &(struct features){
            .mechanisms = SLICE("A"), .sasl2 = true, .fast = SLICE("HT-X"), .binds = SLICE("urn:x urn:y") },
        "<stream:features><mechanisms "
        "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>A</mechanism></mechanisms>"
        "<authentication xmlns='urn:xmpp:sasl:2'><mechanism>A</mechanism><inline><bind "
        "xmlns='urn:xmpp:bind:0'>"
        "<inline><feature var='urn:x'/><feature var='urn:y'/></inline></bind>"
        "<fast "
        "xmlns='urn:xmpp:fast:0'><mechanism>HT-X</mechanism></fast></inline></authentication></"
        "stream:features>");
    check_written(&(struct features){ .mechanisms = SLICE("A"), .sasl2 = true },
                  "<stream:features><mechanisms "
                  "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>A</mechanism></mechanisms>"
                  "<authentication xmlns='urn:xmpp:sasl:2'><mechanism>A</mechanism><inline><bind "
                  "xmlns='urn:xmpp:bind:0'></bind></inline>"
                  "</authentication></stream:features>");
    check_written(&(struct features){ .sasl2 = true },
                  "<stream:features></stream:features>"); /* without a mechanism: not at all */
}

static void versions_say_what_is_offered(void **state) /* XEP-0509 2.1 */
{
    struct features f = { .mechanisms = SLICE("A"), .sasl2 = true };
    char first[FEATURES_VERSION_LEN + 1], version[FEATURES_VERSION_LEN + 1];
    struct buf out = BUF_INIT(0);
    BUF_LIT(&out, "before");
    features_write(&out, &f);
    features_seal(&out, 6, first);
    assert_int_equal(strlen(first), FEATURES_VERSION_LEN);
    struct slice tail = arena_fmt(
        *state, "<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='%s'/></stream:features>",
        first);
    assert_true(slice_eq(slice_from(buf_get(&out), out.len - tail.len), tail));
    for (unsigned i = 0; i < 3; i++) { /* the same of the same; another of a mechanism more, or less */
        f.mechanisms = i == 0 ? SLICE("A") : i == 1 ? SLICE("A B") : SLICE("B");
        buf_reset(&out);
        features_write(&out, &f);
        features_seal(&out, 0, version);
        assert_int_equal(strcmp(first, version) == 0, i == 0);
    }
    buf_fini(&out);
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
        cmocka_unit_test_setup_teardown(tokens_log_in_under_tls_alone, setup, teardown),
        cmocka_unit_test(a_mechanism_is_found_whole),
        cmocka_unit_test(what_a_login_may_bring_with_it),
        cmocka_unit_test_setup_teardown(versions_say_what_is_offered, setup, teardown),
        cmocka_unit_test(before_tls_there_is_starttls_alone),
        cmocka_unit_test(mechanisms_come_with_their_bindings),
        cmocka_unit_test(after_sasl_there_are_binding_and_limits),
    };
    return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
