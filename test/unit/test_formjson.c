/* test/unit/test_formjson.c */
#include "httpgw/formjson.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "test/unit/xmltree.h"

#define X "xmlns='jabber:x:data'"

static enum rc read_text(const char *text)
{
    json_t *it = NULL;
    enum rc rc = formjson_read(slice_cstr(text), &it, NULL);
    json_decref(it);
    return rc;
}

static const char *submitted(struct arena *a, const char *text, enum rc expected)
{
    json_t *it = NULL;
    struct node *form = NULL;
    struct why why = { "" };
    assert_int_equal(formjson_read(slice_cstr(text), &it, NULL), RC_OK);
    assert_int_equal(formjson_submit(a, it, &form, &why), expected);
    formjson_forget(it);
    return expected == RC_OK ? written(a, form) : NULL;
}

static void text_is(json_t *it, const char *expected)
{
    char *text = json_dumps(it, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, expected);
    free(text);
    json_decref(it);
}

static void what_is_no_object_is_refused(void **state)
{
    static const char *const bad[] = { "",      "[]",         "1",           "\"a\"",
                                       "null",  "{",          "{}x",         "{\"a\"}",
                                       "{a:1}", "{\"a\":1,}", "{\"a\":NaN}", "{'a':1}",
                                       "{}{}",  "{\"a\":01}", "// x\n{}" };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_text(bad[i]), RC_SYNTAX);
    assert_int_equal(read_text(" {} \n"), RC_OK);
}

static void a_member_stands_once(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"a\":1,\"a\":2}"), RC_SYNTAX);
    assert_int_equal(read_text("{\"a\":1,\"\\u0061\":2}"), RC_SYNTAX);
}

static void numbers_fit_or_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"a\":9223372036854775807}"), RC_OK);
    assert_int_equal(read_text("{\"a\":9223372036854775808}"), RC_SYNTAX);
    assert_int_equal(read_text("{\"a\":-9223372036854775809}"), RC_SYNTAX);
    assert_int_equal(read_text("{\"a\":1e999}"), RC_SYNTAX);
}

static void texts_are_utf8(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"a\":\"\xff\"}"), RC_SYNTAX);
    assert_int_equal(read_text("{\"a\":\"\xed\xa0\x80\"}"), RC_SYNTAX);
    assert_int_equal(read_text("{\"a\":\"\xc0\xaf\"}"), RC_SYNTAX);
    assert_int_equal(read_text("{\"a\":\"\\ud800\"}"), RC_SYNTAX);
    assert_int_equal(read_text("{\"a\":\"\\u0000\"}"), RC_SYNTAX);
    assert_int_equal(read_text("{\"a\\u0000b\":1}"), RC_SYNTAX);
    assert_int_equal(read_text("{\"a\":\"\\ud83d\\ude00\"}"), RC_OK);
}

static void nesting_is_bounded(void **state)
{
    char *deep = calloc(1, 200001);
    (void)state;
    memset(deep, '[', 200000);
    assert_int_equal(read_text(deep), RC_SYNTAX);
    free(deep);
}

static void members_are_bounded(void **state)
{
    struct buf text = BUF_INIT(0);
    json_t *it = NULL;
    buf_byte(&text, '{');
    for (int i = 0; i < FORMJSON_MEMBERS_MAX; i++)
        buf_fmt(&text, "%s\"m%d\":%d", i ? "," : "", i, i);
    (void)state;
    buf_byte(&text, '}');
    assert_int_equal(formjson_read(buf_get(&text), &it, NULL), RC_OK);
    json_decref(it);
    text.len--;
    BUF_LIT(&text, ",\"more\":1}");
    assert_int_equal(formjson_read(buf_get(&text), &it, NULL), RC_LIMIT);
    buf_fini(&text);
}

