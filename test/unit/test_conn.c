/* test/unit/test_conn.c - conns over TCP and unix sockets */
#include "test/unit/net_world.h"
#include <sys/stat.h>

static char *pattern(size_t n)
{
    char *p = mem_new(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)('a' + i % 23 + i / 1000 % 3);
    return p;
}

static void bytes_come_back(struct world *w)
{
    w->server.on_input = echo;
    world_meet(w);
    conn_write(w->client.conn, SLICE("hello "));
    conn_write(w->client.conn, SLICE("world"));
    UNTIL(w, w->client.got.len == 11);
    assert_true(slice_is(buf_get(&w->client.got), "hello world"));
    assert_int_equal(w->totals.in_bytes, 11);
    assert_int_equal(w->totals.in_calls, 1); /* both left in one write */
    assert_int_equal(w->totals.out_calls, 1);
    assert_null(w->server.conn->out); /* nothing is kept while idle */
    world_free(w);
}

static void tcp_echo(void **state)
{
    (void)state;
    bytes_come_back(world_new("127.0.0.1", NULL));
}

static void unix_echo(void **state)
{
    (void)state;
    struct stat st;
    char path[64];
    uint32_t uid = UINT32_MAX;
    struct conn_peer peer;
    snprintf(path, sizeof path, "/tmp/test_conn.%d.sock", (int)getpid());
    struct world *w = world_new(path, NULL);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    world_meet(w);
    assert_int_equal(conn_unix_peer_uid(w->server.conn, &uid), RC_OK);
    assert_int_equal(uid, getuid());
    conn_peer(w->server.conn, &peer);
    assert_string_equal(peer.ip, "unix");
    w->server.on_input = echo;
    conn_write(w->client.conn, SLICE("x"));
    UNTIL(w, w->client.got.len == 1);
    world_free(w);
    assert_int_equal(stat(path, &st), -1); /* closing the listener removes it */
}

static void a_refused_dial_says_why(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct sockaddr_in sa = world_addr(w);
    listen_close(&w->listener);
    turns(w, 3);
    w->client.conn = conn_dial_tcp(w->loop, (struct sockaddr *)&sa, &w->client_conf, &w->client);
    assert_int_equal(w->client.closed, 0); /* never inside the call */
    UNTIL(w, w->client.closed);
    assert_int_equal(w->client.cause, CONN_IO);
    assert_non_null(strstr(w->client.why.text, "refused"));
    world_free(w);
}

static void a_host_is_dialled_by_name(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL); /* localhost may have ::1 first, where nobody listens */
    w->client.conn =
        conn_dial_host(w->loop, "localhost", listen_port(w->listener), &w->client_conf, &w->client);
    UNTIL(w, w->client.connected && w->server.conn);
    world_free(w);
}

static void an_unknown_host_fails(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    w->client.conn = conn_dial_host(w->loop, "no such host.invalid", 1, &w->client_conf, &w->client);
    UNTIL(w, w->client.closed);
    assert_non_null(strstr(w->client.why.text, "resolve"));
    world_free(w);
}

static void closing_while_the_name_is_resolved(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    w->client.conn = conn_dial_host(w->loop, "localhost", 1, &w->client_conf, &w->client);
    conn_close(w->client.conn, CONN_TIMEOUT);
    UNTIL(w, w->client.closed);
    assert_int_equal(w->client.cause, CONN_TIMEOUT);
    world_free(w);
}

static void a_slow_reader_overflows(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    w->server_conf.out_max = 1 << 20;
    world_meet(w);
    conn_pause(w->client.conn);
    char *p = pattern(65536);
    for (int i = 0; i < 1000 && !conn_closing(w->server.conn); i++) {
        conn_write(w->server.conn, slice_of(p, 65536));
        assert_true(conn_closing(w->server.conn) || conn_waiting(w->server.conn) <= 1 << 20);
    }
    mem_free(p);
    UNTIL(w, w->server.closed);
    assert_int_equal(w->server.cause, CONN_OVERFLOW);
    world_free(w);
}

static void a_full_conn_drains(struct world *w)
{
    w->server_conf.out_full = 256 * 1024;
    conn_pause(w->client.conn);
    char *p = pattern(100000);
    size_t sent = 0;
    while (!conn_full(w->server.conn)) {
        conn_write(w->server.conn, slice_of(p, 100000));
        sent += 100000;
        turns(w, 2);
    }
    turns(w, 5);
    assert_int_equal(w->server.drained, 0);
    conn_resume(w->client.conn);
    UNTIL(w, w->client.got.len == sent);
    UNTIL(w, w->server.drained == 1);
    assert_false(conn_full(w->server.conn));
    for (size_t i = 0; i < sent; i += 100000)
        assert_memory_equal(w->client.got.p + i, p, 100000);
    mem_free(p);
    world_free(w);
}

