/* test/blackbox/strophe_sm.c - a client with libstrophe that keeps its session over lost connections
 * (XEP-0198) usage: strophe_sm JID PASSWORD HOST PORT
 *
 * Says "connected" once, and each body as it comes; what it has been told to say (a line on its standard
 * input, "TO TEXT") it says on whatever connection it has. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strophe.h>
#include <unistd.h>

struct world {
    xmpp_ctx_t *ctx;
    xmpp_conn_t *conn;
    xmpp_sm_state_t *sm;
    char **argv;
    int up, lost, told;
};

static int on_message(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *ctx)
{
    char *text = xmpp_message_get_body(stanza);
    (void)ctx;
    if (text) {
        printf("%s\n", text);
        fflush(stdout);
        xmpp_free(xmpp_conn_get_context(conn), text);
    }
    return 1;
}

static void on_conn(xmpp_conn_t *conn, xmpp_conn_event_t status, int error, xmpp_stream_error_t *stream_error,
                    void *ctx)
{
    struct world *w = ctx;
    (void)error;
    (void)stream_error;
    if (status != XMPP_CONN_CONNECT) {
        w->sm = xmpp_conn_get_sm_state(conn);
        w->up = 0;
        w->lost = 1;
        return;
    }
    w->up = 1;
    xmpp_handler_add(conn, on_message, NULL, "message", NULL, w);
    if (w->told++)
        return; /* resumed: nothing to announce */
    xmpp_stanza_t *presence = xmpp_presence_new(w->ctx);
    xmpp_send(conn, presence);
    xmpp_stanza_release(presence);
    puts("connected");
    fflush(stdout);
}

static void dial(struct world *w)
{
    w->lost = 0;
    w->conn = xmpp_conn_new(w->ctx);
    xmpp_conn_set_flags(w->conn, XMPP_CONN_FLAG_DISABLE_TLS);
    xmpp_conn_set_jid(w->conn, w->argv[1]);
    xmpp_conn_set_pass(w->conn, w->argv[2]);
    if (w->sm)
        xmpp_conn_set_sm_state(w->conn, w->sm);
    w->sm = NULL;
    xmpp_connect_client(w->conn, w->argv[3], (unsigned short)atoi(w->argv[4]), on_conn, w);
}

static void say(struct world *w)
{
    char line[256], *text;
    ssize_t n = w->up ? read(0, line, sizeof line - 1) : -1;
    if (n <= 0)
        return;
    line[n] = '\0';
    line[strcspn(line, "\n")] = '\0';
    text = strchr(line, ' ');
    *text++ = '\0';
    xmpp_stanza_t *message = xmpp_message_new(w->ctx, "chat", line, NULL);
    xmpp_message_set_body(message, text);
    xmpp_send(w->conn, message);
    xmpp_stanza_release(message);
}

int main(int argc, char **argv)
{
    struct world w = { 0 };
    if (argc != 5)
        return 2;
    w.argv = argv;
    xmpp_initialize();
    w.ctx = xmpp_ctx_new(NULL, NULL);
    fcntl(0, F_SETFL, O_NONBLOCK);
    dial(&w);
    for (;;) {
        xmpp_run_once(w.ctx, 20);
        say(&w);
        if (w.lost) {
            usleep(100000);
            xmpp_conn_release(w.conn);
            dial(&w);
        }
    }
}
