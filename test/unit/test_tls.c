/* test/unit/test_tls.c - TLS on conns, contexts, certificate files */
#include "common/net/tls.h"

#include "common/base/secret.h"
#include "test/unit/cert_world.h"
#include "test/unit/net_world.h"
#include <gnutls/gnutls.h>
#include <sys/stat.h>

static const char *const one[] = { "one.example", "xmpp.one.example" };
static const char *const two[] = { "two.example" };
static const char *const sub[] = { "*.sub.example" };

/* A path in memory of its own; the next eight calls leave it alone. */
static const char *file(const char *name)
{
    static char paths[8][96];
    static unsigned at;
    char *path = paths[at++ % 8];
    snprintf(path, sizeof paths[0], "/tmp/test_tls.%d.%s", (int)getpid(), name);
    return path;
}

static int make_certificates(void **state)
{
    struct why why;
    (void)state;
    if (secret_init(&why) != RC_OK)
        return -1;
    bool ok = tls_make_self_signed(one, 2, file("one.pem"), file("one.key"), &why) == RC_OK &&
              tls_make_self_signed(two, 1, file("two.pem"), file("two.key"), &why) == RC_OK &&
              tls_make_self_signed(sub, 1, file("sub.pem"), file("sub.key"), &why) == RC_OK;
    return ok ? 0 : -1;
}

static int remove_certificates(void **state)
{
    static const char *const names[] = { "one.pem", "one.key", "two.pem", "two.key", "sub.pem", "sub.key" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(file(names[i]));
    return 0;
}

static struct tls_ctx *context(const struct tls_conf *conf, const char *name, const char *which)
{
    struct tls_ctx *ctx = NULL;
    struct why why = { "" };
    char cert[16], key[16];
    if (tls_ctx_new(conf, &ctx, &why) != RC_OK)
        fail_msg("%s", why.text);
    snprintf(cert, sizeof cert, "%s.pem", which);
    snprintf(key, sizeof key, "%s.key", which);
    if (which[0] && tls_ctx_cert(ctx, name, file(cert), file(key), &why) != RC_OK)
        fail_msg("%s", why.text);
    return ctx;
}

/* Both ends, TLS from the first byte. */
static void secure_both(struct world *w, struct tls_ctx *server, struct tls_ctx *client, const char *name)
{
    world_meet(w);
    conn_start_tls(w->server.conn, server, TLS_SERVER, NULL);
    conn_start_tls(w->client.conn, client, TLS_CLIENT, name);
}

static void both_are_secure(struct world *w)
{
    UNTIL(w, (w->server.secure && w->client.secure) || w->server.closed || w->client.closed);
    if (w->server.closed || w->client.closed)
        fail_msg("server: %s, client: %s", w->server.why.text, w->client.why.text);
}

static void echo_with(const char *server_priority, const char *version)
{
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_conf server_conf = { .priority = server_priority },
                    client_conf = { .trust_file = file("one.pem") };
    struct tls_ctx *server = context(&server_conf, "one.example", "one"),
                   *client = context(&client_conf, "", "");
    struct conn_tls info;
    w->server.on_input = echo;
    secure_both(w, server, client, "one.example");
    conn_write(w->client.conn, SLICE("before the handshake is done; "));
    both_are_secure(w);
    conn_write(w->client.conn, SLICE("after"));
    UNTIL(w, w->client.got.len == 35);
    assert_true(slice_is(buf_get(&w->client.got), "before the handshake is done; after"));
    conn_tls_info(w->client.conn, &info);
    assert_string_equal(info.version, version);
    assert_true(info.has_cert);
    assert_true(info.cert_ok);
    conn_tls_info(w->server.conn, &info);
    assert_string_equal(info.sni, "one.example");
    assert_false(info.has_cert);
    tls_ctx_free(&server); /* the sessions go on */
    tls_ctx_free(&client);
    conn_write(w->client.conn, SLICE("!"));
    UNTIL(w, w->client.got.len == 36);
    world_free(w);
}

static void tls13_echo(void **state)
{
    (void)state;
    echo_with(NULL, "TLS1.3");
}

static void tls12_echo(void **state)
{
    (void)state;
    echo_with("NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLS1.2");
}

static void large_output_arrives_whole(void **state)
{
    (void)state;
    enum { BYTES = 5000000 };
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "x", "one"),
                   *client = context(&(struct tls_conf){ 0 }, "", "");
    char *p = mem_new(BYTES);
    secret_random(p, BYTES);
    secure_both(w, server, client, NULL);
    both_are_secure(w);
    w->server_conf.out_full = 100000;
    conn_pause(w->client.conn);
    conn_write(w->server.conn, slice_of(p, BYTES));
    turns(w, 5);
    assert_true(conn_full(w->server.conn));
    conn_resume(w->client.conn);
    UNTIL(w, w->client.got.len == BYTES);
    assert_memory_equal(w->client.got.p, p, BYTES);
    UNTIL(w, w->server.drained == 1);
    conn_finish(w->server.conn, 5000);
    UNTIL(w, w->client.closed);
    assert_int_equal(w->client.cause, CONN_BY_PEER);
    mem_free(p);
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(w);
}

