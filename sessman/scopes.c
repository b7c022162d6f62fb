/* sessman/scopes.c */
#include "sessman/scopes.h"

/* The NODE of command:NODE, or empty. */
static struct slice node_of(struct slice word)
{
    return slice_starts(word, SLICE(SCOPE_COMMAND)) ? slice_from(word, sizeof SCOPE_COMMAND - 1) : SLICE_NONE;
}

bool scope_ok(struct slice word)
{
    struct slice node = node_of(word);
    for (size_t i = 0; i < node.len; i++)
        if ((unsigned char)node.p[i] <= ' ')
            return false;
    return node.len || slice_is(word, "commands") || slice_is(word, "commands:read") ||
           slice_is(word, "message");
}

static bool next(struct slice *scopes, struct slice *word)
{
    return slice_split(scopes, ' ', word) && scope_ok(*word);
}

bool scopes_run(struct slice scopes, struct slice node, bool changes)
{
    for (struct slice word; next(&scopes, &word);)
        if (slice_is(word, "commands") || (slice_is(word, "commands:read") && !changes) ||
            (node.len && slice_eq(node_of(word), node)))
            return true;
    return false;
}

bool scopes_see_commands(struct slice scopes)
{
    for (struct slice word; next(&scopes, &word);)
        if (!slice_is(word, "message"))
            return true;
    return false;
}

bool scopes_message(struct slice scopes)
{
    for (struct slice word; next(&scopes, &word);)
        if (slice_is(word, "message"))
            return true;
    return false;
}