static void an_error_does_not_repeat_what_was_sent(void **state)
{
    struct why why = { "" };
    json_t *it = NULL;
    (void)state;
    assert_int_equal(formjson_read(SLICE("{\"password\": secret1}"), &it, &why), RC_SYNTAX);
    assert_null(strstr(why.text, "secret1"));
    assert_non_null(strstr(why.text, "line 1"));
}

static void an_object_is_submitted(void **state)
{
    assert_string_equal(
        submitted(*state,
                  "{\"a\":\"x<y\",\"b\":true,\"c\":false,\"d\":-7,\"e\":[\"1\",2,true],\"f\":null,\"g\":[]}",
                  RC_OK),
        "<x " X " type='submit'><field var='a'><value>x&lt;y</value></field>"
        "<field var='b'><value>1</value></field><field var='c'><value>0</value></field>"
        "<field var='d'><value>-7</value></field>"
        "<field var='e'><value>1</value><value>2</value><value>1</value></field>"
        "<field var='f'/><field var='g'/></x>");
    assert_string_equal(
        submitted(*state, "{\"a\":1.0,\"b\":1.5,\"c\":1e3,\"d\":\"\"}", RC_OK),
        "<x " X
        " type='submit'><field var='a'><value>1</value></field><field var='b'><value>1.5</value></field>"
        "<field var='c'><value>1000</value></field><field var='d'><value/></field></x>");
}

static void what_no_field_has_is_refused(void **state)
{
    submitted(*state, "{\"a\":{}}", RC_SYNTAX);
    submitted(*state, "{\"a\":[[]]}", RC_SYNTAX);
    submitted(*state, "{\"a\":[null]}", RC_SYNTAX);
}

static void characters_that_xml_does_not_have_are_refused(void **state)
{
    submitted(*state, "{\"a\":\"\\u0001\"}", RC_SYNTAX);
    submitted(*state, "{\"a\":\"\\ufffe\"}", RC_SYNTAX);
    submitted(*state, "{\"a\":\"\\uffff\"}", RC_SYNTAX);
    submitted(*state, "{\"\\u001b\":1}", RC_SYNTAX);
    submitted(*state, "{\"a\":\"\\t\\r\\n\\ufffd\\u0085\"}", RC_OK);
}

static void values_are_bounded(void **state)
{
    struct buf text = BUF_INIT(0);
    BUF_LIT(&text, "{\"a\":[0");
    for (int i = 1; i < FORMJSON_VALUES_MAX; i++)
        BUF_LIT(&text, ",0");
    BUF_LIT(&text, "],\"b\":[]}");
    buf_byte(&text, '\0');
    submitted(*state, text.p, RC_OK);
    text.len -= 3;
    BUF_LIT(&text, "1]}");
    buf_byte(&text, '\0');
    submitted(*state, text.p, RC_LIMIT);
    buf_fini(&text);
}

static void a_result_has_fields_by_their_types(void **state)
{
    struct node *form = tree(
        *state,
        "<x " X " type='result'><title>T</title><instructions>one</instructions>"
        "<field var='FORM_TYPE' type='hidden'><value>urn:x</value></field>"
        "<field var='yes' type='boolean'><value>true</value></field><field var='no' "
        "type='boolean'><value>0</value></field>"
        "<field var='text'><value>5</value></field><field var='empty'><value/></field><field var='none'/>"
        "<field var='n' type='text-single'><validate xmlns='http://jabber.org/protocol/xdata-validate' "
        "datatype='xs:integer'/>"
        "<value>42</value></field>"
        "<field var='jids' type='jid-multi'><value>a@b</value></field><field var='lines' type='text-multi'/>"
        "<field var='two'><value>1</value><value>2</value></field><field "
        "type='fixed'><value>x</value></field></x>");
    text_is(formjson_result(*state, form),
            "{\"title\":\"T\",\"instructions\":[\"one\"],\"form_type\":\"urn:x\",\"fields\":{\"yes\":true,"
            "\"no\":false,\"text\":\"5\","
            "\"empty\":\"\",\"none\":null,\"n\":42,\"jids\":[\"a@b\"],\"lines\":[],\"two\":[\"1\",\"2\"]}}");
}

