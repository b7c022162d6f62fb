/* test/unit/test_cabundle.c - common/net/cabundle.c: files of CAs */
#include "common/net/cabundle.h"

#include "test/unit/cert_world.h"

static const char *path_of(struct arena *a)
{
    return arena_cstr(a, arena_fmt(a, "/tmp/test_cabundle.%d.pem", (int)getpid()));
}

/* What is in a file of that text. */
static enum rc read_text(struct arena *a, const char *text, struct cabundle **out, struct why *why)
{
    const char *path = path_of(a);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    enum rc rc = cabundle_read(path, out, why);
    unlink(path);
    return rc;
}

static const char *pem_of(struct arena *a, const struct cert *c)
{
    gnutls_datum_t pem;
    assert_int_equal(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    const char *text = arena_cstr(a, slice_of((char *)pem.data, pem.size));
    gnutls_free(pem.data);
    return text;
}

static void assert_ca(const struct cabundle *b, size_t i, const struct cert *c)
{
    gnutls_datum_t raw;
    struct cabundle_ca ca = cabundle_at(b, i);
    assert_true(slice_eq(ca.der, c->der));
    assert_int_equal(gnutls_x509_crt_get_raw_dn(c->crt, &raw), 0);
    assert_true(slice_eq(ca.subject, slice_of((char *)raw.data, raw.size)));
    gnutls_free(raw.data);
}

static void certificates_are_kept_as_they_are(void **state)
{
    struct cert_world *w = *state;
    struct cabundle *b = NULL;
    struct why why = { "" };
    const char *text = arena_cstr(
        w->a,
        arena_fmt(w->a, "# Root\r\n%s\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n%s%s%s",
                  pem_of(w->a, &w->root), pem_of(w->a, &w->mid), pem_of(w->a, &w->other),
                  pem_of(w->a, &w->root)));
    assert_int_equal(read_text(w->a, text, &b, &why), RC_OK);
    assert_int_equal(cabundle_n(b), 4);
    assert_ca(b, 0, &w->root);
    assert_ca(b, 1, &w->mid); /* its issuer is another */
    assert_ca(b, 2, &w->other);
    assert_ca(b, 3, &w->root);
    cabundle_free(&b);
    assert_null(b);
    assert_int_equal(cabundle_n(b), 0);
}

static void the_other_heading_is_known(void **state)
{
    struct cert_world *w = *state;
    struct cabundle *b = NULL;
    struct why why = { "" };
    gnutls_datum_t pem, der = { (unsigned char *)(uintptr_t)w->root.der.p, (unsigned)w->root.der.len };
    assert_int_equal(gnutls_pem_base64_encode2("X509 CERTIFICATE", &der, &pem), 0);
    const char *text = arena_cstr(w->a, slice_of((char *)pem.data, pem.size));
    gnutls_free(pem.data);
    assert_int_equal(read_text(w->a, text, &b, &why), RC_OK);
    assert_int_equal(cabundle_n(b), 1);
    assert_ca(b, 0, &w->root);
    cabundle_free(&b);
}

static void a_file_with_one_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMII",
        "-----BEGIN CERTIFICATE",
    };
    struct cert_world *w = *state;
    struct cabundle *b = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct why why = { "" };
        struct slice text = arena_fmt(w->a, "%s%s", pem_of(w->a, &w->root), bad[i]);
        assert_int_equal(read_text(w->a, arena_cstr(w->a, text), &b, &why), RC_IO);
        assert_null(b);
        assert_non_null(strstr(why.text, path_of(w->a)));
        text = arena_fmt(w->a, "%s%s", bad[i], pem_of(w->a, &w->root));
        assert_int_equal(read_text(w->a, arena_cstr(w->a, text), &b, &why), RC_IO);
        assert_null(b);
    }
}

static void a_file_with_none_is_refused(void **state)
{
    struct cert_world *w = *state;
    struct cabundle *b = NULL;
    struct why why = { "" };
    assert_int_equal(read_text(w->a, "", &b, &why), RC_IO);
    assert_non_null(strstr(why.text, "no certificate"));
    assert_int_equal(read_text(w->a, "words\n", &b, &why), RC_IO);
    assert_non_null(strstr(why.text, "no certificate"));
    assert_int_equal(cabundle_read("/nonexistent.pem", &b, &why), RC_IO);
    assert_non_null(strstr(why.text, "/nonexistent.pem"));
    assert_null(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(certificates_are_kept_as_they_are, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(the_other_heading_is_known, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(a_file_with_one_that_is_none_is_refused, cert_setup, cert_teardown),
        cmocka_unit_test_setup_teardown(a_file_with_none_is_refused, cert_setup, cert_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