static void drain_follows_full(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    a_full_conn_drains(w);
}

static void pieces_arrive_in_order(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    char *p = pattern(300000);
    struct slice pieces[3] = { slice_of(p, 7), slice_of(p + 7, 299990), slice_of(p + 299997, 3) };
    conn_pause(w->client.conn);
    for (int i = 0; i < 30; i++) /* the first ones leave at once, later ones wait */
        conn_writev(w->server.conn, pieces, 3);
    assert_true(conn_waiting(w->server.conn) > 0);
    conn_resume(w->client.conn);
    UNTIL(w, w->client.got.len == 30 * 300000);
    for (size_t i = 0; i < 30; i++)
        assert_memory_equal(w->client.got.p + i * 300000, p, 300000);
    mem_free(p);
    world_free(w);
}

static void on_half_close_input(struct side *s, struct slice bytes)
{
    buf_slice(&s->got, bytes);
    if (s->got.len == 5)
        conn_write(s->conn, SLICE("answer"));
}

static void what_is_owed_is_sent_after_the_peer_half_closed(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    w->server.on_input = on_half_close_input;
    world_meet(w);
    int fd;
    assert_int_equal(uv_fileno(&w->client.conn->u.handle, &fd), 0);
    assert_int_equal(write(fd, "hello", 5), 5);
    shutdown(fd, SHUT_WR);
    UNTIL(w, w->client.got.len == 6 && w->server.closed);
    assert_int_equal(w->server.cause, CONN_BY_PEER);
    world_free(w);
}

/* A process that is killed resets its connections; what it had said before that is here already. */
static void last_words_are_heard(const char *address)
{
    struct world *w = world_new(address, NULL);
    int fd;
    world_meet(w);
    conn_pause(w->client.conn);
    conn_write(w->server.conn, SLICE("never read"));
    turns(w, 3);
    conn_pause(w->server.conn);
    assert_int_equal(uv_fileno(&w->client.conn->u.handle, &fd), 0);
    assert_int_equal(write(fd, "last words", 10), 10);
    conn_close(w->client.conn, CONN_BY_OWNER);
    UNTIL(w, w->client.closed);
    conn_write(w->server.conn, SLICE("are you there?")); /* the first one hears of it */
    conn_flush(w->server.conn);
    conn_writev(w->server.conn, &SLICE("and there?"), 1);
    turns(w, 3);
    assert_int_equal(w->server.closed, 0);
    conn_resume(w->server.conn);
    UNTIL(w, w->server.closed);
    assert_int_equal(w->server.cause, CONN_BY_PEER);
    assert_true(slice_is(buf_get(&w->server.got), "last words"));
    world_free(w);
}

static void last_words_of_a_peer_are_heard(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "/tmp/test_conn.%d.sock", (int)getpid());
    last_words_are_heard("127.0.0.1");
    last_words_are_heard(path);
}

static void finish_sends_everything(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    char *p = pattern(3000000);
    conn_pause(w->client.conn);
    conn_write(w->server.conn, slice_of(p, 3000000));
    conn_finish(w->server.conn, PATIENCE_MS);
    assert_true(conn_closing(w->server.conn));
    conn_write(w->server.conn, SLICE("no more"));
    turns(w, 5);
    conn_resume(w->client.conn);
    UNTIL(w, w->client.closed && w->server.closed);
    assert_int_equal(w->client.cause, CONN_BY_PEER);
    assert_int_equal(w->server.cause, CONN_BY_OWNER);
    assert_int_equal(w->client.got.len, 3000000);
    assert_memory_equal(w->client.got.p, p, 3000000);
    mem_free(p);
    world_free(w);
}

static void finish_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    conn_pause(w->client.conn); /* will not see the end, nor close */
    conn_finish(w->server.conn, 30);
    UNTIL(w, w->server.closed);
    assert_int_equal(w->server.cause, CONN_BY_OWNER);
    world_free(w);
}

static void finishing_takes_no_input(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    conn_finish(w->server.conn, 1000);
    conn_write(w->client.conn, SLICE("late"));
    conn_finish(w->client.conn, 1000);
    UNTIL(w, w->server.closed && w->client.closed);
    assert_int_equal(w->server.inputs, 0);
    world_free(w);
}

static void finishing_while_paused_sees_the_peer_close(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    conn_pause(w->server.conn);
    conn_finish(w->server.conn, 10 * PATIENCE_MS);
    UNTIL(w, w->server.closed && w->client.closed);
    world_free(w);
}