static void a_table_is_an_array_of_objects(void **state)
{
    struct node *form =
        tree(*state,
             "<x " X
             " type='result'><reported><field var='jid' type='jid-single'/><field var='on' type='boolean'/>"
             "<field var='tags' type='list-multi'/></reported>"
             "<item><field var='jid'><value>a@b</value></field><field var='on'><value>1</value></field>"
             "<field var='tags'><value>x</value></field></item><item><field "
             "var='jid'><value>c@d</value></field></item></x>");
    text_is(formjson_result(*state, form),
            "{\"fields\":{},\"items\":[{\"jid\":\"a@b\",\"on\":true,\"tags\":[\"x\"]},{\"jid\":\"c@d\"}]}");
    text_is(formjson_result(
                *state, tree(*state, "<x " X " type='result'><reported><field var='jid'/></reported></x>")),
            "{\"fields\":{},\"items\":[]}");
}

static const char asking[] =
    "<x " X " type='form'><title>Add</title><field var='FORM_TYPE' type='hidden'><value>urn:x</value></field>"
    "<field var='jid' type='jid-single' label='Address'><required/></field>"
    "<field var='pw' type='text-private'><desc>long</desc><required/></field>"
    "<field var='admin' type='boolean'><value>0</value></field>"
    "<field var='days' type='text-single'><validate xmlns='http://jabber.org/protocol/xdata-validate' "
    "datatype='xs:integer'>"
    "<range min='1' max='365'/></validate><required/><value>30</value></field>"
    "<field var='scopes' type='list-multi'><option "
    "label='All'><value>all</value></option><option><value>read</value></option></field></x>";

static void a_form_is_described(void **state)
{
    text_is(formjson_form(*state, tree(*state, asking)),
            "{\"title\":\"Add\",\"fields\":[{\"var\":\"jid\",\"type\":\"jid-single\",\"label\":\"Address\","
            "\"required\":true},"
            "{\"var\":\"pw\",\"type\":\"text-private\",\"desc\":\"long\",\"required\":true},"
            "{\"var\":\"admin\",\"type\":\"boolean\",\"required\":false,\"value\":false},"
            "{\"var\":\"days\",\"type\":\"text-single\",\"required\":true,\"value\":30,\"datatype\":\"xs:"
            "integer\",\"min\":\"1\",\"max\":\"365\"},"
            "{\"var\":\"scopes\",\"type\":\"list-multi\",\"required\":false,\"options\":[{\"label\":\"All\","
            "\"value\":\"all\"},"
            "{\"value\":\"read\"}]}]}");
}

static void a_form_has_a_schema(void **state)
{
    text_is(formjson_schema(*state, tree(*state, asking)),
            "{\"type\":\"object\",\"properties\":{\"jid\":{\"type\":\"string\",\"title\":\"Address\"},"
            "\"pw\":{\"type\":\"string\",\"format\":\"password\",\"description\":\"long\"},"
            "\"admin\":{\"type\":\"boolean\",\"default\":false},"
            "\"days\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":365,\"default\":30},"
            "\"scopes\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"enum\":[\"all\",\"read\"]}}},"
            "\"required\":[\"jid\",\"pw\"]}");
    text_is(formjson_schema(*state, NULL), "{\"type\":\"object\",\"properties\":{}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(a_member_stands_once),
        cmocka_unit_test(numbers_fit_or_are_refused),
        cmocka_unit_test(texts_are_utf8),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(members_are_bounded),
        cmocka_unit_test(an_error_does_not_repeat_what_was_sent),
        cmocka_unit_test_setup_teardown(an_object_is_submitted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_field_has_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(characters_that_xml_does_not_have_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(values_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_result_has_fields_by_their_types, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_is_an_array_of_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(a_form_is_described, setup, teardown),
        cmocka_unit_test_setup_teardown(a_form_has_a_schema, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
