/* test/unit/test_form.c */
#include "common/xmpp/form.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "test/unit/xmltree.h"

static void a_form_is_built(void **state)
{
    struct node *form = form_new(*state, NULL, FORM_FORM, "urn:x");
    struct node *list = form_field(*state, form, "days", "list-multi", "Days", SLICE("mo"));
    form_value(*state, list, SLICE("tu"));
    form_field(*state, form, NULL, "fixed", NULL, SLICE_NONE);
    assert_string_equal(written(*state, form),
                        "<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' type='hidden'>"
                        "<value>urn:x</value></field><field var='days' type='list-multi' label='Days'>"
                        "<value>mo</value><value>tu</value></field><field type='fixed'/></x>");
    struct node *parent = node_new(*state, "command", NS_COMMANDS);
    struct node *result = form_new(*state, parent, FORM_RESULT, NULL);
    assert_ptr_equal(result, form_of(parent));
    assert_true(form_type_is(form_of(parent), "result"));
}

static void values_are_read(void **state)
{
    struct node *form =
        form_of(tree(*state, "<iq><x xmlns='jabber:x:data' type='submit'><field var='a'><value/></field>"
                             "<field var='b'><value>1</value><value>2</value></field>"
                             "<field var='c'/></x></iq>"));
    assert_true(form_type_is(form, "submit"));
    assert_int_equal(form_get(*state, form, "a").len, 0);
    assert_true(slice_is(form_get(*state, form, "b"), "1"));
    assert_true(form_has(form, "c"));
    assert_false(form_has(form, "d"));
    assert_int_equal(form_get(*state, form, "d").len, 0);
    struct node *at = NULL;
    struct slice value;
    assert_true(form_next_value(*state, form, "b", &at, &value) && slice_is(value, "1"));
    assert_true(form_next_value(*state, form, "b", &at, &value) && slice_is(value, "2"));
    assert_false(form_next_value(*state, form, "b", &at, &value));
    at = NULL;
    assert_false(form_next_value(*state, form, "c", &at, &value));
    assert_false(form_next_value(*state, NULL, "c", &at, &value));
    assert_false(form_type_is(NULL, "submit"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_form_is_built, setup, teardown),
        cmocka_unit_test_setup_teardown(values_are_read, setup, teardown),
    };
    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