static void close_now(struct side *s)
{
    conn_close(s->conn, CONN_BY_OWNER);
    conn_close(s->conn, CONN_IO); /* the second time nothing happens */
    conn_write(s->conn, SLICE("nothing"));
    conn_pause(s->conn);
    conn_resume(s->conn);
    conn_finish(s->conn, 10);
    assert_int_equal(s->closed, 0);
}

static void close_on_input(struct side *s, struct slice bytes)
{
    (void)bytes;
    close_now(s);
}

static void closing_inside_every_callback(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        struct world *w = world_new("127.0.0.1", NULL);
        if (which == 0)
            w->client.on_connected = close_now;
        if (which == 1)
            w->server.on_input = close_on_input;
        if (which == 2)
            w->server.on_drain = close_now;
        world_meet(w);
        if (which == 1 && w->client.conn)
            conn_write(w->client.conn, SLICE("x"));
        if (which == 2) {
            w->server_conf.out_full = 1000;
            char *p = pattern(100000);
            conn_write(w->server.conn, slice_of(p, 100000));
            mem_free(p);
        }
        if (which == 3)
            conn_close(w->server.conn, CONN_BY_OWNER);
        UNTIL(w, w->client.closed && w->server.closed);
        assert_int_equal(w->client.closed + w->server.closed, 2);
        world_free(w);
    }
}

static void paused_means_no_input(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    conn_pause(w->server.conn);
    conn_pause(w->server.conn);
    conn_write(w->client.conn, SLICE("x"));
    turns(w, 20);
    assert_int_equal(w->server.inputs, 0);
    conn_resume(w->server.conn);
    UNTIL(w, w->server.inputs == 1);
    world_free(w);
}

static void written_before_connected_arrives(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_dial(w);
    conn_write(w->client.conn, SLICE("early"));
    UNTIL(w, w->server.got.len == 5);
    world_free(w);
}

static void write_from_timer(struct timer *t)
{
    struct world *w = CONTAINER(t, struct world, guard);
    conn_write(w->client.conn, SLICE("tick"));
}

static void written_by_a_timer_leaves_in_the_turn(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    timer_stop(&w->guard);
    loop_timer(w->loop, &w->guard, 20, write_from_timer);
    UNTIL(w, w->server.got.len == 4); /* no other event comes: it must not wait for one */
    world_free(w);
}

static void on_client_gone(struct side *s)
{
    conn_write(s->world->server.conn, SLICE("bye"));
}

static void written_by_on_closed_leaves(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    world_meet(w);
    conn_pause(w->server.conn); /* does not see the end */
    w->client.on_closed = on_client_gone;
    conn_close(w->client.conn, CONN_BY_OWNER);
    UNTIL(w, w->client.closed);
    UNTIL(w, w->totals.out_bytes == 3);
    world_free(w);
}

static void the_peer_has_a_name(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct conn_peer peer;
    world_meet(w);
    conn_peer(w->server.conn, &peer);
    assert_string_equal(peer.ip, "127.0.0.1");
    assert_true(peer.port > 0);
    struct sockaddr_in said = { .sin_family = AF_INET, .sin_port = htons(77) };
    inet_pton(AF_INET, "192.0.2.9", &said.sin_addr);
    conn_peer_set(w->server.conn, (struct sockaddr *)&said);
    conn_peer(w->server.conn, &peer);
    assert_string_equal(peer.ip, "192.0.2.9");
    assert_int_equal(peer.port, 77);
    world_free(w);
}

static void an_idle_conn_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct conn) <= 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_echo),
        cmocka_unit_test(unix_echo),
        cmocka_unit_test(a_refused_dial_says_why),
        cmocka_unit_test(a_host_is_dialled_by_name),
        cmocka_unit_test(an_unknown_host_fails),
        cmocka_unit_test(closing_while_the_name_is_resolved),
        cmocka_unit_test(a_slow_reader_overflows),
        cmocka_unit_test(drain_follows_full),
        cmocka_unit_test(pieces_arrive_in_order),
        cmocka_unit_test(what_is_owed_is_sent_after_the_peer_half_closed),
        cmocka_unit_test(last_words_of_a_peer_are_heard),
        cmocka_unit_test(finish_sends_everything),
        cmocka_unit_test(finish_does_not_wait_for_ever),
        cmocka_unit_test(finishing_takes_no_input),
        cmocka_unit_test(finishing_while_paused_sees_the_peer_close),
        cmocka_unit_test(closing_inside_every_callback),
        cmocka_unit_test(paused_means_no_input),
        cmocka_unit_test(written_before_connected_arrives),
        cmocka_unit_test(written_by_a_timer_leaves_in_the_turn),
        cmocka_unit_test(written_by_on_closed_leaves),
        cmocka_unit_test(the_peer_has_a_name),
        cmocka_unit_test(an_idle_conn_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
