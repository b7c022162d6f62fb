/* httpgw/rest.h - the API under /api/: ad-hoc commands and messages, by JSON over HTTP (DESIGN 7)
 *
 * Every call logs in as its user, with the credentials that it brings, and does what that user may: nothing is allowed to the gateway. */
#ifndef HTTPGW_REST_H
#define HTTPGW_REST_H

#include "httpgw/httpgw.h"

struct rest_all *rest_all_new(struct httpgw *d);
void rest_all_take_conf(struct rest_all *all, const struct httpgw_conf *conf); /* what can change at run time */
void rest_all_tick(struct rest_all *all); /* once a second */
void rest_connection_gone(struct rest_all *all, uint64_t connection); /* what was kept for it is not needed any more */
void rest_all_stop(struct rest_all *all); /* before the edge is closed: all calls are answered */
void rest_all_free(struct rest_all **all); /* after http_free, which ends the requests */

#endif
