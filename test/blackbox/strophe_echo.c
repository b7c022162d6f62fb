/* test/blackbox/strophe_echo.c - an echo component as an author with libstrophe writes it (XEP-0114)
 * usage: strophe_echo NAME SECRET HOST PORT */
#include <stdio.h>
#include <stdlib.h>
#include <strophe.h>

static int on_message(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *ctx)
{
    char *text = xmpp_message_get_body(stanza);
    xmpp_stanza_t *reply = xmpp_stanza_reply(stanza);
    (void)ctx;
    if (text) {
        xmpp_stanza_set_attribute(reply, "from", xmpp_stanza_get_to(stanza));
        xmpp_message_set_body(reply, text);
        xmpp_send(conn, reply);
    }
    xmpp_stanza_release(reply);
    if (text)
        xmpp_free(xmpp_conn_get_context(conn), text);
    return 1;
}

static void on_conn(xmpp_conn_t *conn, xmpp_conn_event_t status, int error, xmpp_stream_error_t *stream_error,
                    void *ctx)
{
    (void)error;
    (void)stream_error;
    if (status != XMPP_CONN_CONNECT) {
        xmpp_stop(ctx);
        return;
    }
    xmpp_handler_add(conn, on_message, NULL, "message", NULL, ctx);
    puts("connected");
    fflush(stdout);
}

static void on_nothing(xmpp_conn_t *conn, xmpp_conn_event_t status, int error,
                       xmpp_stream_error_t *stream_error, void *over)
{
    (void)conn;
    (void)error;
    (void)stream_error;
    if (status == XMPP_CONN_DISCONNECT)
        *(int *)over = 1;
}

/* 0.12.2, which is Debian 12's, reads the XEP-0198 state of every connection, and makes one for clients only;
 * without it a component crashes on its first stanza. So it gets the state of a client that reached nobody.
 */
static void lend_sm_state(xmpp_ctx_t *ctx, xmpp_conn_t *conn)
{
    int over = 0;
    xmpp_conn_t *client = xmpp_conn_new(ctx);
    xmpp_conn_set_jid(client, "nobody@localhost");
    if (xmpp_connect_client(client, "127.0.0.1", 1, on_nothing, &over) == XMPP_EOK) {
        while (!over)
            xmpp_run_once(ctx, 10);
    }
    xmpp_conn_set_sm_state(conn, xmpp_conn_get_sm_state(client));
    xmpp_conn_release(client);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    xmpp_initialize();
    xmpp_ctx_t *ctx = xmpp_ctx_new(NULL, NULL);
    xmpp_conn_t *conn = xmpp_conn_new(ctx);
    xmpp_conn_set_jid(conn, argv[1]);
    xmpp_conn_set_pass(conn, argv[2]);
    lend_sm_state(ctx, conn);
    if (xmpp_connect_component(conn, argv[3], (unsigned short)atoi(argv[4]), on_conn, ctx) != XMPP_EOK)
        return 1;
    xmpp_run(ctx);
    xmpp_conn_release(conn);
    xmpp_ctx_free(ctx);
    xmpp_shutdown();
    return 0;
}
