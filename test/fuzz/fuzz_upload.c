/* test/fuzz/fuzz_upload.c - the first line is a Range header, all of it the head of an uploaded file and a
 * content type: what is given out lies within the file, and only types of the list are shown */
#include "common/xmpp/slot.h"
#include "httpgw/range.h"
#include "httpgw/uploadfile.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_range(struct slice header, uint64_t of)
{
    uint64_t from, len;
    enum range r = range_read(header, of, &from, &len);
    if (from > of || len > of - from || (r == RANGE_WHOLE && (from || len != of)) ||
        (r == RANGE_PART && !len) || (r == RANGE_NONE && (from || len)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_of((const char *)data, size), rest = all, line = SLICE_NONE, name, type;
    char head[UPLOADFILE_HEAD] = { 0 };
    struct uploadfile_path path;
    (void)slice_split(&rest, '\n', &line);
    check_range(line, 0);
    check_range(line, size);
    check_range(line, UINT64_MAX);
    memcpy(head, all.p ? all.p : "", size < sizeof head ? size : sizeof head);
    if (uploadfile_head_read(slice_of(head, sizeof head), &name, &type) == RC_OK &&
        (!slot_name_ok(name) || (type.len && !slot_type_ok(type))))
        abort();
    if (uploadfile_is_inline(all) && !slice_eq(uploadfile_type_served(all), all))
        abort();
    if (!slot_type_ok(uploadfile_type_served(all)))
        abort();
    uploadfile_path(line, &path);
    if (strstr(path.file, ".."))
        abort();
    (void)uploadfile_day_over(line, INT64_MAX);
    return 0;
}
