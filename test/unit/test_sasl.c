/* test/unit/test_sasl.c */
#include "common/xmpp/sasl.h"
#include "common/base/text.h"
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

static const struct slice client_nonce = SLICE_INIT("rOprNGfwEbeRWgbNEkqO");
static const struct slice server_nonce = SLICE_INIT("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");

static struct scram_keys keys_of(void **state, enum scram_hash h, const char *salt64, const char *password)
{
    struct slice salt;
    struct scram_keys keys;
    assert_int_equal(base64_decode(*state, slice_cstr(salt64), &salt), RC_OK);
    assert_int_equal(scram_derive(h, slice_cstr(password), salt, 4096, &keys), RC_OK);
    return keys;
}

static void plain_is_read(void **state) /* RFC 4616 4 */
{
    (void)state;
    struct sasl_plain p;
    assert_int_equal(sasl_plain_read(SLICE("\0tim\0tanstaaftanstaaf"), &p), SASL_OK);
    assert_true(p.authzid.len == 0 && slice_is(p.user, "tim") && slice_is(p.password, "tanstaaftanstaaf"));
    assert_int_equal(sasl_plain_read(SLICE("Ursel\0Kurt\0xipj3plmq"), &p), SASL_OK);
    assert_true(slice_is(p.authzid, "Ursel"));
    static const struct slice bad[] = { SLICE_INIT(""),          SLICE_INIT("a"),
                                        SLICE_INIT("\0a"),       SLICE_INIT("\0a\0"),
                                        SLICE_INIT("\0\0b"),     SLICE_INIT("\0a\0b\0"),
                                        SLICE_INIT("\0a\0b\0c"), SLICE_INIT("\0a\0\xFF") };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sasl_plain_read(bad[i], &p), SASL_MALFORMED_REQUEST);
}

