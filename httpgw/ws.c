/* httpgw/ws.c */
#include "httpgw/routes.h"
struct ws_all *ws_all_new(struct httpgw *d)
{
    (void)d;
    return NULL;
}
void ws_all_free(struct ws_all **all)
{
    (void)all;
}
