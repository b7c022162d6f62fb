/* test/unit/test_caps.c */
#include "common/xmpp/caps.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "test/unit/xmltree.h"

#define QUERY(content) "<query xmlns='http://jabber.org/protocol/disco#info'>" content "</query>"
#define FEATURES                                                                                             \
    "<feature var='http://jabber.org/protocol/disco#items'/><feature "                                       \
    "var='http://jabber.org/protocol/disco#info'/>"                                                          \
    "<feature var='http://jabber.org/protocol/muc'/><feature var='http://jabber.org/protocol/caps'/>"
#define FORM(type, rest)                                                                                     \
    "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='" type                              \
    "'><value>urn:xmpp:dataforms:softwareinfo</value></field>" rest "</x>"
#define SOFTWARE                                                                                             \
    "<field var='os'><value>Mac</value></field><field "                                                      \
    "var='ip_version'><value>ipv6</value><value>ipv4</value></field>"                                        \
    "<field var='os_version'><value>10.5.1</value></field><field "                                           \
    "var='software_version'><value>0.11</value></field>"                                                     \
    "<field var='software'><value>Psi</value></field>"
#define PSI                                                                                                  \
    "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>"                                  \
    "<identity xml:lang='el' category='client' name='&#936; 0.11' type='pc'/>"

static void the_examples_of_the_specification_hold(void **state) /* XEP-0115 5.2, 5.3 */
{
    struct slice ver;
    assert_int_equal(
        caps_ver(*state,
                 tree(*state, QUERY("<identity category='client' type='pc' name='Exodus 0.9.1'/>" FEATURES)),
                 &ver),
        RC_OK);
    assert_true(slice_is(ver, "QgayPKawpkPSDYmwT/WM94uAlu0="));
    assert_int_equal(caps_ver(*state, tree(*state, QUERY(PSI FEATURES FORM("hidden", SOFTWARE))), &ver),
                     RC_OK);
    assert_true(slice_is(ver, "q07IKJEyjvHSyhy//CH0CxmKi8w="));
}

static void ill_formed_answers_are_refused(void **state) /* XEP-0115 5.4 3.3 to 3.6 */
{
    static const char *const bad[] = {
        QUERY(PSI PSI),
        QUERY(FEATURES "<feature var='http://jabber.org/protocol/caps'/>"),
        QUERY(FORM("hidden", "") FORM("hidden", SOFTWARE)),
        QUERY("<x xmlns='jabber:x:data'><field var='FORM_TYPE' "
              "type='hidden'><value>a</value><value>b</value></field></x>"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct slice ver;
        assert_int_equal(caps_ver(*state, tree(*state, bad[i]), &ver), RC_SYNTAX);
    }
}

static void a_form_that_does_not_say_what_it_is_does_not_count(void **state)
{
    struct slice with, without;
    assert_int_equal(
        caps_ver(*state,
                 tree(*state, QUERY(FEATURES FORM("text-single", SOFTWARE) "<x xmlns='jabber:x:data'/>")),
                 &with),
        RC_OK);
    assert_int_equal(caps_ver(*state, tree(*state, QUERY(FEATURES)), &without), RC_OK);
    assert_true(slice_eq(with, without));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_examples_of_the_specification_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(ill_formed_answers_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_form_that_does_not_say_what_it_is_does_not_count, setup, teardown),
    };
    return cmocka_run_group_tests_name("caps", tests, NULL, NULL);
}