static void the_exchange_of_rfc_5802_holds(void **state) /* RFC 5802 5 */
{
    struct scram_server s;
    struct slice out;
    struct scram_keys keys = keys_of(state, SCRAM_SHA1, "QSXCR+Q6sek8bf92", "pencil");
    assert_int_equal(scram_first(*state, SCRAM_SHA1, false, false,
                                 SLICE("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), NULL, &s),
                     SASL_OK);
    assert_true(slice_is(s.user, "user"));
    scram_challenge(*state, &s, SLICE("3rfcNHYJY1ZVvWVs7j"), &keys, SLICE_NONE, &out);
    assert_true(slice_is(out, "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"));
    assert_int_equal(
        scram_final(
            *state, &s, &keys,
            SLICE("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="),
            &out),
        SASL_OK);
    assert_true(slice_is(out, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="));
    assert_true(scram_check_password(SCRAM_SHA1, SLICE("pencil"), &keys));
    assert_false(scram_check_password(SCRAM_SHA1, SLICE("pencils"), &keys));
}

static void the_exchange_of_rfc_7677_holds(void **state) /* RFC 7677 3 */
{
    struct scram_server s;
    struct slice out;
    struct scram_keys keys = keys_of(state, SCRAM_SHA256, "W22ZaJ0SNY7soEsUEjb6gQ==", "pencil");
    assert_int_equal(
        scram_first(*state, SCRAM_SHA256, false, false, SLICE("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), NULL, &s),
        SASL_OK);
    scram_challenge(*state, &s, server_nonce, &keys, SLICE_NONE, &out);
    assert_int_equal(scram_final(*state, &s, &keys,
                                 SLICE("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="
                                       "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
                                 &out),
                     SASL_OK);
    assert_true(slice_is(out, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

static void the_hash_of_xep_0474_holds(void **state) /* XEP-0474 5.3, and its example */
{
    static const struct slice mechs[] = { SLICE_INIT("SCRAM-SHA-1-PLUS"), SLICE_INIT("SCRAM-SHA-1") };
    static const struct slice bindings[] = { SLICE_INIT("tls-server-end-point"), SLICE_INIT("tls-exporter") };
    struct slice value = scram_ssdp(*state, SCRAM_SHA1, mechs, 2, bindings, 2);
    assert_true(slice_is(value, "G6k/rBLDqgOhRRaCuuatSDFkJ08="));
    struct scram_server s;
    struct slice out, cb = SLICE("THIS IS FAKE CB DATA");
    struct scram_keys keys = keys_of(state, SCRAM_SHA1, "QSXCR+Q6sek8bf92", "pencil");
    assert_int_equal(scram_first(*state, SCRAM_SHA1, true, true,
                                 SLICE("p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6"),
                                 &(struct sasl_cb){ .exporter = cb }, &s),
                     SASL_OK);
    scram_challenge(*state, &s, SLICE("a09117a6-ac50-4f2f-93f1-93799c2bddf6"), &keys, value, &out);
    assert_true(slice_is(out, "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,s="
                              "QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08="));
}

static void client_and_server_agree(void **state)
{
    for (unsigned h = 0; h < SCRAM_HASHES; h++) {
        for (int plus = 0; plus < 2; plus++) {
            struct scram_client c;
            struct scram_server s;
            struct slice first, challenge, final, success;
            const struct sasl_cb cb = { .exporter = plus ? SLICE("0123456789") : SLICE_NONE };
            enum scram_hash hash = (enum scram_hash)h;
            struct scram_keys keys = keys_of(state, hash, "QSXCR+Q6sek8bf92", "a,b=c");
            first = scram_client_first(*state, &c, hash, &cb, SLICE("us=er,1"), client_nonce);
            assert_int_equal(scram_first(*state, hash, plus, true, first, &cb, &s), SASL_OK);
            assert_true(slice_is(s.user, "us=er,1"));
            scram_challenge(*state, &s, server_nonce, &keys, SLICE_NONE, &challenge);
            assert_int_equal(scram_client_final(*state, &c, SLICE("a,b=c"), challenge, &final, NULL), RC_OK);
            assert_int_equal(scram_final(*state, &s, &keys, final, &success), SASL_OK);
            assert_int_equal(scram_client_verify(*state, &c, success), RC_OK);
            assert_int_equal(scram_client_verify(*state, &c, SLICE("v=AAAA")), RC_DENIED);
            assert_int_equal(scram_client_verify(*state, &c, SLICE("e=other-error")), RC_DENIED);
            assert_int_equal(scram_client_verify(*state, &c, SLICE("x")), RC_SYNTAX);
            assert_int_equal(scram_client_final(*state, &c, SLICE("wrong"), challenge, &final, NULL), RC_OK);
            assert_int_equal(scram_final(*state, &s, &keys, final, &success), SASL_NOT_AUTHORIZED);
        }
    }
}

static enum sasl_fail first(void **state, bool plus, bool offered, const char *message)
{
    struct scram_server s;
    const struct sasl_cb cb = { .exporter = SLICE("x") };
    return scram_first(*state, SCRAM_SHA256, plus, offered, slice_cstr(message), &cb, &s);
}

static void first_messages_are_read_strictly(void **state) /* RFC 5802 7 */
{
    static const char *const bad[] = { "",
                                       "n",
                                       "n,",
                                       "n,,",
                                       "n,,r=a,n=u",
                                       "n,,n=u",
                                       "n,,n=,r=a",
                                       "n,,n=u,r=",
                                       "n,,m=x,n=u,r=a",
                                       "n,,n=u,m=x,r=a",
                                       "n,,n=u,r=a,m=x",
                                       "n,,n=u,r=a,",
                                       "n,,n=u,r=a,x",
                                       "n,,n=u,r=a,1=x",
                                       "n,,n=u=,r=a",
                                       "n,,n=u=2c,r=a",
                                       "n,,n=u=3,r=a",
                                       "n,,n=\xFF,r=a",
                                       "n,,n=u,r=\x7F",
                                       "x,,n=u,r=a",
                                       "n=,,n=u,r=a",
                                       "n,b=c,n=u,r=a",
                                       "n,a=,n=u,r=a",
                                       "p=tls-exporter,,n=u,r=a",
                                       "n,,n=u,r=a b",
                                       " n,,n=u,r=a" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(first(state, false, false, bad[i]), SASL_MALFORMED_REQUEST);
    assert_int_equal(first(state, false, false, "n,a=x=2Cy,n=u=3D,r=a,z=ext"), SASL_OK);
    assert_int_equal(first(state, false, false, "y,,n=u,r=a"), SASL_OK);
}

static void a_binding_is_what_was_offered(void **state) /* RFC 5802 6 */
{
    assert_int_equal(first(state, false, true, "y,,n=u,r=a"), SASL_MALFORMED_REQUEST);
    assert_int_equal(first(state, false, true, "n,,n=u,r=a"), SASL_OK);
    assert_int_equal(first(state, true, true, "n,,n=u,r=a"), SASL_MALFORMED_REQUEST);
    assert_int_equal(first(state, true, true, "p=tls-exporter,,n=u,r=a"), SASL_OK);
    assert_int_equal(first(state, true, true, "p=tls-server-end-point,,n=u,r=a"), SASL_MALFORMED_REQUEST);
    assert_int_equal(first(state, true, true, "p=tls-unique,,n=u,r=a"), SASL_MALFORMED_REQUEST);
    assert_int_equal(first(state, true, true, "p=,,n=u,r=a"), SASL_MALFORMED_REQUEST);
}

static void final_messages_are_read_strictly(void **state)
{
    static const struct {
        const char *message;
        enum sasl_fail fail;
    } bad[] = {
        { "", SASL_MALFORMED_REQUEST },
        { "c=biws,r=ab", SASL_MALFORMED_REQUEST },
        { "r=ab,c=biws,p=AAAA", SASL_MALFORMED_REQUEST },
        { "c=biws,r=ab,p=AAAA", SASL_MALFORMED_REQUEST },
        { "c=biws,r=ab,p=!", SASL_MALFORMED_REQUEST },
        { "c=!,r=ab,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", SASL_MALFORMED_REQUEST },
        { "c=biws,r=ab,m=x,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", SASL_MALFORMED_REQUEST },
        { "c=biws,r=ab,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=,x=y", SASL_MALFORMED_REQUEST },
        { "c=biws,r=ab,,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", SASL_MALFORMED_REQUEST },
        { "c=biws,r=ab,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", SASL_NOT_AUTHORIZED },
        { "c=biws,r=a,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", SASL_NOT_AUTHORIZED },
        { "c=eSws,r=ab,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", SASL_NOT_AUTHORIZED },
    };
    struct scram_server s;
    struct slice out;
    struct scram_keys keys = keys_of(state, SCRAM_SHA1, "QSXCR+Q6sek8bf92", "pencil");
    assert_int_equal(scram_first(*state, SCRAM_SHA1, false, false, SLICE("n,,n=u,r=a"), NULL, &s), SASL_OK);
    scram_challenge(*state, &s, SLICE("b"), &keys, SLICE_NONE, &out);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(scram_final(*state, &s, &keys, slice_cstr(bad[i].message), &out), bad[i].fail);
}

static void a_right_proof_over_something_else_is_refused(void **state)
{
    for (int what = 0; what < 3; what++) {
        struct scram_client c;
        struct scram_server s;
        struct slice challenge, final, success;
        const struct sasl_cb ours = { .exporter = SLICE("0123456789") },
                             theirs = { .exporter = SLICE("9876543210") };
        struct scram_keys keys = keys_of(state, SCRAM_SHA256, "QSXCR+Q6sek8bf92", "pencil");
        struct slice message = scram_client_first(*state, &c, SCRAM_SHA256, what == 1 ? &theirs : &ours,
                                                  SLICE("user"), client_nonce);
        assert_int_equal(scram_first(*state, SCRAM_SHA256, true, true, message, &ours, &s), SASL_OK);
        scram_challenge(*state, &s, server_nonce, &keys, SLICE_NONE, &challenge);
        assert_int_equal(scram_client_final(*state, &c, SLICE("pencil"), challenge, &final, NULL), RC_OK);
        if (what == 2)
            s.nonce = arena_join(*state, s.nonce, SLICE("x"));
        assert_int_equal(scram_final(*state, &s, &keys, final, &success),
                         what == 0 ? SASL_OK : SASL_NOT_AUTHORIZED);
    }
}

static void a_client_trusts_no_strange_server(void **state)
{
    static const struct {
        const char *message;
        enum rc rc;
    } bad[] = {
        { "r=rOprNGfwEbeRWgbNEkqO,s=QSXCR+Q6sek8bf92,i=4096", RC_DENIED },
        { "r=other,s=QSXCR+Q6sek8bf92,i=4096", RC_DENIED },
        { "r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=1", RC_DENIED },
        { "r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=4294967295", RC_DENIED },
        { "r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=0x1000", RC_SYNTAX },
        { "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", RC_SYNTAX },
        { "s=QSXCR+Q6sek8bf92,r=rOprNGfwEbeRWgbNEkqOx,i=4096", RC_SYNTAX },
        { "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=4096", RC_SYNTAX },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct scram_client c;
        struct slice out;
        (void)scram_client_first(*state, &c, SCRAM_SHA1, NULL, SLICE("user"), client_nonce);
        assert_int_equal(
            scram_client_final(*state, &c, SLICE("pencil"), slice_cstr(bad[i].message), &out, NULL),
            bad[i].rc);
    }
}

static void mechanisms_and_failures_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SCRAM_HASHES; i++) {
        for (int p = 0; p < 2; p++) {
            enum scram_hash h;
            bool plus;
            assert_true(scram_parse_name(slice_cstr(scram_name((enum scram_hash)i, p)), &h, &plus));
            assert_true(h == i && plus == p);
        }
    }
    enum scram_hash h;
    bool plus;
    assert_false(scram_parse_name(SLICE("SCRAM-MD5"), &h, &plus));
    for (unsigned i = SASL_ABORTED; i <= SASL_CREDENTIALS_EXPIRED; i++) {
        enum sasl_fail f;
        assert_int_equal(sasl_fail_parse(slice_cstr(sasl_fail_name((enum sasl_fail)i)), &f), RC_OK);
        assert_int_equal(f, i);
    }
}

static void
tokens_are_proved_by_a_hash(void **state) /* draft-schmaus-kitten-sasl-ht; values made by another program */
{
    static const struct {
        bool initiator;
        struct slice data;
        const char *hex;
    } rows[] = {
        { true, SLICE_INIT(""), "12ebc308c063c6e28b8a2e9643d8ad708ba6dd2f84427d9b18e6d7585a32bd15" },
        { true, SLICE_INIT("\0data"), "18a15adcab05a8c5f9ddd32ebdb1a91c9e1bf7f21f3b34f59280dd8c245111a1" },
        { false, SLICE_INIT("\0data"), "0034912b17870ca55f1bd6d548e98f2ce3e8a66bacda931fb65e91f6e690eedd" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t hash[HT_HASH_BYTES];
        ht_hash(SLICE("secret-token:fast"), rows[i].initiator, rows[i].data, hash);
        assert_true(slice_is(hex_encode(*state, slice_of((const char *)hash, sizeof hash)), rows[i].hex));
    }
}

#define HASH "0123456789abcdef0123456789abcdef"
static void first_messages_with_a_token_are_read_strictly(void **state)
{
    static const struct slice bad[] = {
        SLICE_INIT(""),
        SLICE_INIT("\0"),
        SLICE_INIT("romeo"),
        SLICE_INIT("romeo\0"),
        SLICE_INIT("\0" HASH),
        SLICE_INIT("romeo\0" HASH "x"),
        SLICE_INIT("romeo" HASH),
        SLICE_INIT("\xff\0" HASH),
        SLICE_INIT("romeo\0"
                   "123456789abcdef0123456789abcdef"),
    };
    struct ht_first first;
    enum ht_binding b;
    char name[1100];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ht_first_read(bad[i], &first), SASL_MALFORMED_REQUEST);
    assert_int_equal(ht_first_read(SLICE("romeo\0"
                                         "\0"
                                         "123456789abcdef0123456789abcdef"),
                                   &first),
                     SASL_OK);
    assert_true(slice_is(first.user, "romeo") && first.hash.len == HT_HASH_BYTES && first.hash.p[0] == '\0');
    for (size_t len = 1023; len <= 1024; len++) { /* RFC 7622 3.3 */
        memset(name, 'x', len);
        memcpy(name + len, "\0" HASH, 1 + HT_HASH_BYTES);
        assert_int_equal(ht_first_read(slice_of(name, len + 1 + HT_HASH_BYTES), &first) == SASL_OK,
                         len == 1023);
    }
    for (unsigned i = 0; i < HT_BINDINGS; i++)
        assert_true(ht_parse_name(slice_cstr(ht_name((enum ht_binding)i)), &b) && b == i);
    assert_false(ht_parse_name(SLICE("HT-SHA-256-UNIQ"), &b) || ht_parse_name(SLICE("HT-SHA-256"), &b) ||
                 ht_parse_name(SLICE_NONE, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(the_exchange_of_rfc_5802_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(the_exchange_of_rfc_7677_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(the_hash_of_xep_0474_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(client_and_server_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(first_messages_are_read_strictly, setup, teardown),
        cmocka_unit_test_setup_teardown(a_binding_is_what_was_offered, setup, teardown),
        cmocka_unit_test_setup_teardown(final_messages_are_read_strictly, setup, teardown),
        cmocka_unit_test_setup_teardown(a_right_proof_over_something_else_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_trusts_no_strange_server, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_are_proved_by_a_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(first_messages_with_a_token_are_read_strictly, setup, teardown),
        cmocka_unit_test_setup_teardown(mechanisms_and_failures_have_names, setup, teardown),
    };
    return cmocka_run_group_tests_name("sasl", tests, NULL, NULL);
}
