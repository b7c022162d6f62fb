/* test/fuzz/fuzz_proxy.c - the PROXY header: what it takes lies within the bytes, and a beginning never says
 * something else than the whole */
#include "common/net/listen.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_of((const char *)data, size);
    struct sockaddr_storage whole, part;
    size_t used = 0, part_used = 0;
    enum rc rc = proxy_header_read(all, &whole, &used);
    if (rc == RC_OK && (used == 0 || used > size))
        abort();
    for (size_t n = 0; n < size && n < 256; n++) {
        enum rc got = proxy_header_read(slice_to(all, n), &part, &part_used);
        bool fits = got == RC_AGAIN || got == rc;
        if (!fits || (got == RC_OK && part_used != used))
            abort();
    }
    return 0;
}