/* --- byte-wise: a relay between the two that passes one byte at a time --- */

static void relay_keep(struct side *s, struct slice bytes)
{
    buf_slice(&s->got, bytes);
}

static void relay_byte(struct side *from, struct side *to)
{
    if (from->got.len && to->conn && to->connected) {
        conn_write(to->conn, slice_to(buf_get(&from->got), 1));
        conn_flush(to->conn);
        buf_consume(&from->got, 1);
    }
}

static void fragments_of_one_byte(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL), *v = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "x", "one"),
                   *client = context(&(struct tls_conf){ 0 }, "", "");
    /* client of v → server of v = relay = client of w → server of w */
    w->client.on_input = v->server.on_input = relay_keep;
    w->server.on_input = echo;
    world_meet(v);
    world_meet(w);
    v->server.connected = 1;
    conn_start_tls(w->server.conn, server, TLS_SERVER, NULL);
    conn_start_tls(v->client.conn, client, TLS_CLIENT, NULL);
    conn_write(v->client.conn, SLICE("slowly"));
    while (v->client.got.len < 6) {
        turns(v, 1);
        relay_byte(&v->server, &w->client);
        turns(w, 1);
        relay_byte(&w->client, &v->server);
        assert_int_equal(v->client.closed + w->server.closed, 0);
    }
    assert_true(slice_is(buf_get(&v->client.got), "slowly"));
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(v);
    world_free(w);
}

/* --- names --- */

static void subject_seen(struct tls_ctx *server, const char *sni, const char *expected)
{
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *client = context(&(struct tls_conf){ 0 }, "", "");
    struct arena *a = arena_new(4096, 0);
    struct slice der;
    secure_both(w, server, client, sni);
    both_are_secure(w);
    assert_int_equal(conn_peer_cert(w->client.conn, a, &der), RC_OK);
    assert_non_null(memmem(der.p, der.len, expected, strlen(expected)));
    arena_free(&a);
    tls_ctx_free(&client);
    world_free(w);
}

static void sni_chooses_the_certificate(void **state)
{
    (void)state;
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "one.example", "one");
    assert_int_equal(tls_ctx_cert(server, "two.example", file("two.pem"), file("two.key"), NULL), RC_OK);
    assert_int_equal(tls_ctx_cert(server, "*.sub.example", file("sub.pem"), file("sub.key"), NULL), RC_OK);
    subject_seen(server, "two.example", "two.example");
    subject_seen(server, "TWO.example", "two.example");
    subject_seen(server, "a.sub.example", "*.sub.example");
    subject_seen(server, "a.b.sub.example", "one.example"); /* a wildcard is one label */
    subject_seen(server, "unknown.example", "one.example");
    subject_seen(server, NULL, "one.example");
    tls_ctx_free(&server);
}

static void certificates_change_under_live_conns(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "one.example", "one"),
                   *client = context(&(struct tls_conf){ 0 }, "", "");
    w->server.on_input = echo;
    secure_both(w, server, client, "one.example");
    both_are_secure(w);
    assert_int_equal(tls_ctx_cert(server, "one.example", file("two.pem"), file("two.key"), NULL), RC_OK);
    subject_seen(server, "one.example", "two.example");
    conn_write(w->client.conn, SLICE("still here"));
    UNTIL(w, w->client.got.len == 10);
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(w);
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    (void)state;
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "one.example", "one");
    struct why why = { "" };
    assert_int_equal(tls_ctx_cert(server, "one.example", file("one.pem"), file("two.key"), &why), RC_IO);
    assert_true(why.text[0] != '\0');
    subject_seen(server, NULL, "one.example"); /* the old one stays */
    tls_ctx_free(&server);
}

