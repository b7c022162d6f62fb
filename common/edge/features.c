/* common/edge/features.c */
#include "common/edge/features.h"

#include "common/xmpp/ns.h"
#include "common/xmpp/xmlout.h"
#include <sodium.h>

#define END "</stream:features>"

bool features_lists(struct slice list, struct slice word)
{
    struct slice each;
    while (slice_split(&list, ' ', &each)) {
        if (each.len && slice_eq(each, word))
            return true;
    }
    return false;
}

static bool is_scram(struct slice mechanism)
{
    return slice_starts(mechanism, SLICE("SCRAM-"));
}

static bool is_token(struct slice mechanism)
{
    return slice_starts(mechanism, SLICE("HT-"));
}

static bool offered(const struct features_auth *auth, struct slice mechanism)
{
    if (!mechanism.len || is_token(mechanism))
        return false;
    if (slice_is(mechanism, "PLAIN"))
        return auth->plain;
    if (slice_is(mechanism, "EXTERNAL"))
        return auth->cert;
    return true;
}

static struct slice add(struct arena *a, struct slice list, struct slice word, const char *suffix)
{
    return arena_fmt(a, SLICE_FMT "%s" SLICE_FMT "%s", SLICE_ARG(list), list.len ? " " : "", SLICE_ARG(word),
                     suffix);
}

struct slice features_mechanisms(struct arena *a, const struct features_auth *auth)
{
    struct slice list = SLICE_NONE, rest = auth->hosted, each;
    if (auth->exporter || auth->end_point) {
        while (slice_split(&rest, ' ', &each)) {
            if (is_scram(each))
                list = add(a, list, each, "-PLUS");
        }
    }
    rest = auth->hosted;
    while (slice_split(&rest, ' ', &each)) {
        if (offered(auth, each))
            list = add(a, list, each, "");
    }
    return list;
}

/* Whether anything that binds a password to the channel is offered: what binds a token to it is not offered
 * alone, as no binding types are told then (XEP-0440 3). */
static bool binds(const struct features_auth *auth)
{
    struct slice rest = auth->hosted, each;
    while (slice_split(&rest, ' ', &each)) {
        if (is_scram(each))
            return true;
    }
    return false;
}

struct slice features_fast(struct arena *a, const struct features_auth *auth)
{
    struct slice list = SLICE_NONE, rest = auth->hosted, each;
    bool bound = binds(auth);
    while (auth->tls && slice_split(&rest, ' ', &each)) {
        if (!is_token(each))
            continue;
        if (bound && auth->exporter)
            list = add(a, list, each, "-EXPR");
        if (bound && auth->end_point)
            list = add(a, list, each, "-ENDP");
        list = add(a, list, each, "-NONE");
    }
    return list;
}

struct slice features_bindings(bool exporter, bool end_point)
{
    if (exporter && end_point)
        return SLICE("tls-server-end-point tls-exporter");
    if (end_point)
        return SLICE("tls-server-end-point");
    return exporter ? SLICE("tls-exporter") : SLICE_NONE;
}

static void write_mechanisms(struct buf *out, struct slice list)
{
    struct slice each;
    while (slice_split(&list, ' ', &each)) {
        BUF_LIT(out, "<mechanism>");
        xmlout_text(out, each);
        BUF_LIT(out, "</mechanism>");
    }
}

static void write_bind2(struct buf *out, struct slice binds)
{
    struct slice each;
    BUF_LIT(out, "<bind xmlns='" NS_BIND2 "'>");
    if (binds.len) {
        BUF_LIT(out, "<inline>");
        while (slice_split(&binds, ' ', &each)) {
            BUF_LIT(out, "<feature");
            xmlout_attr(out, "var", each);
            BUF_LIT(out, "/>");
        }
        BUF_LIT(out, "</inline>");
    }
    BUF_LIT(out, "</bind>");
}

