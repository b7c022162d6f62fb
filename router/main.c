/* router/main.c - bulkhead-router: authenticates components, keeps the table of bound names, switches frames
 */
#include "router/router.h"

int main(int argc, char **argv)
{
    return daemon_run(argc, argv, &router_daemon);
}