static void verification_needs_trust_and_name(void **state)
{
    (void)state;
    static const struct {
        const char *trust, *name;
        bool ok;
    } cases[] = {
        { "one.pem", "one.example", true },
        { "one.pem", "two.example", false },
        { "two.pem", "one.example", false },
    };
    for (size_t i = 0; i < 3; i++) {
        struct world *w = world_new("127.0.0.1", NULL);
        struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "x", "one");
        struct tls_ctx *client = context(&(struct tls_conf){ .trust_file = file(cases[i].trust) }, "", "");
        struct conn_tls info;
        secure_both(w, server, client, cases[i].name);
        both_are_secure(w);
        conn_tls_info(w->client.conn, &info);
        assert_int_equal(info.cert_ok, cases[i].ok);
        tls_ctx_free(&server);
        tls_ctx_free(&client);
        world_free(w);
    }
}

static void a_client_certificate_is_seen(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server =
        context(&(struct tls_conf){ .ask_client_cert = true, .trust_file = file("two.pem") }, "x", "one");
    struct tls_ctx *client = context(&(struct tls_conf){ 0 }, "two.example", "two");
    struct arena *a = arena_new(4096, 0);
    struct conn_tls info;
    struct slice der, addrs[4];
    size_t n = 99;
    secure_both(w, server, client, NULL);
    both_are_secure(w);
    conn_tls_info(w->server.conn, &info);
    assert_true(info.has_cert);
    assert_true(info.cert_ok);
    assert_int_equal(conn_peer_cert(w->server.conn, a, &der), RC_OK);
    assert_int_equal(tls_cert_xmpp_addrs(a, der, addrs, 4, &n), RC_OK);
    assert_int_equal(n, 0);
    assert_int_equal(tls_cert_xmpp_addrs(a, slice_to(der, 20), addrs, 4, &n), RC_SYNTAX);
    arena_free(&a);
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(w);
}

/* A server that shows the first n of chain, and its key. */
static void chain_of(struct cert_world *certs, struct cert *chain, size_t n, enum rc expected)
{
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "", ""),
                   *client = context(&(struct tls_conf){ 0 }, "", "");
    struct slice seen[PEERCERT_CHAIN_MAX];
    gnutls_datum_t pem;
    struct why why = { "" };
    size_t got = 99;
    FILE *f = fopen(file("chain.pem"), "w");
    assert_non_null(f);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(gnutls_x509_crt_export2(chain[i].crt, GNUTLS_X509_FMT_PEM, &pem), 0);
        assert_int_equal(fwrite(pem.data, 1, pem.size, f), pem.size);
        gnutls_free(pem.data);
    }
    fclose(f);
    assert_int_equal(gnutls_x509_privkey_export2(chain[0].key, GNUTLS_X509_FMT_PEM, &pem), 0);
    cert_write(file("chain.key"), &pem);
    if (tls_ctx_cert(server, "x", file("chain.pem"), file("chain.key"), &why) != RC_OK)
        fail_msg("%s", why.text);
    unlink(file("chain.pem"));
    unlink(file("chain.key"));
    secure_both(w, server, client, "one.example");
    assert_int_equal(conn_peer_chain(w->client.conn, certs->a, seen, PEERCERT_CHAIN_MAX, &got),
                     RC_NOTFOUND); /* not yet */
    both_are_secure(w);
    assert_int_equal(conn_peer_chain(w->client.conn, certs->a, seen, PEERCERT_CHAIN_MAX, &got), expected);
    assert_int_equal(got, expected == RC_OK ? n : 0);
    for (size_t i = 0; i < got; i++)
        assert_true(slice_eq(seen[i], chain[i].der));
    assert_int_equal(conn_peer_chain(w->server.conn, certs->a, seen, PEERCERT_CHAIN_MAX, &got), RC_NOTFOUND);
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(w);
}

static void a_peers_chain_is_seen_whole(void **state)
{
    enum { MANY = 200 }; /* PEERS 31 */
    struct cert_world *w = *state;
    struct cert chain[MANY];
    for (size_t i = MANY; i-- > 0;) {
        char name[16];
        snprintf(name, sizeof name, "c%zu", i);
        chain[i] = cert_make(
            w->a,
            &(struct cert_spec){ .cn = name, .ca = i > 0, .issuer = i + 1 < MANY ? &chain[i + 1] : NULL });
    }
    chain_of(w, chain, 1, RC_OK);
    chain_of(w, chain, 2, RC_OK);
    chain_of(w, chain, PEERCERT_CHAIN_MAX, RC_OK);
    chain_of(w, chain, PEERCERT_CHAIN_MAX + 1, RC_LIMIT);
    chain_of(w, chain, MANY, RC_LIMIT);
    for (size_t i = 0; i < MANY; i++)
        cert_free(&chain[i]);
}

