/* test/fuzz/fuzz_webfile.c - header fields of requests for our own pages, and names: what is a name is no way
 * to another folder */
#include "httpgw/webfile.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_of((const char *)data, size), rest = all, tag = SLICE_NONE;
    (void)slice_split(&rest, '\n', &tag);
    if (webfile_known(tag, tag) != webfile_known(rest, tag))
        (void)webfile_known(all, tag);
    (void)webfile_takes_gzip(all);
    if (!webfile_type(all) || (webfile_is_gzip(all) && size < 4))
        abort();
    if (webfile_name_ok(all) && (slice_find(all, '/') >= 0 || slice_find(all, '%') >= 0 ||
                                 slice_is(all, "..") || slice_find(all, '\0') >= 0 || !size))
        abort();
    return 0;
}
