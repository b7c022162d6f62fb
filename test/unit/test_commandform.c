/* test/unit/test_commandform.c */
#include "sessman/commandform.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "test/unit/xmltree.h"

static const struct command_option colours[] = { { "red", "Red" }, { "blue", NULL }, { 0 } };
static const struct command_field all[] = {
    { .var = "who", .type = FIELD_JID, .label = "Whose", .required = true },
    { .var = "whom", .type = FIELD_JIDS, .label = "Others" },
    { .var = "n",
      .type = FIELD_TEXT,
      .label = "Number",
      .value = "7",
      .integer = true,
      .least = -1,
      .most = 9 },
    { .var = "colour", .type = FIELD_LIST, .options = colours },
    { .var = "colours", .type = FIELD_LISTS, .options = colours, .open = true },
    { .var = "really", .type = FIELD_BOOLEAN },
    { .var = "line", .type = FIELD_TEXT },
    { .var = "lines", .type = FIELD_TEXTS },
    { .var = "secret", .type = FIELD_SECRET },
    { 0 },
};

static void a_form_is_made_of_the_table(void **state) /* XEP-0004 3, XEP-0122 3 */
{
    static const struct command_field some[] = {
        { .var = "n",
          .label = "Number",
          .required = true,
          .value = "7",
          .integer = true,
          .least = -1,
          .most = 9 },
        { .var = "colour", .type = FIELD_LISTS, .label = "C", .options = colours, .open = true },
        { 0 },
    };
    assert_string_equal(
        written(*state, commandform_new(*state, "Title", some)),
        "<x xmlns='jabber:x:data' type='form'><title>Title</title><field var='FORM_TYPE' type='hidden'>"
        "<value>http://jabber.org/protocol/admin</value></field>"
        "<field var='n' type='text-single' label='Number'><value>7</value><required/>"
        "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:integer'>"
        "<range min='-1' max='9'/></validate></field>"
        "<field var='colour' type='list-multi' label='C'><option label='Red'><value>red</value></option>"
        "<option label='blue'><value>blue</value></option>"
        "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate>"
        "</field></x>");
}

static void columns_are_made_of_the_table(void **state) /* XEP-0004 3.4 */
{
    static const struct command_field columns[] = { { .var = "jid", .type = FIELD_JID, .label = "J" },
                                                    { 0 } };
    struct node *form = form_new(*state, NULL, FORM_RESULT, NULL);
    commandform_reported(*state, form, columns);
    assert_string_equal(written(*state, form),
                        "<x xmlns='jabber:x:data' type='result'><reported>"
                        "<field var='jid' type='jid-single' label='J'/></reported></x>");
}

static enum rc check(struct arena *a, const char *fields, enum stanza_cond *cond, struct why *why)
{
    char text[1024];
    snprintf(text, sizeof text, "<iq><x xmlns='jabber:x:data' type='submit'>%s</x></iq>", fields);
    return commandform_check(a, all, form_of(tree(a, text)), cond, why);
}

#define WHO "<field var='who'><value>a@b.example</value></field>"

static void good_forms_are_good(void **state)
{
    static const char *const good[] = {
        WHO,
        WHO "<field var='n'><value>-1</value></field><field var='really'><value>true</value></field>",
        WHO "<field var='n'><value/></field><field var='n'><value>999</value></field>", /* the first counts */
        WHO "<field var='whom'><value>c@d</value><value/><value>e.f/g</value></field>",
        WHO "<field var='colour'><value>blue</value></field><field var='colours'><value>pink</value></field>",
        WHO "<field var='lines'><value>1</value><value>2</value></field><field "
            "var='unknown'><value>x</value></field>",
        WHO "<field var='secret'><value>a&#10;b</value></field><field/><junk xmlns='x'/>",
    };
    enum stanza_cond cond;
    struct why why;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(check(*state, good[i], &cond, &why), RC_OK);
}

static void bad_forms_are_refused_by_the_name_of_the_field(void **state) /* XEP-0050 4.4 */
{
    static const struct {
        const char *fields, *names;
        enum rc rc;
        enum stanza_cond cond;
    } bad[] = {
        { "", "who", RC_NOTFOUND, COND_BAD_REQUEST },
        { "<field var='who'/>", "who", RC_NOTFOUND, COND_BAD_REQUEST },
        { "<field var='who'><value/></field>", "who", RC_NOTFOUND, COND_BAD_REQUEST },
        { "<field var='who'><value/></field>" WHO, "who", RC_NOTFOUND, COND_BAD_REQUEST },
        { "<field var='who'><value>a@@b</value></field>", "who", RC_SYNTAX, COND_JID_MALFORMED },
        { "<field var='who'><value>a@b</value><value>c@d</value></field>", "who", RC_LIMIT,
          COND_NOT_ACCEPTABLE },
        { WHO "<field var='whom'><value>c@d</value><value>@</value></field>", "whom", RC_SYNTAX,
          COND_JID_MALFORMED },
        { WHO "<field var='n'><value>10</value></field>", "n is a number from -1 to 9", RC_SYNTAX,
          COND_NOT_ACCEPTABLE },
        { WHO "<field var='n'><value>-2</value></field>", "n is", RC_SYNTAX, COND_NOT_ACCEPTABLE },
        { WHO "<field var='n'><value>seven</value></field>", "n is", RC_SYNTAX, COND_NOT_ACCEPTABLE },
        { WHO "<field var='n'><value>99999999999999999999</value></field>", "n is", RC_SYNTAX,
          COND_NOT_ACCEPTABLE },
        { WHO "<field var='colour'><value>pink</value></field>", "colour", RC_SYNTAX, COND_NOT_ACCEPTABLE },
        { WHO "<field var='really'><value>yes</value></field>", "really", RC_SYNTAX, COND_NOT_ACCEPTABLE },
        { WHO "<field var='line'><value>a&#10;b</value></field>", "line", RC_SYNTAX, COND_NOT_ACCEPTABLE },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum stanza_cond cond = COND_GONE;
        struct why why;
        assert_int_equal(check(*state, bad[i].fields, &cond, &why), bad[i].rc);
        assert_int_equal(cond, bad[i].cond);
        assert_non_null(strstr(why.text, bad[i].names));
    }
}

static void values_are_bounded(void **state)
{
    struct node *form = form_new(*state, NULL, FORM_SUBMIT, NULL);
    struct node *lines = form_field(*state, form, "lines", NULL, NULL, SLICE_NONE);
    enum stanza_cond cond;
    struct why why;
    form_field(*state, form, "who", NULL, NULL, SLICE("a@b"));
    for (int i = 0; i < COMMANDFORM_VALUES_MAX; i++)
        form_value(*state, lines, SLICE("x"));
    assert_int_equal(commandform_check(*state, all, form, &cond, &why), RC_OK);
    form_value(*state, lines, SLICE_NONE);
    assert_int_equal(commandform_check(*state, all, form, &cond, &why), RC_LIMIT);
    assert_int_equal(cond, COND_RESOURCE_CONSTRAINT);
    assert_non_null(strstr(why.text, "lines"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_form_is_made_of_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(columns_are_made_of_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(good_forms_are_good, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_forms_are_refused_by_the_name_of_the_field, setup, teardown),
        cmocka_unit_test_setup_teardown(values_are_bounded, setup, teardown),
    };
    return cmocka_run_group_tests_name("commandform", tests, NULL, NULL);
}