/* --- ALPN --- */

static const char *const xmpp_alpn[] = { "xmpp-client", NULL }, *const http_alpn[] = { "h2", "http/1.1",
                                                                                       NULL };

static void alpn_case(const char *const *client_alpn, bool accepted, const char *chosen)
{
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ .alpn = xmpp_alpn }, "x", "one");
    struct tls_ctx *client = context(&(struct tls_conf){ .alpn = client_alpn }, "", "");
    struct conn_tls info;
    secure_both(w, server, client, NULL);
    UNTIL(w, (w->server.secure && w->client.secure) || (w->server.closed && w->client.closed));
    assert_int_equal(w->server.closed, !accepted);
    if (accepted) {
        conn_tls_info(w->server.conn, &info);
        assert_string_equal(info.alpn, chosen);
    } else {
        assert_int_equal(w->server.cause, CONN_TLS);
        assert_int_equal(w->client.cause, CONN_TLS);
        assert_non_null(strstr(w->client.why.text, "No supported application protocol")); /* the alert */
    }
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(w);
}

static void alpn_is_mandatory_for_who_offers_it(void **state)
{
    (void)state;
    alpn_case(xmpp_alpn, true, "xmpp-client");
    alpn_case(NULL, true, "");
    alpn_case(http_alpn, false, NULL);
}

/* --- bad peers --- */

static void garbage_fails_the_handshake(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "x", "one");
    world_meet(w);
    conn_start_tls(w->server.conn, server, TLS_SERVER, NULL);
    conn_write(w->client.conn, SLICE("<?xml version='1.0'?><stream:stream>"));
    UNTIL(w, w->server.closed);
    assert_int_equal(w->server.cause, CONN_TLS);
    assert_true(w->server.why.text[0] != '\0');
    tls_ctx_free(&server);
    world_free(w);
}

static void old_versions_are_refused(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "x", "one");
    struct tls_ctx *client =
        context(&(struct tls_conf){ .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1" }, "", "");
    secure_both(w, server, client, NULL);
    UNTIL(w, w->server.closed && w->client.closed);
    assert_int_equal(w->server.cause, CONN_TLS);
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(w);
}

static void gone_in_the_handshake(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "x", "one");
    world_meet(w);
    conn_start_tls(w->server.conn, server, TLS_SERVER, NULL);
    conn_write(w->server.conn, SLICE("will never leave"));
    conn_close(w->client.conn, CONN_BY_OWNER);
    UNTIL(w, w->server.closed);
    assert_int_equal(w->server.cause, CONN_BY_PEER);
    tls_ctx_free(&server);
    world_free(w);
}

static void no_certificate_no_handshake(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "", ""),
                   *client = context(&(struct tls_conf){ 0 }, "", "");
    assert_false(tls_ctx_has_cert(server));
    secure_both(w, server, client, NULL);
    UNTIL(w, w->server.closed && w->client.closed);
    assert_int_equal(w->server.cause, CONN_TLS);
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(w);
}

static void close_in_on_secure(struct side *s)
{
    conn_close(s->conn, CONN_BY_OWNER);
}

static void closing_in_on_secure(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "x", "one"),
                   *client = context(&(struct tls_conf){ 0 }, "", "");
    w->server.on_secure = w->client.on_secure = close_in_on_secure;
    secure_both(w, server, client, NULL);
    UNTIL(w, w->server.closed && w->client.closed);
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(w);
}

static void starttls_input(struct side *s, struct slice bytes)
{
    static const char go[] = "go";
    if (!conn_secure(s->conn) && slice_is(bytes, "starttls")) {
        conn_write(s->conn, slice_cstr(go));
        conn_start_tls(s->conn, s->world->extra, TLS_SERVER, NULL);
    } else {
        echo(s, bytes);
    }
}

static void what_was_written_before_starttls_is_clear(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct tls_ctx *server = context(&(struct tls_conf){ 0 }, "x", "one"),
                   *client = context(&(struct tls_conf){ 0 }, "", "");
    world_meet(w);
    w->extra = server;
    w->server.on_input = starttls_input;
    conn_write(w->client.conn, SLICE("starttls"));
    UNTIL(w, w->client.got.len == 2);
    assert_true(slice_is(buf_get(&w->client.got), "go"));
    conn_start_tls(w->client.conn, client, TLS_CLIENT, NULL);
    conn_write(w->client.conn, SLICE("now"));
    UNTIL(w, w->client.got.len == 5);
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    world_free(w);
}

