/* httpgw/bosh.c */
#include "httpgw/routes.h"
struct bosh_all *bosh_all_new(struct httpgw *d)
{
    (void)d;
    return NULL;
}
void bosh_all_free(struct bosh_all **all)
{
    (void)all;
}
