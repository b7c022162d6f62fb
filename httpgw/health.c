/* httpgw/health.c - for load balancers: /health says that we run, /ready that clients can log in */
#include "httpgw/routes.h"

static void say(struct http_request *r, unsigned status, const char *text)
{
    const struct http_field fresh = { "Cache-Control", SLICE("no-store") };
    http_answer(r, &(struct http_reply){ .status = status,
                                         .type = "text/plain; charset=utf-8",
                                         .body = slice_cstr(text),
                                         .fields = &fresh,
                                         .n_fields = 1 });
}

void health_take(struct http_request *r)
{
    say(r, 200, "ok\n");
}

void ready_take(struct http_request *r)
{
    const struct clients *d = &routes_httpgw(r)->clients;
    if (d->draining)
        say(r, 503, "draining\n");
    else if (edge_domains(d->edge) == 0)
        say(r, 503, "no session manager\n");
    else
        say(r, 200, "ready\n");
}