/* --- channel binding --- */

static void both_ends_bind_to_the_same(void **state)
{
    (void)state;
    static const char *const priorities[] = { NULL, "NORMAL:-VERS-ALL:+VERS-TLS1.2" };
    for (size_t i = 0; i < 2; i++) {
        struct world *w = world_new("127.0.0.1", NULL);
        struct arena *a = arena_new(4096, 0);
        struct tls_ctx *server = context(&(struct tls_conf){ .priority = priorities[i] }, "x", "one");
        struct tls_ctx *client = context(&(struct tls_conf){ 0 }, "", "");
        struct slice left, right;
        secure_both(w, server, client, NULL);
        assert_int_equal(conn_cb_exporter(w->server.conn, a, &left), RC_UNSUPPORTED); /* not yet */
        both_are_secure(w);
        assert_int_equal(conn_cb_exporter(w->server.conn, a, &left), RC_OK);
        assert_int_equal(conn_cb_exporter(w->client.conn, a, &right), RC_OK);
        assert_int_equal(left.len, 32);
        assert_true(slice_eq(left, right));
        assert_int_equal(conn_cb_end_point(w->server.conn, a, &left), RC_OK);
        assert_int_equal(conn_cb_end_point(w->client.conn, a, &right), RC_OK);
        assert_int_equal(left.len, 32);
        assert_true(slice_eq(left, right));
        arena_free(&a);
        tls_ctx_free(&server);
        tls_ctx_free(&client);
        world_free(w);
    }
}

/* --- files --- */

static void a_self_signed_certificate_says_so(void **state)
{
    (void)state;
    struct tls_cert_info info;
    struct why why;
    struct stat st;
    bool covers;
    int64_t now = clock_wall_ms();
    assert_int_equal(tls_cert_info(file("one.pem"), &info, &why), RC_OK);
    assert_true(info.self_signed);
    assert_string_equal(info.key, "EC 256");
    assert_true(info.not_before_ms < now && info.not_after_ms > now + 9 * 365 * INT64_C(86400000));
    assert_string_equal(info.subject, "CN=one.example");
    assert_int_equal(strlen(info.fingerprint), 64);
    assert_int_equal(tls_cert_covers(file("one.pem"), "xmpp.one.example", &covers, &why), RC_OK);
    assert_true(covers);
    assert_int_equal(tls_cert_covers(file("one.pem"), "two.example", &covers, &why), RC_OK);
    assert_false(covers);
    assert_int_equal(stat(file("one.key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(tls_cert_info(file("one.key"), &info, &why), RC_SYNTAX);
    assert_int_equal(tls_cert_info(file("nothing"), &info, &why), RC_IO);
}

static void bad_configuration_is_named(void **state)
{
    (void)state;
    struct tls_ctx *ctx = NULL;
    struct why why = { "" };
    assert_int_equal(tls_ctx_new(&(struct tls_conf){ .priority = "NORMAL:+NONSENSE" }, &ctx, &why),
                     RC_SYNTAX);
    assert_non_null(strstr(why.text, "NONSENSE"));
    assert_int_equal(tls_ctx_new(&(struct tls_conf){ .trust_file = file("nothing") }, &ctx, &why), RC_IO);
    assert_int_equal(tls_ctx_new(&(struct tls_conf){ .trust_file = file("one.key") }, &ctx, &why), RC_IO);
    assert_null(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls13_echo),
        cmocka_unit_test(tls12_echo),
        cmocka_unit_test(large_output_arrives_whole),
        cmocka_unit_test(fragments_of_one_byte),
        cmocka_unit_test(sni_chooses_the_certificate),
        cmocka_unit_test(certificates_change_under_live_conns),
        cmocka_unit_test(a_key_of_another_certificate_is_refused),
        cmocka_unit_test(verification_needs_trust_and_name),
        cmocka_unit_test(a_client_certificate_is_seen),
        cmocka_unit_test_setup_teardown(a_peers_chain_is_seen_whole, cert_setup, cert_teardown),
        cmocka_unit_test(alpn_is_mandatory_for_who_offers_it),
        cmocka_unit_test(garbage_fails_the_handshake),
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(gone_in_the_handshake),
        cmocka_unit_test(no_certificate_no_handshake),
        cmocka_unit_test(closing_in_on_secure),
        cmocka_unit_test(what_was_written_before_starttls_is_clear),
        cmocka_unit_test(both_ends_bind_to_the_same),
        cmocka_unit_test(a_self_signed_certificate_says_so),
        cmocka_unit_test(bad_configuration_is_named),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
