/* test/unit/test_uploadfile.c - uploaded files: where they lie, what they begin with, with which headers they
 * go out */
#include "httpgw/uploadfile.h"

#include "common/xmpp/slot.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void a_file_lies_below_its_last_day(void **state)
{
    static const uint8_t random[SLOT_RANDOM_BYTES] = "twenty random bytes";
    struct arena *a = arena_new(4096, 0);
    struct uploadfile_path p;
    (void)state;
    struct slice token = slot_token(a, 20785u * 86400 + 86399, random);
    uploadfile_path(token, &p);
    assert_string_equal(p.day, "20785");
    assert_int_equal(strlen(p.folder), 7);
    assert_true(slice_starts(slice_cstr(p.file), slice_cstr(p.folder)) && p.file[7] == '/');
    assert_true(slice_is(token, p.file + 8));
    uploadfile_path(slot_token(a, UINT32_MAX, random), &p);
    assert_string_equal(p.day, "49710");
    arena_free(&a);
}

static void what_is_no_token_leads_nowhere(void **state)
{
    struct uploadfile_path p;
    (void)state;
    uploadfile_path(SLICE("../../../../../../../../etc/pass"), &p);
    assert_null(strstr(p.file, ".."));
}

static void days_that_are_over(void **state)
{
    (void)state;
    assert_true(uploadfile_day_over(SLICE("10"), 11 * 86400));
    assert_false(uploadfile_day_over(SLICE("10"), 11 * 86400 - 1));
    assert_false(uploadfile_day_over(SLICE("10"), 0));
    static const char *const not_days[] = { "",       "tmp", ".", "..", "10a", "-1", "99999999999999999999",
                                            "1000000" };
    for (size_t i = 0; i < sizeof not_days / sizeof *not_days; i++)
        if (uploadfile_day_over(slice_cstr(not_days[i]), INT64_C(1) << 40))
            fail_msg("%s", not_days[i]);
}

static void heads_are_read_as_they_were_written(void **state)
{
    char head[UPLOADFILE_HEAD], longest[SLOT_NAME_MAX], type[SLOT_TYPE_MAX];
    struct slice name, t;
    (void)state;
    uploadfile_head_write(SLICE("tr\xc3\xa8s cool.jpg"), SLICE("image/jpeg"), head);
    assert_int_equal(uploadfile_head_read(slice_of(head, sizeof head), &name, &t), RC_OK);
    assert_true(slice_is(name, "tr\xc3\xa8s cool.jpg") && slice_is(t, "image/jpeg"));
    memset(longest, 'n', sizeof longest);
    memset(type, 't', sizeof type);
    type[60] = '/';
    uploadfile_head_write(slice_of(longest, sizeof longest), slice_of(type, sizeof type), head);
    assert_int_equal(uploadfile_head_read(slice_of(head, sizeof head), &name, &t), RC_OK);
    assert_true(name.len == sizeof longest && t.len == sizeof type);
    uploadfile_head_write(SLICE("a"), SLICE_NONE, head);
    assert_int_equal(uploadfile_head_read(slice_of(head, sizeof head), &name, &t), RC_OK);
    assert_true(slice_is(name, "a") && !t.len);
}

static void other_heads_are_refused(void **state)
{
    char head[UPLOADFILE_HEAD];
    struct slice name, t;
    (void)state;
    uploadfile_head_write(SLICE("a"), SLICE("b/c"), head);
    assert_int_equal(uploadfile_head_read(slice_of(head, sizeof head - 1), &name, &t), RC_SYNTAX);
    head[0] = 'B';
    assert_int_equal(uploadfile_head_read(slice_of(head, sizeof head), &name, &t), RC_SYNTAX);
    uploadfile_head_write(SLICE("a/b"), SLICE("b/c"), head);
    assert_int_equal(uploadfile_head_read(slice_of(head, sizeof head), &name, &t), RC_SYNTAX);
    uploadfile_head_write(SLICE("a"), SLICE("b\rc"), head);
    assert_int_equal(uploadfile_head_read(slice_of(head, sizeof head), &name, &t), RC_SYNTAX);
    memset(head, '\n', sizeof head);
    assert_int_equal(uploadfile_head_read(slice_of(head, sizeof head), &name, &t), RC_SYNTAX);
}

static void pages_and_scripts_are_bytes(void **state)
{
    static const char *const active[] = { "text/html",
                                          "TEXT/HTML; charset=utf-8",
                                          "application/xhtml+xml",
                                          "image/svg+xml",
                                          "image/SVG+XML",
                                          "image/svg",
                                          "text/xml",
                                          "application/xml",
                                          "application/atom+xml",
                                          "text/javascript",
                                          "application/javascript",
                                          "text/css",
                                          "application/wasm",
                                          "text/x-component",
                                          "multipart/x-mixed-replace",
                                          "message/rfc822",
                                          "model/x3d+xml",
                                          "nonsense",
                                          "a/b",
                                          "",
                                          "image/jpeg\r\nX: y" };
    (void)state;
    for (size_t i = 0; i < sizeof active / sizeof *active; i++)
        if (!slice_is(uploadfile_type_served(slice_cstr(active[i])), "application/octet-stream") ||
            uploadfile_is_inline(slice_cstr(active[i])))
            fail_msg("%s", active[i]);
}

static void pictures_and_sounds_are_shown(void **state)
{
    static const char *const shown[] = { "image/jpeg", "IMAGE/PNG", "audio/ogg; codecs=opus", "video/mp4" };
    static const char *const saved[] = { "application/pdf", "text/plain", "application/zip", "image/tiff",
                                         "application/vnd.oasis.opendocument.text" };
    (void)state;
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (!uploadfile_is_inline(slice_cstr(shown[i])) ||
            !slice_is(uploadfile_type_served(slice_cstr(shown[i])), shown[i]))
            fail_msg("%s", shown[i]);
    for (size_t i = 0; i < sizeof saved / sizeof *saved; i++)
        if (uploadfile_is_inline(slice_cstr(saved[i])) ||
            !slice_is(uploadfile_type_served(slice_cstr(saved[i])), saved[i]))
            fail_msg("%s", saved[i]);
}

static void types_fit_without_their_parameters(void **state)
{
    (void)state;
    assert_true(uploadfile_type_fits(SLICE("text/plain"), SLICE("Text/Plain; charset=utf-8")));
    assert_true(uploadfile_type_fits(SLICE_NONE, SLICE("text/html")));
    assert_true(uploadfile_type_fits(SLICE("text/plain"), SLICE_NONE));
    assert_false(uploadfile_type_fits(SLICE("image/jpeg"), SLICE("text/html")));
    assert_false(uploadfile_type_fits(SLICE("image/jpeg"), SLICE("image/jpegx")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_lies_below_its_last_day),
        cmocka_unit_test(what_is_no_token_leads_nowhere),
        cmocka_unit_test(days_that_are_over),
        cmocka_unit_test(heads_are_read_as_they_were_written),
        cmocka_unit_test(other_heads_are_refused),
        cmocka_unit_test(pages_and_scripts_are_bytes),
        cmocka_unit_test(pictures_and_sounds_are_shown),
        cmocka_unit_test(types_fit_without_their_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
