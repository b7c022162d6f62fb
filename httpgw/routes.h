/* httpgw/routes.h - which path is whose: the table is in routes.c, one line a path
 *
 * A new page is one file with its handler, one declaration here, one line in the table. */
#ifndef HTTPGW_ROUTES_H
#define HTTPGW_ROUTES_H

#include "httpgw/http.h"
#include "httpgw/httpgw.h"

/* The header of a request is there: finds its row, answers what has none (404, 405) and what browsers ask first (CORS). */
void routes_take(struct http_request *r);
struct httpgw *routes_httpgw(const struct http_request *r); /* the daemon's context */
/* Whether a page of this origin may use us: [http] origins. No Origin header: it is no browser, or our own page. */
bool routes_origin_ok(const struct http_request *r);
bool routes_is_own_origin(const struct http_request *r); /* the page is from the host that the request was sent to */
/* An answer that pages of those origins may read (the CORS protocol of the Fetch standard, 3.2). */
void routes_answer_cors(struct http_request *r, const struct http_reply *reply);

/* Handlers. */
void health_take(struct http_request *r);   /* health.c */
void ready_take(struct http_request *r);
void metrics_take(struct http_request *r);  /* metrics.c */
void hostmeta_xml_take(struct http_request *r);  /* hostmeta.c */
void hostmeta_json_take(struct http_request *r);
void ws_take(struct http_request *r);       /* ws.c */
void bosh_take(struct http_request *r);     /* bosh.c */
void upload_take(struct http_request *r);   /* upload.c */
void web_take(struct http_request *r);      /* web.c */
void rest_take(struct http_request *r);     /* rest.c */

#endif
