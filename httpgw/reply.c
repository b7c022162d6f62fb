/* httpgw/reply.c - how a request ends: an answer, a file, or the socket for another protocol */
#include "common/base/mem.h"
#include "httpgw/httpin.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* --- answers --- */

static void add_field(struct http_request *r, const char *name, struct slice value)
{
    char text[2048];
    if (slice_to_cstr(value, text, sizeof text) == RC_OK)
        MHD_add_response_header(r->response, name, text); /* it refuses line ends */
}

static void answered(struct http_request *r, const struct http_reply *reply)
{
    r->status = reply->status;
    if (reply->type)
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    MHD_add_response_header(r->response, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < reply->n_fields; i++)
        add_field(r, reply->fields[i].name, reply->fields[i].value);
    bool held = r->state == REQUEST_HELD || r->state == REQUEST_STALLED;
    r->state = REQUEST_ANSWERED;
    if (held) {
        MHD_resume_connection(r->mhd);
        http_soon(r->http);
    }
}

void http_answer(struct http_request *r, const struct http_reply *reply)
{
    if (r->state == REQUEST_ANSWERED)
        return;
    void *body = (void *)(uintptr_t)(reply->body.len ? reply->body.p : "");
    r->response = MHD_create_response_from_buffer(reply->body.len, body, MHD_RESPMEM_MUST_COPY);
    answered(r, reply);
}

void http_answer_text(struct http_request *r, unsigned status, const char *text)
{
    char line[256];
    struct buf out = { line, 0, sizeof line, sizeof line, false };
    buf_fmt(&out, "%s\n", text);
    http_answer(r, &(struct http_reply){
                       .status = status, .type = "text/plain; charset=utf-8", .body = buf_get(&out) });
}

void http_answer_file(struct http_request *r, const struct http_reply *reply, int fd, uint64_t offset,
                      uint64_t size)
{
    if (r->state == REQUEST_ANSWERED) {
        close(fd);
        return;
    }
    r->response = MHD_create_response_from_fd_at_offset64(size, fd, offset);
    answered(r, reply);
}

/* --- upgrades --- */

/* Until somebody owns it. */
static void nobody_closed(void *owner, enum conn_cause cause, const struct why *why)
{
    (void)owner, (void)cause, (void)why;
}

static const struct conn_ops nobody_ops = { .on_closed = nobody_closed };
static const struct conn_conf nobody_conf = { .ops = &nobody_ops };

/* The library's descriptor is its own; ours is another one of the same socket. */
static struct conn *own_conn(struct http_request *r, int sock)
{
    int fd = fcntl(sock, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    return conn_adopt(r->http->conf.loop, fd, false, &nobody_conf, NULL);
}

static void on_upgrade(void *cls, struct MHD_Connection *mhd, void *ctx, const char *early, size_t n_early,
                       MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
    struct http_request *r = cls;
    (void)mhd, (void)ctx;
    r->conn->upgraded = true;
    const struct http_upgraded u = { .conn = r->conn->is_tls
                                                 ? (r->conn->bridge ? bridge_take(r->conn->bridge) : NULL)
                                                 : own_conn(r, sock),
                                     .early = slice_of(early, n_early) };
    MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE); /* the library keeps nothing of it */
    http_soon(r->http);
    if (u.conn)
        r->on_upgraded(r->upgrade_ctx, &u);
}

void http_upgrade(struct http_request *r, const char *protocol, const struct http_field *fields, size_t n,
                  void (*on_upgraded)(void *ctx, const struct http_upgraded *u), void *ctx)
{
    r->on_upgraded = on_upgraded;
    r->upgrade_ctx = ctx;
    r->response = MHD_create_response_for_upgrade(on_upgrade, r);
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_UPGRADE, protocol);
    answered(r, &(struct http_reply){ .status = 101, .fields = fields, .n_fields = n });
}