static void write_sasl2(struct buf *out, const struct features *f)
{
    BUF_LIT(out, "<authentication xmlns='" NS_SASL2 "'>");
    write_mechanisms(out, f->mechanisms);
    BUF_LIT(out, "<inline>");
    if (features_lists(f->binds, SLICE(NS_SM))) /* XEP-0198 9.2 */
        BUF_LIT(out, "<sm xmlns='" NS_SM "'/>");
    write_bind2(out, f->binds);
    if (f->fast.len) {
        BUF_LIT(out, "<fast xmlns='" NS_FAST "'>");
        write_mechanisms(out, f->fast);
        BUF_LIT(out, "</fast>");
    }
    BUF_LIT(out, "</inline></authentication>");
}

static void write_sasl(struct buf *out, const struct features *f)
{
    struct slice rest = f->bindings, each;
    if (rest.len) { /* XEP-0440 2 */
        BUF_LIT(out, "<sasl-channel-binding xmlns='" NS_CHANNEL_BINDING "'>");
        while (slice_split(&rest, ' ', &each)) {
            BUF_LIT(out, "<channel-binding");
            xmlout_attr(out, "type", each);
            BUF_LIT(out, "/>");
        }
        BUF_LIT(out, "</sasl-channel-binding>");
    }
    BUF_LIT(out, "<mechanisms xmlns='" NS_SASL "'>");
    write_mechanisms(out, f->mechanisms);
    BUF_LIT(out, "</mechanisms>");
    if (f->sasl2)
        write_sasl2(out, f);
}

static void write_limits(struct buf *out, const struct features *f)
{
    BUF_LIT(out, "<limits xmlns='" NS_STREAM_LIMITS "'>");
    if (f->max_bytes) {
        BUF_LIT(out, "<max-bytes>");
        buf_u64(out, f->max_bytes);
        BUF_LIT(out, "</max-bytes>");
    }
    if (f->idle_s) {
        BUF_LIT(out, "<idle-seconds>");
        buf_u64(out, f->idle_s);
        BUF_LIT(out, "</idle-seconds>");
    }
    BUF_LIT(out, "</limits>");
}

void features_write(struct buf *out, const struct features *f)
{
    BUF_LIT(out, "<stream:features>");
    if (f->starttls) {
        BUF_LIT(out, "<starttls xmlns='" NS_TLS "'>");
        if (f->starttls_required)
            BUF_LIT(out, "<required/>");
        BUF_LIT(out, "</starttls>");
    }
    if (f->mechanisms.len)
        write_sasl(out, f);
    if (f->registration)
        BUF_LIT(out, "<register xmlns='" NS_REGISTER_FEATURE "'/>");
    if (f->bind)
        BUF_LIT(out, "<bind xmlns='" NS_BIND "'/>");
    buf_slice(out, f->more);
    if (f->bind)
        BUF_LIT(out, "<session xmlns='" NS_SESSION "'><optional/></session>"); /* RFC 6121 1.4 */
    if (f->max_bytes || f->idle_s)
        write_limits(out, f);
    BUF_LIT(out, END);
}

void features_seal(struct buf *out, size_t from, char version[FEATURES_VERSION_LEN + 1])
{
    enum { HASH_BYTES = FEATURES_VERSION_LEN / 4 * 3 };
    unsigned char hash[crypto_hash_sha256_BYTES];
    struct slice written = slice_from(buf_get(out), from);
    crypto_hash_sha256(hash, (const unsigned char *)written.p, written.len);
    sodium_bin2base64(version, FEATURES_VERSION_LEN + 1, hash, HASH_BYTES, sodium_base64_VARIANT_ORIGINAL);
    out->len -= sizeof END - 1;
    BUF_LIT(out, "<config-version xmlns='" NS_IAP "' scheme='opaque'");
    xmlout_attr(out, "value", slice_cstr(version));
    BUF_LIT(out, "/>" END);
}
