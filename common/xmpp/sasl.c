/* common/xmpp/sasl.c */
#include "common/xmpp/sasl.h"

static const char *const fail_names[] = {
    [SASL_OK] = "success",
    [SASL_ABORTED] = "aborted",
    [SASL_ACCOUNT_DISABLED] = "account-disabled",
    [SASL_ENCRYPTION_REQUIRED] = "encryption-required",
    [SASL_INCORRECT_ENCODING] = "incorrect-encoding",
    [SASL_INVALID_AUTHZID] = "invalid-authzid",
    [SASL_INVALID_MECHANISM] = "invalid-mechanism",
    [SASL_MALFORMED_REQUEST] = "malformed-request",
    [SASL_MECHANISM_TOO_WEAK] = "mechanism-too-weak",
    [SASL_NOT_AUTHORIZED] = "not-authorized",
    [SASL_TEMPORARY_AUTH_FAILURE] = "temporary-auth-failure",
    [SASL_CREDENTIALS_EXPIRED] = "credentials-expired",
};

const char *sasl_fail_name(enum sasl_fail f)
{
    return fail_names[f];
}

enum rc sasl_fail_parse(struct slice name, enum sasl_fail *out)
{
    for (size_t i = SASL_ABORTED; i < sizeof fail_names / sizeof *fail_names; i++) {
        if (slice_is(name, fail_names[i])) {
            *out = (enum sasl_fail)i;
            return RC_OK;
        }
    }
    return RC_NOTFOUND;
}

/* RFC 4616 2: no part but the authorization identity may be empty, and none holds NUL. */
enum sasl_fail sasl_plain_read(struct slice message, struct sasl_plain *out)
{
    ptrdiff_t first = slice_find(message, '\0');
    if (first < 0)
        return SASL_MALFORMED_REQUEST;
    struct slice rest = slice_from(message, (size_t)first + 1);
    ptrdiff_t second = slice_find(rest, '\0');
    if (second < 0)
        return SASL_MALFORMED_REQUEST;
    const struct sasl_plain plain = {
        .authzid = slice_to(message, (size_t)first),
        .user = slice_to(rest, (size_t)second),
        .password = slice_from(rest, (size_t)second + 1),
    };
    if (plain.user.len == 0 || plain.password.len == 0 || slice_find(plain.password, '\0') >= 0 ||
        !slice_utf8_ok(message))
        return SASL_MALFORMED_REQUEST;
    *out = plain;
    return SASL_OK;
}
