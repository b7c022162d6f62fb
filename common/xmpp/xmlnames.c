/* common/xmpp/xmlnames.c */
#include "common/xmpp/xmlnames.h"

#include "common/xmpp/ns.h"

/* clang-format off */
static const char *const names[] = {
    "message", "presence", "iq", "to", "from", "id", "type", "lang", "body", "subject", "thread", "parent", "show",
    "status", "priority", "error", "code", "by", "query", "item", "jid", "name", "subscription", "ask", "group",
    "ver", "version", "hash", "node", "ext", "c", "x", "field", "var", "value", "option", "label", "form",
    "instructions", "title", "command", "action", "sessionid", "identity", "feature", "category", "ping", "time",
    "tzo", "utc", "os", "delay", "stamp", "stanza-id", "origin-id", "active", "composing", "paused", "inactive",
    "gone", "request", "received", "store", "no-store", "no-copy", "set", "max", "before", "after", "first", "last",
    "index", "count", "username", "password", "register", "remove", "session", "bind", "resource", "auth",
    "response", "challenge", "success", "failure", "mechanism", "mechanisms", "starttls", "proceed", "stream",
    "features", "open", "close", "bound", "step", "resume", "flow", "domain", "text",
    NS_CLIENT, NS_SERVER, NS_COMPONENT_ACCEPT, NS_COMPONENT, NS_STREAM, NS_STREAM_ERROR, NS_STANZA_ERROR, NS_TLS,
    NS_SASL, NS_BIND, NS_SESSION, NS_XML, NS_ROSTER, NS_FORM, NS_LAST, NS_DISCO_INFO, NS_DISCO_ITEMS, NS_COMMANDS,
    NS_RSM, NS_REGISTER, NS_VERSION, NS_CAPS, NS_PING, NS_TIME, NS_DELAY, NS_CHATSTATES, NS_RECEIPTS, NS_HINTS,
    NS_STANZA_ID, NS_CONTROL,
};
/* clang-format on */

_Static_assert(2 * sizeof names / sizeof *names <= XMLNAMES_SLOTS, "the table is more than half full");

static unsigned slot_of(struct slice name) /* FNV-1a; the names are ours, so collisions cannot be chosen */
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (uint8_t)name.p[i]) * 16777619u;
    return (h ^ h >> 16) % XMLNAMES_SLOTS;
}

void xmlnames_init(struct xmlnames *t)
{
    *t = (struct xmlnames){ 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice name = slice_cstr(names[i]);
        unsigned slot = slot_of(name);
        while (t->slots[slot].len && !slice_eq(t->slots[slot], name))
            slot = (slot + 1) % XMLNAMES_SLOTS;
        t->slots[slot] = name;
    }
}

struct slice xmlnames_find(const struct xmlnames *t, struct slice name)
{
    unsigned slot = slot_of(name);
    while (t->slots[slot].len && !slice_eq(t->slots[slot], name))
        slot = (slot + 1) % XMLNAMES_SLOTS;
    return t->slots[slot];
}
