/* test/fuzz/fuzz_conf.c - configuration text; what is read prints as something that reads the same */
#include "common/base/buf.h"
#include "common/daemon/conf.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct values {
    bool on;
    uint32_t count, time_ms;
    size_t bytes;
    char *text;
    int word;
    struct conf_list list;
    unsigned calls;
};

static const struct option options[] = {
    OPTION_BOOL("main", "on", struct values, on, "yes", RELOAD),
    OPTION_UINT("main", "count", struct values, count, "5", "0", "1m", RELOAD),
    OPTION_TIME("main", "time", struct values, time_ms, "30s", "0", "7d", RELOAD),
    OPTION_BYTES("main", "bytes", struct values, bytes, "256k", NULL, NULL, RELOAD),
    OPTION_STRING("main", "text", struct values, text, "", RELOAD),
    OPTION_ENUM("main", "word", struct values, word, "a", "a|b|c", RELOAD),
    OPTION_LIST("main", "list", struct values, list, "", RELOAD),
};

static enum rc begin(void *conf, const char *name, struct why *why)
{
    (void)why;
    ((struct values *)conf)->calls++;
    return name[0] == '!' ? RC_DENIED : RC_OK;
}

static enum rc set(void *conf, const char *name, const char *option, const char *value, struct why *why)
{
    (void)why;
    ((struct values *)conf)->calls++;
    return name[0] == option[0] && value[0] ? RC_LIMIT : RC_OK;
}

static const char *const names[] = { "secret", NULL };
static const struct conf_named named[] = { { "component", names, begin, set }, { NULL, NULL, NULL, NULL } };
static const struct conf_table table = { options, sizeof options / sizeof *options,
                                         named,   sizeof(struct values),
                                         NULL,    NULL };

static void on_differ(void *ctx, const struct option *o)
{
    (void)ctx;
    (void)o;
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct values v = { 0 }, again = { 0 };
    struct why why;
    if (conf_read_text(&table, slice_of((const char *)data, size), &v, &why) != RC_OK)
        return 0;
    for (size_t i = 0; i < table.n; i++)
        conf_copy(&options[i], &v, &again);
    conf_compare(&table, &v, &again, on_differ, NULL);
    conf_clear(&table, &v);
    conf_clear(&table, &again);
    return 0;
}
