/* test/unit/test_listen.c - accepting, PROXY headers on a listener, running out of descriptors */
#include "test/unit/net_world.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/un.h>

static struct net_list *loopback(void)
{
    struct net_list *list = NULL;
    struct why why;
    if (net_list_parse(SLICE("127.0.0.0/8"), &list, &why) != RC_OK)
        fail_msg("%s", why.text);
    return list;
}

static int plain_client(const struct world *w)
{
    struct sockaddr_in sa = world_addr(w);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void a_proxy_names_the_client(void **state)
{
    (void)state;
    struct net_list *list = loopback();
    struct world *w = world_new("127.0.0.1", list);
    struct conn_peer peer;
    world_dial(w);
    conn_write(w->client.conn, SLICE("PROXY TCP4 203.0.113.7 198.51.100.1 4"));
    turns(w, 10);
    assert_null(w->server.conn); /* not accepted before the header is whole */
    conn_write(w->client.conn, SLICE("0000 5222\r\nhello"));
    UNTIL(w, w->server.got.len == 5);
    assert_true(slice_is(buf_get(&w->server.got), "hello"));
    conn_peer(w->server.conn, &peer);
    assert_string_equal(peer.ip, "203.0.113.7");
    assert_int_equal(peer.port, 40000);
    world_free(w);
    net_list_free(&list);
}

static void a_proxy_without_header_is_closed(void **state)
{
    (void)state;
    struct net_list *list = loopback();
    struct world *w = world_new("127.0.0.1", list);
    world_dial(w);
    conn_write(w->client.conn, SLICE("<stream:stream>"));
    UNTIL(w, w->client.closed);
    assert_null(w->server.conn);
    world_free(w);
    net_list_free(&list);
}

static void a_silent_proxy_is_closed(void **state)
{
    (void)state;
    struct net_list *list = loopback();
    struct world *w = world_new("127.0.0.1", list);
    world_dial(w);
    UNTIL(w, w->client.closed);
    world_free(w);
    net_list_free(&list);
}

static void a_listener_closes_with_proxies_waiting(void **state)
{
    (void)state;
    struct net_list *list = loopback();
    struct world *w = world_new("127.0.0.1", list);
    world_dial(w);
    UNTIL(w, w->client.connected);
    turns(w, 10);
    world_free(w);
    net_list_free(&list);
}

static void others_need_no_header(void **state)
{
    (void)state;
    struct net_list *list = NULL;
    struct why why;
    assert_int_equal(net_list_parse(SLICE("192.0.2.0/24"), &list, &why), RC_OK);
    struct world *w = world_new("127.0.0.1", list);
    world_meet(w);
    conn_write(w->client.conn, SLICE("PROXY TCP4 203.0.113.7 198.51.100.1 40000 5222\r\n"));
    UNTIL(w, w->server.got.len == 48); /* from such a peer it is but bytes */
    world_free(w);
    net_list_free(&list);
}

static void a_paused_listener_leaves_them_waiting(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    listen_pause(w->listener);
    world_dial(w);
    UNTIL(w, w->client.connected); /* by the kernel */
    turns(w, 20);
    assert_null(w->server.conn);
    listen_resume(w->listener);
    UNTIL(w, w->server.conn);
    world_free(w);
}

static void both_families_on_one_port(void **state)
{
    (void)state;
    struct world *w = world_new("::", NULL);
    world_meet(w); /* over IPv4 */
    struct conn_peer peer;
    conn_peer(w->server.conn, &peer);
    assert_string_equal(peer.ip, "127.0.0.1"); /* not ::ffff:127.0.0.1 */
    world_free(w);
}

static void a_port_can_be_shared(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct listener *second = NULL;
    struct listen_conf conf = {
        .address = "127.0.0.1", .port = listen_port(w->listener), .on_accept = world_accept, .ctx = w
    };
    assert_int_equal(listen_open(w->loop, &conf, &w->server_conf, &second, NULL), RC_OK);
    listen_close(&second);
    world_free(w);
}

static void bad_addresses_are_named(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct listener *l = NULL;
    struct why why = { "" };
    struct listen_conf conf = { .address = "localhost" };
    assert_int_equal(listen_open(loop, &conf, NULL, &l, &why), RC_SYNTAX);
    assert_non_null(strstr(why.text, "localhost"));
    conf.address = "192.0.2.1"; /* not ours */
    assert_int_equal(listen_open(loop, &conf, NULL, &l, &why), RC_IO);
    conf.address = "/nonexistent/socket";
    assert_int_equal(listen_open(loop, &conf, NULL, &l, &why), RC_IO);
    assert_null(l);
    loop_free(&loop);
}

static void stale_sockets_go_and_live_ones_stay(void **state)
{
    (void)state;
    char path[64];
    struct listener *l = NULL;
    snprintf(path, sizeof path, "/tmp/test_listen.%d.sock", (int)getpid());
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    memcpy(un.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    close(fd); /* as one who died leaves it */
    struct world *w = world_new(path, NULL);
    struct listen_conf conf = { .address = path, .mode = 0600 };
    assert_int_equal(listen_open(w->loop, &conf, NULL, &l, NULL), RC_EXISTS);
    world_meet(w);
    world_free(w);
}

static void without_descriptors_it_neither_spins_nor_dies(void **state)
{
    (void)state;
    struct world *w = world_new("127.0.0.1", NULL);
    struct rlimit before, low;
    int clients[3];
    turns(w, 2);
    for (int i = 0; i < 3; i++)
        clients[i] = plain_client(w);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    int top = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(top);
    low.rlim_cur = (rlim_t)top; /* not one more */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    turns(w, 5);
    assert_int_equal(listen_refused(w->listener), 1); /* one a pause, not one a turn */
    assert_null(w->server.conn);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    UNTIL(w, w->server.conn); /* goes on by itself */
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proxy_names_the_client),
        cmocka_unit_test(a_proxy_without_header_is_closed),
        cmocka_unit_test(a_silent_proxy_is_closed),
        cmocka_unit_test(a_listener_closes_with_proxies_waiting),
        cmocka_unit_test(others_need_no_header),
        cmocka_unit_test(a_paused_listener_leaves_them_waiting),
        cmocka_unit_test(both_families_on_one_port),
        cmocka_unit_test(a_port_can_be_shared),
        cmocka_unit_test(bad_addresses_are_named),
        cmocka_unit_test(stale_sockets_go_and_live_ones_stay),
        cmocka_unit_test(without_descriptors_it_neither_spins_nor_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
